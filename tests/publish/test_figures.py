"""Figures are a spec's own files beside its configs: they come, change, go and stay with it."""

from dataclasses import replace
from pathlib import Path

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish import commit
from magpie_hub.publish.folder import Folder
from magpie_hub.publish.plan import plan
from magpie_hub.publish.release import Copied, Stored, git_blob
from magpie_hub.publish.repository import Repository
from tests.hub.hub import Hub
from tests.publish import small
from tests.publish.making import Target, release
from tests.publish.released import tags

TWO = {"a": "1", "b": "2"}
LENGTHS, TAGS = "figures/pro/lengths.png", "figures/pro/tags.png"
DRAWN = release({"raw": TWO}, **{LENGTHS: "lengths", TAGS: "tags"})


@pytest.fixture
def target() -> Target:
    """A repository that holds `DRAWN` as 1.0.0."""
    made = Target()
    made.put(DRAWN)
    return made


def test_another_figure_is_a_patch(target):
    """It alone travels, with the card and release.json; its spec is known by the latter."""
    planned = target.put(release({"raw": TWO}, **{LENGTHS: "others", TAGS: "tags"}))
    assert sorted(planned.add) == ["README.md", LENGTHS, "release.json"]
    assert (planned.version, planned.level, planned.delete) == ("1.0.1", "patch", ())
    assert planned.manifest.files[LENGTHS]["spec"] == "pro"
    assert planned.manifest.configs["raw"]["version"] == "1.0.0"
    assert target.files[LENGTHS] == b"others"


def test_a_figure_that_is_no_longer_drawn_goes(target):
    """There is nothing left to show for it, and no file of it either."""
    fewer = release({"raw": TWO}, **{LENGTHS: "lengths"})
    assert target.put(fewer).delete == (TAGS,)
    assert not target.plan(fewer).to_do


@pytest.mark.parametrize("damage", [None, b"other"])
def test_a_figure_that_is_lost_or_damaged(target, damage):
    """It is put right under the version there is."""
    del target.files[LENGTHS]
    if damage:
        target.files[LENGTHS] = damage
    planned = target.put(DRAWN)
    assert (list(planned.add), planned.version, planned.tagged) == ([LENGTHS], "1.0.0", True)
    assert target.files[LENGTHS] == b"lengths"


def test_the_figures_of_two_specs(target):
    """Each keeps its own, also where the other publishes again, or loses its last config."""
    air = release({"air": TWO}, "air", **{"figures/air/lengths.png": "of air"})
    target.put(air)
    assert target.put(release({"raw": TWO})).delete == (LENGTHS, TAGS)
    assert target.files["figures/air/lengths.png"] == b"of air"
    assert not target.plan(air).to_do
    assert target.put(DRAWN, "air").delete == (
        "air/train-00000-of-00001.parquet",
        "figures/air/lengths.png",
    )


def test_a_lost_figure_of_another_spec(target):
    """Only its own spec can draw it again, and no config would be deleted for it."""
    target.put(release({"air": TWO}, "air"))
    del target.files[LENGTHS]
    with pytest.raises(TargetError, match=f"`{LENGTHS}` of `org/magpie` is lost") as caught:
        target.plan(release({"air": TWO}, "air"))
    assert caught.value.hint == "publish the spec `pro` again, which brings it back"


def test_a_file_of_others_in_the_place_of_a_figure():
    """It is neither replaced nor taken for ours; what lies beside it stays."""
    target = Target(**{"figures__pro__lengths.png": "mine", "figures__mine.png": "mine, too"})
    with pytest.raises(TargetError, match=f"holds `{LENGTHS}`, which no release of this spec"):
        target.plan(DRAWN)
    del target.files[LENGTHS]
    assert target.put(DRAWN).keep == ("figures/mine.png",)


def test_a_config_that_is_called_figures():
    """Its files are those that lie in its folder itself; the pictures are of no config."""
    target = Target()
    ours = release({"figures": TWO}, **{LENGTHS: "lengths"})
    target.put(ours)
    assert not target.plan(ours).to_do
    manifest = target.read().manifest
    assert list(manifest.of_config("figures")) == ["figures/train-00000-of-00001.parquet"]
    assert sorted(manifest.beside()) == ["README.md", LENGTHS, "index.parquet"]


def test_figures_in_a_folder(tmp_path: Path):
    """They lie beside the card, and one that is no longer drawn is gone."""
    place = Folder("org/magpie", tmp_path / "tiny")
    for each in (DRAWN, release({"raw": TWO}, **{LENGTHS: "lengths"})):
        with place.owned():
            place.put(plan(each, place.read()))
    assert (place.path / LENGTHS).read_bytes() == b"lengths"
    assert not (place.path / TAGS).exists()


def test_an_old_version_again_brings_its_figures(empty: Hub, tmp_path: Path):
    """Those of that version are copied where they lie, later ones go; the second time is none."""
    repository = Repository(small.REPO)
    repository.create(private=False)
    for figures in ({"lengths": b"old"}, {"lengths": b"new", "tags": b"new"}):
        made = small.release(tmp_path, {"raw": small.rows(3)}, figures=figures)
        commit.publish(made, repository, print)
    puts = sum(seen.method == "PUT" for seen in empty.requests)
    again = commit.as_of(repository, "tiny", "1.0.0")
    planned = commit.publish(again, repository, print).plan
    assert (planned.version, planned.delete) == ("1.0.2", ("figures/tiny/tags.png",))
    assert sum(seen.method == "PUT" for seen in empty.requests) == puts
    files = repository.read("v1.0.2").files
    assert (
        files["figures/tiny/lengths.png"]
        == repository.read("v1.0.0").files["figures/tiny/lengths.png"]
    )
    assert commit.publish(again, repository, print).commit is None
    assert sorted(tags(empty)) == ["v1.0.0", "v1.0.1", "v1.0.2"]


def test_a_small_figure_of_an_old_version(target):
    """Where a repository tells no SHA-256, git's id of the old file says whether it is there."""
    there = target.read()
    small_one = Stored(7, blob=git_blob(b"lengths"))
    there = replace(there, files={**there.files, LENGTHS: small_one})
    for blob, adding in ((git_blob(b"lengths"), []), (git_blob(b"older"), [LENGTHS])):
        sources = {**DRAWN.sources, LENGTHS: Copied("abc", LENGTHS, blob)}
        assert list(plan(replace(DRAWN, sources=sources), there).add) == adding

"""A plan is what there is to do, no more: from two indexes and a card, never from the data."""

from dataclasses import replace

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.plan import plan
from magpie_hub.publish.release import Copied, Stored, git_blob
from tests.publish.making import Target, release

ROWS = {"a": "1", "b": "2", "c": "3"}
TOP = {"a": "1"}
FIRST = release({"raw": ROWS, "top": TOP}, default="top")
MORE = release({"raw": ROWS | {"d": "4"}, "top": TOP}, default="top")
RAW = "raw/train-00000-of-00001.parquet"


@pytest.fixture
def target() -> Target:
    """A repository that holds `FIRST` as 1.0.0."""
    made = Target()
    made.put(FIRST)
    return made


def test_the_first_publish():
    """Everything is new: all files, the card, the index and the manifest, as 1.0.0."""
    planned = Target().plan(FIRST)
    assert (planned.version, planned.before, planned.level) == ("1.0.0", None, "minor")
    assert planned.to_do
    assert sorted(planned.add) == [
        "README.md",
        "index.parquet",
        RAW,
        "release.json",
        "top/train-00000-of-00001.parquet",
    ]
    assert planned.upload_bytes == sum(map(len, planned.add.values()))
    assert {path: entry.get("spec") for path, entry in planned.manifest.files.items()} == {
        "README.md": None,
        "index.parquet": None,
        RAW: "pro",
        "top/train-00000-of-00001.parquet": "pro",
    }
    assert planned.manifest.changelog == (
        {
            "version": "1.0.0",
            "changes": ["`raw` 1.0.0: new, 3 rows", "`top` 1.0.0: new, 1 rows"],
        },
    )


def test_the_same_release_again(target):
    """Nothing is to do: no file, the same version, and no index was read."""
    published = replace(target.read(), index=lambda: 1 / 0)
    planned = plan(FIRST, published)
    assert not planned.to_do
    assert (planned.add, planned.delete, planned.version) == ({}, (), "1.0.0")
    assert (planned.level, planned.card_diff) == ("none", "")
    assert {change.state for change in planned.configs} == {"same"}


@pytest.mark.parametrize(
    ("changed", "version", "of_raw"),
    [
        (MORE, "1.1.0", "1.1.0"),
        (release({"raw": {"a": "1"}, "top": TOP}, default="top"), "1.1.0", "1.1.0"),
        (release({"raw": ROWS, "top": TOP, "new": TOP}, default="top"), "1.1.0", "1.0.0"),
        (release({"raw": ROWS, "top": TOP}, default="raw"), "1.0.1", "1.0.0"),
        (release({"raw": ROWS, "top": TOP}, default="top", text="Other."), "1.0.1", "1.0.0"),
        (release({"raw": ROWS, "top": TOP}, default="top", writer="v2"), "1.0.1", "1.0.0"),
        (
            release({"raw": ROWS, "top": TOP}, default="top", aliases={"raw": "all"}),
            "1.1.0",
            "1.0.0",
        ),
        (
            release({"raw": ROWS, "top": TOP}, default="top", features={"uuid": "string"}),
            "2.0.0",
            "2.0.0",
        ),
    ],
)
def test_what_changes_decides_the_version(target, changed, version, of_raw):
    """Schema is major, rows and configs minor, card and bytes a patch; each config has its own."""
    planned = target.put(changed)
    assert (planned.before, planned.version) == ("1.0.0", version)
    versions = {name: entry["version"] for name, entry in planned.manifest.configs.items()}
    assert versions["raw"] == of_raw
    assert versions["top"] == ("2.0.0" if version == "2.0.0" else "1.0.0")
    listed = {entry["config_name"]: entry["version"] for entry in target.front["configs"]}
    assert all(listed[name] == versions[name] for name in versions)
    assert not target.plan(changed).to_do


def test_only_what_changed_travels(target):
    """The files of a config that is the same are neither added nor deleted."""
    planned = target.plan(MORE)
    assert sorted(planned.add) == ["README.md", "index.parquet", RAW, "release.json"]
    assert planned.delete == ()
    assert planned.configs[0].added == 1
    assert "+- `raw` 1.1.0: 4 rows; 1 added" in planned.card_diff


def test_files_of_ours_that_are_no_longer_made(target):
    """What an earlier release had and this one has not, figures too, is deleted with it."""
    target.put(release({"raw": ROWS, "top": TOP}, default="top", **{"figures/a.png": "png"}))
    stale = replace(
        FIRST,
        files={"raw/train-0.parquet" if p == RAW else p: e for p, e in FIRST.files.items()},
        sources={"raw/train-0.parquet" if p == RAW else p: s for p, s in FIRST.sources.items()},
    )
    planned = target.put(stale)
    assert planned.delete == ("figures/a.png", RAW)
    assert planned.version == "1.0.2"
    assert not target.plan(stale).to_do


def test_newer_libraries_alone(target):
    """Other versions of what made the same bytes are no reason to publish, and no secret."""
    newer = {"pyarrow": "99.0.0"}
    same = release({"raw": ROWS, "top": TOP}, default="top", versions=newer)
    assert not target.plan(same).to_do
    more = release({"raw": ROWS}, versions=newer)
    assert target.put(more).manifest.specs["pro"]["versions"] == newer


@pytest.mark.parametrize("path", [RAW, "index.parquet", "README.md"])
@pytest.mark.parametrize("damage", ["lost", "other"])
def test_a_file_of_ours_that_is_lost_or_damaged(target, path, damage):
    """It is put right under the version there is: nothing else is written, nothing is raised."""
    whole = target.files.pop(path)
    if damage == "other":
        target.files[path] = whole.replace(b"a", b"A")
        if path == "README.md":
            target.files[path] = whole.replace(b"Some facts.", b"Lies.")
    planned = target.put(FIRST)
    assert (list(planned.add), planned.delete) == ([path], ())
    assert (planned.version, planned.level, planned.tagged) == ("1.0.0", "none", True)
    assert target.files[path] == whole
    assert not target.plan(FIRST).to_do


def test_a_small_file_that_is_no_lfs_file(target, tmp_path):
    """Where a repository tells no SHA-256, git's id of the content says whether it is there."""
    (tmp_path / "raw").write_bytes(target.files[RAW])
    ours = replace(FIRST, sources={**FIRST.sources, RAW: tmp_path / "raw"})
    there = target.read()
    files = {
        path: Stored(s.size, blob=git_blob(target.files[path]))
        if path in (RAW, "index.parquet")
        else s
        for path, s in there.files.items()
    }
    assert not plan(ours, replace(there, files=files)).to_do
    other = files | {RAW: Stored(7, blob=git_blob(b"other"))}
    assert list(plan(ours, replace(there, files=other)).add) == [RAW]


def test_an_index_that_is_no_lfs_file():
    """Two specs take turns, and each makes the same index of both, byte for byte."""
    target, air = Target(), release({"air": TOP}, "air", default="air")
    target.put(FIRST)
    target.put(air)
    there = target.read()
    index = target.files["index.parquet"]
    files = {**there.files, "index.parquet": Stored(len(index), blob=git_blob(index))}
    for ours in (FIRST, air):
        assert not plan(ours, replace(there, index=lambda: 1 / 0)).to_do
        assert not plan(ours, replace(there, files=files)).to_do


def test_an_index_that_has_lost_what_is_kept():
    """Another spec's rows cannot be indexed here: an error, not an index without them."""
    target = Target()
    target.put(release({"air": TOP}, "air"))
    target.put(FIRST)
    del target.files["index.parquet"]
    with pytest.raises(TargetError, match=r"index\.parquet of .* has lost the rows of `air`"):
        target.plan(FIRST)


@pytest.mark.parametrize(
    ("asked", "version"), [(None, "1.1.0"), ("1.1.0", "1.1.0"), ("2.5.0", "2.5.0")]
)
def test_the_version_that_the_spec_asks_for(target, asked, version):
    """It is taken where it is at least what the change asks for."""
    assert target.plan(replace(MORE, version=asked)).version == version


@pytest.mark.parametrize("asked", ["0.9.0", "1.0.0", "1.0.1"])
def test_a_version_that_is_too_low(target, asked):
    """Lower, taken, or less than the change asks for: an error; but not where nothing changes."""
    with pytest.raises(TargetError, match=f"`version: {asked}`"):
        target.plan(replace(MORE, version=asked))
    if asked != "1.0.1":
        assert not target.plan(replace(FIRST, version=asked)).to_do


def test_the_last_version_is_the_highest(target):
    """Tags count as numbers, and also where somebody made one by hand."""
    target.tags |= {"1.9.0": "x", "1.10.0": "x"}
    assert target.plan(MORE).version == "1.11.0"


def test_a_frozen_config(target):
    """Its rows may not change; everything else may."""
    frozen = release({"raw": ROWS, "top": TOP}, default="top", frozen=["raw"])
    assert target.put(frozen).level == "patch"
    with pytest.raises(TargetError, match="config `raw` is frozen, and 1 rows would be added"):
        target.plan(release({"raw": ROWS | {"d": "4"}}, frozen=["raw"]))


def test_files_that_the_target_has_already(target):
    """What is only copied within the target does not count as bytes to upload."""
    target.put(MORE)
    old = {path: Copied("abc", path) for path in FIRST.sources}
    planned = target.plan(replace(FIRST, sources=old))
    assert planned.add[RAW] == Copied("abc", RAW)
    assert planned.upload_bytes == sum(len(s) for s in planned.add.values() if isinstance(s, bytes))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- synthetic", "- synthetic\n- mine"),
        ("tags:\n- synthetic\n", ""),
        ("pretty_name: magpie", "# who knows why\npretty_name: 'The Magpie'"),
        ("license: llama3", "viewer: false\nlicense: llama3"),
        ("\n<!-- magpie-hub: pro -->", "# Read me first\n\n<!-- magpie-hub: pro -->"),
        ("<!-- /magpie-hub changelog -->\n", "<!-- /magpie-hub changelog -->\n\nBye."),
    ],
)
def test_what_a_person_edits(target, old, new):
    """It is no reason to publish, and stays when there is one."""
    target.edit(old, new)
    edited, said = target.card, target.front
    assert not target.plan(FIRST).to_do
    target.put(MORE)
    kept = {key: value for key, value in said.items() if key not in ("configs", "dataset_info")}
    assert {key: target.front.get(key) for key in kept} == kept
    assert target.front.keys() == said.keys()
    assert ("Read me first" in target.card) == ("Read me first" in edited)
    assert target.card.endswith("Bye.") == edited.endswith("Bye.")


def test_a_licence_that_a_person_edits(target):
    """The licence is what the spec says: it comes back, under the version that had it."""
    target.edit("license: llama3", "license: mit")
    planned = target.put(FIRST)
    assert (list(planned.add), planned.version, planned.tagged) == (["README.md"], "1.0.0", True)
    assert target.front["license"] == "llama3"


def test_drift_is_told(target):
    """Labels that moved are in the plan, by config."""
    target.put(release({"raw": ROWS}, facts={"counts": {"quality": {"1": 3}}}))
    moved = release({"raw": {"z": "1"}}, facts={"counts": {"quality": {"1": 1, "5": 1}}})
    assert target.plan(moved).configs[0].drift == {"quality": 0.5}


def test_a_second_name(target):
    """One that comes is a minor change, one that goes a major one; the config's version stays."""
    named = release({"raw": ROWS, "top": TOP}, default="top", aliases={"raw": "all"})
    planned = [target.put(each) for each in (named, FIRST)]
    assert [each.version for each in planned] == ["1.1.0", "2.0.0"]
    assert [each.manifest.changelog[0]["changes"] for each in planned] == [
        ["`all` is a name of `raw`, too"],
        ["`all` is no longer a name of `raw`"],
    ]
    assert planned[1].manifest.configs["raw"]["version"] == "1.0.0"


def test_a_version_that_is_asked_for(target):
    """A higher one is a reason to publish by itself; the one that is there, or a lower one, not."""
    target.put(FIRST)
    assert target.plan(replace(FIRST, version="3.0.0")).version == "3.0.0"
    for version in ("1.0.0", "0.9.0", None):
        assert not target.plan(replace(FIRST, version=version)).to_do

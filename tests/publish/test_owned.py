"""A release touches what its spec owns: other specs find their things as they were."""

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.plan import Plan
from tests.publish.making import Target, release

TWO = {"a": "1", "b": "2"}
PRO = release({"pro": TWO}, "pro", default="pro")
AIR = release(
    {"air": {"x": "9"}}, "air", default="air", front={"language": ["de"], "tags": ["air"]}
)


def states(planned: Plan) -> dict[str, str]:
    """Return what a plan does to each config."""
    return {change.name: change.state for change in planned.configs}


@pytest.mark.parametrize("order", [(PRO, AIR), (AIR, PRO)])
def test_two_specs_in_one_repository(order):
    """Each keeps its configs, rows, files and section; published again, neither has work to do."""
    target = Target()
    first, second = (target.put(each) for each in order)

    assert (first.version, second.version) == ("1.0.0", "1.1.0")
    assert set(states(second).values()) == {"kept", "new"}
    assert {name: rows.num_rows for name, rows in target.index().items()} == {"air": 1, "pro": 2}
    assert {entry["config_name"] for entry in target.front["configs"]} == {"air", "pro"}
    assert set(target.front["language"]) == {"en", "de"}
    assert set(target.read().manifest.specs) == {"air", "pro"}
    assert f"# org/magpie: {order[1].name}\n" in target.card
    for each in order:
        again = target.plan(each)
        assert not again.to_do
        assert states(again)[each.name] == "same"
    assert [entry["config_name"] for entry in target.front["configs"] if entry.get("default")] == [
        order[0].name
    ]


def test_the_other_spec_changes():
    """A release of one spec raises its own config's version, and leaves the other's as it is."""
    target = Target()
    target.put(PRO)
    target.put(AIR)
    planned = target.put(release({"pro": {"a": "1"}}, "pro", default="pro"))
    assert planned.version == "1.2.0"
    assert {name: e["version"] for name, e in planned.manifest.configs.items()} == {
        "pro": "1.1.0",
        "air": "1.0.0",
    }
    assert {e["config_name"]: e["version"] for e in target.front["configs"]} == {
        "pro": "1.1.0",
        "air": "1.0.0",
    }
    assert not target.plan(AIR).to_do


def test_two_specs_with_two_licences():
    """A card has room for one licence: where the specs state two, nothing is planned."""
    target = Target()
    target.put(release({"pro": {"a": "1"}}, "pro", front={"license": "mit"}))
    theirs = release({"air": {"x": "9"}}, "air", front={"license": "cc-by-nc-4.0"})
    with pytest.raises(TargetError, match=r"`mit` by `pro`, `cc-by-nc-4\.0` by `air`"):
        target.plan(theirs)
    target.put(release({"air": {"x": "9"}}, "air", front={"license": "mit"}))


def test_two_specs_that_both_have_a_raw():
    """Every spec has one: the second is refused, with what to write, until it may replace it."""
    target = Target()
    target.put(release({"raw": TWO, "top": {"a": "1"}}, "air", **{"figures/air.png": "png"}))
    ours = release({"raw": {"z": "1"}}, "pro")
    with pytest.raises(
        TargetError, match="has a config `raw` already, made by the spec `air`"
    ) as e:
        target.plan(ours)
    assert "`raw: false` leaves out" in e.value.hint
    assert "--delete raw" in e.value.hint

    planned = target.put(ours, "raw")
    assert states(planned) == {"raw": "changed", "top": "kept"}
    assert planned.manifest.configs["raw"]["version"] == "1.1.0"
    assert planned.manifest.configs["raw"]["spec"] == "pro"
    assert "figures/air.png" in target.files
    # The command that was killed before its version was made is given again.
    again = target.plan(ours, "raw")
    assert not again.to_do
    assert again.notes[0].startswith("--delete raw does nothing: the spec names `raw`")


def test_a_spec_that_loses_its_last_config():
    """Its section, its entry and its figures go along; a typed name that is not there is told."""
    target = Target()
    target.put(PRO)
    alone = dict(target.files)
    target.put(release({"air": TWO}, "air", **{"figures/air.png": "png"}))
    planned = target.put(PRO, "air", "typo")

    assert states(planned) == {"pro": "same", "air": "deleted"}
    assert planned.level == "major"
    assert planned.delete == ("air/train-00000-of-00001.parquet", "figures/air.png")
    assert set(planned.manifest.specs) == {"pro"}
    assert set(target.files) == set(alone)
    assert target.files["index.parquet"] == alone["index.parquet"]
    assert "magpie-hub: air" not in target.card
    assert "does nothing: there is no config `typo`, but `pro`, `air`" in planned.notes[0]


def test_a_config_that_the_spec_no_longer_names():
    """It stays, with alias, rows, files and entry, until --delete says otherwise."""
    target = Target()
    target.put(release({"raw": TWO, "old": {"c": "3"}}, aliases={"old": "older"}))
    ours = release({"raw": TWO})
    planned = target.put(ours)
    assert states(planned) == {"raw": "same", "old": "kept"}
    assert planned.configs[1].owner == "this spec, and not in this release"
    assert target.index()["old"].num_rows == 1
    assert [e["config_name"] for e in target.front["configs"]] == ["raw", "old", "older"]
    assert not target.plan(ours).to_do

    with pytest.raises(TargetError, match="`older` is but another name of `old`"):
        target.plan(ours, "older")
    deleted = target.put(ours, "old")
    assert deleted.delete == ("old/train-00000-of-00001.parquet",)
    assert [e["config_name"] for e in target.front["configs"]] == ["raw"]
    assert list(target.index()) == ["raw"]
    assert "- `old` is deleted\n" in target.card


def test_a_stray_file_beside_ours():
    """Also after the first publish, a file that somebody puts beside ours would be read with it."""
    target = Target()
    target.put(PRO)
    target.files["pro/train-00001-of-00001.parquet"] = b"x"
    with pytest.raises(TargetError, match=r"holds `pro/train-00001-of-00001\.parquet`"):
        target.plan(PRO)


@pytest.mark.parametrize(
    ("ours", "holder", "left"),
    [
        # A name, or another name, of another spec's config, as name and as alias of ours.
        (release({"air": TWO}), "air", "air raw rough"),
        (release({"light": TWO}), "air", "light raw rough"),
        (release({"new": TWO}, aliases={"new": "air"}), "air", "air new raw rough"),
        (release({"new": TWO}, aliases={"new": "light"}), "air", "light new raw rough"),
        # The same of a config of ours that the spec no longer names.
        (release({"new": TWO}, aliases={"new": "raw"}), "raw", "air light new raw"),
        (release({"rough": TWO}), "raw", "air light rough"),
    ],
)
def test_names_that_clash(ours, holder, left):
    """Two configs cannot be called the same: refused, until the one that is there may go."""
    target = Target()
    target.put(release({"air": TWO}, "air", aliases={"air": "light"}))
    target.put(release({"raw": TWO}, aliases={"raw": "rough"}))
    with pytest.raises(TargetError, match="already") as caught:
        target.plan(ours)
    assert f"with --delete {holder} (a spec is known" in caught.value.hint
    target.put(ours, holder)
    assert sorted(entry["config_name"] for entry in target.front["configs"]) == left.split()
    assert not target.plan(ours).to_do


def test_an_alias_moves_within_a_spec():
    """A name may become another config's, or a config's own, as long as the spec names both."""
    target = Target()
    target.put(release({"a": TWO, "b": {"c": "3"}}, aliases={"a": "best"}))
    target.put(release({"a": TWO, "b": {"c": "3"}}, aliases={"b": "best"}))
    paths = {e["config_name"]: e["data_files"][0]["path"] for e in target.front["configs"]}
    assert paths["best"] == "b/train-*"
    target.put(release({"a": TWO, "b": {"c": "3"}, "best": {"d": "4"}}))
    assert sorted(e["config_name"] for e in target.front["configs"]) == ["a", "b", "best"]


def test_a_card_that_has_lost_what_stays():
    """Another spec's entry cannot be made here: an error before the commit, not after it."""
    target = Target()
    target.put(AIR)
    target.put(PRO)
    del target.files["README.md"]
    with pytest.raises(TargetError, match="no longer lists all names of the config `air`"):
        target.plan(PRO)

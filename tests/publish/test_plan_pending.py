"""A plan after a publish that was stopped before its version was made; and what is told of each."""

import json
from dataclasses import replace

import pytest

from magpie_hub.marks import VERSION
from tests.publish.making import FEATURES, Target, release

ROWS = {"a": "1", "b": "2", "c": "3"}
TOP = {"a": "1"}
FIRST = release({"raw": ROWS, "top": TOP}, default="top")
MORE = release({"raw": ROWS | {"d": "4"}, "top": TOP}, default="top")


def test_a_version_that_was_never_made():
    """A publish that was killed before its tag leaves nothing to write, but something to do."""
    target = Target()
    target.put(FIRST)
    target.put(MORE, tag=False)
    planned = target.plan(MORE)
    assert (planned.add, planned.version, planned.before) == ({}, "1.1.0", "1.0.0")
    assert planned.to_do
    assert not planned.tagged
    assert not planned.changes


@pytest.mark.parametrize(
    ("features", "version"), [(FEATURES, "1.1.0"), ({"uuid": "string"}, "2.0.0")]
)
def test_a_version_that_was_never_made_and_more_changes(features, version):
    """It is used for what comes instead, or raised; its changes are told with the new ones."""
    target = Target()
    target.put(FIRST)
    target.put(MORE, tag=False)
    still_more = ROWS | {"d": "4", "e": "5"}
    planned = target.put(release({"raw": still_more, "top": TOP}, default="top", features=features))
    assert planned.version == version
    assert [entry["version"] for entry in planned.manifest.changelog] == [version, "1.0.0"]
    assert "`raw` 1.1.0: 4 rows; 1 added" in planned.manifest.changelog[0]["changes"]
    assert len(planned.manifest.changelog[0]["changes"]) == (2 if version == "1.1.0" else 3)


def test_a_version_that_was_never_made_and_an_edited_card():
    """release.json has to say what the card is now, or the version could not be verified."""
    target = Target()
    target.put(FIRST)
    target.put(MORE, tag=False)
    target.edit("\n<!-- magpie-hub: pro -->", "Mine.\n\n<!-- magpie-hub: pro -->")
    planned = target.put(MORE, tag=False)
    assert (list(planned.add), planned.version) == (["release.json"], "1.1.0")
    assert target.plan(MORE).add == {}


def test_a_first_version_that_was_never_made():
    """The first one too: the card that changed meanwhile goes under the same version."""
    target = Target()
    target.put(FIRST, tag=False)
    assert target.plan(FIRST).version == "1.0.0"
    planned = target.plan(release({"raw": ROWS, "top": TOP}, default="top", text="Other."))
    assert (planned.version, planned.before, planned.level) == ("1.0.0", None, "patch")
    assert len(planned.manifest.changelog) == 1


def test_the_version_that_a_card_names():
    """It is the one that its spec published last: another spec's release is no change of it."""
    text = f"Pin it by `{VERSION}`."
    ours, air = (release({name: TOP}, name, text=text) for name in ("pro", "air"))
    target = Target()
    target.put(ours)
    target.put(air)
    assert "\nPin it by `v1.0.0`.\n" in target.card.partition("magpie-hub: air")[0]
    assert "\nPin it by `v1.1.0`.\n" in target.card.partition("magpie-hub: air")[2]
    assert not target.plan(ours).to_do
    assert not target.plan(air).to_do
    target.put(release({"pro": ROWS}, text=text))
    assert "\nPin it by `v1.2.0`.\n" in target.card
    assert "v1.0.0" not in target.card
    assert target.plan(air).edited == target.plan(ours).edited == ()


def test_the_changelog():
    """Each version has its own lines, the newest first, in the card as in release.json."""
    target = Target()
    target.put(FIRST)
    target.put(MORE)
    target.put(release({"raw": ROWS | {"d": "4"}, "top": TOP}, default="top", text="Other."))
    again = replace(FIRST, remarks=("as in 1.0.0 again",))
    target.put(again, tag=False)
    target.put(replace(again, card=MORE.card), tag=False)
    planned = target.put(again)
    assert [(entry["version"], entry["changes"]) for entry in planned.manifest.changelog] == [
        ("1.2.0", ["as in 1.0.0 again", "`raw` 1.2.0: 3 rows; 1 removed"]),
        ("1.1.1", ["the same rows, described anew"]),
        ("1.1.0", ["`raw` 1.1.0: 4 rows; 1 added"]),
        ("1.0.0", ["`raw` 1.0.0: new, 3 rows", "`top` 1.0.0: new, 1 rows"]),
    ]
    assert json.loads(target.files["release.json"])["changelog"][0]["version"] == "1.2.0"
    assert target.card.index("### 1.2.0") < target.card.index("### 1.1.1")

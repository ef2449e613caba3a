"""What a person wrote into the generated part of a card is kept at its places, and told elsewhere.

Nothing that was written is lost in silence: neither on the Hub, nor in a folder.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magpie_hub import marks
from magpie_hub.errors import TargetError
from magpie_hub.publish import commit, sections
from magpie_hub.publish.manifest import Manifest
from magpie_hub.publish.plan import check_edits, plan
from magpie_hub.publish.readme import split
from magpie_hub.publish.release import Release
from magpie_hub.publish.repository import Repository
from magpie_hub.publish.sections import content
from magpie_hub.publish.show import as_json, table
from tests.hub.hub import Hub
from tests.publish import handed, small
from tests.publish.handed import store
from tests.publish.making import Target, release

TWO = {"a": "1", "b": "2"}
BEGIN, END = marks.keep("limits")
FIRST = release({"raw": TWO}, text=f"Some facts.\n\n{BEGIN}{END}")
NEWER = release({"raw": TWO}, text=f"{BEGIN}{END}\nOther facts.")
WITHOUT = release({"raw": TWO}, text="Some facts.")


@pytest.fixture
def target() -> Target:
    """A repository that holds `FIRST` as 1.0.0."""
    made = Target()
    made.put(FIRST)
    return made


def test_words_at_their_place_survive_every_release(target):
    """They are no edit and no reason to publish; what is made anew is made around them."""
    target.edit(BEGIN, f"{BEGIN}Not for *children*.\n")
    assert not target.plan(FIRST).to_do
    for made, version in ((NEWER, "1.0.1"), (FIRST, "1.0.2")):
        planned = target.put(made)
        assert (planned.version, planned.edited, planned.notes) == (version, (), ())
        assert f"{BEGIN}Not for *children*.\n{END}" in target.card
    # A version of the templates that has no such place.
    planned, place = target.put(WITHOUT), "`limits` of `pro`"
    assert planned.edited == ()
    assert planned.notes == (
        f"what was written at {place} moves before the versions: its card has no such place",
    )
    assert target.card.index("<!-- /magpie-hub: pro") < target.card.index("Not for *children*.")
    assert not target.plan(WITHOUT).to_do
    target.put(FIRST)
    assert target.card.count("Not for *children*.\n") == 1
    assert f"{BEGIN}{END}" in target.card


def test_a_card_with_the_line_ends_of_windows(target):
    """It is no edit; words at their place stay as they are written, line ends and all."""
    target.edit(BEGIN, f"{BEGIN}Not for *children*.\n")
    target.files["README.md"] = target.files["README.md"].replace(b"\n", b"\r\n")
    planned = target.put(NEWER)
    assert planned.edited == ()
    assert f"{BEGIN}Not for *children*.\r\n{END}" in target.card
    assert not target.plan(NEWER).to_do


@pytest.mark.parametrize("made", [FIRST, NEWER])
def test_an_edit_of_what_is_generated_is_told(target, made):
    """The plan names the spec and shows what would be lost; to carry it out takes a word."""
    target.edit("Some facts.", "Lies.")
    planned = target.plan(made)
    assert (planned.edited, planned.changes) == (("pro",), True)
    assert "\n-Lies.\n" in planned.card_diff
    assert "the generated part of `pro` in README.md was edited" in table(planned)[-1]
    assert as_json(planned)["edited"] == ["pro"]
    with pytest.raises(TargetError, match=r"part of `pro` in README\.md of `org/magpie` was") as e:
        check_edits(planned, discard=False)
    assert "between two marks `magpie-hub keep`" in e.value.hint
    assert "--discard-edits" in e.value.hint
    check_edits(planned, discard=True)
    target.put(made)
    assert "Lies." not in target.card
    assert target.plan(made).edited == ()


def test_the_list_of_versions_and_an_emptied_part(target):
    """A word in the list of versions, or nothing where our part was, is an edit as any other."""
    target.edit("## Versions\n", "## Versions\n\nThe first one is wrong.\n")
    assert target.plan(FIRST).edited == ("Versions",)
    target.edit("\n\nThe first one is wrong.", "")
    assert target.plan(FIRST).edited == ()
    part = content(split(target.card)[1], "pro")
    target.edit(part, "\n")
    assert target.plan(FIRST).edited == ("pro",)


def test_the_list_of_versions_in_other_words_of_ours(target, monkeypatch):
    """What a later release words otherwise is no edit; a person's word in the old one still is."""
    monkeypatch.setattr(sections, "changelog", lambda *_: "## Releases\n")
    assert target.plan(NEWER).edited == ()
    target.edit("## Versions\n", "## Versions\n\nThe first one is wrong.\n")
    assert target.plan(NEWER).edited == ("Versions",)


def test_another_licence_in_the_metadata(target):
    """The licence is the spec's; that one in the card is another is said."""
    target.edit("license: llama3", "license: mit")
    assert target.plan(FIRST).notes == (
        "`license: mit` in README.md becomes `llama3`, which the spec states",
    )


def test_an_edit_that_a_person_takes_away(target):
    """Moved before the part, or to a place in it, the words are kept, and nothing is edited."""
    target.edit("Some facts.", "Some facts.\n\nMine.")
    assert target.plan(NEWER).edited == ("pro",)
    target.edit("\n\nMine.", "")
    target.edit(BEGIN, f"{BEGIN}Mine.\n")
    assert target.plan(NEWER).edited == ()
    check_edits(target.plan(NEWER), discard=False)


def test_the_edited_part_of_another_spec(target):
    """It stays as it is, and is told only where it would be lost."""
    target.put(release({"air": TWO}, "air"))
    target.edit("Some facts.\n\n" + BEGIN, "Lies.\n\n" + BEGIN)
    planned = target.put(release({"air": TWO}, "air", text="Other facts."))
    assert (planned.edited, "Lies." in target.card) == ((), True)
    assert target.plan(NEWER).edited == ("pro",)
    assert target.plan(release({"air": TWO}, "air"), "raw").edited == ("pro",)


def test_a_release_json_of_before(target):
    """One without checksums tells of no edit, and is by itself no reason to publish."""
    said = json.loads(target.files["release.json"])
    assert said["specs"]["pro"].pop("card")
    assert said.pop("log")
    target.files["release.json"] = json.dumps(said).encode()
    assert not target.plan(FIRST).to_do
    target.edit("Some facts.", "Lies.")
    target.edit("## Versions", "## My versions")
    assert target.plan(FIRST).edited == ()
    manifest: Manifest = target.put(NEWER).manifest
    assert manifest.specs["pro"]["card"]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Serve a hub that holds a release as v1.0.0 and, with other words, as v1.0.1."""
    with handed.serving_release(tmp_path) as served:
        commit.publish(made(tmp_path, "Some facts."), Repository(small.REPO), print)
        yield served


def made(folder: Path, text: str) -> Release:
    """Return the release that the hub holds, with words of its own in the card."""
    rows = {"aliases": {"kurz": "short"}, "figures": {"lengths": b"\x89PNG, of lengths"}}
    return small.release(folder / "built", handed.CONFIGS, text=text, **rows)


def edit(hub: Hub, old: str, new: str) -> str:
    """Edit the card on `main` as a person does, and return the commit."""
    parent = store(hub).at("main").sha
    files = handed.card(handed.files_of(hub, "main"), old, new)
    sha = handed.committed(hub, files)
    with store(hub).changing() as state:
        assert state["refs"]["refs/heads/main"] == parent
        state["refs"]["refs/heads/main"] = sha
    return sha


@pytest.mark.parametrize(
    ("make", "pull_request", "version"),
    [
        (lambda folder: made(folder, "Some facts."), False, "1.0.1"),
        (lambda folder: made(folder, "Other facts."), False, "1.0.2"),
        (lambda folder: made(folder, "Other facts."), True, "1.0.2"),
        (lambda _: commit.as_of(Repository(small.REPO), "tiny", "1.0.0"), False, "1.0.2"),
    ],
)
def test_an_edit_on_the_hub(
    hub: Hub, tmp_path: Path, make: Callable[[Path], Release], pull_request: bool, version: str
) -> None:
    """Whatever is published over it, nothing is sent; with a word it goes through."""
    edited, repository = edit(hub, "Some facts.", "Lies."), Repository(small.REPO)
    ours, sent = make(tmp_path), len(hub.requests)
    with pytest.raises(TargetError, match=r"generated part of `tiny` in README\.md"):
        commit.publish(ours, repository, print, pull_request=pull_request)
    assert {seen.method for seen in hub.requests[sent:]} <= {"GET", "HEAD"}
    assert store(hub).at("main").sha == edited

    done = commit.publish(ours, repository, print, pull_request=pull_request, discard_edits=True)
    assert done.plan.version == version
    assert b"Lies." not in store(hub).read("README.md", str(done.commit))


def test_words_at_their_place_in_an_old_version(hub: Hub, tmp_path: Path) -> None:
    """What people say now stays, and what they had said then does not come back."""
    repository = Repository(small.REPO)
    commit.publish(made(tmp_path, f"\n{BEGIN}{END}"), repository, print)
    edit(hub, BEGIN, f"{BEGIN}Then.\n")
    commit.publish(made(tmp_path, f"Facts.\n\n{BEGIN}{END}"), repository, print)
    edit(hub, "Then.", "Now.")
    assert plan(commit.as_of(repository, "tiny", "1.0.3"), repository.read()).add == {}

    commit.publish(made(tmp_path, f"Newer facts.\n{BEGIN}{END}"), repository, print)
    commit.publish(commit.as_of(repository, "tiny", "1.0.3"), repository, print)
    there = repository.read()
    assert (there.manifest.version, there.card.count("Then.")) == ("1.0.5", 0)
    assert f"\nFacts.\n\n{BEGIN}Now.\n{END}" in there.card
    assert plan(made(tmp_path, f"Facts.\n\n{BEGIN}{END}"), there).edited == ()

"""A release is named as a person names it; what is not there is an error with the next step."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from magpie_hub.errors import HubError, VerifyError
from magpie_hub.publish.check import check
from magpie_hub.publish.repository import Repository
from tests.hub.hub import Hub
from tests.publish import handed, small


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Serve a hub that holds v1.0.0 and v1.1.0 of a dataset, and one of others'."""
    with handed.serving_release(tmp_path_factory.mktemp("hub")) as served:
        handed.publish(tmp_path_factory.mktemp("newer"), "1.1.0", raw=small.rows(25))
        Repository("org/other").create(private=False)
        yield served


@pytest.mark.parametrize(
    ("name", "version", "rows"),
    [
        ("org/tiny", "1.1.0", 25),
        ("org/tiny@v1.0.0", "1.0.0", 20),
        ("org/tiny@1.0.0", "1.0.0", 20),
        ("org/tiny@main", "1.1.0", 25),
        ("org/tiny@COMMIT", "1.0.0", 20),
    ],
)
def test_names_of_releases(hub: Hub, name: str, version: str, rows: int) -> None:
    """The latest version is meant where none is named; a branch or a commit is what it holds."""
    commit = handed.store(hub).at("v1.0.0").sha
    found = check(name.replace("COMMIT", commit))
    assert (found.repo, found.version, found.configs["raw"]) == ("org/tiny", version, rows)
    assert found.commit == handed.store(hub).at(f"v{version}").sha


@pytest.fixture
def refs(hub: Hub) -> Iterator[dict[str, str]]:
    """Return the tags and branches, by which to set them; they are put back afterwards."""
    held = handed.store(hub)
    before = held.state()["refs"]
    yield dict(before)
    set_refs(hub, before)


def set_refs(hub: Hub, refs: dict[str, str]) -> None:
    """Let the tags and branches be these."""
    with handed.store(hub).changing() as state:
        state["refs"] = refs


def test_the_latest_is_one_that_is_tagged(hub: Hub, refs: dict[str, str]) -> None:
    """What is on `main` without a version is no release yet."""
    del refs["refs/tags/v1.1.0"]
    set_refs(hub, refs)
    assert check("org/tiny").version == "1.0.0"
    assert check("org/tiny@main").version == "1.1.0"


def test_a_moved_tag(hub: Hub, refs: dict[str, str]) -> None:
    """What a version names must be that version."""
    set_refs(hub, refs | {"refs/tags/v1.0.0": refs["refs/tags/v1.1.0"]})
    with pytest.raises(VerifyError, match=r"the tag `v1\.0\.0` points at .* says 1\.1\.0"):
        check("org/tiny@1.0.0")


def test_a_folder(hub: Hub, tmp_path: Path) -> None:
    """A folder is verified by itself, wherever it lies and whatever it is called."""
    place = handed.written(tmp_path / "my dist", handed.files_of(hub, "v1.0.0"))
    asked = len(hub.requests)
    found = check(str(place))
    assert (found.repo, found.version, found.commit) == (str(place), "1.0.0", None)
    assert len(hub.requests) == asked


def test_a_folder_without_a_release(tmp_path: Path) -> None:
    """An empty folder holds no release, nor does one with other files."""
    with pytest.raises(VerifyError, match=r"has no release\.json, expected a release"):
        check(str(tmp_path))
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(VerifyError, match=r"has no release\.json, expected a release"):
        check(str(tmp_path))


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("org/none", "the dataset `org/none` does not exist on http", "HF_TOKEN"),
        ("org/none@v1.0.0", "the dataset `org/none` does not exist on http", "HF_TOKEN"),
        ("org/tiny@v9.0.0", "`org/tiny` has no revision `v9.0.0`", "/datasets/org/tiny/commits"),
        ("org/tiny@1.0", "`org/tiny` has no revision `1.0`", "/datasets/org/tiny/commits"),
        ("org/other", "`org/other` has no version, expected tags such as v1.0.0", "org/other@main"),
        ("tiny", "`tiny` is neither a folder nor a repository", "check the path"),
        ("", "`` is neither a folder nor a repository", "check the path"),
        ("@v1.0.0", "`@v1.0.0` is neither a folder nor a repository", "check the path"),
        ("./dist/org/tiny", "`./dist/org/tiny` is neither a folder nor a rep", "check the path"),
        ("org/../tiny", "`org/../tiny` is neither a folder nor a repository", "check the path"),
    ],
)
def test_what_is_not_there(name: str, message: str, hint: str) -> None:
    """An unknown repository, version or folder is named, with what to do."""
    with pytest.raises(HubError) as caught:
        check(name)
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


@pytest.mark.usefixtures("hub")
def test_a_repository_without_a_release() -> None:
    """What others have made is no release."""
    with pytest.raises(VerifyError, match=r"`org/other` at `main` has no release\.json"):
        check("org/other@main")

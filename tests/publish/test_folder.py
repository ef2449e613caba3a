"""The folder target: a release is in place whole or not at all, and nothing else is ever lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.folder import check, put

FACTS = {"format": 1, "repo": "org/tiny"}


@pytest.fixture
def built(tmp_path) -> Path:
    """A built release of two files, as `run` leaves it."""
    return write(tmp_path / "build", {"README.md": "card", "raw/train-00000.parquet": "rows"})


@pytest.fixture
def place(tmp_path) -> Path:
    """Where the release goes; the folders above do not exist yet."""
    return tmp_path / "dist" / "org" / "tiny"


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write files with their texts into a folder and return it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def texts(folder: Path) -> dict[str, str]:
    """Return all files below a folder with their texts, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_new_release(built, place):
    """Every file is there, and release.json names each with its checksum and size."""
    assert put(built, place, FACTS) is True

    release = json.loads((place / "release.json").read_text())
    assert texts(place) == texts(built) | {"release.json": (place / "release.json").read_text()}
    assert release == FACTS | {
        "files": {
            "README.md": {
                "sha256": "8367cd66fdd136bba8ba23f8805bb050dd6289401c8ec3b0be44a3c233eef90d",
                "bytes": 4,
            },
            "raw/train-00000.parquet": {
                "sha256": "bc51e9e65d79e1c90ba544ab2eae1044ccdf8c1af7a559ba375cba4276f7d99e",
                "bytes": 4,
            },
        }
    }
    assert [path.name for path in place.parent.iterdir()] == ["tiny"]


def test_an_unchanged_release_writes_nothing(built, place):
    """The second time says so, and no file or folder is touched."""
    put(built, place, FACTS)
    before = {path: path.stat().st_mtime_ns for path in [place.parent, *place.parent.rglob("*")]}

    assert put(built, place, FACTS) is False
    assert before == {
        path: path.stat().st_mtime_ns for path in [place.parent, *place.parent.rglob("*")]
    }


@pytest.mark.parametrize("change", ["facts", "file", "lost", "damaged"])
def test_a_changed_release_is_put(built, place, change):
    """Other facts, another file, or damage to what lies there: the release is put again."""
    put(built, place, FACTS)
    if change == "file":
        (built / "README.md").write_text("another card")
    if change == "lost":
        (place / "raw" / "train-00000.parquet").unlink()
    if change == "damaged":
        (place / "README.md").write_text("CARD")

    facts = FACTS | {"versions": {}} if change == "facts" else FACTS
    assert put(built, place, facts) is True
    assert texts(place) == texts(built) | {"release.json": (place / "release.json").read_text()}
    assert put(built, place, facts) is False


def test_a_stale_file_goes(built, place):
    """A config of the older release that the newer one lacks is not there any more."""
    write(built, {"filtered/train-00000.parquet": "fewer rows"})
    put(built, place, FACTS)
    (built / "filtered" / "train-00000.parquet").unlink()

    assert put(built, place, FACTS) is True
    assert set(texts(place)) == {"README.md", "raw/train-00000.parquet", "release.json"}


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "ten years of work"},
        {".git/HEAD": "ref: refs/heads/main"},
        {"release.json": "{}"},
        {"release.json": '{"files": 3}', "README.md": "hand-written"},
        {"release.json": "not JSON \x00", "a": ""},
        {"release.json": '{"files": {"a": {}}}', "a": "", "raw/b": "unknown"},
    ],
)
def test_a_strange_folder_is_refused(built, place, files):
    """A folder that holds anything which no release of ours put there stays as it is."""
    write(place, files)
    if set(files) == {"release.json"}:
        write(place, {"notes.txt": "mine"})
    before = texts(place)

    with pytest.raises(TargetError, match="is no part of a release") as caught:
        put(built, place, FACTS)

    assert "--to" in caught.value.hint
    assert texts(place) == before
    assert [path.name for path in place.parent.iterdir()] == ["tiny"]


def test_a_file_of_a_person_in_a_release_is_not_lost(built, place):
    """A release to which somebody added a file is refused, and the file is named."""
    put(built, place, FACTS)
    write(place, {"notes.txt": "mine"})
    write(built, {"README.md": "another card"})

    with pytest.raises(TargetError, match=r"tiny/notes\.txt` is no part"):
        put(built, place, FACTS)
    assert texts(place)["notes.txt"] == "mine"


@pytest.mark.parametrize("file", ["dist", "dist/org", "dist/org/tiny"])
def test_a_file_in_the_way(built, place, tmp_path, file):
    """Where a file stands in the place of a folder, also further up, it is named and stays."""
    write(tmp_path, {file: "mine"})
    with pytest.raises(TargetError, match=f"{file}` is a file, expected a folder"):
        put(built, place, FACTS)
    assert (tmp_path / file).read_text() == "mine"


def test_free_places(built, place):
    """A place that does not exist, an empty folder, and a link to one are free."""
    check(place)
    place.mkdir(parents=True)
    put(built, place, FACTS)

    link = place.with_name("link")
    (place.parent / "disk").mkdir()
    link.symlink_to("disk")
    assert put(built, link, FACTS) is True
    assert link.is_symlink()
    assert texts(link) == texts(place)
    assert put(built, link, FACTS) is False


# Ends without any clean-up, as a kill does, in front of the n-th change of the file system.
KILLED = """
import os, sys
from pathlib import Path
from magpie_hub.publish.folder import put

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.copyfile", "shutil.rmtree"}
built, place, left = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def hook(event, arguments):
    global left
    if event in CHANGES:
        left -= 1
        if left < 0:
            os._exit(9)

sys.addaudithook(hook)
put(built, place, {"format": 2})
"""


def test_a_kill_at_any_step(built, place, tmp_path):
    """Killed before each change on the disk: the old or the new release, never a mixture."""
    new = write(tmp_path / "new", {"README.md": "new card", "filtered/train.parquet": "new rows"})
    old = texts(built)
    outcomes = []
    for step in range(100):
        put(built, place, FACTS)
        command = [sys.executable, "-c", KILLED, str(new), str(place), str(step)]
        status = subprocess.run(command, check=False).returncode

        # Between the two renames the place is empty; the next call puts the old content back.
        found = {name: text for name, text in texts(place).items() if name != "release.json"}
        assert found in (old, texts(new), {})
        outcomes.append(found)
        put(new, place, {"format": 2})
        assert texts(place).keys() == texts(new).keys() | {"release.json"}
        assert [path.name for path in place.parent.iterdir()] == ["tiny"]
        if status == 0:
            break
        assert status == 9
    assert outcomes[0] == old
    assert outcomes.count({}) == 1
    assert outcomes[-1] == texts(new)
    assert len(outcomes) > 8

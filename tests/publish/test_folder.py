"""The folder target: a release is in place whole or not at all, and nothing else is ever lost."""

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.folder import Folder
from magpie_hub.publish.plan import Plan, plan
from magpie_hub.publish.release import Release
from tests.publish import making

RAW, SHORT = (f"{name}/train-00000-of-00001.parquet" for name in ("raw", "short"))
OURS = {"README.md", "index.parquet", "release.json"}
FIRST = making.release({"raw": {"a": "1"}})
SECOND = making.release({"raw": {"a": "1", "b": "2"}, "short": {"b": "2"}})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the release goes; the folders above do not exist yet."""
    return tmp_path / "dist" / "org" / "tiny"


def put(release: Release, place: Path, *delete: str) -> Plan:
    """Bring a release into a folder as the command does, and return the plan."""
    folder = Folder(making.REPO, place)
    with folder.owned():
        planned = plan(release, folder.read(), delete=delete)
        if planned.changes:
            folder.put(planned)
    return planned


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files with their texts into a folder and return it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def changed_at(folder: Path) -> dict[Path, int]:
    """Return when each file and folder was changed, `folder` and what is beside it included."""
    return {path: path.stat().st_mtime_ns for path in [folder, *folder.parent.rglob("*")]}


def test_a_new_release(place, tmp_path):
    """Every file is there, and release.json names each with its checksum and size."""
    built = write(tmp_path, {"raw.parquet": "{'a': '1'}"}) / "raw.parquet"
    put(replace(FIRST, sources={RAW: built}), place)

    found = contents(place)
    assert found.keys() == {*OURS, RAW}
    assert found[RAW] == b"{'a': '1'}"
    release = json.loads(found.pop("release.json"))
    assert (release["version"], release["configs"]["raw"]["rows"]) == ("1.0.0", 1)
    assert {path: (at["sha256"], at["bytes"]) for path, at in release["files"].items()} == {
        path: (sha256(content).hexdigest(), len(content)) for path, content in found.items()
    }
    assert [path.name for path in place.parent.iterdir()] == ["tiny"]


def test_an_unchanged_release_writes_nothing(place):
    """The second time there is nothing to do, and no file or folder is touched."""
    put(SECOND, place)
    before = changed_at(place)
    assert not put(SECOND, place).to_do
    assert changed_at(place) == before


def test_versions_rise(place):
    """Other rows are the next minor version, and the file that they replace is gone."""
    two = FIRST.files[RAW]
    files = {"raw/train-00000-of-00002.parquet": two, "raw/train-00001-of-00002.parquet": two}
    put(replace(FIRST, files=files, sources=dict.fromkeys(files, b"{'a': '1'}")), place)
    assert contents(place).keys() == {*OURS, *files}

    assert put(SECOND, place).version == "1.1.0"
    assert contents(place).keys() == {*OURS, RAW, SHORT}
    said = json.loads((place / "release.json").read_text())
    assert [entry["version"] for entry in said["changelog"]] == ["1.1.0", "1.0.0"]
    assert {name: entry["version"] for name, entry in said["configs"].items()} == {
        "raw": "1.1.0",
        "short": "1.0.0",
    }


@pytest.mark.parametrize("damage", [None, "rubbish"])
@pytest.mark.parametrize("path", [RAW, "index.parquet"])
def test_a_file_that_was_damaged_or_lost_is_put_right(place, path, damage):
    """What somebody has done to a file of ours is undone; the version stays the same."""
    put(SECOND, place)
    before = contents(place)
    (place / "README.md").unlink()
    (place / path).unlink()
    if damage:
        write(place, {path: damage})

    assert put(SECOND, place).version == "1.0.0"
    assert contents(place) == before
    assert not put(SECOND, place).to_do


def test_a_config_stays_until_it_is_deleted(place):
    """One that the spec names no longer is kept with its rows; --delete takes it away."""
    put(SECOND, place)
    before = contents(place)[SHORT]
    put(FIRST, place)
    assert contents(place)[SHORT] == before
    put(FIRST, place, "short")
    assert contents(place).keys() == {*OURS, RAW}


def test_two_specs_in_one_folder(place):
    """`air` then `pro`: each keeps its configs, and each published again changes nothing."""
    air = making.release({"air": {"a": "1"}}, name="air")
    pro = making.release({"pro": {"b": "2"}}, name="pro")
    put(air, place)
    assert put(pro, place).version == "1.1.0"
    found = contents(place)
    assert found.keys() == {*OURS, *air.files, *pro.files}
    assert b"<!-- magpie-hub: air -->" in found["README.md"]
    assert b"<!-- magpie-hub: pro -->" in found["README.md"]
    assert not put(air, place).to_do
    assert not put(pro, place).to_do


def test_a_lost_file_of_another_spec(place):
    """What cannot be carried over is named, and nothing is changed until it is back."""
    air = making.release({"air": {"a": "1"}}, name="air")
    pro = making.release({"pro": {"b": "2"}}, name="pro")
    put(air, place)
    lost = place / "air" / "train-00000-of-00001.parquet"
    lost.unlink()
    before = contents(place)
    with pytest.raises(TargetError, match=r"^`air/train-\S+` of `org/magpie` is lost") as caught:
        put(pro, place)
    assert "the spec `air` again" in caught.value.hint
    assert contents(place) == before
    put(air, place)
    put(pro, place)
    assert contents(place).keys() == {*OURS, *air.files, *pro.files}


@pytest.mark.parametrize(
    "files",
    [
        {"thesis.tex": "ten years of work"},
        {".git/HEAD": "ref: refs/heads/main"},
        {"release.json": "{}", "notes.txt": "mine"},
        {"release.json": '{"files": 3}', "README.md": "hand-written"},
        {"release.json": "not JSON \x00", "a": ""},
        {"release.json": '{"files": {"a": {}}}', "a": "", "raw/b": "unknown"},
    ],
)
def test_a_strange_folder_is_refused(place, files):
    """A folder that holds anything which no release of ours put there stays as it is."""
    before = contents(write(place, files))
    with pytest.raises(TargetError, match="is no part of a release") as caught:
        put(FIRST, place)
    assert "--to" in caught.value.hint
    assert contents(place) == before
    assert [path.name for path in place.parent.iterdir()] == ["tiny"]


def test_a_release_of_a_stranger_is_refused(place):
    """A release.json that lists all there is, and that we did not write, is not taken for ours."""
    before = contents(write(place, {"release.json": '{"files": {"a": {}}}', "a": ""}))
    with pytest.raises(TargetError, match=r"is not the release\.json of a release"):
        put(FIRST, place)
    assert contents(place) == before


def test_what_a_person_put_into_a_release_is_not_lost(place, tmp_path):
    """A release to which somebody added a file or a link is refused, and that is named."""
    put(FIRST, place)
    write(place, {"notes.txt": "mine"})
    with pytest.raises(TargetError, match=r"tiny/notes\.txt` is no part"):
        put(SECOND, place)
    (place / "notes.txt").unlink()
    (place / "more").symlink_to(tmp_path)
    with pytest.raises(TargetError, match=r"tiny/more` is no part"):
        put(SECOND, place)
    assert contents(place).keys() == {*OURS, RAW}


@pytest.mark.parametrize("file", ["dist", "dist/org", "dist/org/tiny"])
def test_a_file_in_the_way(place, tmp_path, file):
    """Where a file stands in the place of a folder, also further up, it is named and stays."""
    write(tmp_path, {file: "mine"})
    with pytest.raises(TargetError, match=f"{file}` is a file, expected a folder"):
        put(FIRST, place)
    assert (tmp_path / file).read_text() == "mine"


def test_free_places(place):
    """A place that does not exist, an empty folder, and a link to one are free."""
    Folder(making.REPO, place).check()
    place.mkdir(parents=True)
    put(FIRST, place)

    link = place.with_name("link")
    (place.parent / "disk").mkdir()
    link.symlink_to("disk")
    put(FIRST, link)
    assert link.is_symlink()
    assert contents(link) == contents(place)
    assert not put(FIRST, link).to_do


def test_two_releases_at_once(place):
    """While one is put into a folder, another is refused; afterwards it is not."""
    with Folder(making.REPO, place).owned():
        with pytest.raises(TargetError, match=r"another process is putting a release into") as c:
            put(SECOND, place)
        assert "wait" in c.value.hint
        assert not place.exists()
    put(SECOND, place)


# Ends without any clean-up, as a kill does, in front of the n-th change of the file system.
KILLED = """
import os, pickle, sys
from pathlib import Path
from magpie_hub.publish.folder import Folder

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.copyfile", "shutil.rmtree"}
planned = pickle.loads(Path(sys.argv[1]).read_bytes())
left = int(sys.argv[3])

def hook(event, arguments):
    global left
    if event in CHANGES or (event == "open" and "w" in str(arguments[1])):
        left -= 1
        if left < 0:
            os._exit(9)

folder = Folder(planned.repo, Path(sys.argv[2]))
with folder.owned():
    sys.addaudithook(hook)
    folder.put(planned)
"""


def test_a_kill_at_any_step(place, tmp_path):
    """Killed before each change on the disk: the old or the new release, never a mixture."""
    put(FIRST, place)
    old = contents(place)
    planned = plan(SECOND, Folder(making.REPO, place).read())
    (tmp_path / "planned").write_bytes(pickle.dumps(planned))
    put(SECOND, place)
    new = contents(place)
    outcomes = []
    for step in range(100):
        shutil.rmtree(place)
        put(FIRST, place)
        command = [sys.executable, "-c", KILLED, tmp_path / "planned", place, str(step)]
        status = subprocess.run(command, check=False).returncode

        # Between the two renames the place is empty; the next call puts the old content back.
        assert contents(place) in (old, new, {})
        outcomes.append(contents(place))
        put(SECOND, place)
        assert contents(place) == new
        assert [path.name for path in place.parent.iterdir()] == ["tiny"]
        if status == 0:
            break
        assert status == 9
    assert outcomes[0] == old
    assert outcomes.count({}) == 1
    assert outcomes[-1] == new
    assert len(outcomes) > 12

"""Files and folders appear whole or not at all, whatever happens in between."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from magpie_hub.shards.files import (
    beside,
    finish_swap,
    fresh,
    make_folder,
    sha256,
    swap,
    write_file,
    write_text,
)

OLD = {"README.md": "old", "raw/train.parquet": "old rows", "gone.txt": "old"}
NEW = {"README.md": "new", "raw/train.parquet": "new rows", "raw/more.parquet": "new"}


def fill(folder: Path, content: dict[str, str]) -> None:
    """Write files by their relative names."""
    for name, text in content.items():
        write_text(folder / name, text)


def content(folder: Path) -> dict[str, str]:
    """Return what `fill` wrote."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_a_text_is_written_as_it_is(tmp_path: Path) -> None:
    """Folders are made, the bytes are UTF-8 with `\\n`, and nothing lies beside the file."""
    path = tmp_path / "a" / "b" / "text"

    write_text(path, "é\r\n\n")
    write_text(path, "zwei\n")

    assert path.read_bytes() == b"zwei\n"
    assert list(path.parent.iterdir()) == [path]
    write_text(path, "é\r\n\n")
    assert path.read_bytes() == b"\xc3\xa9\r\n\n"


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_a_failed_write_leaves_nothing(tmp_path: Path, fault: type[BaseException]) -> None:
    """A write that fails half-way leaves the old file as it was, and no file where none was."""

    def write(path: Path) -> None:
        path.write_text("half")
        raise fault

    write_text(tmp_path / "old", "whole")
    for name in ("old", "new"):
        with pytest.raises(fault):
            write_file(tmp_path / name, write)

    assert content(tmp_path) == {"old": "whole"}


def test_the_leftover_of_a_kill_does_no_harm(tmp_path: Path) -> None:
    """What a killed write left beside the file is overwritten by the next one."""
    (tmp_path / "text.tmp").write_text("a longer half of something else")

    write_text(tmp_path / "text", "whole")

    assert content(tmp_path) == {"text": "whole"}


def test_make_folder(tmp_path: Path) -> None:
    """A folder is made with those above it, and made again without complaint."""
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_sha256(tmp_path: Path) -> None:
    """The checksum is the one of FIPS 180-2, appendix B.1."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def half_written(folder: Path) -> None:
    """Do what `fresh` and a killed caller did."""
    write_text(beside(folder, "new") / "README.md", "new")


def written(folder: Path) -> None:
    """Go on to the first rename of `swap`."""
    fill(beside(folder, "new"), NEW)


def old_away(folder: Path) -> None:
    """Go on to behind the first rename."""
    written(folder)
    folder.rename(beside(folder, "old"))


def new_in_place(folder: Path) -> None:
    """Go on to behind the second rename."""
    old_away(folder)
    beside(folder, "new").rename(folder)


def old_half_removed(folder: Path) -> None:
    """Go on into the removal of the old content."""
    new_in_place(folder)
    shutil.rmtree(beside(folder, "old") / "raw")


@pytest.mark.parametrize(
    ("killed", "expected"),
    [
        (half_written, OLD),
        (written, OLD),
        (old_away, OLD),
        (new_in_place, NEW),
        (old_half_removed, NEW),
    ],
)
def test_a_swap_killed_at_any_step(
    tmp_path: Path, killed: Callable[[Path], None], expected: dict[str, str]
) -> None:
    """Behind every step the old or the new content is whole, and the next swap goes through."""
    folder = tmp_path / "release"
    fill(folder, OLD)
    killed(folder)

    finish_swap(folder)
    assert content(folder) == expected
    assert not beside(folder, "old").exists()

    assert content(fresh(folder)) == {}
    assert content(folder) == expected
    fill(beside(folder, "new"), NEW)
    swap(folder)
    assert content(folder) == NEW
    assert list(tmp_path.iterdir()) == [folder]


def test_fresh_ends_a_killed_swap(tmp_path: Path) -> None:
    """`fresh` alone brings the old content back before it makes room for the new."""
    folder = tmp_path / "release"
    fill(folder, OLD)
    old_away(folder)

    assert content(fresh(folder)) == {}
    assert content(folder) == OLD


def test_the_first_swap(tmp_path: Path) -> None:
    """A folder that is not there yet, nor those above it, is put in place alike."""
    folder = tmp_path / "dist" / "org" / "name"
    fill(fresh(folder), NEW)

    swap(folder)

    assert content(folder) == NEW
    assert list(folder.parent.iterdir()) == [folder]

"""Files and folders that appear whole or not at all, also across a power cut.

A file is written beside its place, fsynced and renamed. A folder is built beside its place and
swapped in by two renames; `finish_swap` ends a swap that was killed between them. Knows nothing
of what the files hold.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path


def write_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in place."""
    make_folder(path.parent)
    beside = path.with_name(path.name + ".tmp")
    try:
        write(beside)
        sync(beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file with `\\n` line ends."""

    def write(beside: Path) -> None:
        beside.write_bytes(text.encode())

    write_file(path, write)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; also the names of new ones are on the disk then."""
    if not path.exists():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the file, or the names in the folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return a file's checksum as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """Return a file's checksum, read once as long as the file is the same by time and size."""
    status = path.stat()
    return _sha256_of(path, status.st_ino, status.st_mtime_ns, status.st_size)


@cache
def _sha256_of(path: Path, *_: int) -> str:
    return sha256(path)


def beside(folder: Path, role: str) -> Path:
    """Return the hidden name beside `folder` that a swap uses for its `new` or `old` content."""
    return folder.with_name(f".{folder.name}.{role}")


def fresh(folder: Path) -> Path:
    """Return an empty folder beside `folder`, to be filled and then swapped in."""
    finish_swap(folder)
    new = beside(folder, "new")
    if new.exists():
        shutil.rmtree(new)
    make_folder(new)
    return new


def swap(folder: Path) -> None:
    """Put what `fresh` gave in the place of `folder`.

    Readers see the old content, for an instant between two renames none, then the new one.
    """
    new, old = beside(folder, "new"), beside(folder, "old")
    for path in sorted(new.rglob("*")):
        sync(path)
    sync(new)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    sync(folder.parent)
    if old.exists():
        shutil.rmtree(old)


def finish_swap(folder: Path) -> None:
    """End a swap that was killed: the old content comes back unless the new one is in place."""
    old = beside(folder, "old")
    if old.exists():
        if folder.exists():
            shutil.rmtree(old)
        else:
            old.rename(folder)

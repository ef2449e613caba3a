"""The journal of a unit in progress: one checksummed line for every finished completion.

A line is one write(), so a kill loses only requests in flight; the file is fsynced once a
second, so a power cut loses at most the last second. A torn last line is the expected trace of
a kill and is dropped; damage anywhere else is an error. Knows nothing of what an entry means.

    5b0d9e13 63 {"run":"0c5e...","stage":"instructions","unit":1}
    9f3c21aa 87 {"index":1012,"text":"Why is the sky blue?","finish_reason":"stop", ...}
"""

import json
import os
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magpie_hub.errors import ShardError
from magpie_hub.shards.files import make_folder, sync

Entry = dict[str, Any]


class Journal:
    """An append-only file of entries; opening it reads what is there and drops a torn end."""

    def __init__(self, path: Path, labels: Mapping[str, object]) -> None:
        """Open the journal for appending, making it where it does not exist.

        labels: what the journal is part of, kept as its first line. Raises ShardError where a
        line before the last is damaged, or the labels are others.
        """
        make_folder(path.parent)
        self.path = path
        found, length = read(path)
        if found and found[0] != labels:
            raise ShardError(
                f"`{path}` belongs elsewhere: it says `{found[0]}`, expected `{dict(labels)}`",
                hint="move the file out of the run folder and run the same command",
            )
        self.entries = found[1:]
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._file, length)
        self._length = length
        self._synced = time.monotonic()
        if not found:
            self.append(dict(labels))
            sync(path.parent)

    def append(self, entry: Entry) -> None:
        """Write one entry; when this returns, a kill of the process does not lose it."""
        line = _line(entry)
        try:
            # A short write is what a full disk gives: the torn line must not stay in the middle.
            if os.write(self._file, line) != len(line):
                raise OSError(28, "No space left on device", str(self.path))
        except OSError as error:
            os.ftruncate(self._file, self._length)
            error.filename = error.filename or str(self.path)
            raise
        self._length += len(line)
        now = time.monotonic()
        if now - self._synced >= 1:
            os.fsync(self._file)
            self._synced = now

    def close(self) -> None:
        """Bring the file to the disk and close it."""
        os.fsync(self._file)
        os.close(self._file)


def read(path: Path) -> tuple[list[Entry], int]:
    """Return the lines of a journal, labels first, and the bytes of its undamaged part.

    A file that does not exist has none. Raises ShardError where a line before the last is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    entries, length = [], 0
    lines = content.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        entry = _parse(line)
        if entry is None:
            # With its line end in place the last line was written whole, so it counts as damage.
            raise ShardError(
                f"{path}:{number}: this line of the journal is damaged; expected a checksum, a"
                " length and an entry that agree",
                hint=f"restore the file from a copy, or remove `{path}` to ask again for the"
                " completions in it",
            )
        entries.append(entry)
        length += len(line) + 1
    return entries, length


def _line(entry: Entry) -> bytes:
    # Half of a surrogate pair is no character and has no UTF-8: a `?` is kept in its place.
    body = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return b"%08x %d %s\n" % (zlib.crc32(body), len(body), body)


def _parse(line: bytes) -> Entry | None:
    checksum, _, rest = line.partition(b" ")
    length, _, body = rest.partition(b" ")
    if b"%d" % len(body) != length or b"%08x" % zlib.crc32(body) != checksum:
        return None
    entry: Entry = json.loads(body)
    return entry

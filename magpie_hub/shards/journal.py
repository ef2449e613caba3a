"""The journal of a unit in progress: one checksummed line for every finished completion.

A line is one write(), so a kill loses only requests in flight; a second later at the latest it
is fsynced, so a power cut loses at most the last second. A torn last line is the expected trace of
a kill and is dropped; damage anywhere else is an error. Knows nothing of what an entry means.

    5b0d9e13 63 {"run":"0c5e...","stage":"instructions","unit":1}
    9f3c21aa 87 {"index":1012,"text":"Why is the sky blue?","finish_reason":"stop", ...}
"""

import json
import os
import threading
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magpie_hub.errors import ShardError
from magpie_hub.shards.files import make_folder, sync

Entry = dict[str, Any]
SYNC_AFTER = 1.0
"""Seconds after which an entry is on the disk at the latest."""


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
        self._timer: threading.Timer | None = None
        self._fault: OSError | None = None
        self._closing = threading.Lock()
        if not found:
            self.append(dict(labels))
            sync(path.parent)

    def append(self, entry: Entry) -> None:
        """Write one entry; when this returns, a kill of the process does not lose it.

        Within a second it is on the disk; where that fails, the next call raises what went wrong.
        """
        if self._fault is not None:
            raise self._fault
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
        if self._timer is None:
            self._timer = threading.Timer(SYNC_AFTER, self._sync)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Bring the file to the disk and close it."""
        with self._closing:
            if self._timer is not None:
                self._timer.cancel()
            try:
                os.fsync(self._file)
            finally:
                os.close(self._file)
                self._file = -1

    def _sync(self) -> None:
        # What is appended from here on starts a timer of its own.
        self._timer = None
        with self._closing:
            try:
                if self._file >= 0:
                    os.fsync(self._file)
            except OSError as error:
                error.filename = str(self.path)
                self._fault = error


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

"""What was journalled stays; what a kill tore is dropped; what is damaged is named."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub.errors import ShardError
from magpie_hub.shards.journal import Entry, Journal, read

LABELS = {"run": "0c5e", "stage": "instructions", "unit": 1}
ENTRIES = [
    {"index": 1000, "text": "Why is the sky blue?", "seconds": 0.25},
    {"index": 1002, "text": "Zähle\nbis drei.", "seconds": 1e-9},
    {"index": 1001, "text": "", "seconds": 0},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed journal of three entries."""
    return written(tmp_path / "run" / "00001.journal", ENTRIES)


def written(path: Path, entries: list[Entry]) -> Path:
    """Write a journal and close it."""
    journal = Journal(path, LABELS)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return path


def opened(path: Path) -> list[Entry]:
    """Open the journal, close it, and return its entries."""
    journal = Journal(path, LABELS)
    journal.close()
    return journal.entries


def child(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own, with `journal` opened at `path`."""
    head = f"import sys\nfrom pathlib import Path\nLABELS = {LABELS}\n"
    head += "from magpie_hub.shards.journal import Journal\n"
    head += "journal = Journal(Path(sys.argv[1]), LABELS)\n"
    command = [sys.executable, "-c", head + code, path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_entries_come_back(path: Path) -> None:
    """Entries come back in the order in which they were written, also after going on."""
    assert opened(path) == ENTRIES
    assert read(path) == ([LABELS, *ENTRIES], path.stat().st_size)

    journal = Journal(path, LABELS)
    journal.append({"index": 1003})
    journal.close()

    assert opened(path) == [*ENTRIES, {"index": 1003}]


def test_the_lines_are_as_described(path: Path) -> None:
    """A line is a CRC-32, a length in bytes and JSON, one line whatever the text."""
    line = path.read_bytes().splitlines(keepends=True)[2]
    assert line == (
        b'64a191fc 57 {"index":1002,"text":"Z\xc3\xa4hle\\nbis drei.","seconds":1e-09}\n'
    )


def test_no_journal(tmp_path: Path) -> None:
    """A file that does not exist has no lines, and reading does not make it."""
    assert read(tmp_path / "none") == ([], 0)
    assert list(tmp_path.iterdir()) == []


def test_torn_at_every_byte(path: Path) -> None:
    """Cut anywhere in its last line, the journal loses that entry alone and can go on."""
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])

        assert opened(path) == ENTRIES[:2]
        assert written(path, ENTRIES[2:]).read_bytes() == whole


def test_torn_in_the_labels(path: Path) -> None:
    """Cut anywhere in its first line, the journal is a new one."""
    whole = path.read_bytes()
    for end in range(whole.find(b"\n") + 1):
        path.write_bytes(whole[:end])
        assert written(path, ENTRIES).read_bytes() == whole


def test_a_torn_end_of_zeros(path: Path) -> None:
    """A file system that wrote the new length but not the bytes gives zeros; they are dropped."""
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert opened(path) == ENTRIES


def test_damage_at_every_byte(path: Path) -> None:
    """One flipped bit before the last line end is an error that names file and line."""
    whole = path.read_bytes()
    for place in range(len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)

        with pytest.raises(ShardError) as caught:
            Journal(path, LABELS)

        line = whole[:place].count(b"\n") + 1
        assert caught.value.message.startswith(f"{path}:{line}: ")
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("key", list(LABELS))
def test_foreign_labels(path: Path, key: str) -> None:
    """A journal of another run, stage or unit is refused, with both labels, and kept."""
    before = path.read_bytes()

    with pytest.raises(ShardError, match=r"belongs elsewhere: it says .* expected .*other"):
        Journal(path, LABELS | {key: "other"})

    assert path.read_bytes() == before


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    """What `append` returned from is there although the process killed itself at once."""
    path = tmp_path / "00001.journal"
    code = f"for entry in {ENTRIES}:\n    journal.append(entry)\n"

    done = child(code + "import os\nos.kill(os.getpid(), 9)", path)

    assert done.returncode == -9, done.stderr
    assert opened(path) == ENTRIES


def test_an_open_journal_can_be_read(tmp_path: Path) -> None:
    """Another handle sees an entry as soon as `append` returns."""
    path = tmp_path / "00001.journal"
    journal = Journal(path, LABELS)
    for number in range(1, 4):
        journal.append({"index": number})
        assert len(read(path)[0]) == 1 + number
    journal.close()


def test_a_full_disk(tmp_path: Path) -> None:
    """A write for which there is no room is an OSError with the path, and leaves no half line.

    1,040 bytes hold the labels (59), ten entries (94 each) and the short one (30), no eleventh.
    """
    path = tmp_path / "00001.journal"
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1040, 1040))\n"
    code = """
for number in range(100):
    try:
        journal.append({"index": number, "text": "x" * 60})
    except OSError as error:
        print(number, error.filename)
        break
try:
    journal.append({"index": "too long as well", "text": "x" * 60})
except OSError:
    journal.append({"index": "short"})
"""
    done = child(limit + code, path)

    assert done.stderr == ""
    assert done.stdout.split() == ["10", str(path)]
    assert [entry["index"] for entry in opened(path)] == [*range(10), "short"]


def test_on_the_disk_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many entries in a row are one fsync, which comes also when nothing follows them."""
    monkeypatch.setattr("magpie_hub.shards.journal.SYNC_AFTER", 0.2)
    journal = Journal(tmp_path / "00001.journal", LABELS)
    synced, fsync = [], os.fsync
    monkeypatch.setattr("os.fsync", lambda file: (synced.append(file), fsync(file)))
    for number in range(20):
        journal.append({"index": number})
    assert synced == []
    end = time.monotonic() + 10
    while not synced and time.monotonic() < end:
        time.sleep(0.05)
    assert len(synced) == 1
    journal.append({"index": 20})
    journal.close()
    time.sleep(0.3)
    assert len(synced) == 2


def test_a_failed_sync_is_told_by_the_next_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails behind a write is an error with the journal's name, not silence."""
    monkeypatch.setattr("magpie_hub.shards.journal.SYNC_AFTER", 0.05)
    journal = Journal(tmp_path / "00001.journal", LABELS)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", broken)
        journal.append({"index": 0})
        time.sleep(0.3)
    with pytest.raises(OSError, match=r"Input/output error: .*00001\.journal"):
        journal.append({"index": 1})
    journal.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text() | st.integers() | st.floats(allow_nan=False)))
def test_any_value_comes_back(tmp_path: Path, values: list[object]) -> None:
    """Any text, integer of any size and float comes back as it was."""
    path = tmp_path / "any.journal"
    path.unlink(missing_ok=True)
    entries = [{"value": value} for value in values]
    assert opened(written(path, entries)) == entries


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    """What has no UTF-8 is kept as `?`, as in the shards."""
    path = written(tmp_path / "x.journal", [{"text": "a\ud83db"}])
    assert opened(path) == [{"text": "a?b"}]

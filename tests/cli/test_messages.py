"""How the command line speaks: progress in lines, durations, and what becomes of exceptions."""

import errno

import pytest

from magpie_hub.cli import messages
from magpie_hub.errors import RunError


def test_durations_read_as_a_person_says_them() -> None:
    """Seconds, minutes and hours, each with the unit below at most."""
    assert [messages.duration(s) for s in (0.4, 59.4, 60, 200, 3600, 18_610, 4_000_000)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "3 min 20 s",
        "1 h 0 min",
        "5 h 10 min",
        "1,111 h 6 min",
    ]


def test_without_a_terminal_progress_is_a_line_every_five_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines carry rate and time left; what was there at the start does not count for the pace."""
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with messages.Progress() as progress:
        for done in range(20, 41):
            progress.report("responses", done, 40, (done - 20) * 50)
            clock[0] += 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "responses 20/40",
        "responses 25/40 50 tokens/s, 15 s left",
        "responses 30/40 50 tokens/s, 10 s left",
        "responses 35/40 50 tokens/s, 5 s left",
        "responses 40/40 50 tokens/s",
    ]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RunError("the run is gone", hint="make one"), "error: the run is gone\nhint: make one\n"),
        (
            OSError(errno.ENOSPC, "x", "a/b"),
            (
                "error: No space left on device: `a/b`\nhint: free some space and run the same"
                " command: it goes on where it stopped\n"
            ),
        ),
        (
            OSError(errno.EROFS, "x", "a/b"),
            (
                "error: Read-only file system: `a/b`\nhint: name a folder on a file system that can"
                " be written\n"
            ),
        ),
    ],
)
def test_exceptions_become_two_lines(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception of the house or of a disk becomes an error line, a hint line and exit code 1."""
    with pytest.raises(SystemExit) as ended, messages.spoken():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == said


def test_a_fault_of_ours_is_not_dressed_up() -> None:
    """What no room raises on purpose comes through as it is."""
    with pytest.raises(ZeroDivisionError), messages.spoken():
        raise ZeroDivisionError

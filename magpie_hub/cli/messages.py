"""How the command line speaks: errors with hints, progress with rate and time left, summaries.

Everything here goes to stderr but the texts that commands return as their result. Knows what the
exceptions of the house mean to a person; knows no stage.
"""

import errno
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, Self

import click

from magpie_hub.errors import Interrupted, MagpieError

if TYPE_CHECKING:
    from rich.progress import TaskID

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
RESUMABLE = 75
LINE_EVERY = 5.0
_DISK = {
    errno.ENOSPC: "free some space and run the same command: it goes on where it stopped",
    errno.EDQUOT: "free some space and run the same command: it goes on where it stopped",
    errno.EACCES: "check who may write there, or name another folder",
    errno.EPERM: "check who may write there, or name another folder",
    errno.EROFS: "name a folder on a file system that can be written",
}


def say(text: str) -> None:
    """Say something to the person, on stderr."""
    click.echo(text, err=True)


def warn(text: str) -> None:
    """Say that something is worth a thought."""
    say(f"warning: {text}")


@contextmanager
def spoken() -> Iterator[None]:
    """Turn the exceptions of the house, and a disk's, into two lines and an exit code."""
    try:
        yield
    except MagpieError as error:
        fail(error.message, error.hint)
    except Interrupted as signal_:
        say(f"interrupted by {signal_}: everything finished is kept")
        say(f"hint: go on with `{shlex.join(['magpie-hub', *sys.argv[1:]])}`")
        # Threads of an engine may be in the middle of a token; nothing they do is wanted now.
        sys.stdout.flush()
        os._exit(RESUMABLE)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno is None:
            raise
        place = f": `{error.filename}`" if error.filename else ""
        hint = _DISK.get(error.errno, "check the path, then run the same command")
        fail(f"{os.strerror(error.errno)}{place}", hint)


def fail(message: str, hint: str) -> NoReturn:
    """Print the error and its hint, and leave with exit code 1."""
    if os.environ.get("MAGPIE_HUB_DEBUG"):
        raise
    say(f"error: {message}\nhint: {hint}")
    raise SystemExit(1)


def _interrupt(number: int, _: FrameType | None) -> None:
    # The second one ends the process at once, as it would have without us.
    for each in SIGNALS:
        signal.signal(each, signal.SIG_DFL)
    raise Interrupted(signal.Signals(number).name)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the signals that ask a process to stop raise Interrupted inside the block."""
    before = {each: signal.signal(each, _interrupt) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class Progress:
    """Shows progress on stderr: bars on a terminal, else a plain line every five seconds.

    A context manager; `report` is what the stages call.
    """

    def __init__(self) -> None:
        """Show nothing before the first report."""
        self._bars: dict[str, TaskID] = {}
        self._began: dict[str, tuple[float, int]] = {}
        self._said: dict[str, float] = {}
        self._rich = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bars

            self._rich = Bars(
                TextColumn("{task.description:<20}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[pace]}"),
                console=Console(stderr=True),
            )

    def report(self, stage: str, done: int, total: int, tokens: int, failed: int = 0) -> None:
        """Take in that `done` of `total` are made, with so many tokens since the start.

        failed: how many of those that are done have no result.
        """
        now = time.monotonic()
        # What was there at the start says nothing of the pace.
        began, first = self._began.setdefault(stage, (now, done))
        pace = _pace(now - began, done - first, total - done, tokens)
        pace = ", ".join(filter(None, [f"{failed:,} failed" if failed else "", pace]))
        if self._rich is not None:
            if stage not in self._bars:
                self._bars[stage] = self._rich.add_task(stage, total=total, pace=pace)
            self._rich.update(self._bars[stage], completed=done, total=total, pace=pace)
        elif now - self._said.get(stage, 0.0) >= LINE_EVERY or done == total:
            self._said[stage] = now
            say(f"{stage} {done}/{total} {pace}".rstrip())

    def __enter__(self) -> Self:
        if self._rich is not None:
            self._rich.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich.stop()


def _pace(spent: float, made: int, left: int, tokens: int) -> str:
    parts = []
    if tokens and spent > 1:
        parts.append(f"{tokens / spent:,.0f} tokens/s")
    # The first ones to come back are the short ones: what they took says little of the rest.
    if made * 10 >= left > 0:
        parts.append(f"{duration(spent / made * left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: `45 s`, `3 min 20 s`, `5 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"

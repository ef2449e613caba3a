"""What a function or a command takes, in a process of its own: processor, clock and memory.

A watcher process adopts whatever the work leaves behind, so that workers which outlive the process
that started them are counted too. Linux only. Knows nothing of the work.
"""

import ctypes
import os
import pickle
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SAMPLING = 0.05
"""Seconds between two looks at the memory; a shorter peak can be missed."""

BECOME_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2)."""


@dataclass(frozen=True, slots=True)
class Measured(Generic[T]):
    """What the work took, with every process that it started, and what it returned.

    peak_bytes: the highest sum of RssAnon and RssShmem over the processes. Pages that a fork
    shares count in each.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int
    result: T


def measured(work: Callable[[], T]) -> Measured[T]:
    """Return what `work` took in a fresh Python, its imports included.

    work, result: go through pickle. Raises RuntimeError where the work failed; its traceback is on
    stderr.
    """
    fresh = get_context("spawn")
    here, there = fresh.Pipe(duplex=False)
    watcher = fresh.Process(target=_watch, args=(pickle.dumps(work), there))
    watcher.start()
    there.close()
    messages: list[Any] = []  # the result, unless the work became a command; what it took
    with here, suppress(EOFError):
        while True:
            messages.append(here.recv())
    watcher.join()
    *results, (exit_code, cpu, wall, peak) = messages
    if exit_code != 0:
        raise RuntimeError(f"`{work}` ended with exit code {exit_code}")
    result: Any = results[0] if results else None
    return Measured(cpu, wall, peak, result)


def measured_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Measured[None]:
    """Return what a command took; it runs in `folder`, and writes what it says to `output.txt`.

    environment: all that it has. Raises RuntimeError where it failed, with its last lines.
    """
    try:
        return measured(partial(_become, list(command), folder, dict(environment)))
    except RuntimeError:
        said = (folder / "output.txt").read_text("utf-8", "replace").splitlines()[-20:]
        raise RuntimeError("\n".join([f"`{' '.join(command)}` failed:", *said])) from None


def growth(sizes: Sequence[int], amounts: Sequence[float]) -> float:
    """Return the exponent of the power law that fits best: 1.0 where amounts grow as sizes do."""
    import numpy as np  # what imports this module to measure shall not be larger for it

    exponent, _ = np.polyfit(np.log(sizes), np.log(amounts), 1)
    return float(exponent)


def _become(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    os.chdir(folder)
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.execvpe(command[0], command, environment)


def _watch(pickled: bytes, there: Connection) -> None:
    ctypes.CDLL(None).prctl(BECOME_SUBREAPER, 1, 0, 0, 0)
    # A fork of this process, which has loaded next to nothing: only so is the work adopted here.
    worker = get_context("fork").Process(target=_work, args=(pickled, there))
    began = time.perf_counter()
    worker.start()
    peak = 0
    while worker.is_alive():
        peak = max(peak, _descendants(os.getpid()))
        time.sleep(SAMPLING)  # not join(), which blocks once the worker has become a command
    wall = time.perf_counter() - began
    while _any_left():
        peak = max(peak, _descendants(os.getpid()))
        time.sleep(SAMPLING)
    used = getrusage(RUSAGE_CHILDREN)
    there.send((worker.exitcode, used.ru_utime + used.ru_stime, wall, peak))


def _work(pickled: bytes, there: Connection) -> None:
    there.send(pickle.loads(pickled)())


def _any_left() -> bool:
    """Return whether an adopted process still runs; take those that ended off the kernel's hands.

    Only of such is the processor time known.
    """
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _descendants(process: int) -> int:
    """Return the bytes of all that a process has started, and what that has."""
    threads: list[Path] = []
    with suppress(FileNotFoundError):
        threads = list(Path(f"/proc/{process}/task").iterdir())
    children = " ".join(_read(thread / "children") for thread in threads).split()
    return sum(_memory(int(child)) + _descendants(int(child)) for child in children)


def _memory(process: int) -> int:
    status = _read(Path(f"/proc/{process}/status"))
    sizes = re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", status, re.MULTILINE)
    return 1024 * sum(int(size) for size in sizes)


def _read(path: Path) -> str:
    """Return a file of /proc, or nothing where its process or thread has just ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return path.read_text("ascii", "replace")
    return ""

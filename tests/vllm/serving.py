"""`vllm serve` as a child process that never outlives the test.

Knows nothing of the server engine: it gives an address to it, and the process to those who want to
see it die.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

READY_WITHIN = 180  # seconds; 16 on two idle cores
END_WITHIN = 20


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready.

    url: such as `http://127.0.0.1:40123`, without `/v1`. model: the name that it knows the model
    by. process: the server, which leads a process group of its own. log: what it printed.
    """

    url: str
    model: str
    process: subprocess.Popen[bytes]
    log: Path

    def end_of_log(self) -> str:
        """Return the last 8,000 characters of what the server printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-8000:]


@contextmanager
def serving(folder: Path, log: Path, *flags: str) -> Iterator[Served]:
    """Serve the model in `folder` on a free port of this machine, and kill all of it at the end.

    flags: of `vllm serve`, after those that make it start fast.
    A server that ends before it is ready, or is not ready in time, fails the test with its log.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("vllm")), "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", folder.name]
    command += ["--max-model-len", "1024", "--enforce-eager"]
    command += ["--distributed-executor-backend", "uni", *flags]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    served = Served(f"http://127.0.0.1:{port}", folder.name, process, log)
    try:
        _wait_until_ready(served)
        yield served
    finally:
        _end(process)


def _wait_until_ready(served: Served) -> None:
    end = time.monotonic() + READY_WITHIN
    while time.monotonic() < end and served.process.poll() is None:
        with suppress(URLError, ConnectionError), urlopen(f"{served.url}/health", timeout=5):
            return
        time.sleep(0.2)
    code = served.process.poll()
    pytest.fail(f"not ready; exit code {code}; log:\n{served.end_of_log()}", pytrace=False)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The whole group: the engine's own process outlives a server that a test killed. Asked first,
    # since what is killed leaves its shared memory behind.
    end = time.monotonic() + END_WITHIN
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        while _runs(process.pid) and time.monotonic() < end:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _runs(group: int) -> bool:
    """Return whether anything but zombies is in a process group."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended just now
            # After the command's name, which is in brackets: state, parent, group.
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(of) == group and state != "Z":
                return True
    return False

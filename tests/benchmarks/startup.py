"""CPU seconds of the whole process `magpie-hub --help`, beside `python -c "import click"`.

The difference is what we load besides click. uv's own time is no part of it.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from tests.benchmarks import Pair

OURS = [str(Path(sys.executable).parent / "magpie-hub"), "--help"]
THEIRS = [sys.executable, "-c", "import click"]


def startup(runs: int = 10) -> Pair:
    """Return user and system time of both, after one run of each that fills the caches."""
    _cpu_seconds(OURS), _cpu_seconds(THEIRS)
    pairs = [(_cpu_seconds(OURS), _cpu_seconds(THEIRS)) for _ in range(runs)]
    versions = {name: version(name) for name in ("magpie-hub", "click")}
    return Pair("CPU seconds", [o for o, _ in pairs], [t for _, t in pairs], versions)


def _cpu_seconds(command: list[str]) -> float:
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

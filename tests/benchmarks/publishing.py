"""Publishing 300,000 rows to the test hub, beside `push_to_hub` of the same configs.

Ours is the whole command: the start of Python, the plan, one commit, every row read back and
checked, the version. Theirs is `push_to_hub` alone, a commit a config, with the rows at hand as
Arrow. Knows no goal.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import Pair
from tests.benchmarks.building import write_run
from tests.hub.clients import environment
from tests.hub.hub import Hub
from tests.hub.serving import serving

ROWS = 300_000
RUNS = 3
PUSH = """
import sys, time
from datasets import load_dataset
place, repo, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = {
    name: load_dataset("parquet", data_files=f"{place}/{name}/*.parquet", split="train")
    for name in ("raw", "pro")
}
for _ in range(times):
    began = time.perf_counter()
    for name, config in rows.items():
        config.push_to_hub(repo, name)
    print(time.perf_counter() - began)
"""


def republish_seconds() -> Pair:
    """Return the seconds to publish a release that is published already; nothing may travel."""
    place, ours, theirs = _built(), [], []
    for _ in range(RUNS):
        with _hub() as (hub, home):
            _publish(place, hub, home)
            before = len(hub.requests)
            ours.append(_publish(place, hub, home))
            sent = [seen for seen in hub.requests[before:] if seen.method != "GET"]
            if any(seen.method != "HEAD" for seen in sent):
                raise RuntimeError(f"something was sent: {sent}")
            theirs.append(_push(place, hub, home, times=2)[1])
    return Pair(f"seconds for {ROWS:,} unchanged rows", ours, theirs, _versions())


def publish_rate() -> Pair:
    """Return the megabytes of Parquet a second from the command to the version."""
    place, ours, theirs = _built(), [], []
    size = sum(path.stat().st_size for path in (place / "run" / "build").rglob("*.parquet")) / 1e6
    for _ in range(RUNS):
        with _hub() as (hub, home):
            ours.append(size / _publish(place, hub, home))
            theirs.append(size / _push(place, hub, home, times=1)[0])
    return Pair(f"MB/s for {size:.0f} MB", ours, theirs, _versions())


@cache
def _built() -> Path:
    """Return a folder with a spec and a run of it that is built."""
    # Kept until the process ends: both benchmarks publish the same.
    folder = tempfile.TemporaryDirectory()
    _KEPT.append(folder)
    place = Path(folder.name) / "corpus"
    write_run(place, ROWS)
    for command in ("tag", "build"):
        _command(place, {**os.environ}, command)
    return place


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@contextmanager
def _hub() -> Iterator[tuple[Hub, Path]]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "hub") as hub:
        yield hub, Path(folder) / "home"


def _publish(place: Path, hub: Hub, home: Path) -> float:
    # What was written a moment ago is still on its way to the disk.
    os.sync()
    began = time.perf_counter()
    _command(place, {**os.environ, **environment(hub, home)}, "publish", "--create")
    return time.perf_counter() - began


def _command(place: Path, variables: dict[str, str], command: str, *options: str) -> None:
    given = [command, "corpus.yaml", "--run", "run", *options]
    subprocess.run(
        [sys.executable, "-m", "magpie_hub", *given], cwd=place, env=variables, check=True
    )


def _push(place: Path, hub: Hub, home: Path, times: int) -> list[float]:
    os.sync()
    command = [sys.executable, "-c", PUSH, str(place / "run" / "build"), "org/pushed", str(times)]
    variables = {**os.environ, **environment(hub, home)}
    done = subprocess.run(command, env=variables, check=True, stdout=subprocess.PIPE, text=True)
    return [float(line) for line in done.stdout.split()]


def _versions() -> dict[str, str]:
    return {
        name: version(name) for name in ("magpie-hub", "datasets", "huggingface_hub", "pyarrow")
    }

"""Our rows beside those of distilabel's Magpie task, from one `vllm serve` with SmolLM2 on the CPU.

Both are whole commands that end with the rows on disk, ours a `magpie-hub generate` or `release`,
theirs `distilabel_script.py`, in an environment that uv makes for it. Same prefix, sampling and
token limit, all requests in flight; ours asks with a seed of each row's own, theirs without, and
ours answers only the instructions that it keeps.

Runs in the environment that `.ci/vllm-env` makes, and needs uv. Knows no goal.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter, sleep
from typing import Any
from unittest.mock import patch
from urllib.request import urlopen

from magpie_hub.curate.exact import normal_form
from magpie_hub.generate.clean import text_fault, tidy
from magpie_hub.shards.folder import RunFolder
from tests.benchmarks import Pair
from tests.benchmarks.bare_vllm import SETTINGS, model_folders
from tests.benchmarks.measured import measured_command
from tests.benchmarks.sides import REST
from tests.vllm.serving import Served, serving

CHECKOUT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("distilabel_script.py")
PAIRS = 3
ROWS = 256
TOKENS = 96
PRESET = "qwen2"
"""distilabel's name for ChatML's user header alone. It appends this to a rendered conversation,
where the whole prefix would bring a second system turn."""
STEERED = "You help with the mathematics that a carpenter needs: lengths, angles, areas and prices."

SPEC = """
repo: org/benchmark
license: apache-2.0
generator:
  model: ./smollm2
  engine: {name: server, url: "%(url)s", in_flight: %(rows)d}
instructions:
  rows: %(rows)d
  sampling: [{temperature: 1.0, top_p: 1.0, weight: 1}]
  max_tokens: %(tokens)d
%(drawn)s
responses: {temperature: 1.0, top_p: 1.0, max_tokens: %(tokens)d}
tags: []
%(configs)s
"""
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "system": {
        "drawn": f'  system_prompts: {{given: {{text: "{STEERED}", weight: 1}}}}',
        "task": {"system_prompt": STEERED, "prefix": PRESET},
    },
    "turns": {
        "configs": "configs: {conversations: {turns: 2, default: true}}",
        "task": {"n_turns": 2, "prefix": PRESET},
    },
}
"""What each kind of prompt has that others have not: in our spec, and in their task."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one command made of `ROWS` draws.

    seconds: of the command. served: from when the server first had work until it last had.
    rows: with an instruction and a response. kept: of those, what our rules for instructions keep.
    """

    seconds: float
    served: float
    rows: int
    kept: int


Side = Callable[[str, int, Path, str], Run]
"""Given the server's address, rows, an empty place for files, and one of `KINDS`."""


def _rate(figure: str, seconds: str) -> Pair:
    rates = [[getattr(run, figure) / getattr(run, seconds) for run in pair] for pair in _pairs()]
    return Pair("rows/s", [ours for ours, _ in rates], [theirs for _, theirs in rates], versions())


distilabel_rows = partial(_rate, "rows", "seconds")
distilabel_rows_served = partial(_rate, "rows", "served")
distilabel_rows_kept = partial(_rate, "kept", "seconds")


@cache
def _pairs() -> list[tuple[Run, Run]]:
    with server("ERROR") as served, TemporaryDirectory() as scratch:

        def run(side: Side, number: int, rows: int) -> Run:
            sleep(REST)
            folder = Path(scratch, f"{side.__name__}-{number}")
            done = side(served.url, rows, folder, "plain")
            print(f"{folder.name}: {done}", file=sys.stderr)
            return done

        for side in (ours, theirs):  # warms up
            run(side, 0, 8)
        found = []
        for number in range(1, PAIRS + 1):
            order = (ours, theirs) if number % 2 else (theirs, ours)
            done = {side: run(side, number, ROWS) for side in order}
            found.append((done[ours], done[theirs]))
        return found


def ours(url: str, rows: int, folder: Path, kind: str) -> Run:
    """Return what our command made in `folder`, of prompts of a kind."""
    folder.mkdir()
    (folder / "smollm2").symlink_to(model_folders() / "smollm2")
    parts = {key: KINDS[kind].get(key, "") for key in ("drawn", "configs")}
    spec = SPEC % {"url": url, "rows": rows, "tokens": TOKENS, **parts}
    (folder / "spec.yaml").write_text(spec, encoding="utf-8")
    command = "generate" if kind == "plain" else "release"
    given = [sys.executable, "-m", "magpie_hub", command, "spec.yaml", "--run", "run"]
    seconds, served = _clocked(given, folder, url)
    run = RunFolder(folder / "run")
    answers = [row for unit in run.units() for row in run.answered(unit).to_pylist()]
    answered = sum(row["rejection"] is None for row in answers)
    return Run(seconds, served, answered, answered)


def theirs(url: str, rows: int, folder: Path, kind: str) -> Run:
    """Return what distilabel made in `folder`; of conversations no row is counted."""
    folder.mkdir()
    generation = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": TOKENS}
    settings = {
        "url": f"{url}/v1",
        "tokenizer": str(model_folders() / "smollm2"),
        "prefix": _prefix(),
        "rows": rows,
        "generation": generation,
        **KINDS[kind].get("task", {}),
    }
    given = [_python(), str(SCRIPT), json.dumps(settings)]
    seconds, served = _clocked(given, folder, url)
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    made = [json.loads(line) for line in lines]
    full = [row for row in made if row.get("instruction") and row.get("response")]
    return Run(seconds, served, len(full), kept(full))


def kept(rows: Sequence[dict[str, Any]]) -> int:
    """Return how many rows of theirs our rules for instructions and responses keep."""
    return len({normal_form(row["instruction"]) for row in rows if _keep(row)})


def _keep(row: dict[str, Any]) -> bool:
    # No control tokens are looked for: the server leaves them out of what it sends to theirs.
    [statistics] = row["distilabel_metadata"].values()
    cut = statistics["output_tokens"][0] == TOKENS
    return text_fault(tidy(row["instruction"]), cut=cut) is None and bool(tidy(row["response"]))


def _clocked(command: list[str], folder: Path, url: str) -> tuple[float, float]:
    """Return the seconds of a command, and those in which the server had work for it."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
        "DISTILABEL_LOG_LEVEL": "WARNING",  # at its default every request is a line
    }
    done = Event()
    with ThreadPoolExecutor(1) as watch:
        busy = watch.submit(_busy, url, done)
        try:
            seconds = measured_command(command, folder, variables).wall_seconds
        finally:
            done.set()
        times = busy.result()
    return seconds, times[-1] - times[0]


def _busy(url: str, done: Event) -> list[float]:
    """Return the times at which the server was seen to have requests."""
    times = []
    while not done.wait(0.2):
        with urlopen(f"{url}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        if re.search(r"^vllm:num_requests_(?:running|waiting)\{.*\} [1-9]", text, re.MULTILINE):
            times.append(perf_counter())
    return times


@contextmanager
def server(level: str, *flags: str) -> Iterator[Served]:
    """Serve SmolLM2; level: of the server's log. flags: of `vllm serve`."""
    settings = {**SETTINGS, "VLLM_LOGGING_LEVEL": level, "VLLM_CPU_KVCACHE_SPACE": "2"}
    # Chunks: see bare_vllm.
    flags = ("--max-num-seqs", "128", "--no-enable-chunked-prefill", *flags)
    with (
        TemporaryDirectory() as scratch,
        patch.dict(os.environ, settings),
        serving(model_folders() / "smollm2", Path(scratch, "serve.log"), *flags) as served,
    ):
        yield served


@cache
def _prefix() -> str:
    """Return the prefix that we derive, which their task wants to be given."""
    command = [sys.executable, "-m", "magpie_hub", "template", "smollm2", "--json"]
    own = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, cwd=model_folders(), env=own, check=True, capture_output=True)
    prefix: str = json.loads(done.stdout)["prefix"]
    return prefix


@cache
def _python() -> str:
    """Return the Python of distilabel's environment, which uv makes where it is not made."""
    subprocess.run(["uv", "sync", "--quiet", "--script", str(SCRIPT)], check=True)
    find = ["uv", "python", "find", "--script", str(SCRIPT)]
    return subprocess.run(find, check=True, capture_output=True, text=True).stdout.strip()


def versions() -> dict[str, str]:
    """Return the versions of what is compared."""
    metadata = "from importlib.metadata import version; print(version('distilabel'))"
    done = subprocess.run([_python(), "-c", metadata], check=True, capture_output=True, text=True)
    own = {name: version(name) for name in ("magpie-hub", "vllm", "torch")}
    return {**own, "distilabel": done.stdout.strip()}

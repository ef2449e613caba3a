"""`uv run python -m tests.benchmarks [NAME ...]`: run benchmarks, write `results/NAME.json`.

A NAME may be a pattern. Without any, all are run that can be: `vllm_*` needs vLLM, which an
environment of its own has, made by `.ci/vllm-env DIR` in two minutes, and `near_*` needs a peer. In
the checkout:

    DIR/bin/python -m tests.benchmarks 'vllm_*'
    uv run --group peers python -m tests.benchmarks 'near_*'

Speed is worth measuring on a machine that does nothing else. Ends with exit code 1 when a goal is
missed, 2 when a named benchmark is unknown or cannot be run. It knows the goals and the form of a
result, and nothing of how anything is measured.
"""

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks import Pair

HERE = Path(__file__).parent
BENCHMARKS: dict[str, dict[str, Any]] = json.loads((HERE / "goals.json").read_text("utf-8"))
"""By name: the goal (`of`, `at_least`, `at_most`), the module that it is `in`, the library that it
`needs` besides a checkout's. Without a bound it is measured for a decision."""

WHERE = {
    "vllm": "the environment of .ci/vllm-env: DIR/bin/python -m tests.benchmarks {}",
    "datatrove": "the group `peers`: uv run --group peers python -m tests.benchmarks {}",
}
"""Where the libraries that a benchmark needs are."""


def result(name: str, pair: Pair) -> dict[str, object]:
    """Return one result: medians, `spread` as [least, most] of ours, and whether the goal is met.

    A goal bounds `ours` or `ratio` (ours : theirs), by `at_most` or by `at_least`.
    """
    ours, theirs = median(pair.ours), median(pair.theirs)
    figures = {"ours": round(ours, 4), "theirs": round(theirs, 4), "ratio": round(ours / theirs, 3)}
    goal = {key: BENCHMARKS[name][key] for key in BENCHMARKS[name].keys() - {"in", "needs"}}
    figure = figures[goal["of"]]
    return {
        "name": name,
        **figures,
        "unit": pair.unit,
        "goal": goal,
        "met": goal.get("at_least", figure) <= figure <= goal.get("at_most", figure),
        "runs": len(pair.ours),
        "spread": [round(min(pair.ours), 4), round(max(pair.ours), 4)],
        "machine": machine(),
        "versions": {"python": platform.python_version(), **pair.versions},
        "date": datetime.now(UTC).date().isoformat(),
    }


def machine() -> str:
    """Return the processor and its cores; no host name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {models[0] if models else platform.machine()}"


def chosen(patterns: Sequence[str]) -> list[str]:
    """Return the benchmarks that any pattern names, in the order of goals.json.

    Raises ValueError for a pattern that names none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in BENCHMARKS):
            raise ValueError(f"no benchmark `{pattern}`; expected one of {', '.join(BENCHMARKS)}")
    return [name for name in BENCHMARKS if any(fnmatchcase(name, p) for p in patterns)]


def runnable(name: str) -> bool:
    """Return whether what a benchmark needs is installed; say on stderr where it is not."""
    library = BENCHMARKS[name].get("needs")
    if library is None or find_spec(library) is not None:
        return True
    print(f"{name}: not run, it needs {WHERE[library].format(name)}", file=sys.stderr)
    return False


def main(patterns: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit code."""
    try:
        names = chosen(patterns or ["*"])
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    ready = [name for name in names if runnable(name)]
    if patterns and ready != names:
        return 2
    (HERE / "results").mkdir(exist_ok=True)
    results = []
    for name in ready:
        measure = getattr(import_module(f"tests.benchmarks.{BENCHMARKS[name]['in']}"), name)
        results.append(result(name, measure()))
        text = json.dumps(results[-1], indent=2) + "\n"
        (HERE / "results" / f"{name}.json").write_text(text, encoding="utf-8")
        print(text, end="")
    return 0 if all(entry["met"] for entry in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

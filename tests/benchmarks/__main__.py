"""`uv run python -m tests.benchmarks [NAME ...]`: run benchmarks, write `results/NAME.json`.

Ends with exit code 1 when a goal is missed, 2 when a name is unknown. It knows the goals and the
form of a result, and nothing of how anything is measured.
"""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median

from tests.benchmarks import Pair

HERE = Path(__file__).parent
GOALS = json.loads((HERE / "goals.json").read_text(encoding="utf-8"))


def result(name: str, pair: Pair) -> dict[str, object]:
    """Return one result: medians, `spread` as [least, most] of ours, and whether the goal is met.

    A goal bounds `ours` or `ratio` (ours : theirs), by `at_most` or by `at_least`.
    """
    ours, theirs = median(pair.ours), median(pair.theirs)
    figures = {"ours": round(ours, 4), "theirs": round(theirs, 4), "ratio": round(ours / theirs, 3)}
    goal = GOALS[name]
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


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit code."""
    if unknown := sorted(set(names) - set(GOALS)):
        print(f"error: no benchmark `{unknown[0]}`; expected {sorted(GOALS)}", file=sys.stderr)
        return 2
    (HERE / "results").mkdir(exist_ok=True)
    results = []
    for name in names or sorted(GOALS):
        results.append(result(name, import_module(f"tests.benchmarks.{name}").measure()))
        text = json.dumps(results[-1], indent=2) + "\n"
        (HERE / "results" / f"{name}.json").write_text(text, encoding="utf-8")
        print(text, end="")
    return 0 if all(entry["met"] for entry in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a benchmark is: two sides measured in turn, in one run, on one machine.

Each benchmark is a function `NAME() -> Pair` in a module here; `goals.json` says in which, and
`python -m tests.benchmarks` runs them. A benchmark does not know its goal.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """What both sides took, run by run, in `unit`; side `theirs` is what we compare with.

    versions: of what was measured, by distribution name; Python's own is added.
    """

    unit: str
    ours: list[float]
    theirs: list[float]
    versions: dict[str, str]

"""The funnel of a config: every drop from the draws to the rows, with its reason.

A value that adds up by construction: the first step has all draws, each later one says how many
rows it dropped, and the last has what is left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """A drop. reason: its name or its rule; stage: where, such as "duplicate" or "filter"."""

    stage: str
    reason: str
    dropped: int
    left: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """From `drawn` rows through the steps to `kept`."""

    drawn: int
    steps: tuple[Step, ...]

    @property
    def kept(self) -> int:
        """The rows that are left behind the last step."""
        return self.steps[-1].left if self.steps else self.drawn

    def __str__(self) -> str:
        drops = "".join(f", {step.stage}: {step.reason} -{step.dropped:,}" for step in self.steps)
        return f"drawn {self.drawn:,}{drops}, left {self.kept:,}"

    def lines(self) -> list[str]:
        """Return the funnel as lines for a terminal."""
        width = max([len(f"{step.stage}: {step.reason}") for step in self.steps], default=0)
        rows = [f"{'drawn':<{width}} {'':>9} {self.drawn:>9,}"]
        rows += [
            f"{f'{step.stage}: {step.reason}':<{width}} {-step.dropped:>9,} {step.left:>9,}"
            for step in self.steps
        ]
        return rows


def funnel(drawn: int, drops: Iterable[tuple[str, str, int]]) -> Funnel:
    """Return the funnel of `drops` (stage, reason, rows) in order; those of no row are left out.

    Rules of a filter stay even where they drop nothing: the reader wants to see that they stood.
    """
    steps: list[Step] = []
    left = drawn
    for stage, reason, dropped in drops:
        left -= dropped
        if dropped or stage == "filter":
            steps.append(Step(stage, reason, dropped, left))
    return Funnel(drawn, tuple(steps))


def further(before: Funnel, drops: Iterable[tuple[str, str, int]]) -> Funnel:
    """Return a funnel that goes on behind another one."""
    behind = funnel(before.kept, drops)
    return Funnel(before.drawn, (*before.steps, *behind.steps))


def by_reason(stage: str, counts: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Return the drops of a stage from its rows' rejections, the most frequent first."""
    return [
        (stage, reason, rows)
        for reason, rows in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]

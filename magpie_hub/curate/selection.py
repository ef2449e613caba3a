"""Which of a run's answered rows a config has, decided once for all of them.

A row must repeat no other, overlap no benchmark, and pass the filter and the condition; of those
that do, a size takes some. Knows columns by name, and holds of each row no more than a few numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from magpie_hub.curate import select
from magpie_hub.curate.beside import DUPLICATE, DUPLICATE_OF, OVERLAP
from magpie_hub.curate.condition import Condition
from magpie_hub.curate.filters import Filter, Rule, keep
from magpie_hub.curate.funnel import Funnel, by_reason, funnel, further

if TYPE_CHECKING:
    import pyarrow as pa

Masks = list[np.ndarray]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a config asks for. size: None for all that pass; drops_overlaps: if not, they stay."""

    filter: Filter
    where: Condition | None = None
    size: int | None = None
    drops_overlaps: bool = True

    @property
    def columns(self) -> set[str]:
        """The columns that have to be known of every row."""
        of_where = () if self.where is None else self.where.columns
        return {"uuid", "rejection", DUPLICATE, DUPLICATE_OF, OVERLAP, *self.filter.columns} | {
            *of_where
        }


@dataclass(frozen=True, slots=True)
class Portion:
    """The rows of one unit: the rejections of its draws, and its answered rows' columns.

    stop: the index from which on rows count for nothing; `drawn` holds the draws before it alone.
    """

    drawn: "pa.ChunkedArray"
    rows: "pa.Table"
    stop: int | None = None

    @property
    def inside(self) -> np.ndarray:
        """Which of the answered rows count."""
        if self.stop is None:
            return np.ones(self.rows.num_rows, bool)
        inside: np.ndarray = self.rows["index"].to_numpy() < self.stop
        return inside


@dataclass(frozen=True, slots=True)
class Selection:
    """For each unit which of its answered rows are taken, the funnel, and what to know of it.

    missing: rows that a size wants and that are not there. of: how many rows there were to choose
    from. passed: the masks before a size or quotas took some of them.
    """

    masks: Masks
    funnel: Funnel
    notes: tuple[str, ...]
    missing: int
    of: int
    passed: Masks


def select_rows(
    portions: Iterable[Portion], choice: Choice, within: Selection | None = None
) -> Selection:
    """Return which rows of a run a config has; within: of the rows of another config alone."""
    passing = _Passing(choice)
    if within is None:
        masks = [passing.mask(portion) for portion in portions]
    else:
        pairs = zip(portions, within.masks, strict=True)
        masks = [passing.chosen(portion.rows, mask) for portion, mask in pairs]
    drops = passing.drops()
    whole = np.concatenate(masks) if masks else np.zeros(0, bool)
    taken, notes, missing = passing.taken(whole)
    if taken is not whole:
        drops += [("size", passing.how(), int(whole.sum() - taken.sum()))]
    ends = np.cumsum([len(mask) for mask in masks])
    parts = np.split(taken, ends[:-1]) if masks else []
    found = funnel(passing.drawn, drops) if within is None else further(within.funnel, drops)
    of = passing.drawn if within is None else within.funnel.kept
    return Selection(parts, found, notes, missing, of, masks)


@dataclass(slots=True)
class _Passing:
    """What was seen of the portions so far."""

    choice: Choice
    drawn: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    order: list[np.ndarray] = field(default_factory=list)
    ties: list[np.ndarray] = field(default_factory=list)
    strata: list[list[np.ndarray]] = field(default_factory=list)

    def mask(self, portion: Portion) -> np.ndarray:
        """Return which rows of a portion pass, and count the others."""
        rows, choice, inside = portion.rows, self.choice, portion.inside
        self.drawn += len(portion.drawn)
        self._count("instruction", portion.drawn.drop_null().to_pylist())
        self._count("response", rows["rejection"].filter(inside).drop_null().to_pylist())
        mask = np.asarray(rows["rejection"].is_null()) & inside
        mask = self._without("duplicate", mask, _repeated(rows))
        if choice.drops_overlaps:
            mask = self._without("benchmark", mask, rows[OVERLAP])
        return self.chosen(rows, mask)

    def chosen(self, rows: "pa.Table", mask: np.ndarray) -> np.ndarray:
        """Return which rows of a mask pass filter and condition, and count the others."""
        choice = self.choice
        for rule in choice.filter.rules:
            mask = self._passes("filter", str(rule), mask, keep(rule, rows))
        if choice.where is not None:
            mask = self._passes("where", str(choice.where), mask, choice.where.keep(rows))
        if choice.size is not None or choice.filter.quotas:
            self._remember(rows)
        return mask

    def drops(self) -> list[tuple[str, str, int]]:
        """Return the drops so far, in the order of the stages."""
        by_frequency = ("instruction", "response", "duplicate", "benchmark")
        found = [
            drop
            for stage in by_frequency
            for drop in by_reason(stage, self.counts.get(stage, Counter()))
        ]
        for stage in ("filter", "where"):
            found += [(stage, reason, n) for reason, n in self.counts.get(stage, {}).items()]
        return found

    def how(self) -> str:
        """Return how a size takes rows, in words."""
        choice = self.choice
        size = "as many as there are" if choice.size is None else f"{choice.size:,}"
        by = f"by {choice.filter.longest}, the highest" if choice.filter.longest else "at random"
        quotas = "".join(f", {quota}" for quota in choice.filter.quotas)
        return f"{size} {by}{quotas}"

    def taken(self, mask: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], int]:
        """Return which of the rows that pass are taken, what to know of it, and how many lack."""
        size, filter_ = self.choice.size, self.choice.filter
        if size is None and not filter_.quotas:
            return mask, (), 0
        passed = int(mask.sum())
        ties, order = np.concatenate(self.ties), np.concatenate(self.order)
        if filter_.quotas:
            strata = [np.concatenate(parts) for parts in zip(*self.strata, strict=True)]
            shares = [quota.share for quota in filter_.quotas]
            taken, lacking = select.quotas(mask, strata, shares, order, ties, size)
            few = [
                f"{rows:,} rows are missing of {quota}"
                for rows, quota in zip(lacking, filter_.quotas, strict=True)
                if rows
            ]
            return taken, tuple(few), sum(lacking)
        assert size is not None
        notes: tuple[str, ...] = ()
        if passed <= size:
            notes = (
                f"`size` asks for {size:,} rows and {passed:,} pass: nothing was left to choose",
            )
        if filter_.longest is None:
            return select.sample(mask, ties, size), notes, max(0, size - passed)
        return select.top(mask, order, ties, size), notes, max(0, size - passed)

    def _count(self, stage: str, reasons: Iterable[str]) -> None:
        self.counts.setdefault(stage, Counter()).update(reasons)

    def _without(self, stage: str, mask: np.ndarray, reasons: "pa.ChunkedArray") -> np.ndarray:
        dropped: np.ndarray = mask & np.asarray(reasons.is_valid())
        self._count(stage, reasons.filter(dropped).to_pylist())
        left: np.ndarray = mask & ~dropped
        return left

    def _passes(self, stage: str, reason: str, mask: np.ndarray, kept: np.ndarray) -> np.ndarray:
        counts = self.counts.setdefault(stage, Counter())
        left: np.ndarray = mask & kept
        counts[reason] += int(mask.sum() - left.sum())
        return left

    def _remember(self, rows: "pa.Table") -> None:
        longest = self.choice.filter.longest
        self.ties.append(select.hashes(rows["uuid"].to_pylist()))
        values = rows[longest] if longest else rows["uuid"].is_null()
        self.order.append(values.cast("float64").fill_null(np.nan).to_numpy())
        self.strata.append([_all(quota.rules, rows) for quota in self.choice.filter.quotas])


def _all(rules: Iterable[Rule], rows: "pa.Table") -> np.ndarray:
    kept: Iterator[np.ndarray] = (keep(rule, rows) for rule in rules)
    both: np.ndarray = np.logical_and.reduce([np.ones(rows.num_rows, bool), *kept])
    return both


def _repeated(rows: "pa.Table") -> "pa.ChunkedArray":
    """Return why rows are duplicates, and of what release; null for those that are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    reason, release = rows[DUPLICATE], rows[DUPLICATE_OF]
    elsewhere = pc.binary_join_element_wise(reason, release, pa.scalar(" of "))
    return pc.if_else(release.is_valid(), elsewhere, reason)

"""How the rows of a config were drawn and answered, gathered from what each row says of it.

A few numbers are held for each setting, never a row. Sums are taken in the order of the rows. Knows
no file. Imports numpy and pyarrow at once, so it is itself imported where it is used.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from magpie_hub.card.facts import Cell, Prompted
from magpie_hub.curate.filters import ORDERED

CELL, PROMPT = ("temperature", "top_p"), ("system_prompt",)
ENGINE = ("engine", "engine_version", "revision")
SAMPLING = ("temperature", "top_p", "max_tokens")
ANSWERS = ("gen_response_configs", "gen_chosen_configs", "gen_rejected_configs")
TURNS = "gen_turn_configs"
WRITTEN = {"assistant": "responses", "user": "later user turns"}
"""What is said on a card of who wrote a turn."""

Sums = dict[tuple[Any, ...], NDArray[np.float64]]
"""By setting: rows, then of quality, difficulty and distance the sum and the rows that have one."""


@dataclass(slots=True)
class Drawn:
    """What the rows that were added say; fields as `facts.ConfigFacts` has them."""

    models: set[str] = field(default_factory=set)
    engines: set[tuple[str, ...]] = field(default_factory=set)
    sampling: set[tuple[str, float, float, int]] = field(default_factory=set)
    _cells: Sums = field(default_factory=dict)
    _prompts: Sums = field(default_factory=dict)

    def add(self, table: pa.Table) -> None:
        """Add the rows of a table."""
        self.models |= {*table["model"].drop_null().unique().to_pylist()}
        for sums, keys in ((self._cells, CELL), (self._prompts, PROMPT)):
            for setting, more in _sums(table, keys):
                sums[setting] = sums.get(setting, 0.0) + more
        for what, column in _written(table):
            self.engines |= {engine for engine in _distinct(column, ENGINE) if engine[0]}
            settings = _distinct(column, SAMPLING)
            self.sampling |= {(what, *each) for each in settings if each[0] is not None}

    @property
    def grid(self) -> tuple[Cell, ...]:
        """The settings of the sampler of instructions, in order."""
        return tuple(
            Cell(*setting, *_means(self._cells[setting])) for setting in sorted(self._cells)
        )

    @property
    def system_prompts(self) -> tuple[Prompted, ...]:
        """The system prompts by name, none of them first; nothing where there was none at all."""
        names = sorted((name for (name,) in self._prompts), key=lambda name: name or "")
        if not any(names):
            return ()
        return tuple(Prompted(name, *_means(self._prompts[name,])) for name in names)


def _sums(
    table: pa.Table, keys: Iterable[str]
) -> Iterator[tuple[tuple[Any, ...], NDArray[np.float64]]]:
    """Yield the settings of rows that were drawn, with their sums."""
    drawn = table["gen_input_configs"]
    by: Mapping[str, pa.ChunkedArray] = {name: pc.struct_field(drawn, name) for name in keys}
    values = {
        "quality": _ranks(table, "input_quality"),
        "difficulty": _ranks(table, "difficulty"),
        "distance": table["min_neighbor_distance"],
    }
    was_drawn = pc.is_valid(pc.struct_field(drawn, "temperature"))
    rows = pa.table({**by, **values}).filter(was_drawn)
    sums = [(name, how) for name in values for how in ("sum", "count")]
    summed = rows.group_by([*by], use_threads=False).aggregate([([], "count_all"), *sums])
    names = [name for name in summed.column_names if name not in by]
    for group in summed.to_pylist():
        setting = tuple(group[name] for name in by)
        yield setting, np.array([group[name] or 0.0 for name in names])


def _ranks(table: pa.Table, column: str) -> pa.ChunkedArray:
    """Return the places of labels in their order, from 1; null where there is none."""
    return pc.add(pc.index_in(table[column], pa.array(ORDERED[column])), 1)


def _means(sums: NDArray[np.float64]) -> tuple[Any, ...]:
    """Return the rows, and the means of quality, difficulty and distance."""
    rows, *rest = sums.tolist()
    means = [
        round(whole / labelled, 4) if labelled else None
        for whole, labelled in zip(rest[::2], rest[1::2], strict=True)
    ]
    return int(rows), *means


def _written(table: pa.Table) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Yield how each thing was drawn that was written behind the instruction."""
    for name in ANSWERS:
        if name in table.column_names:
            yield WRITTEN["assistant"], table[name]
    if TURNS in table.column_names:
        later = pc.list_flatten(table[TURNS])
        for role, what in WRITTEN.items():
            yield what, later.filter(pc.equal(pc.struct_field(later, "role"), role))


def _distinct(column: pa.ChunkedArray, names: Iterable[str]) -> set[tuple[Any, ...]]:
    """Return the distinct values of some fields of a struct."""
    table = pa.table({name: pc.struct_field(column, name) for name in names})
    groups = table.group_by(table.column_names).aggregate([]).to_pylist()
    return {tuple(row.values()) for row in groups}

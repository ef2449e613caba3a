"""Which request of an extension comes next, and which unit a completion finishes.

A state machine over completions, without files: `run` journals what comes in and writes the units
that come out, in the order of their numbers. Rows do not wait for each other; what continues a row
goes before what begins another.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from magpie_hub.engines.base import Completion, Request
from magpie_hub.generate.extensions import Base, Extension, Place
from magpie_hub.records import Extended


@dataclass(frozen=True, slots=True)
class Key:
    """What a request is for; it comes back on the completion."""

    stage: str
    unit: int
    index: int
    place: Place


@dataclass(slots=True)
class Row:
    """A row that is being extended. wanted: whether what is missing is asked for."""

    base: Base
    done: dict[Place, Extended]
    wanted: bool = True
    new: list[Extended] = field(default_factory=list)
    asked: set[Place] = field(default_factory=set)

    def take(self, extension: Extension, place: Place, completion: Completion) -> None:
        """Note what a completion gives."""
        made = extension.record(self.base, self.done, place, completion)
        self.done[place] = made
        self.new.append(made)


@dataclass(slots=True)
class Unit:
    """Rows whose completions are one shard. left: rows of which something is missing."""

    number: int
    rows: Mapping[int, Row]
    left: int = 0

    def completions(self) -> list[Extended]:
        """Return what came in, in the order of rows and places."""
        return [
            one
            for row in self.rows.values()
            for one in sorted(row.new, key=lambda one: (one.number, one.role != "user"))
        ]


class Extending:
    """The requests of an extension over its units, which are opened one by one as they are due."""

    def __init__(self, stage: str, extension: Extension, units: Iterable[Unit]) -> None:
        """Start with nothing asked; units: of the stage, in the order of their numbers."""
        self._stage, self._extension = stage, extension
        self._coming = iter(units)
        self._open: dict[int, Unit] = {}
        self._ready: deque[Key] = deque()
        self.rows_done = 0

    def next(self) -> Request | None:
        """Return the next request, or None if there is none before a completion comes in."""
        while not self._ready:
            if (unit := next(self._coming, None)) is None:
                return None
            self._begin(unit)
        key = self._ready.popleft()
        row = self._open[key.unit].rows[key.index]
        return self._extension.request(row.base, row.done, key.place, key)

    def accept(self, key: Key, completion: Completion) -> None:
        """Take in a completion of a unit that is open."""
        unit = self._open[key.unit]
        row = unit.rows[key.index]
        row.take(self._extension, key.place, completion)
        self._ready.extendleft(reversed(self._missing(unit, row)))
        if self._is_done(row):
            unit.left -= 1
            self.rows_done += 1

    def finished(self) -> Iterator[Unit]:
        """Yield the units that can be written: finished, with every one before them."""
        while self._open and not (unit := self._open[min(self._open)]).left:
            del self._open[unit.number]
            yield unit

    def _begin(self, unit: Unit) -> None:
        unit.left = sum(not self._is_done(row) for row in unit.rows.values())
        self.rows_done += len(unit.rows) - unit.left
        self._open[unit.number] = unit
        for row in unit.rows.values():
            self._ready.extend(self._missing(unit, row))

    def _missing(self, unit: Unit, row: Row) -> list[Key]:
        """Return what is to be asked of a row and is not being asked already."""
        if not row.wanted:
            return []
        places = [place for place in self._extension.missing(row.done) if place not in row.asked]
        row.asked.update(places)
        return [Key(self._stage, unit.number, row.base.index, place) for place in places]

    def _is_done(self, row: Row) -> bool:
        return not (row.wanted and self._extension.missing(row.done))

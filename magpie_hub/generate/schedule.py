"""Which request comes next, and which unit a completion finishes.

A state machine over completions, without files: `run` journals what comes in and writes the
units that come out. A row's fate depends only on rows before it: instruction units are finished
in order, and a unit's responses are asked once it and every lower one are finished; meanwhile
the queue is filled with later instructions. One of the two rounds may be left out: where another
model answers, draws come alone, and its answers behind all of them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from magpie_hub.engines.base import Completion, Request
from magpie_hub.generate.instructions import Instructions
from magpie_hub.generate.responses import Responses
from magpie_hub.records import INSTRUCTIONS, RESPONSES, Instruction, Response, Unit


@dataclass(frozen=True, slots=True)
class Key:
    """What a request is for; it comes back on the completion."""

    stage: str
    unit: Unit
    index: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit's shard of one stage, ready to be written."""

    stage: str
    unit: Unit
    rows: Sequence[Instruction | Response]


class Schedule:
    """The two rounds of a run over its units: draw, and answer what is kept.

    draw: None where all units are drawn. answer: None where nothing is answered now. duplicate_of:
    told every kept instruction in order of index; returns the index of an earlier one with the same
    normal form, or None. stage: of the answers.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        draw: Instructions | None,
        answer: Responses | None,
        duplicate_of: Callable[[int, str], int | None],
        stage: str = RESPONSES,
    ) -> None:
        """Start with nothing finished; tell it what is by `resume` and `accept`."""
        self._rows = units[-1].stop
        self._draw = draw
        self._answer = answer
        self._duplicate_of = duplicate_of
        self._stage = stage
        self._unjudged = deque(units)
        self._done: dict[tuple[str, Unit], dict[int, Completion]] = {}
        self._kept: dict[Unit, dict[int, str]] = {}
        self._answers: deque[tuple[Unit, int, str]] = deque()
        self._draws = self._indices()
        self._counts = {INSTRUCTIONS: 0, stage: 0}
        self._kept_rows = 0

    def resume(self, unit: Unit, kept: dict[int, str], *, answered: bool) -> list[Finished]:
        """Take in a unit whose instruction shard is finished; call in the order of units.

        kept: its kept instructions by index. answered: whether its response shard is finished too.
        """
        for index, text in kept.items():
            self._duplicate_of(index, text)
        self._unjudged.remove(unit)
        self._counts[INSTRUCTIONS] += unit.stop - unit.start
        if answered:
            self._counts[self._stage] += len(kept)
            self._kept_rows += len(kept)
            return []
        return self._ask_answers(unit, kept)

    def next(self) -> Request | None:
        """Return the next request, or None if there is none before a completion comes in."""
        while self._answers:
            unit, index, text = self._answers.popleft()
            # What a journal held may have finished the unit before any of its answers is asked.
            if unit in self._kept and index not in self._done.get((self._stage, unit), {}):
                assert self._answer is not None
                return self._answer.request(index, text, Key(self._stage, unit, index))
        for unit, index in self._draws:
            if index not in self._done.get((INSTRUCTIONS, unit), {}):
                assert self._draw is not None
                return self._draw.request(index, Key(INSTRUCTIONS, unit, index))
        return None

    def accept(self, key: Key, completion: Completion) -> list[Finished]:
        """Take in a completion; return the units that it finishes, in the order to write them."""
        done = self._done.setdefault((key.stage, key.unit), {})
        done[key.index] = completion
        self._counts[key.stage] += 1
        if key.stage == self._stage:
            return self._finish_answers(key.unit)
        return list(self._finish_draws())

    def progress(self) -> dict[str, tuple[int, int]]:
        """Return for each stage how many completions are in, and how many there will be.

        The number of responses is an estimate until every instruction was judged: units that are
        not finished are taken to keep the share that the finished ones kept.
        """
        left = sum(unit.stop - unit.start for unit in self._unjudged)
        share = self._kept_rows / (self._rows - left) if left < self._rows else 1.0
        asked = self._kept_rows + round(share * left)
        return {
            INSTRUCTIONS: (self._counts[INSTRUCTIONS], self._rows),
            self._stage: (self._counts[self._stage], asked),
        }

    def _indices(self) -> Iterator[tuple[Unit, int]]:
        # Read lazily, after `resume` has said what is finished.
        for unit in list(self._unjudged):
            for index in range(unit.start, unit.stop):
                yield unit, index

    def _finish_draws(self) -> Iterator[Finished]:
        while self._unjudged:
            unit = self._unjudged[0]
            done = self._done.get((INSTRUCTIONS, unit), {})
            if len(done) < unit.stop - unit.start:
                return
            del self._done[INSTRUCTIONS, unit]
            rows = [self._judge(index, done[index]) for index in range(unit.start, unit.stop)]
            self._unjudged.popleft()
            yield Finished(INSTRUCTIONS, unit, rows)
            kept = {row.index: row.instruction for row in rows if row.rejection is None}
            yield from self._ask_answers(unit, kept)

    def _judge(self, index: int, completion: Completion) -> Instruction:
        assert self._draw is not None
        row = self._draw.record(index, completion)
        if row.rejection is None:
            earlier = self._duplicate_of(index, row.instruction)
            if earlier is not None:
                return replace(row, rejection="exact-duplicate", duplicate_of=earlier)
        return row

    def _ask_answers(self, unit: Unit, kept: dict[int, str]) -> list[Finished]:
        if self._answer is None:
            return []
        self._kept[unit] = kept
        self._kept_rows += len(kept)
        self._answers.extend((unit, index, text) for index, text in kept.items())
        return self._finish_answers(unit)

    def _finish_answers(self, unit: Unit) -> list[Finished]:
        kept = self._kept.get(unit)
        done = self._done.get((self._stage, unit), {})
        if kept is None or len(done) < len(kept):
            return []
        assert self._answer is not None
        del self._kept[unit]
        self._done.pop((self._stage, unit), None)
        rows = [self._answer.record(index, done[index]) for index in kept]
        return [Finished(self._stage, unit, rows)]

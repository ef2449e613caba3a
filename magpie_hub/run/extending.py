"""The second round: what a config's rows get besides, further turns or samples to choose from.

Only the rows that a config selected are extended, each once: what lies in a shard or a journal is
never asked for again. Knows how the pieces are put together, and none of what they say.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from itertools import count
from typing import Any

from magpie_hub import bundled
from magpie_hub.engines import prompt
from magpie_hub.engines.base import Completion, Engine, Sampling
from magpie_hub.generate.extending import Extending, Key, Row, Unit
from magpie_hub.generate.extensions import (
    Base,
    Extension,
    Outcome,
    Place,
    Samples,
    Turns,
    next_turn,
    samples_left,
)
from magpie_hub.records import EXTENSION_SHARD, Extended, arrow_schema
from magpie_hub.records import Unit as Shard
from magpie_hub.run.answering import Writer, drawable, long_ends, responses, stops, writer
from magpie_hub.run.begin import UNIT_ROWS, begin
from magpie_hub.run.labels import extension
from magpie_hub.run.opened import Models
from magpie_hub.run.pins import weights
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.run.tagging import label
from magpie_hub.run.wording import conversation_key
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import Journal
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec

_KEPT = [field.name for field in fields(Completion) if field.name != "key"]
Seen = dict[int, dict[Place, Outcome]]


def extend(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Bring every config's extension to all its rows, and score the samples.

    The caller holds the folder's lock; the run is answered and tagged.
    """
    if not spec.extended:
        return
    state = begin(spec, folder, warn, tags=True)
    for name in spec.extended:
        _extend(_Job(spec, name, folder, state), report, models)
    for name, config in spec.extended.items():
        if config.samples is not None:
            label(spec, extension(spec, name, folder), config.samples.scored_by, report, models)


@dataclass(frozen=True, slots=True)
class _Job:
    """A config whose rows are extended; state: of the run."""

    spec: Spec
    name: str
    folder: RunFolder
    state: Mapping[str, Any]

    @property
    def config(self) -> Config:
        return self.spec.active_configs[self.name]

    @property
    def writer(self) -> Writer:
        return writer(self.spec, self.state, self.spec.answers_of(self.config))

    @property
    def rows(self) -> RunFolder:
        """The run with the rows that are extended."""
        return self.folder.of_answers(self.spec.answers_of(self.config).name)

    @property
    def shards(self) -> ExtensionFolder:
        return extension(self.spec, self.name, self.folder)

    def missing(self, done: Mapping[Place, Outcome]) -> bool:
        """Whether something is still to be asked of a row."""
        if self.config.turns is not None:
            return bool(next_turn(self.config.turns.number, done))
        assert self.config.samples is not None
        return bool(samples_left(self.config.samples.number, done))

    def chosen(self) -> list[int]:
        """Return the indices of the rows that the config selected and that can be extended."""
        magpie = bundled.builder_module().Magpie
        with tempfile.TemporaryDirectory() as cache:
            builder = magpie(
                cache, config_name=self.name, data_dir=self.folder.path, extended=False
            )
            masks = builder.selection.masks
        found: list[int] = []
        for unit, mask in zip(self.rows.units(), masks, strict=True):
            rows = self.rows.answered(unit, ["index", "finish_reason"]).filter(mask)
            ends = zip(rows["index"].to_pylist(), rows["finish_reason"].to_pylist(), strict=True)
            # Behind half an answer no conversation goes on.
            cut = self.config.turns is not None
            found += [index for index, reason in ends if not (cut and reason == "length")]
        return found

    def seen(self) -> Seen:
        """Return what finished shards hold of each row."""
        found: Seen = {}
        for row in self.shards.plan().to_pylist():
            place = Place(row["number"], row["role"] == "assistant")
            how = Outcome(row["rejection"], row["finish_reason"])
            found.setdefault(row["index"], {})[place] = how
        return found

    def extension(self, engine: Engine) -> Extension:
        """Return how the rows are extended by an open model."""
        spec, config, by = self.spec, self.config, self.writer
        if config.samples is not None:
            given = config.samples
            most = by.pins.responses.max_tokens
            sampling = Sampling(given.temperature, given.top_p, most)
            return Samples(given.number, responses(by, engine, sampling=sampling))
        assert config.turns is not None
        turns = config.turns
        texts = self.state["conversations"][conversation_key(spec, config)]
        special = partial(engine.encode, special=True)
        stop, _ = stops(by.pins, special)
        return Turns(
            number=turns.number,
            answer=responses(by, engine, texts["marks"]),
            texts=texts["texts"],
            prompted=texts["prompted"],
            user=drawable(
                engine, Sampling(turns.temperature, turns.top_p, spec.instructions.max_tokens)
            ),
            stop=stop,
            ends=long_ends(by.pins, special),
            left=cache(lambda text: prompt.open_end(text, special)[1]),
            system_prompt=turns.prompt_name,
        )


def _extend(job: _Job, report: Report, models: Models) -> None:
    """Ask for what is missing of one config's extension."""
    begun, seen, chosen = job.shards.begun(), job.seen(), job.chosen()
    in_progress = {index for rows in begun.values() for index in rows}
    fresh = [i for i in chosen if i not in in_progress and job.missing(seen.get(i, {}))]
    if not fresh and not begun:
        return
    by = job.writer
    opened = models.engine(by.section, weights(by.place, by.section, by.pins))
    with _Work(job, opened, set(chosen)) as work:
        work.go(work.units(begun, fresh, seen), report)


class _Work:
    """An extension that is being made, and the journals of its units in progress."""

    def __init__(self, job: _Job, engine: Engine, chosen: set[int]) -> None:
        self._job, self._engine, self._chosen = job, engine, chosen
        self._extension = job.extension(engine)
        self._journals: dict[int, Journal] = {}

    def units(
        self, begun: Mapping[int, list[int]], fresh: Sequence[int], seen: Seen
    ) -> Iterator[Unit]:
        """Yield the units to make in order of number, with what their journals hold."""
        free = (n for n in count(len(self._job.shards.units())) if n not in begun)
        parts = [fresh[start : start + UNIT_ROWS] for start in range(0, len(fresh), UNIT_ROWS)]
        for number, indices in sorted([*begun.items(), *zip(free, parts, strict=False)]):
            journal = self._journals[number] = self._job.shards.open_unit(number, indices)
            unit = Unit(number, self._rows(indices, seen))
            for entry in journal.entries:
                completion = Completion(key=None, **{name: entry[name] for name in _KEPT})
                place = Place(entry["number"], entry["answers"])
                unit.rows[entry["index"]].take(self._extension, place, completion)
            yield unit

    def go(self, units: Iterator[Unit], report: Report) -> None:
        """Ask until nothing is missing; a completion is in a journal before anything else."""
        extending, tokens = Extending(self._job.shards.stage, self._extension, units), 0
        for completion in self._engine.complete(extending.next):
            key: Any = completion.key
            self._journals[key.unit].append(_entry(key, completion))
            extending.accept(key, completion)
            self._write(extending.finished())
            tokens += completion.completion_tokens
            rows = len(self._chosen)
            report(f"extend {self._job.name}", min(extending.rows_done, rows), rows, tokens)
        self._write(extending.finished())

    def _rows(self, indices: Sequence[int], seen: Seen) -> dict[int, Row]:
        """Return rows to extend, with what finished shards hold of them already."""
        bases = self._bases(set(indices))
        held: dict[int, dict[Place, Extended]] = {index: {} for index in indices}
        if any(index in seen for index in indices):
            for found in self._job.shards.of(indices).to_pylist():
                place = Place(found["number"], found["role"] == "assistant")
                held[found["index"]][place] = Extended(**found)
        return {i: Row(bases[i], held[i], wanted=i in self._chosen) for i in indices}

    def _bases(self, indices: set[int]) -> dict[int, Base]:
        columns = ["index", "instruction", "response"]
        found: dict[int, Base] = {}
        for unit in self._job.rows.units():
            if any(unit.start <= index < unit.stop for index in indices):
                rows = self._job.rows.answered(unit, columns).select(columns).to_pylist()
                found |= {row["index"]: Base(**row) for row in rows if row["index"] in indices}
        return found

    def _write(self, units: Iterator[Unit]) -> None:
        """Write the shards of finished units; their journals go."""
        import pyarrow as pa

        for unit in units:
            rows = [asdict(one) for one in unit.completions()]
            table = pa.Table.from_pylist(rows, schema=arrow_schema(EXTENSION_SHARD))
            self._journals.pop(unit.number).close()
            shards = self._job.shards
            shards.write(shards.stage, Shard(unit.number, 0, 0), table)

    def __enter__(self) -> "_Work":
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals.values():
            journal.close()


def _entry(key: Key, completion: Completion) -> dict[str, Any]:
    place = {"index": key.index, "number": key.place.number, "answers": key.place.answers}
    return place | {name: getattr(completion, name) for name in _KEPT}

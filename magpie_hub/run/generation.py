"""The stage that asks the model: draws instructions, answers the kept ones, journals each.

Wires the schedule, which knows no files, to the run folder and an engine. A completion is in the
journal before anything else happens to it; a unit's shard replaces its journal.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

from magpie_hub.curate.exact import Seen
from magpie_hub.engines import prompt
from magpie_hub.engines.base import Completion, Engine, FirstToken, Sampling
from magpie_hub.errors import EngineError
from magpie_hub.generate.instructions import Cell, Instructions, Prefix, cycle
from magpie_hub.generate.schedule import Finished, Key, Schedule
from magpie_hub.records import (
    INSTRUCTION_SHARD,
    INSTRUCTIONS,
    RESPONSE_SHARD,
    RESPONSES,
    SHARDS,
    Unit,
    arrow_schema,
)
from magpie_hub.run.answering import Writer, draw_of, drawable, long_ends, responses, stops, writer
from magpie_hub.run.begin import begin
from magpie_hub.run.opened import Models
from magpie_hub.run.pins import Pins, weights
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import Journal
from magpie_hub.spec.generation import NONE
from magpie_hub.spec.generation import Instructions as Given
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model


@dataclass(frozen=True, slots=True)
class _Pass:
    """What one model writes in one go: draws, an answer set, or both. writer: of the answers."""

    stages: tuple[str, ...]
    place: str
    section: Model
    pins: Pins
    writer: Writer | None


def generate(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Bring the run to all its instructions and responses; opens an engine if any is missing.

    The caller holds the folder's lock. Killed at any moment, the next call goes on: no completion
    that is in a shard or a journal is asked for again.
    """
    state = begin(spec, folder, warn, draws=True)
    units = folder.units()
    for part in _passes(spec, state):
        if not all(folder.finished(stage, unit) for stage in part.stages for unit in units):
            model = models.engine(part.section, weights(part.place, part.section, part.pins))
            _note_engine(part, folder, model, warn)
            _go(spec, part, model, folder, report, warn)


def _passes(spec: Spec, state: Mapping[str, Any]) -> list[_Pass]:
    """Return what is to be written, in order; what the generator answers comes while it is open."""
    first, *others = [writer(spec, state, answers) for answers in spec.responses]
    generator, drawn = spec.drawn_from, Pins.from_json(state["pins"])
    apart = [(f"responses/{by.name}", by) for by in others]
    if first.section is generator:
        passes = [_Pass(tuple(SHARDS), "generator", generator, drawn, first)]
    else:
        passes = [_Pass((INSTRUCTIONS,), "generator", generator, drawn, None)]
        apart.insert(0, (RESPONSES, first))
    apart.sort(key=lambda each: each[1].section is not generator)
    return passes + [_Pass((stage,), by.place, by.section, by.pins, by) for stage, by in apart]


def _go(
    spec: Spec, part: _Pass, model: Engine, folder: RunFolder, report: Report, warn: Warn
) -> None:
    """Ask a model until nothing of its part is missing."""
    units, draws = folder.units(), part.stages[0] == INSTRUCTIONS
    schedule = Schedule(
        units,
        _draws(spec, part.pins, model, warn) if draws else None,
        responses(part.writer, model) if part.writer else None,
        Seen().duplicate_of if draws else lambda *_: None,
        stage=part.stages[-1] if part.writer else RESPONSES,
    )
    tokens: Counter[str] = Counter()
    with _Journals(folder) as journals:
        _resume(folder, journals, schedule, units, part.stages)
        for completion in model.complete(schedule.next):
            key: Any = completion.key
            journals.of(key.stage, key.unit).append(_entry(key, completion))
            journals.replace(schedule.accept(key, completion))
            tokens[key.stage] += completion.completion_tokens
            done, total = schedule.progress()[key.stage]
            report(_shown(key.stage), done, total, tokens[key.stage])


def _shown(stage: str) -> str:
    """Return a stage as progress names it; another answer set than the first by its name."""
    return "responses" if stage == RESPONSES else stage.replace("/", " ")


def _note_engine(part: _Pass, folder: RunFolder, model: Engine, warn: Warn) -> None:
    """Note the engine and its context in run.json, and say what a person may not expect of them."""
    state, now = folder.state(), f"{model.name} {model.version}"
    engines = state.get("engines", {})
    before = engines.get(part.stages[0], {"engine": now})["engine"]
    if before != now:
        warn(f"the run began on {before} and goes on with {now}; every row says its own")
    most = 0 if part.writer is None else part.writer.pins.responses.max_tokens
    if most >= model.context_length:
        warn(
            f"responses may have {most:,} tokens, but the engine's context of"
            f" {model.context_length:,} holds prompt and response together: it ends them first"
        )
    noted = {"engine": now, "context_length": model.context_length, "capacity": model.capacity}
    folder.save({**state, "engines": {**engines, part.stages[0]: noted}})


def _draws(spec: Spec, pins: Pins, model: Engine, warn: Warn) -> Instructions:
    given = spec.instructions
    stop, _ = stops(pins, partial(model.encode, special=True))
    most = given.max_tokens
    weights = {name: prompt.weight for name, prompt in given.system_prompts.items()} or {NONE: 1}
    prefixes = {name: _prefix(pins, name, model) for name in weights}
    if lefts := sorted({prefix.left for prefix in prefixes.values() if prefix.left}):
        warn(
            f"the tokenizer joins {', '.join(map(repr, lefts))} at the end of the prefix with the"
            " word behind it: it is left to the model to write, and taken off again"
        )
    cells = [
        (
            Cell(drawable(model, Sampling(c.temperature, c.top_p, most)), prefixes[name]),
            c.weight * weight,
        )
        for c in given.sampling
        for name, weight in weights.items()
    ]
    return Instructions(
        draw=draw_of(spec, pins),
        stop=stop,
        cells=cycle(cells),
        controls=pins.controls,
        ends=long_ends(pins, partial(model.encode, special=True)),
        first=_first(given, model, prefixes.values()),
        rules=tuple(given.sanitise),
    )


def _prefix(pins: Pins, name: str, model: Engine) -> Prefix:
    """Return where the user's words begin, behind the system prompt of that name."""
    text = pins.prefix if name == NONE else pins.prefixes[name]
    tokens, left = prompt.open_end(text, partial(model.encode, special=True))
    if len(tokens) >= model.context_length:
        behind = "the prefix" if name == NONE else f"the prefix with the system prompt `{name}`"
        raise EngineError(
            f"{behind} has {len(tokens):,} tokens, and nothing can be drawn behind it in the"
            f" engine's context of {model.context_length:,}",
            hint="shorten it, or raise the engine's context",
        )
    return Prefix(text, tokens, left, None if name == NONE else name)


def _first(given: Given, model: Engine, prefixes: Collection[Prefix]) -> FirstToken | None:
    """Return how the first token is drawn, where otherwise; EngineError where it cannot be."""
    banned: list[int] = []
    for bad in given.bad_first_tokens:
        ids = [bad] if isinstance(bad, int) else _begins_with(bad, model, prefixes)
        if not ids:
            raise EngineError(
                f"`instructions.bad_first_tokens`: `{bad}` is several tokens of the model,"
                " expected one",
                hint="name its first token alone: its text, or its id",
            )
        banned += ids
    if not banned and given.first_token_temperature is None:
        return None
    first = FirstToken(given.first_token_temperature, tuple(dict.fromkeys(banned)))
    model.check_first(first)
    return first


def _begins_with(text: str, model: Engine, prefixes: Iterable[Prefix]) -> list[int]:
    """Return the ids that a text of one token has by itself and behind the prefixes.

    Behind `User: ` it is another one, with the space in front that is left to the model.
    """
    read = [model.encode(text, special=False)]
    for prefix in prefixes:
        whole = model.encode(prefix.text + text, special=True)
        if tuple(whole[: len(prefix.tokens)]) == prefix.tokens:
            read.append(whole[len(prefix.tokens) :])
    return [ids[0] for ids in read if len(ids) == 1]


def _resume(
    folder: RunFolder,
    journals: "_Journals",
    schedule: Schedule,
    units: list[Unit],
    stages: tuple[str, ...],
) -> None:
    """Tell the schedule of all that is finished, shards first, then journalled completions."""
    for unit in units:
        if folder.finished(INSTRUCTIONS, unit):
            answered = folder.finished(stages[-1], unit)
            journals.replace(schedule.resume(unit, folder.kept(unit), answered=answered))
    for stage in stages:
        for unit in units:
            if stage != INSTRUCTIONS and not folder.finished(INSTRUCTIONS, unit):
                # Answers whose instructions were lost: they count for nothing before those are
                # drawn again, and are refused then if these come out otherwise.
                continue
            if folder.finished(stage, unit):
                # A kill between a shard's rename and the next step leaves the journal behind.
                folder.journal(stage, unit).unlink(missing_ok=True)
            elif folder.journal(stage, unit).exists():
                for entry in journals.of(stage, unit).entries:
                    key = Key(stage, unit, entry["index"])
                    completion = Completion(key=key, **{name: entry[name] for name in _KEPT})
                    journals.replace(schedule.accept(key, completion))


_KEPT = [field.name for field in fields(Completion) if field.name != "key"]


def _entry(key: Key, completion: Completion) -> dict[str, Any]:
    return {"index": key.index} | {name: getattr(completion, name) for name in _KEPT}


class _Journals:
    """The journals of the units in progress, each open until its shard replaces it."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._open: dict[tuple[str, Unit], Journal] = {}

    def of(self, stage: str, unit: Unit) -> Journal:
        """Return the journal of a unit, opened if need be."""
        if (stage, unit) not in self._open:
            self._open[stage, unit] = self._folder.open_journal(stage, unit)
        return self._open[stage, unit]

    def replace(self, finished: Iterable[Finished]) -> None:
        """Write the shards of finished units; their journals go."""
        import pyarrow as pa

        for shard in finished:
            columns = INSTRUCTION_SHARD if shard.stage == INSTRUCTIONS else RESPONSE_SHARD
            schema = arrow_schema(columns)
            table = pa.Table.from_pylist([asdict(row) for row in shard.rows], schema=schema)
            if journal := self._open.pop((shard.stage, shard.unit), None):
                journal.close()
            self._folder.write(shard.stage, shard.unit, table)

    def __enter__(self) -> "_Journals":
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._open.values():
            journal.close()

"""The stage that asks the model: draws instructions, answers the kept ones, journals each.

Wires the schedule, which knows no files, to the run folder and an engine. A completion is in the
journal before anything else happens to it; a unit's shard replaces its journal.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from magpie_hub.curate.exact import Seen
from magpie_hub.engines.base import Completion, Engine, Sampling
from magpie_hub.errors import TemplateError
from magpie_hub.generate.instructions import Instructions, cycle
from magpie_hub.generate.responses import Responses
from magpie_hub.generate.schedule import Finished, Key, Schedule
from magpie_hub.records import INSTRUCTIONS, RESPONSES, SHARDS, Draw, Unit, arrow_schema
from magpie_hub.run.begin import begin
from magpie_hub.run.opened import Models
from magpie_hub.run.pins import Pins, weights
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import Journal
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import model_name


def generate(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Bring the run to all its instructions and responses; opens an engine if any is missing.

    The caller holds the folder's lock. Killed at any moment, the next call goes on: no completion
    that is in a shard or a journal is asked for again.
    """
    pins = Pins.from_json(begin(spec, folder, warn, draws=True)["pins"])
    units = folder.units()
    if all(folder.finished(stage, unit) for stage in SHARDS for unit in units):
        return
    model = models.engine(spec.drawn_from, weights(spec, pins))
    _note_engine(spec, folder, model, warn)
    schedule = _schedule(spec, pins, model, units)
    tokens: Counter[str] = Counter()
    with _Journals(folder) as journals:
        _resume(folder, journals, schedule, units)
        for completion in model.complete(schedule.next):
            key: Any = completion.key
            journals.of(key.stage, key.unit).append(_entry(key, completion))
            journals.replace(schedule.accept(key, completion))
            tokens[key.stage] += completion.completion_tokens
            done, total = schedule.progress()[key.stage]
            report(key.stage.partition("/")[0], done, total, tokens[key.stage])


def _note_engine(spec: Spec, folder: RunFolder, model: Engine, warn: Warn) -> None:
    """Note the engine and its context in run.json, and say what a person may not expect of them."""
    state = folder.state()
    now = f"{model.name} {model.version}"
    if state.get("engine", now) != now:
        warn(f"the run began on {state['engine']} and goes on with {now}; every row says its own")
    if spec.responses.max_tokens >= model.context_length:
        warn(
            f"responses may have {spec.responses.max_tokens:,} tokens, but the engine's context of"
            f" {model.context_length:,} holds prompt and response together: it ends them first"
        )
    folder.save({**state, "engine": now, "context_length": model.context_length})


def _schedule(spec: Spec, pins: Pins, model: Engine, units: list[Unit]) -> Schedule:
    draw = Draw(spec.repo, model_name(spec.drawn_from.model), pins.revision, spec.seed)
    special = partial(model.encode, special=True)
    stop, answer_stop = stops(pins, special)
    prompt = tuple(special(pins.prefix))
    limit = spec.instructions.max_tokens
    cells = [
        (Sampling(cell.temperature, cell.top_p, limit), cell.weight)
        for cell in spec.instructions.sampling
    ]
    return Schedule(
        units,
        Instructions(draw, pins.prefix, prompt, stop, cycle(cells), pins.controls),
        Responses(
            draw,
            before=prompt,
            after=tuple(special(pins.post_query)),
            stop=answer_stop,
            sampling=pins.responses,
            controls=pins.controls,
            encode=partial(model.encode, special=False),
            reasoning=pins.reasoning,
        ),
        Seen().duplicate_of,
    )


def stops(pins: Pins, encode: Callable[[str], list[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the token ids that end an instruction, and those that end a response.

    encode: token ids of a template's text. Raises TemplateError where nothing would end one.
    """
    ends = {end: encode(end) for end in pins.ends}
    # A mark that stands between the reasoning and the answer does not end a response.
    between = pins.reasoning.closing if pins.reasoning else ""
    stop = tuple(ids[0] for ids in ends.values() if len(ids) == 1)
    answer_stop = tuple(i[0] for end, i in ends.items() if len(i) == 1 and end not in between)
    if not stop or not answer_stop:
        raise TemplateError(
            f"none of the texts that end a turn (`{'`, `'.join(pins.ends)}`) is one token of the"
            " model, so that nothing would end an instruction or a response",
            hint="choose a model whose chat template closes turns with a token of its own",
        )
    return stop, answer_stop


def _resume(
    folder: RunFolder, journals: "_Journals", schedule: Schedule, units: list[Unit]
) -> None:
    """Tell the schedule of all that is finished, shards first, then journalled completions."""
    for unit in units:
        if folder.finished(INSTRUCTIONS, unit):
            answered = folder.finished(RESPONSES, unit)
            journals.replace(schedule.resume(unit, folder.kept(unit), answered=answered))
    for stage in SHARDS:
        for unit in units:
            if stage == RESPONSES and not folder.finished(INSTRUCTIONS, unit):
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
            schema = arrow_schema(SHARDS[shard.stage])
            table = pa.Table.from_pylist([asdict(row) for row in shard.rows], schema=schema)
            if journal := self._open.pop((shard.stage, shard.unit), None):
                journal.close()
            self._folder.write(shard.stage, shard.unit, table)

    def __enter__(self) -> "_Journals":
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._open.values():
            journal.close()

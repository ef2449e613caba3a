"""Starts the run of a spec, or takes it up again: names checked, populations never mixed.

Reads and writes run.json, and looks which units were begun; knows neither what is in a shard nor
the order of stages.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from magpie_hub import __version__
from magpie_hub.columns import KINDS, fields
from magpie_hub.curate.filters import FILTERS
from magpie_hub.curate.where import parse
from magpie_hub.engines import engine_class
from magpie_hub.engines.options import nearest
from magpie_hub.errors import RunError
from magpie_hub.records import (
    INSTRUCTION_SHARD,
    INSTRUCTIONS,
    MODEL_TAG_SHARD,
    RESPONSE_SHARD,
)
from magpie_hub.run.curating import check_releases
from magpie_hub.run.judges import adapter_of, check_options, makers, need, pin
from magpie_hub.run.labels import known
from magpie_hub.run.models import Model, Need, of_generator
from magpie_hub.run.models import check as look
from magpie_hub.run.pins import resolve
from magpie_hub.run.reporting import Warn
from magpie_hub.shards.folder import RunFolder, units
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.foreign_rows import MAPPED
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import fingerprint, population, public, snapshot
from magpie_hub.tag import TAGS, own_columns, wanted
from magpie_hub.tag import own as own_tag
from magpie_hub.tag.embedders import check_embedder, check_libraries
from magpie_hub.tag.judge import check_prompt
from magpie_hub.tag.safety import check as check_adapter
from magpie_hub.tag.schemas import check as check_schema

UNIT_ROWS = 1000
"""Rows of a unit; a run keeps the number that it began with."""


def check(spec: Spec) -> None:
    """Raise SpecError for a name in the spec that no room of the house knows."""
    if spec.generator is not None:
        engine = spec.generator.engine
        with spec.placed("generator.engine"):
            engine_class(engine.name).check_options(engine.options)
    if spec.source is not None:
        _check_columns(spec, spec.source.columns)
    _check_tags(spec)
    for name in spec.active_configs:
        _check_config(spec, name)


def _check_config(spec: Spec, name: str) -> None:
    """Raise SpecError for a config whose filter or condition asks for what is not there."""
    config, place = spec.active_configs[name], f"configs.{name}"
    if config.filter is not None and config.filter not in FILTERS:
        raise spec.fault(
            f"{place}.filter",
            f"there is no filter `{config.filter}`; expected one of `{'`, `'.join(FILTERS)}`",
            hint="correct the name, or leave the key out to keep every answered row",
        )
    columns = FILTERS[config.filter].columns if config.filter else ()
    if lacking := _lacking(spec, columns):
        column, tag = lacking
        rules = (rule for rule in FILTERS[str(config.filter)].rules if column in rule.columns)
        rule = next(
            (f"has the rule `{rule}`, whose column" for rule in rules), f"needs `{column}`, which"
        )
        raise spec.fault(
            f"{place}.filter",
            f"the filter `{config.filter}` {rule} comes from the tag `{tag}`",
            hint=f"add `{tag}` to `tags:` and run `magpie-hub tag SPEC`, or choose another filter",
        )
    if config.where is not None:
        published = fields(spec.kind, own_columns(spec.tags))
        types = {field.name: field.type for field in published if field.name != "messages"}
        with spec.placed(f"{place}.where"):
            condition = parse(config.where, types | {"instruction": "string", "response": "string"})
        if lacking := _lacking(spec, condition.columns):
            column, tag = lacking
            raise spec.fault(
                f"{place}.where",
                f"`{config.where}` needs the column `{column}`, which comes from the tag `{tag}`",
                hint=f"add `{tag}` to `tags:` and run `magpie-hub tag SPEC`",
            )


def _lacking(spec: Spec, columns: Iterable[str]) -> tuple[str, str] | None:
    """Return the first column whose tag the spec does not ask for, and that tag."""
    asked = wanted(spec.tags)
    for column in columns:
        # Rows that others made may bring the labels of theirs.
        if spec.source is None or column not in LABELS:
            for tag in TAGS.values():
                if column in tag.columns and tag.name not in asked:
                    return column, tag.name
    return None


def _check_columns(spec: Spec, columns: Iterable[str]) -> None:
    known = sorted(MAPPED) + list(LABELS)
    for name in columns:
        if name not in known:
            raise spec.fault(
                f"source.columns.{name}",
                f"`{name}` is no column of ours, expected one of `{'`, `'.join(sorted(MAPPED))}`,"
                " or a label",
                hint=nearest(name, known),
            )


def _check_tags(spec: Spec) -> None:
    """Raise SpecError for a tag that cannot be made as the spec says."""
    taken = {field.name for fields in KINDS.values() for field in fields}
    for shard in (INSTRUCTION_SHARD, RESPONSE_SHARD, MODEL_TAG_SHARD):
        taken |= shard.keys()
    for name, own in spec.tags.own.items():
        place = f"tags.{name}"
        if not name.isidentifier() or name in TAGS:
            raise spec.fault(place, f"`{name}` cannot be a tag's name", hint="choose another")
        with spec.placed(f"{place}.schema"):
            check_schema(f"{place}.schema", own.answer)
        if f"{name}_generator" in own.answer["properties"]:
            raise spec.fault(
                f"{place}.schema",
                f"the column `{name}_generator` names the judge",
                hint="give the property another name",
            )
        with spec.placed(f"{place}.prompt"):
            check_prompt(f"{place}.prompt", own.prompt)
        for column in own_tag(name, own).columns:
            if column in taken:
                raise spec.fault(
                    f"{place}.schema",
                    f"the column `{column}` is there already",
                    hint="give the property another name",
                )
            taken.add(column)
    check_options(spec)
    if spec.tags.safety is not None:
        with spec.placed("tags.safety.adapter"):
            check_adapter(adapter_of(spec))
    if spec.tags.neighbours is not None:
        embedder = spec.tags.neighbours.embedder
        with spec.placed("tags.neighbours.embedder"):
            check_embedder(embedder.name, embedder.options)


def begin(
    spec: Spec, folder: RunFolder, warn: Warn, *, draws: bool = False, tags: bool = False
) -> dict[str, Any]:
    """Write down what the spec asks of the run, and return run.json.

    What only grows a run (rows, tags, configs) goes on; what would mix two populations raises
    RunError. draws: whether the caller will draw rows; only then a run is started or grown. tags:
    whether it will tag them. Models that one of the two needs for the first time are checked, all
    at once. The caller holds the folder's lock.
    """
    check(spec)
    check_releases(spec, folder)
    written = snapshot(spec)
    # Where a file lies on this machine is no part of what is drawn: its content is the revision.
    leaves = population(public(written))
    new = draws and not (folder.started and _is_begun(spec, folder))
    old = {} if new else folder.state()
    if not new:
        _compare(old["population"], leaves, folder)
    pinned = old.get("models", {})
    needed: dict[str, Need] = {}
    for name, maker in makers(spec).items() if draws or tags else ():
        asked = need(spec, name, maker)
        # Of several tags the one with the longest answer decides.
        if maker.key not in pinned and asked.most >= needed.get(maker.key, asked).most:
            needed[maker.key] = asked
    if (draws or tags) and spec.tags.neighbours is not None:
        check_libraries(spec.tags.neighbours.embedder.name)
    date = datetime.now(UTC).date().isoformat()
    generators = [of_generator(spec)] if new and spec.generator is not None else []
    found = look([*generators, *needed.values()], date=date)
    state = _new(spec, leaves, found[0], warn, date) if generators else old
    if new and spec.source is not None:
        state = _imported(spec, leaves)
    by_key = {maker.key: maker for maker in makers(spec).values()}
    for key, model in zip(needed, found[len(generators) :], strict=True):
        pinned[key] = pin(by_key[key], model).to_json()
    grows = draws and spec.source is None
    growth = _growth(folder, state, spec.instructions.rows) if grows else state["growth"]
    if any(
        state.get("spec", {}).get(key) != written.get(key) for key in ("dedup", "decontaminate")
    ):
        # What was found by other settings is no longer what the spec asks for.
        state.pop("curated", None)
    state |= {"spec": written, "growth": growth, "magpie_hub": __version__, "models": pinned}
    folder.save(state)
    # Which rows there are decides some; they are known by what was just written.
    state["tags"] = known(spec, folder, pinned)
    folder.save(state)
    return folder.state()


def _is_begun(spec: Spec, folder: RunFolder) -> bool:
    """Return whether a run may hold rows: those of a source are taken in whole or not at all."""
    return spec.source is None or bool(folder.state()["growth"])


def _growth(folder: RunFolder, state: Mapping[str, Any], rows: int) -> list[int]:
    """Return the points of growth that bring a run to `rows`.

    What was asked for and never begun is taken back; what has files stays.
    """
    growth = list(state["growth"])
    begun = [
        unit.stop
        for unit in units(growth, state["unit_rows"])
        if folder.finished(INSTRUCTIONS, unit) or folder.journal(INSTRUCTIONS, unit).exists()
    ]
    while growth and rows < growth[-1] and max(begun, default=0) <= (growth[-2:-1] or [0])[0]:
        growth.pop()
    if growth and rows < growth[-1]:
        raise RunError(
            f"`instructions.rows`: the run in `{folder.path}` has {growth[-1]} rows and the spec"
            f" says {rows}; a run grows, it does not shrink",
            hint="put the number back, or start another run with --run DIR",
        )
    return growth if growth and rows == growth[-1] else [*growth, rows]


def _new(
    spec: Spec, leaves: Mapping[str, object], model: Model, warn: Warn, date: str
) -> dict[str, Any]:
    pins = resolve(spec, model, date=date)
    for warning in pins.warnings:
        warn(warning)
    return _state(leaves, pins.to_json())


def _imported(spec: Spec, leaves: Mapping[str, object]) -> dict[str, Any]:
    from magpie_hub.shards.foreign import checksums

    assert spec.source is not None
    with spec.placed("source"):
        return _state(leaves, {"checksums": checksums(spec.source)})


def _state(leaves: Mapping[str, object], pins: dict[str, Any]) -> dict[str, Any]:
    return {
        "population": dict(leaves),
        "pins": pins,
        "fingerprint": fingerprint({**leaves, **pins}),
        "growth": [],
        "unit_rows": UNIT_ROWS,
        "models": {},
        "tags": {},
    }


def _compare(old: Mapping[str, object], new: Mapping[str, object], folder: RunFolder) -> None:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise RunError(
                f"`{key}`: the run in `{folder.path}` was made with `{old.get(key)}` and the spec"
                f" says `{new.get(key)}`; rows of two populations are never mixed",
                hint="put the value back, or start another run with --run DIR",
            )

"""Starts the run of a spec, or takes it up again: populations are never mixed.

Reads and writes run.json, and looks which units were begun; knows neither what is in a shard nor
the order of stages.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from magpie_hub import __version__
from magpie_hub.errors import RunError
from magpie_hub.records import ANSWERS, INSTRUCTIONS
from magpie_hub.run import until
from magpie_hub.run.checking import check
from magpie_hub.run.curating import check_releases
from magpie_hub.run.judges import makers, need, pin
from magpie_hub.run.labels import write_known
from magpie_hub.run.models import Model, Need
from magpie_hub.run.models import check as look
from magpie_hub.run.pins import Pins, resolve, sampling
from magpie_hub.run.reporting import Warn
from magpie_hub.run.wording import of_answers, of_conversations, of_generator
from magpie_hub.shards.folder import RunFolder, units
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import fingerprint, population, public, snapshot
from magpie_hub.tag.embedders import check_libraries

UNIT_ROWS = 1000
"""Rows of a unit; a run keeps the number that it began with."""


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
        _check_first(spec, old, folder)
    pinned = old.get("models", {})
    needed: dict[str, Need] = {}
    for name, maker in makers(spec).items() if draws or tags else ():
        asked = need(spec, name, maker)
        # Of several tags the one with the longest answer decides.
        if maker.key not in pinned and asked.most >= needed.get(maker.key, asked).most:
            needed[maker.key] = asked
    if (draws or tags) and spec.tags.neighbours is not None:
        check_libraries(spec.tags.neighbours.embedder.name)
    # A template that states the date has stated one already.
    date = old.get("pins", {}).get("date") or datetime.now(UTC).date().isoformat()
    writers = _writers(spec, old) if draws and spec.generator is not None else {}
    spoken = old.get("conversations", {})
    asked_of = of_conversations(spec, old.get("answers", {})).items()
    talks = {key: each for key, each in asked_of if (draws or tags) and key not in spoken}
    models = iter(look([*writers.values(), *talks.values(), *needed.values()], date=date))
    written_by = {name: next(models) for name in writers}
    state = _pinned(spec, leaves, old, written_by, warn, date) if writers else old
    if new and spec.source is not None:
        state = _imported(spec, leaves)
    spoken = spoken | {key: next(models).texts for key in talks}
    by_key = {maker.key: maker for maker in makers(spec).values()}
    for key, model in zip(needed, models, strict=True):
        pinned[key] = pin(by_key[key], model).to_json()
    grows = draws and spec.source is None
    growth = _growth(folder, state, spec) if grows else state["growth"]
    if any(
        state.get("spec", {}).get(key) != written.get(key) for key in ("dedup", "decontaminate")
    ):
        # What was found by other settings is no longer what the spec asks for.
        for found in (state, *state.get("views", {}).values()):
            found.pop("curated", None)
    if draws:
        state["population"] = {**state["population"], **leaves}
    state |= {"spec": written, "growth": growth, "magpie_hub": __version__, "models": pinned}
    state["conversations"] = spoken
    folder.save(state)
    # Which rows there are decides some; they are known by what was just written.
    write_known(spec, folder, pinned)
    return folder.state()


def _is_begun(spec: Spec, folder: RunFolder) -> bool:
    """Return whether a run may hold rows: those of a source are taken in whole or not at all."""
    return spec.source is None or bool(folder.state()["growth"])


def _growth(folder: RunFolder, state: Mapping[str, Any], spec: Spec) -> list[int]:
    """Return the points of growth that bring a run to the rows that are asked for.

    What was asked for and never begun is taken back; what has files stays.
    """
    growth, rows, goes_on = list(state["growth"]), spec.instructions.rows, spec.instructions.until
    begun = [
        unit.stop
        for unit in units(growth, state["unit_rows"])
        if folder.finished(INSTRUCTIONS, unit) or folder.journal(INSTRUCTIONS, unit).exists()
    ]
    while growth and (goes_on or rows < growth[-1]) and not _begins(growth, begun):
        growth.pop()
    if goes_on:
        return until.growth(spec, state, growth)
    if growth and rows < growth[-1]:
        raise RunError(
            f"`instructions.rows`: the run in `{folder.path}` has {growth[-1]} rows and the spec"
            f" says {rows}; a run grows, it does not shrink",
            hint="put the number back, or start another run with --run DIR",
        )
    return growth if growth and rows == growth[-1] else [*growth, rows]


def _begins(growth: list[int], begun: list[int]) -> bool:
    """Return whether something was begun behind the last point but one of a growth."""
    return max(begun, default=0) > (growth[-2:-1] or [0])[0]


def _writers(spec: Spec, old: Mapping[str, Any]) -> dict[str, Need]:
    """Return what is needed of models that write rows and are not pinned; "" is the generator."""
    new = [answers for answers in spec.responses if answers.name not in old.get("answers", {})]
    own = {"": of_generator(spec)} if any(answers.model is None for answers in new) else {}
    own = own or ({} if "pins" in old else {"": of_generator(spec)})
    return own | {each.name: of_answers(spec, each) for each in new if each.model is not None}


def _pinned(
    spec: Spec,
    leaves: Mapping[str, object],
    old: dict[str, Any],
    found: Mapping[str, Model],
    warn: Warn,
    date: str,
) -> dict[str, Any]:
    """Return run.json with the pins of models that write rows; found: those that are new."""
    state, first = old, spec.responses[0]
    if not old:
        own = resolve(spec.drawn_from, first, found[""], date=date)
        state = _state(leaves, own.to_json()) | {"first": first.name}
        for warning in own.warnings:
            warn(warning)
    own, pinned = Pins.from_json(state["pins"]), dict(state.get("answers", {}))
    for answers in spec.responses:
        if answers.name in pinned:
            continue
        if answers.model is None:
            # The rest of what is pinned of the generator holds for all that it writes.
            pins = replace(own, responses=sampling(answers, found[""]))
        else:
            _, section = spec.writer_of(answers)
            pins = resolve(section, answers, found[answers.name], date=date)
            for warning in pins.warnings:
                warn(f"answers `{answers.name}`: {warning}")
        pinned[answers.name] = pins.to_json()
    return state | {"answers": pinned}


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
    # A run may get another answer set, and keeps those that are no longer asked for.
    sets = [{_answers(key) for key in leaves} for leaves in (old, new)]
    for key in sorted(old.keys() | new.keys()):
        if _answers(key) in sets[0] & sets[1] and old.get(key) != new.get(key):
            # Where there is but one set, the spec may say it without a name.
            shown = key if len(sets[1]) > 2 else key.replace(f".{ANSWERS}.", ".")
            raise RunError(
                f"`{shown}`: the run in `{folder.path}` was made with `{old.get(key)}` and the spec"
                f" says `{new.get(key)}`; rows of two populations are never mixed",
                hint="put the value back, or start another run with --run DIR",
            )


def _check_first(spec: Spec, old: Mapping[str, Any], folder: RunFolder) -> None:
    """Raise RunError where the first answer set is another: its rows are what others lie beside."""
    was, now = old.get("first", ANSWERS), spec.responses[0].name
    if spec.source is None and was != now:
        raise RunError(
            f"`responses`: the first answers of the run in `{folder.path}` are `{was}`, and the"
            f" spec's first are `{now}`",
            hint=f"name `{was}` first, or start another run with --run DIR",
        )


def _answers(key: str) -> str | None:
    """Return the answer set that a key of the population belongs to; None for the draws."""
    return key.rpartition(".")[0] if key.startswith("responses.") else None

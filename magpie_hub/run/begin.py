"""Starts the run of a spec, or takes it up again: names checked, populations never mixed.

Reads and writes run.json, and looks which units were begun; knows neither what is in a shard nor
the order of stages.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from magpie_hub import __version__
from magpie_hub.curate.filters import FILTERS
from magpie_hub.engines import engine_class
from magpie_hub.errors import EngineError, RunError
from magpie_hub.records import INSTRUCTIONS
from magpie_hub.run.pins import Pins, resolve
from magpie_hub.shards.folder import RunFolder, units
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import fingerprint, population, public, snapshot
from magpie_hub.tag import TAGS

Warn = Callable[[str], None]
UNIT_ROWS = 1000
"""Rows of a unit; a run keeps the number that it began with."""


def check(spec: Spec) -> None:
    """Raise SpecError for a name in the spec that no room of the house knows."""
    engine = spec.generator.engine
    try:
        engine_class(engine.name).check_options(engine.options)
    except EngineError as error:
        raise spec.fault("generator.engine", error.message, hint=error.hint) from error
    for name, config in spec.active_configs.items():
        if config.filter is not None and config.filter not in FILTERS:
            raise spec.fault(
                f"configs.{name}.filter",
                f"there is no filter `{config.filter}`; expected one of `{'`, `'.join(FILTERS)}`",
                hint="correct the name, or leave the key out to keep every answered row",
            )
        for rule in FILTERS[config.filter] if config.filter else ():
            for tag in TAGS.values():
                if rule.column in tag.columns and tag.name not in spec.tags:
                    raise spec.fault(
                        f"configs.{name}.filter",
                        f"the filter `{config.filter}` has the rule `{rule}`, whose column comes"
                        f" from the tag `{tag.name}`",
                        hint=f"add `{tag.name}` to `tags:`, or choose another filter",
                    )


def begin(spec: Spec, folder: RunFolder, warn: Warn, *, draws: bool = False) -> Pins:
    """Write down what the spec asks of the run, and return the run's pins.

    What only grows a run (rows, tags, configs) goes on; what would mix two populations raises
    RunError. draws: whether the caller will draw rows; only then a run is started or grown. The
    caller holds the folder's lock.
    """
    check(spec)
    written = snapshot(spec)
    # Where a file lies on this machine is no part of what is drawn: its content is the revision.
    leaves = population(public(written))
    new = draws and not folder.started
    state = _new(spec, leaves, warn) if new else folder.state()
    _compare(state["population"], leaves, folder)
    growth = _growth(folder, state, spec.instructions.rows) if draws else state["growth"]
    folder.save({**state, "spec": written, "growth": growth, "magpie_hub": __version__})
    return Pins.from_json(state["pins"])


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


def _new(spec: Spec, leaves: Mapping[str, object], warn: Warn) -> dict[str, Any]:
    pins = resolve(spec, date=datetime.now(UTC).date().isoformat())
    for warning in pins.warnings:
        warn(warning)
    return {
        "population": dict(leaves),
        "pins": pins.to_json(),
        "fingerprint": fingerprint({**leaves, **pins.to_json()}),
        "growth": [],
        "unit_rows": UNIT_ROWS,
    }


def _compare(old: Mapping[str, object], new: Mapping[str, object], folder: RunFolder) -> None:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise RunError(
                f"`{key}`: the run in `{folder.path}` was made with `{old.get(key)}` and the spec"
                f" says `{new.get(key)}`; rows of two populations are never mixed",
                hint="put the value back, or start another run with --run DIR",
            )

"""How long a run goes on that is to keep so many rows: what it keeps so far, and the next round.

A round is a point of growth: drawn, answered, tagged and counted before the next one is planned.
The release takes the draws up to the one whose row is the last that was wanted; what lies behind
stays in the run. What rows are like is known among all that were drawn: a row behind the end may
be the near duplicate that joins two others, or the neighbour of one.

    "until": {"config": "filtered", "rows": 1000, "drawn": 1640, "kept": 1009, "stop": 1625, ...}
"""

import tempfile
from collections.abc import Callable, Mapping
from math import ceil, inf, log
from typing import Any

from magpie_hub import bundled
from magpie_hub.curate.funnel import Funnel
from magpie_hub.errors import RunError
from magpie_hub.records import INSTRUCTIONS
from magpie_hub.run.judges import makers
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Spec

ODDS = 8.0
"""What is less likely than 1 in e to the power of this, or 3,000, is not reckoned with."""
SPARE = 0.02
"""The share of the rows wanted that may be drawn too many, where fewer requests are in flight."""


def measure(spec: Spec, folder: RunFolder) -> None:
    """Count what the config of `until` keeps of all draws, and write down where the release ends.

    Counted is what passes its rules, before a size takes some. Raises BuildError where rows, or
    something that stands beside them, are to come.
    """
    from magpie_hub.rows import Rows, counting

    until = spec.instructions.until
    if until is None:
        return
    answers = spec.answers_of(spec.active_configs[until.config])
    rows = Rows(folder.of_answers(answers.name), spec)
    rows.check_whole()
    with tempfile.TemporaryDirectory() as cache:
        magpie = bundled.builder_module().Magpie
        builder = magpie(cache, config_name=until.config, data_dir=folder.path, so_far=True)
        asked = {**until.model_dump(), "by": counting(spec), "of": builder.hash}
        state = folder.state()
        if asked.items() <= state.get("until", {}).items():
            return
        selection = builder.selection
    kept, stop = 0, None
    for unit, mask in zip(rows.units, selection.passed, strict=True):
        here = int(mask.sum())
        if stop is None and kept + here >= until.rows:
            indices = rows.folder.answered(unit, ["index"])["index"].filter(mask)
            stop = indices[until.rows - kept - 1].as_py() + 1
        kept += here
    steps = tuple(step for step in selection.funnel.steps if step.stage != "size")
    funnel = str(Funnel(selection.funnel.drawn, steps))
    counted = {"drawn": rows.units[-1].stop, "kept": kept, "stop": stop, "funnel": funnel}
    folder.save(state | {"until": asked | counted})


def is_enough(spec: Spec, folder: RunFolder) -> bool:
    """Return whether a run whose rows were just counted keeps as many as it is to."""
    return spec.instructions.until is None or folder.state()["until"]["stop"] is not None


def growth(spec: Spec, state: Mapping[str, Any], begun: list[int]) -> list[int]:
    """Return the points of growth of a run: those that were begun, and the next if it is known.

    What the last round keeps is to be counted before the next is planned. Raises RunError where no
    more may be drawn and too few are kept.
    """
    from magpie_hub.rows import is_counted

    given, until = spec.instructions, spec.instructions.until
    assert until is not None
    drawn, found = begun[-1] if begun else 0, state.get("until", {})
    if drawn and (not is_counted(spec, found, drawn) or found["stop"] is not None):
        return begun
    kept = found["kept"] if drawn else 0
    if drawn >= given.most:
        about = f" (at this yield about {ceil(until.rows * drawn / kept):,})" if kept else ""
        raise RunError(
            f"`instructions.at_most`: all {drawn:,} draws are made, and config `{until.config}`"
            f" keeps {kept:,} ({kept / drawn:.1%}) of them, expected {until.rows:,}:"
            f" {found['funnel']}",
            hint=f"raise `at_most`{about} or loosen what drops rows, and run the same command: it"
            " goes on from there",
        )
    in_flight = state.get("engines", {}).get(INSTRUCTIONS, {}).get("capacity", 0)
    spare = max(in_flight, int(SPARE * until.rows))
    return [*begun, min(given.most, drawn + next_round(until.rows - kept, drawn, kept, spare))]


def next_round(missing: int, drawn: int, kept: int, spare: int) -> int:
    """Return how many draws to make for the rows that are missing.

    As many as will keep enough by all likelihood, but no more than `spare` beyond the fewest that
    could: each draw keeps one row at most, and no more are kept of many than the yield so far
    allows.
    """
    if not drawn:
        return missing
    so_far = kept / drawn
    high = _last(so_far, 1.0, lambda share: _odds(kept, drawn, share) < ODDS)
    low = _last(so_far, 0.0, lambda share: _odds(kept, drawn, share) < ODDS)
    fewest = _last(missing, missing / high, lambda draws: _odds(missing, draws, high) > ODDS)
    if not low:
        return int(fewest) + spare
    most = 2 * (missing + ODDS) / low
    enough = _last(most, missing / low, lambda draws: _odds(missing, draws, low) > ODDS)
    return ceil(min(enough, int(fewest) + spare))


def _odds(kept: float, drawn: float, share: float) -> float:
    """Return how unlikely it is that so many are kept, or more (fewer), where `share` are.

    The natural logarithm of the odds against it, by Chernoff's bound. kept: of `drawn`, both may
    be parts.
    """
    other = drawn - kept
    found = kept * log(kept / (drawn * share)) if kept and share else inf if kept else 0.0
    if other > 0:
        found += other * log(other / (drawn * (1 - share))) if share < 1 else inf
    return found


def _last(start: float, end: float, holds: Callable[[float], bool]) -> float:
    """Return the last number on the way from `start` to `end` for which something holds.

    It holds at the start; from some point on it does not.
    """
    if holds(end):
        return end
    for _ in range(60):
        middle = (start + end) / 2
        start, end = (middle, end) if holds(middle) else (start, middle)
    return start


def to_say(spec: Spec, folder: RunFolder) -> str:
    """Return what a person has to do for the next round, once one is drawn; "" if nothing."""
    from magpie_hub.rows import is_counted

    until, state = spec.instructions.until, folder.state()
    if until is None or is_counted(spec, state.get("until", {}), state["growth"][-1]):
        return ""
    return (
        f"`until` asks for {until.rows:,} rows of config `{until.config}`: what it keeps of"
        f" {state['growth'][-1]:,} draws is counted by `magpie-hub tag SPEC`; then `generate` draws"
        " more if need be (`magpie-hub release SPEC` does all of it)"
    )


def reloading(spec: Spec) -> str:
    """Return what each further round costs besides, where several models take turns; else ""."""
    writers = [spec.drawn_from, *(spec.writer_of(answers)[1] for answers in spec.responses)]
    sections = [*writers, *(maker.section for maker in makers(spec).values())]
    models = {(section.model, str(section.engine)): section.model for section in sections}
    if len(models) == 1 and spec.tags.neighbours is None:
        return ""
    named = "`, `".join(dict.fromkeys(models.values()))
    return (
        f"too few rows are kept so far, and each further round opens `{named}` anew: one model is"
        " open at a time"
    )

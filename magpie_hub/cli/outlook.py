"""How `status` and `preview` tell where a run stands and where it goes: as lines, and as JSON.

Knows numbers only; what they are made of is `run.outlook`'s.
"""

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from typing import TYPE_CHECKING, Any

from magpie_hub.cli.messages import duration

if TYPE_CHECKING:
    from magpie_hub.card.cost import Amount, Spent
    from magpie_hub.run.outlook import Outlook
    from magpie_hub.spec.generation import Instructions

Counted = Mapping[str, Any] | None
"""What run.json says of the rows that `until` counts."""


def as_json(found: "Outlook", counted: Counted) -> dict[str, Any]:
    """Return yields, cost and end as data."""
    configs = {
        name: {
            "drawn": each.funnel.drawn,
            "of": each.of,
            "passed": each.passed,
            "kept": each.funnel.kept,
            "rows_per_engine_hour": found.rows_per_hour(name),
            "rules": each.rules,
        }
        for name, each in found.yields.items()
    }
    names = ("config", "rows", "drawn", "kept", "stop")
    return {
        "configs": configs,
        "until": counted and {name: counted[name] for name in names},
        "tokens_per_second": found.tokens_per_second,
        "so_far": asdict(found.spent),
        "at_end": asdict(found.projected),
        "draws_at_end": found.draws,
        "engine_seconds_left": found.seconds_left,
        "not_estimated": list(found.lacking),
    }


def yield_lines(found: "Outlook") -> list[str]:
    """Return every config's funnel, with the share of rows that each of its rules lets pass."""
    lines = []
    for name, each in found.yields.items():
        rate = found.rows_per_hour(name)
        kept = f"{name}: {each.funnel.kept:,} of {each.funnel.drawn:,} draws"
        lines.append(f"{kept}, {rate:,.0f} rows an engine-hour" if rate else kept)
        first, *steps = each.funnel.lines()
        lines.append(f"  {first}")
        lines += [
            f"  {line} {rule['yield']:>7.1%}" for line, rule in zip(steps, each.rules, strict=True)
        ]
    return lines or [f"no rule's yield is known: {found.unmeasured}"]


def until_lines(given: "Instructions", counted: Counted) -> list[str]:
    """Return how far a run is that goes on until enough is kept."""
    until = given.until
    if until is None:
        return []
    asked = f"until `{until.config}` keeps {until.rows:,} rows"
    if counted is None or counted["rows"] != until.rows:
        return [f"{asked}: not counted yet"]
    kept, drawn = counted["kept"], counted["drawn"]
    said = f"{asked}: {kept:,} of {drawn:,} draws that were counted"
    if counted["stop"] is not None:
        return [f"{said}; released are {counted['stop']:,} draws"]
    if kept * given.most >= until.rows * drawn:
        return [said]
    needed = f"about {ceil(until.rows * drawn / kept):,} draws" if kept else "more draws"
    return [f"{said}; at this yield {needed} are needed, and `at_most` is {given.most:,}"]


def cost_lines(found: "Outlook") -> list[str]:
    """Return what a run took so far, and what will be at its end."""
    pace = f"; {found.tokens_per_second:,.0f} tokens/s" if found.tokens_per_second else ""
    lines = [f"so far: {amount(found.spent)}{pace}"]
    if found.seconds_left or found.lacking:
        draws = "" if found.draws is None else f" of {round(found.draws):,} draws"
        left = duration(found.seconds_left)
        lines.append(f"at the end{draws}: about {amount(found.projected)}; {left} left")
        lines += stage_lines(found)
    return lines


def stage_lines(found: "Outlook") -> list[str]:
    """Return what each stage will have taken, and what is not known of some."""
    stages = {name: stage for name, stage in found.at_end.items() if name not in found.lacking}
    width = max(map(len, stages), default=0)
    lines = [f"  {name:<{width}} {_stage(stage)}" for name, stage in stages.items()]
    if found.lacking:
        lines.append(f"  not in it, as nothing tells how much it is: {', '.join(found.lacking)}")
    return lines


def amount(given: "Amount") -> str:
    """Return a cost in words."""
    said = f"{round(given.tokens):,} tokens, {given.engine_hours:.4g} engine-hours"
    return said if given.dollars is None else f"{said}, ${given.dollars:,.2f}"


def _stage(stage: "Spent") -> str:
    return f"{round(stage.requests):>11,} requests, {duration(stage.seconds)}"

"""A plan as a person reads it: a table for the terminal, Markdown for a pull request, JSON.

Markdown fits one screen, whatever the plan holds. Knows nothing of how a plan is carried out.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from magpie_hub.publish.changes import ConfigChange, plain
from magpie_hub.publish.plan import Plan

CONFIGS = 12
"""The most configs that Markdown lists."""
LINES = 14
"""The most lines below the table in Markdown."""
PATHS = 4
WIDTH = 300
"""The most characters of a line below the table in Markdown."""
DRIFTS = 3
"""The most labels of a config whose drift is shown."""


def headline(plan: Plan, against: str | None = None) -> str:
    """Return the plan in one line; against: what it was made for, where that is not the target."""
    if against is not None:
        level = f"{plan.level} changes" if plan.changes else "no difference"
        return f"{plan.repo}, compared with {against}: {level}"
    if not plan.to_do:
        return f"{plan.repo}: nothing to do, v{plan.version} is published as it is built"
    if not plan.changes:
        return f"{plan.repo}: v{plan.version} is in place; to be verified and given its version"
    if plan.level == "none":
        return f"{plan.repo}: what is there is no longer v{plan.version}, and is put right"
    since = (
        f"v{plan.before} -> v{plan.version} ({plan.level})" if plan.before else f"v{plan.version}"
    )
    return f"{plan.repo}: {since}"


def table(plan: Plan, against: str | None = None) -> list[str]:
    """Return the plan as lines for a terminal."""
    rows = [
        ("config", "version", "rows", "added", "removed", "changed", ""),
        *map(_row, plan.configs),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [headline(plan, against), ""]
    for row in rows:
        name, *cells, remark = row
        aligned = [cell.rjust(width) for cell, width in zip(cells, widths[1:-1], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *aligned, remark]).rstrip())
    lines += ["", *_details(plan)] if plan.to_do or plan.notes else []
    return lines


def markdown(plan: Plan, against: str | None = None) -> str:
    """Return the plan as Markdown for a pull request."""
    # What stays as it is can be left out, what is lost cannot.
    shown = sorted(plan.configs, key=lambda change: change.state in ("same", "kept"))[:CONFIGS]
    lines = [f"**{headline(plan, against)}**", ""]
    lines += ["| config | version | rows | added | removed | changed | |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: | --- |"]
    for change in shown:
        name, *cells = (cell.replace("|", "\\|") for cell in _row(change))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    if left := len(plan.configs) - len(shown):
        lines.append(f"| and {left} more | | | | | | |")
    details = [f"- {textwrap.shorten(line, WIDTH)}" for line in _few(_details(plan))]
    return "\n".join([*lines, "", *details, ""])


def as_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data."""
    return {
        "repo": plan.repo,
        "spec": plan.name,
        "to_do": plan.to_do,
        "version": plan.version,
        "before": plan.before,
        "level": plan.level,
        "tagged": plan.tagged,
        "configs": [asdict(change) for change in plan.configs],
        "add": sorted(plan.add),
        "delete": list(plan.delete),
        "keep": list(plan.keep),
        "upload_bytes": plan.upload_bytes,
        "card_diff": plan.card_diff,
        "edited": list(plan.edited),
        "notes": list(plan.notes),
    }


def _row(change: ConfigChange) -> tuple[str, ...]:
    version = change.version or change.version_before or ""
    if change.version and change.version_before not in (None, change.version):
        version = f"{change.version_before} -> {change.version}"
    rows = change.rows if change.rows is not None else change.rows_before
    counts = [f"{n:,}" if n else "" for n in (change.added, change.removed, change.changed)]
    remark = {"kept": f"kept: of {change.owner}", "deleted": "deleted"}.get(
        change.state, change.state
    )
    remark += f", also `{plain(change.alias)}`" if change.alias else ""
    return (plain(change.name), version, "" if rows is None else f"{rows:,}", *counts, remark)


def _details(plan: Plan) -> list[str]:
    lines = []
    for change in plan.configs:
        if change.schema:
            lines.append(f"schema of `{plain(change.name)}`: {', '.join(change.schema)}")
        if drifts := [f"{label} {share:.1%}" for label, share in change.drift.items()][:DRIFTS]:
            lines.append(f"drift of labels in `{plain(change.name)}`: {', '.join(drifts)}")
        if means := [f"{name} {a:,} -> {b:,}" for name, (a, b) in change.means.items()][:DRIFTS]:
            lines.append(f"means in `{plain(change.name)}`: {', '.join(means)}")
    if plan.changes:
        lines.append(
            f"{len(plan.add)} files to upload, {size(plan.upload_bytes)} at most;"
            f" {len(plan.delete)} to delete"
        )
    if plan.card_diff:
        added, removed = _counted(plan.card_diff.splitlines()[2:])
        lines.append(f"card: {added} lines added, {removed} removed")
    if plan.keep:
        more = f" and {len(plan.keep) - PATHS} more" if len(plan.keep) > PATHS else ""
        lines.append(f"files of others, kept: `{'`, `'.join(map(plain, plan.keep[:PATHS]))}`{more}")
    return [*lines, *plan.notes]


def _few(lines: list[str]) -> list[str]:
    """Return as many lines as a screen holds, the last ones always: files, card and notes."""
    if len(lines) <= LINES:
        return lines
    half = LINES // 2
    return [*lines[:half], f"and {len(lines) - 2 * half} lines more", *lines[-half:]]


def size(bytes_: int) -> str:
    """Return a number of bytes as a person reads it."""
    value, unit = float(bytes_), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{bytes_} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _counted(diff: Iterable[str]) -> tuple[int, int]:
    lines = list(diff)
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)

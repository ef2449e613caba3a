"""How a config differs from the one of the same name that is published.

Rows are compared by uuid and content hash, never by reading them; labels by their counts. Knows
nothing of files and of who owns what.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from magpie_hub.errors import TargetError
from magpie_hub.publish.manifest import Entry
from magpie_hub.publish.release import Index
from magpie_hub.publish.version import FIRST, Level, raised

State = Literal["new", "changed", "same", "kept", "deleted"]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What becomes of one config.

    rows, rows_before, version, version_before: None where there is none, or where it is not known.
    added, removed, changed: rows. schema: one line for each column that differs. drift: by label,
    the share of rows (0 to 1) whose value would have to change for the old counts to be the new
    ones. means: by number, its mean before and now, where they differ. owner: of a config that is
    kept, who made it.
    """

    name: str
    state: State
    level: Level = "none"
    rows: int | None = None
    rows_before: int | None = None
    version: str | None = None
    version_before: str | None = None
    added: int = 0
    removed: int = 0
    changed: int = 0
    schema: tuple[str, ...] = ()
    drift: Mapping[str, float] = field(default_factory=dict)
    means: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    alias: str | None = None
    owner: str = ""

    @property
    def line(self) -> str:
        """The change in one line of Markdown, as the card's changelog has it."""
        if self.state == "deleted":
            return f"`{plain(self.name)}` is deleted"
        if self.state == "new":
            parts = [f"new, {self.rows:,} rows"]
        else:
            parts = [f"{self.rows:,} rows", *self.rows_changed]
        parts += [f"schema: {', '.join(self.schema)}"] if self.schema else []
        return f"`{self.name}` {self.version}: {'; '.join(parts)}"

    @property
    def rows_changed(self) -> list[str]:
        """What happened to the rows, in words; nothing where they are the same."""
        counts = {"added": self.added, "removed": self.removed, "changed": self.changed}
        words = [f"{rows:,} {what}" for what, rows in counts.items() if rows]
        reordered = self.state == "changed" and not words and not self.schema
        return [", ".join(words)] if words else ["in another order"] if reordered else []


def plain(name: str) -> str:
    """Return a name that others gave as it can stand between backticks, in one line."""
    return " ".join(name.split()).replace("`", "'")


def compare_config(
    name: str, old: Entry | None, new: Entry, before: Callable[[], Index], now: Callable[[], Index]
) -> ConfigChange:
    """Return how a config's entry in the manifest changes.

    before, now: the indexes, asked for where the rows differ. Raises TargetError where the config
    is frozen and its rows or schema differ.
    """
    rows, alias = new["rows"], new["alias"]
    if old is None:
        return ConfigChange(name, "new", "minor", rows, version=FIRST, added=rows, alias=alias)
    schema = _schema(old["features"], new["features"])
    level: Level = "none"
    added = removed = changed = 0
    if old["digest"] != new["digest"]:
        from magpie_hub.publish.index import ROWS, compare

        level = "minor"
        found = compare(before().get(name, ROWS.empty_table()), now()[name])
        added, removed, changed = found.added, found.removed, found.changed
    if schema:
        level = "major"
    if new["frozen"] and level != "none":
        raise TargetError(
            f"config `{name}` is frozen, and {added:,} rows would be added, {removed:,} removed,"
            f" {changed:,} changed{'; schema: ' + ', '.join(schema) if schema else ''}; expected"
            " the published rows",
            hint=f"publish the new rows as another config, or take `freeze` from `configs.{name}`",
        )
    return ConfigChange(
        name,
        "same" if level == "none" else "changed",
        level,
        rows,
        old["rows"],
        raised(old["version"], level),
        old["version"],
        added,
        removed,
        changed,
        schema,
        _drift(old["facts"], new["facts"]),
        _means(old["facts"], new["facts"]),
        alias,
    )


def _schema(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        *(f"`{name}` is gone" for name in old if name not in new),
        *(f"`{name}` is new" for name in new if name not in old),
        *(f"`{name}` has another type" for name in new if name in old and old[name] != new[name]),
    )


def _drift(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, float]:
    """Return by label the total variation distance of its values' shares, the largest first."""
    before, now = old.get("counts", {}), new.get("counts", {})
    found = {}
    for column in before.keys() & now.keys():
        shares = [_shares(before[column]), _shares(now[column])]
        values = shares[0].keys() | shares[1].keys()
        apart = sum(abs(shares[0].get(v, 0.0) - shares[1].get(v, 0.0)) for v in values) / 2
        if round(apart, 4):
            found[column] = round(apart, 4)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _means(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    before, now = old.get("numbers", {}), new.get("numbers", {})
    means = {name: (before[name]["mean"], now[name]["mean"]) for name in now if name in before}
    return {name: pair for name, pair in means.items() if pair[0] != pair[1]}


def _shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {value: rows / total for value, rows in counts.items()} if total else {}

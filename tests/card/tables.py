"""A release and the run that it came of as tables, for pandas; knows where they lie, no more."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Rows: TypeAlias = pd.DataFrame


@dataclass(frozen=True)
class Made:
    """A release in `folder`, and the folder of its `run`."""

    folder: Path
    run: Path

    @cached_property
    def state(self) -> dict[str, Any]:
        """What `run.json` says."""
        return dict(json.loads((self.run / "run.json").read_text()))

    @property
    def spec(self) -> dict[str, Any]:
        """The spec, with all defaults."""
        return dict(self.state["spec"])

    @cached_property
    def configs(self) -> dict[str, Rows]:
        """The published rows by config."""
        wanted = [name for name, config in self.spec["configs"].items() if config]
        return {name: _joined(self.files(name)) for name in wanted}

    @property
    def default(self) -> str:
        """The config that is opened when none is named."""
        given = self.spec["configs"]
        return [*(name for name in self.configs if given[name]["default"]), *self.configs][0]

    @property
    def shown(self) -> Rows:
        """The rows of that config."""
        return self.configs[self.default]

    @cached_property
    def drawn(self) -> Rows:
        """All instructions."""
        return self.shards("instructions")

    @cached_property
    def answers(self) -> Rows:
        """The responses; `reason` and `release` of what repeats, `benchmark` and `shared`."""
        rows = self.shards("responses/default")
        for stage in filter(None, self.state["curated"].values()):
            rows = rows.merge(self.shards(stage), on="uuid", validate="1:1")
        beside = ("reason", "release", "benchmark", "shared")
        return rows.assign(**{name: None for name in beside if name not in rows})

    @cached_property
    def tags(self) -> dict[str, Rows]:
        """The rows that models were asked about, by tag."""
        shards = {name: self.shards(tag["stage"]) for name, tag in self.state["tags"].items()}
        return {k: rows[rows["attempts"] > 0] for k, rows in shards.items() if "attempts" in rows}

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """What `release.json` says; a build has none."""
        path = self.folder / "release.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def title(self) -> str:
        """What the dataset is called."""
        return str(self.spec["card"]["title"] or self.spec["repo"].partition("/")[2])

    @property
    def names(self) -> Iterator[str]:
        """Yield texts on the card whose digits measure nothing."""
        yield from (self.spec["repo"], self.title)
        if self.manifest:
            version = self.manifest["version"]
            yield from (f'revision="v{version}"', f"revision: v{version}")
            for name in self.manifest["specs"]:
                yield from (f"figures/{name}/", f"magpie-hub: {name} -->")

    def shards(self, stage: str) -> Rows:
        """Return the rows of all shards of a stage."""
        return _joined(sorted((self.run / stage).glob("*.parquet")))

    def files(self, config: str) -> list[Path]:
        """Return a config's files."""
        return sorted((self.folder / config).glob("*.parquet"))

    def splits(self, config: str) -> dict[str, list[Path]]:
        """Return a config's files by split, `train` first."""
        found: dict[str, list[Path]] = {"train": [], "test": []}
        for path in self.files(config):
            found[path.name.split("-")[0]].append(path)
        return {split: paths for split, paths in found.items() if paths}

    def rows(self, config: str) -> dict[str, int]:
        """Return the rows of each split of a config."""
        return {split: len(_joined(paths)) for split, paths in self.splits(config).items()}

    def bytes(self, config: str) -> int:
        """Return the bytes of a config's files."""
        return sum(path.stat().st_size for path in self.files(config))

    def types(self, config: str) -> dict[str, pa.DataType]:
        """Return the types of a config's columns."""
        schema = pq.read_schema(self.files(config)[0])
        return dict(zip(schema.names, schema.types, strict=True))


def _joined(paths: list[Path]) -> Rows:
    return pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)


def characters(rows: Rows, turn: int, column: str = "messages") -> "pd.Series[int]":
    """Return the length of a turn of each row that has it."""
    said = rows[column][rows[column].map(len) > turn]
    return said.map(lambda messages: len(messages[turn]["content"]))


def part(rows: Rows, column: str, name: str) -> "pd.Series[Any]":
    """Return a field of a struct; null where the struct is."""
    return rows[column].map(lambda whole: whole and whole[name])


def by_config(made: Made, of: Callable[[Made, str], Iterable[str]]) -> Iterator[str]:
    """Yield lines of each config, of the default one first."""
    for name in sorted(made.configs, key=lambda name: name != made.default):
        yield from of(made, name)


def share(some: int, whole: int) -> str:
    """Return a share as a card writes it."""
    return f"{100 * some / whole:.1f} %"

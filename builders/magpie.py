"""The `datasets` builder: the one place where a config's rows come to be.

It loads the finished shards of a run folder, joins the tags, applies the config's filter and
yields Arrow tables. What is kept is decided once, in the parent, and handed down as one mask a
unit, so that any `num_proc`, streaming and the release agree row by row.

    builder = Magpie(config_name="filtered", data_dir="runs/smollm2")
    builder.download_and_prepare(); rows = builder.as_dataset("train")
    rows = Magpie(config_name="filtered", data_dir="runs/smollm2").as_streaming_dataset("train")

It opens no engine and writes nothing but datasets' own cache. `load_dataset("builders/magpie.py")`
ended with datasets 4; published data is plain Parquet and needs none of this.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.builder import Key

from magpie_hub import columns, curate, records
from magpie_hub.columns import fields
from magpie_hub.curate import filters
from magpie_hub.curate.funnel import Funnel, by_reason, funnel
from magpie_hub.errors import BuildError
from magpie_hub.records import INSTRUCTIONS, RESPONSES, Unit
from magpie_hub.shards.files import sha256
from magpie_hub.shards.folder import IMPORTED, RunFolder
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.spec.model import Spec
from magpie_hub.tag import TAGS, own_columns, wanted

REWARDS = {column for name in ("base_response", "base_reward") for column in TAGS[name].columns}
"""Columns that mean something beside the rewards of one model only."""


@dataclass
class MagpieConfig(datasets.BuilderConfig):  # type: ignore[misc] # datasets ships no types
    """A config of the run's spec; `filter` replaces the one that the spec names."""

    filter: str | None = None


class Magpie(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """The rows of one config of a run folder, as split `train`."""

    BUILDER_CONFIG_CLASS = MagpieConfig

    def __init__(
        self,
        cache_dir: str | None = None,
        *,
        config_name: str | None = None,
        data_dir: str | Path,
        **kwargs: Any,
    ) -> None:
        """Open the config `config_name` (default: the spec's default) of the run in `data_dir`.

        The cache of datasets notices neither changed shards nor changed code by itself, so both
        go into `hash`, a part of the cache's path. Raises BuildError for an unknown config or an
        unfinished run, RunError where there is no run.
        """
        self._run = RunFolder(Path(data_dir))
        self._spec = Spec.model_validate(self._run.state()["spec"])
        self._tags = wanted(self._spec.tags)
        self._schema = records.arrow_schema(
            {
                field.name: field.type
                for field in fields(self._spec.kind, own_columns(self._spec.tags))
            }
        )
        name = config_name or self._spec.default_config
        given = self._spec.active_configs.get(name)
        if given is None and "filter" not in kwargs:
            raise BuildError(
                f"there is no config `{name}` in `{data_dir}`; expected one of"
                f" `{'`, `'.join(self._spec.active_configs)}`",
                hint="add it to `configs:` of the spec, or pass filter=...",
            )
        if given is not None:
            kwargs.setdefault("filter", given.filter)
        self._units = self._run.units()
        self._check_finished()
        kwargs.setdefault("hash", self._fingerprint(name, kwargs["filter"]))
        super().__init__(cache_dir, config_name=name, data_dir=str(data_dir), **kwargs)

    @property
    def rules(self) -> tuple[filters.Rule, ...]:
        """The rules of the config's filter, none for a config without one."""
        if self.config.filter is None:
            return ()
        if self.config.filter not in filters.FILTERS:
            raise BuildError(
                f"config `{self.config.name}`: there is no filter `{self.config.filter}`;"
                f" expected one of `{'`, `'.join(filters.FILTERS)}`",
                hint="correct the name under `configs:` of the spec",
            )
        return filters.FILTERS[self.config.filter]

    @property
    def funnel(self) -> Funnel:
        """From all draws of the run to the rows of this config; the steps add up."""
        return self._selection[1]

    def tables(self) -> Iterator[pa.Table]:
        """Yield the config's rows in order of index, one table a unit; for the release.

        Raises BuildError, with the funnel, where no row is left.
        """
        for unit, mask in zip(self._units, self._masks(), strict=True):
            yield self._table(unit, mask)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(self._schema))

    def _split_generators(self, dl_manager: object) -> list[datasets.SplitGenerator]:
        # Lists are what datasets deals out to its workers; both have one item a unit.
        shards = {"units": self._units, "masks": self._masks()}
        return [datasets.SplitGenerator(name="train", gen_kwargs=shards)]

    def _generate_tables(
        self, units: list[Unit], masks: list[np.ndarray]
    ) -> Iterator[tuple[Key, pa.Table]]:
        for unit, mask in zip(units, masks, strict=True):
            yield Key(unit.number, 0), self._table(unit, mask)

    def _masks(self) -> list[np.ndarray]:
        masks, steps = self._selection
        if not steps.kept:
            more = "draw more rows (`instructions: {rows: ...}`)"
            if self._spec.source is not None:
                more = "take rows from more files"
            raise BuildError(
                f"config `{self.config.name}` ends empty: {steps}",
                hint=f"{more}, or change what drops them",
            )
        return masks

    @cached_property
    def _selection(self) -> tuple[list[np.ndarray], Funnel]:
        """For each unit which of its answered rows are kept, and the funnel of all."""
        masks: list[np.ndarray] = []
        rejected: dict[str, list[str | None]] = {"instruction": [], "response": []}
        dropped: Counter[str] = Counter({str(rule): 0 for rule in self.rules})
        for unit in self._units:
            rejected["instruction"] += self._run.instructions(unit)["rejection"].to_pylist()
            rows = self._rows(unit)
            rejected["response"] += rows["rejection"].to_pylist()
            mask = pc.is_null(rows["rejection"]).to_numpy()
            for rule in self.rules:
                kept = mask & filters.keep(rule, rows, filter_name=self.config.filter)
                dropped[str(rule)] += int(mask.sum() - kept.sum())
                mask = kept
            masks.append(mask)
        drops = [drop for stage, reasons in rejected.items() for drop in by_reason(stage, reasons)]
        drops += [("filter", rule, rows) for rule, rows in dropped.items()]
        return masks, funnel(len(rejected["instruction"]), drops)

    def _rows(self, unit: Unit) -> pa.Table:
        """Return a unit's answered rows with their tags: a zip, since shards keep their order."""
        rows = self._run.answered(unit)
        for name, tag in self._tags.items():
            labels = self._run.tags(self._stage(name), unit, tag.shard)
            for column in tag.columns:
                rows = rows.append_column(column, labels[column])
        if self._spec.source is not None:
            brought = self._run.tags(IMPORTED, unit, {"uuid": "string", **LABELS})
            # What another reward model gave is not comparable with ours.
            apart = REWARDS if "reward" in self._tags else set()
            for column in LABELS.keys() - apart - set(rows.column_names):
                rows = rows.append_column(column, brought[column])
        return rows

    def _stage(self, tag: str) -> str:
        """Return where a tag's shards lie; BuildError where it was never made for these rows."""
        found = self._run.state()["tags"].get(tag)
        if found is None:
            raise BuildError(
                f"`{self._run.path}` is unfinished: the tag `{tag}` is not made",
                hint="finish it with `magpie-hub tag SPEC`",
            )
        return str(found["stage"])

    def _table(self, unit: Unit, mask: np.ndarray) -> pa.Table:
        rows = self._rows(unit).filter(pa.array(mask))
        rows = rows.append_column("messages", _messages(rows))
        schema = self._schema
        # A column whose tag the spec leaves out is null: the schema of a kind is one.
        return pa.table(
            {
                name: rows[name] if name in rows.column_names else pa.nulls(rows.num_rows, type_)
                for name, type_ in zip(schema.names, schema.types, strict=True)
            },
            schema=schema,
        )

    @property
    def _stages(self) -> list[str]:
        return [INSTRUCTIONS, RESPONSES, *map(self._stage, self._tags)]

    def _check_finished(self) -> None:
        drawn = self._units[-1].stop if self._units else 0
        imported = self._spec.source is not None
        rows = 1 if imported else self._spec.instructions.rows
        if drawn < rows:
            how = "the rows are not taken in" if imported else f"{drawn} of {rows} rows were begun"
            raise BuildError(
                f"`{self._run.path}` is unfinished: {how}",
                hint="finish it with `magpie-hub generate SPEC`",
            )
        for stage in self._stages:
            done = sum(self._run.finished(stage, unit) for unit in self._units)
            if done < len(self._units):
                command = "tag" if stage.startswith("tags/") else "generate"
                raise BuildError(
                    f"`{self._run.path}` is unfinished: {done} of {len(self._units)} units of"
                    f" `{stage}` are there",
                    hint=f"finish it with `magpie-hub {command} SPEC`",
                )

    def _fingerprint(self, config: str, filter_name: str | None) -> str:
        """Return the hash of all that decides the rows: this code, the config, the shards."""
        parts = [config, str(filter_name), str(self._schema)]
        code = [Path(__file__), Path(columns.__file__), *Path(curate.__path__[0]).glob("*.py")]
        parts += [sha256(path) for path in sorted(code)]
        parts += [
            sha256(self._run.shard(stage, unit)) for stage in self._stages for unit in self._units
        ]
        return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


def _messages(rows: pa.Table) -> pa.ListArray:
    """Return the conversations: instruction and response of each row, interleaved."""
    count = rows.num_rows
    texts = pa.concat_arrays(
        [rows["instruction"].combine_chunks(), rows["response"].combine_chunks()]
    )
    order = np.arange(2 * count).reshape(2, count).T.reshape(-1)
    roles = pa.array(["user", "assistant"] * count, pa.string())
    turns = pa.StructArray.from_arrays([roles, texts.take(pa.array(order))], ["role", "content"])
    return pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * count + 1, 2), pa.int32()), turns)

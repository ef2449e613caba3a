"""The `datasets` builder: the one place where a config's rows come to be.

It loads the finished shards of a run folder, joins the tags, leaves out duplicates, applies the
config's filter and yields Arrow tables. What is kept is decided once, in the parent, and handed
down as one mask a unit, so that any `num_proc`, streaming and the release agree row by row.

    builder = Magpie(config_name="filtered", data_dir="runs/smollm2")
    builder.download_and_prepare(); rows = builder.as_dataset("train")
    rows = Magpie(config_name="filtered", data_dir="runs/smollm2").as_streaming_dataset("train")

It opens no engine and writes nothing but datasets' own cache. `load_dataset("builders/magpie.py")`
ended with datasets 4; published data is plain Parquet and needs none of this.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
from datasets.builder import Key

from magpie_hub import columns, curate, records, shards
from magpie_hub.columns import fields
from magpie_hub.curate.beside import CURATED, DUPLICATE, DUPLICATE_OF, OVERLAP
from magpie_hub.curate.filters import FILTERS, Filter
from magpie_hub.curate.funnel import Funnel
from magpie_hub.curate.selection import Choice, Portion, Selection, select_rows
from magpie_hub.curate.where import parse
from magpie_hub.errors import BuildError
from magpie_hub.records import INSTRUCTIONS, RESPONSES, Unit
from magpie_hub.shards.files import known_sha256, sha256
from magpie_hub.shards.folder import DRAWN, IMPORTED, RunFolder
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.joined import Beside, joined, messages
from magpie_hub.spec.model import AtMost, Spec
from magpie_hub.tag import TAGS, own_columns, wanted

CHOICES = ("filter", "where", "size")
"""What a config says of its rows."""
REWARDS = {column for name in ("base_response", "base_reward") for column in TAGS[name].columns}
"""Columns that mean something beside the rewards of one model only."""


@dataclass
class MagpieConfig(datasets.BuilderConfig):  # type: ignore[misc] # datasets ships no types
    """A config of the run's spec; what is given replaces what the spec says of it."""

    filter: str | None = None
    where: str | None = None
    size: int | AtMost | None = None


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
        if given is None and not kwargs.keys() & CHOICES:
            raise BuildError(
                f"there is no config `{name}` in `{data_dir}`; expected one of"
                f" `{'`, `'.join(self._spec.active_configs)}`",
                hint="add it to `configs:` of the spec, or pass filter=...",
            )
        if given is not None:
            kwargs = {key: getattr(given, key) for key in CHOICES} | kwargs
        self._units = self._run.units()
        self._check_finished()
        kwargs.setdefault("hash", self._fingerprint(name, kwargs))
        super().__init__(cache_dir, config_name=name, data_dir=str(data_dir), **kwargs)

    @property
    def funnel(self) -> Funnel:
        """From all draws of the run to the rows of this config; the steps add up."""
        return self.selection.funnel

    @cached_property
    def selection(self) -> Selection:
        """Which rows the config has, and what became of the others; decided for all at once."""
        choice, only = self._choice, self._choice.columns
        return select_rows(
            (
                Portion(
                    self._run.instructions(unit, ["rejection"])["rejection"],
                    self._rows(unit, only),
                )
                for unit in self._units
            ),
            choice,
        )

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
        chosen, funnel = self.selection, self.funnel
        if chosen.missing and isinstance(self.config.size, int):
            raise BuildError(
                f"config `{self.config.name}`: `size` asks for {self.config.size:,} rows, and"
                f" {chosen.missing:,} of them are not there: {funnel}",
                hint=f"write `size: {{at_most: {self.config.size}}}`, or {self._more}",
            )
        if not funnel.kept:
            raise BuildError(
                f"config `{self.config.name}` ends empty: {funnel}",
                hint=f"{self._more}, or change what drops them",
            )
        return chosen.masks

    @property
    def size(self) -> int | None:
        """The most rows that the config takes; None for all that pass."""
        given = self.config.size
        return given.at_most if isinstance(given, AtMost) else given

    @property
    def _more(self) -> str:
        if self._spec.source is not None:
            return "take rows from more files, or make the labels that they lack by `tags:`"
        return "draw more rows (`instructions: {rows: ...}`)"

    @cached_property
    def _choice(self) -> Choice:
        """What the config asks for; BuildError where it names what is not there."""
        given, decontaminate = self.config, self._spec.decontaminate
        name = given.filter
        if name is not None and name not in FILTERS:
            raise BuildError(
                f"config `{given.name}`: there is no filter `{name}`; expected one of"
                f" `{'`, `'.join(FILTERS)}`",
                hint="correct the name under `configs:` of the spec",
            )
        choice = Choice(
            filter=Filter(()) if name is None else FILTERS[name],
            where=None if given.where is None else parse(given.where),
            size=self.size,
            drops_overlaps=decontaminate is None or not decontaminate.keep,
        )
        there = {*records.RESPONSE_SHARD, *DRAWN}
        there |= {column for beside in self._beside for column in beside.columns}
        for column in sorted(choice.columns - there - {DUPLICATE, DUPLICATE_OF, OVERLAP}):
            raise BuildError(
                self._lacking(column, choice),
                hint="add the tag that makes it to `tags:` and run `magpie-hub tag SPEC`",
            )
        return choice

    def _lacking(self, column: str, choice: Choice) -> str:
        asking = f"`where: {choice.where}`"
        if column in choice.filter.columns:
            rules = (f", its rule `{r}`," for r in choice.filter.rules if column in r.columns)
            asking = f"the filter `{self.config.filter}`{next(rules, '')}"
        makers = (f"the tag `{tag.name}`" for tag in TAGS.values() if column in tag.columns)
        return (
            f"config `{self.config.name}`: {asking} needs the column `{column}`, which"
            f" {next(makers, 'no tag')} makes, and the spec does not ask for"
        )

    @cached_property
    def _beside(self) -> list[Beside]:
        """What stands beside the answered rows: duplicates, overlaps, tags, and others' labels."""
        found = [
            Beside(stage, shard, names)
            for kind, (shard, names) in CURATED.items()
            if (stage := self._curated(kind)) is not None
        ]
        found += [
            Beside(self._stage(name), tag.shard, {column: column for column in tag.columns})
            for name, tag in self._tags.items()
        ]
        if self._spec.source is not None:
            # What another reward model gave is not comparable with ours.
            apart = REWARDS if "reward" in self._tags else set()
            apart = apart | {column for beside in found for column in beside.columns}
            brought = {name: name for name in LABELS if name not in apart}
            found.append(Beside(IMPORTED, {"uuid": "string", **LABELS}, brought))
        return found

    def _rows(self, unit: Unit, only: set[str] | None = None) -> pa.Table:
        """Return a unit's answered rows with what stands beside them, or `only` some columns."""
        rows = joined(self._run, unit, self._beside, only)
        for name in (DUPLICATE, DUPLICATE_OF, OVERLAP):
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        return rows

    def _curated(self, kind: str) -> str | None:
        """Return where what rows repeat or overlap lies; None where nobody wants to know."""
        wanted = {
            "duplicates": self._spec.dedup.exact or self._spec.dedup.near,
            "overlaps": self._spec.decontaminate,
        }
        if not wanted[kind]:
            return None
        stage = self._run.state().get("curated", {}).get(kind)
        if stage is None:
            raise BuildError(
                f"`{self._run.path}` is unfinished: its rows were not searched for {kind}",
                hint="finish it with `magpie-hub build SPEC`",
            )
        return str(stage)

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
        rows = rows.append_column("messages", messages(rows))
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
        return [INSTRUCTIONS, RESPONSES, *(beside.stage for beside in self._beside)]

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
        for stage in self._in_order():
            done = sum(self._run.finished(stage, unit) for unit in self._units)
            if done < len(self._units):
                kind = stage.partition("/")[0]
                command = {"tags": "tag", "duplicates": "build", "overlaps": "build"}.get(kind)
                raise BuildError(
                    f"`{self._run.path}` is unfinished: {done} of {len(self._units)} units of"
                    f" `{stage}` are there",
                    hint=f"finish it with `magpie-hub {command or 'generate'} SPEC`",
                )

    def _in_order(self) -> Iterator[str]:
        """Yield the stages as they are to be finished: what a model is asked for comes first."""
        yield from (INSTRUCTIONS, RESPONSES, *map(self._stage, self._tags))
        yield from self._stages

    def _fingerprint(self, config: str, choice: dict[str, Any]) -> str:
        """Return the hash of all that decides the rows: this code, the config, the shards."""
        parts = [config, *(str(choice.get(key)) for key in CHOICES), str(self._schema)]
        parts.append(str(self._spec.decontaminate and self._spec.decontaminate.keep))
        code = [Path(module.__file__ or "") for module in (columns, shards.joined)]
        code += [Path(__file__), *Path(curate.__path__[0]).glob("*.py")]
        parts += [sha256(path) for path in sorted(code)]
        parts += [
            known_sha256(self._run.shard(stage, unit))
            for stage in self._stages
            for unit in self._units
        ]
        return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

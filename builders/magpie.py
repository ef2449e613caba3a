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

from magpie_hub import columns, curate, records, rows, shards
from magpie_hub.columns import fields
from magpie_hub.curate.extended import in_test
from magpie_hub.curate.filters import FILTERS, Filter
from magpie_hub.curate.funnel import Funnel, by_reason, further
from magpie_hub.curate.selection import Choice, Portion, Selection, select_rows
from magpie_hub.curate.where import parse
from magpie_hub.errors import BuildError
from magpie_hub.records import Unit
from magpie_hub.rows import ExtendedRows, Rows
from magpie_hub.shards.files import known_sha256, sha256
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.joined import messages
from magpie_hub.shards.splits import TEST, TRAIN
from magpie_hub.spec.configs import AtMost, Config
from magpie_hub.spec.model import Spec
from magpie_hub.tag import TAGS, own_columns

CHOICES = ("filter", "where", "size")
"""What a config says of its rows."""


@dataclass
class MagpieConfig(datasets.BuilderConfig):  # type: ignore[misc] # datasets ships no types
    """A config of the run's spec; what is given replaces what the spec says of it."""

    filter: str | None = None
    where: str | None = None
    size: int | AtMost | None = None


class Magpie(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """The rows of one config of a run folder, as split `train`, and `test` where it has one."""

    BUILDER_CONFIG_CLASS = MagpieConfig

    def __init__(
        self,
        cache_dir: str | None = None,
        *,
        config_name: str | None = None,
        data_dir: str | Path,
        extended: bool = True,
        so_far: bool = False,
        **kwargs: Any,
    ) -> None:
        """Open the config `config_name` (default: the spec's default) of the run in `data_dir`.

        The cache of datasets notices neither changed shards nor changed code by itself, so both
        go into `hash`, a part of the cache's path. extended: if not, its extension may be missing,
        and only `selection` can be asked for. so_far: that of all units that are whole, whatever is
        to come, and whether or not they are released. Raises BuildError for an unknown config or an
        unfinished run, RunError where there is no run.
        """
        folder = RunFolder(Path(data_dir))
        self._spec = Spec.model_validate(folder.state()["spec"])
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
        self._asked = given or Config()
        answered = folder.of_answers(self._spec.answers_of(self._asked).name)
        self._rows = Rows(answered, self._spec, so_far=so_far)
        published = fields(self._spec.kind_of(self._asked), own_columns(self._spec.tags))
        self._schema = records.arrow_schema({field.name: field.type for field in published})
        parent = self._asked.parent
        self._parent = (
            None
            if parent is None
            else Magpie(cache_dir, config_name=parent, data_dir=data_dir, so_far=so_far)
        )
        if not so_far:
            self._rows.check_finished()
        self._stop = None if so_far else self._rows.stop
        is_extended = name in self._spec.extended
        self._extension = (
            ExtendedRows(self._rows, name, self._asked)
            if extended and is_extended and not so_far
            else None
        )
        kwargs.setdefault("hash", self._fingerprint(name, kwargs))
        super().__init__(cache_dir, config_name=name, data_dir=str(data_dir), **kwargs)

    @property
    def funnel(self) -> Funnel:
        """From all draws that count to the rows of this config; the steps add up."""
        return further(self.selection.funnel, by_reason(self._asked.kind, self._kept[1]))

    @cached_property
    def selection(self) -> Selection:
        """Which rows the config selects, and what became of the others; decided for all at once.

        Of a config with an extension, those that are extended.
        """
        choice, only = self._choice, self._choice.columns
        return select_rows(
            (
                Portion(self._drawn(unit), self._rows.of(unit, only), self._stop)
                for unit in self._rows.units
            ),
            choice,
            within=None if self._parent is None else self._parent.selection,
        )

    def _drawn(self, unit: Unit) -> pa.ChunkedArray:
        """Return why each of a unit's draws that count was rejected, null where it was not."""
        rejections = self._rows.folder.instructions(unit, ["rejection"])["rejection"]
        return rejections if self._stop is None else rejections[: max(0, self._stop - unit.start)]

    @property
    def units(self) -> list[Unit]:
        """The units whose rows it selects from."""
        return self._rows.units

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the config."""
        return (TRAIN,) if self._asked.test is None else (TRAIN, TEST)

    def tables(self, split: str = TRAIN) -> Iterator[pa.Table]:
        """Yield the config's rows in order of index, one table a unit; for the release.

        Raises BuildError, with the funnel, where no row is left.
        """
        for unit, mask in zip(self._rows.units, self._masks(split), strict=True):
            yield self._table(unit, mask)

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=datasets.Features.from_arrow_schema(self._schema))

    def _split_generators(self, dl_manager: object) -> list[datasets.SplitGenerator]:
        # Lists are what datasets deals out to its workers; both have one item a unit.
        return [
            datasets.SplitGenerator(
                name=split, gen_kwargs={"units": self._rows.units, "masks": self._masks(split)}
            )
            for split in self.splits
        ]

    def _generate_tables(
        self, units: list[Unit], masks: list[np.ndarray]
    ) -> Iterator[tuple[Key, pa.Table]]:
        for unit, mask in zip(units, masks, strict=True):
            yield Key(unit.number, 0), self._table(unit, mask)

    def _masks(self, split: str) -> list[np.ndarray]:
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
        kept, share = self._kept[0], self._asked.test
        if share is None:
            return kept
        masks = [
            mask & self._tested(unit, share)
            for unit, mask in zip(self._rows.units, kept, strict=True)
        ]
        if split == TRAIN:
            masks = [mask & ~test for mask, test in zip(kept, masks, strict=True)]
        if not any(mask.any() for mask in masks):
            raise BuildError(
                f"config `{self.config.name}`: no row is of the split `{split}`: `test: {share:g}`"
                f" shares out {funnel.kept:,} rows by their instructions",
                hint=f"change `test`, or {self._more}",
            )
        return masks

    def _tested(self, unit: Unit, share: float) -> np.ndarray:
        """Return which of a unit's rows are on the test side, by their instruction."""
        texts = self._rows.folder.answered(unit, ["instruction"])["instruction"].to_pylist()
        return np.array([in_test(text, share) for text in texts], bool)

    @cached_property
    def _kept(self) -> tuple[list[np.ndarray], dict[str, int]]:
        """Which rows are left of the selected ones behind their extension; why others are not."""
        masks, reasons = [], dict[str, int]()
        for unit, mask in zip(self._rows.units, self.selection.masks, strict=True):
            left = mask.copy()
            if self._extension is not None:
                for place, made in zip(
                    np.flatnonzero(mask), self._extension.made(unit, mask), strict=True
                ):
                    if made.reason is not None:
                        reasons[made.reason] = reasons.get(made.reason, 0) + 1
                        left[place] = False
            masks.append(left)
        return masks, reasons

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
        for column in sorted(choice.columns - self._rows.columns):
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

    def _table(self, unit: Unit, mask: np.ndarray) -> pa.Table:
        table = self._rows.of(unit).filter(pa.array(mask))
        if self._extension is None:
            table = table.append_column("messages", messages(table))
        else:
            made = self._extension.made(unit, mask)
            for name in made[0].columns if made else ():
                type_ = self._schema.field(name).type
                table = table.append_column(name, pa.array([m.columns[name] for m in made], type_))
        schema = self._schema
        # A column whose tag the spec leaves out is null: the schema of a kind is one.
        return pa.table(
            {
                name: table[name] if name in table.column_names else pa.nulls(table.num_rows, type_)
                for name, type_ in zip(schema.names, schema.types, strict=True)
            },
            schema=schema,
        )

    def _fingerprint(self, config: str, choice: dict[str, Any]) -> str:
        """Return the hash of all that decides the rows: this code, the config, the shards."""
        asked = self._asked.model_dump(include={"turns", "samples", "test", "parent"})
        parts = [config, *(str(choice.get(key)) for key in CHOICES), str(self._schema), str(asked)]
        parts.append(str(self._stop))
        parts.append(str(self._spec.decontaminate and self._spec.decontaminate.keep))
        parts.append("" if self._parent is None else str(self._parent.hash))
        code = [Path(module.__file__ or "") for module in (columns, rows, shards.joined)]
        code += [Path(__file__), *Path(curate.__path__[0]).glob("*.py")]
        parts += [sha256(path) for path in sorted(code)]
        files = self._rows.shards
        files += [] if self._extension is None else self._extension.shards
        parts += [known_sha256(path) for path in files]
        return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

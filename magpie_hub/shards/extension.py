"""The shards of an extension: completions for selected rows, beside a run's own rows.

    run/extensions/turns-5c1e.../00000.parquet     finished: a thousand rows' completions
    run/extensions/turns-5c1e.../00001.journal     in progress; its first line names its rows

Shards are only ever added: what a later selection asks for besides, lies in further ones. Knows
nothing of models, or of what a turn or a sample is for.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from magpie_hub.records import EXTENSION_SHARD, Unit, arrow_schema
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import Journal, read

if TYPE_CHECKING:
    import pyarrow as pa

PLAN = ("index", "number", "role", "rejection", "finish_reason")
"""What tells which completions are there, and which come next."""


class ExtensionFolder(RunFolder):
    """The rows of an extension as those of a run: tags stand beside them as beside any others.

    base: the run with the rows that are extended. stage: where the extension's shards lie.
    """

    def __init__(self, base: RunFolder, stage: str) -> None:
        """Name the extension of a run; nothing is read or made yet."""
        super().__init__(base.path, stage)
        self._base = base

    def units(self) -> list[Unit]:
        """Return the finished units, numbered from 0; each has as many rows as its shard."""
        from magpie_hub.shards.parquet import count_rows

        found: list[Unit] = []
        while (unit := Unit(len(found), 0, 0)) and self.finished(self.stage, unit):
            start = found[-1].stop if found else 0
            rows = count_rows(self.shard(self.stage, unit))
            found.append(Unit(unit.number, start, start + rows))
        return found

    def begun(self) -> dict[int, list[int]]:
        """Return the units in progress: their number, and the indices of their rows."""
        found = {}
        for path in sorted((self.path / self.stage).glob("*.journal")):
            lines, _ = read(path)
            if lines and not path.with_suffix(".parquet").exists():
                found[int(path.stem)] = list(lines[0]["rows"])
        return found

    def open_unit(self, number: int, rows: Sequence[int]) -> Journal:
        """Open the journal of a unit in progress, of the rows with these indices."""
        unit = Unit(number, 0, 0)
        labels = {**self._labels(self.stage, unit), "rows": list(rows)}
        return Journal(self.journal(self.stage, unit), labels)

    def plan(self) -> "pa.Table":
        """Return of all completions in finished shards what tells where they stand."""
        import pyarrow as pa

        schema = arrow_schema({name: EXTENSION_SHARD[name] for name in PLAN})
        tables = [
            self.read(self.stage, unit, EXTENSION_SHARD, PLAN).select(list(PLAN))
            for unit in self.units()
        ]
        return pa.concat_tables([schema.empty_table(), *tables])

    def of(self, indices: Iterable[int], beside: Mapping[str, Any] | None = None) -> "pa.Table":
        """Return the completions of rows, in order of index, number and role (user first).

        beside: stages of tags, each with the columns of its shards, to stand beside them.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        wanted = pa.array(sorted(indices), pa.int64())
        tables = []
        for unit in self._holding(wanted):
            table = self.read(self.stage, unit, EXTENSION_SHARD)
            for stage, columns in (beside or {}).items():
                labels = self.read(stage, unit, columns)
                for name in labels.column_names:
                    if name not in table.column_names:
                        table = table.append_column(name, labels[name])
            tables.append(table.filter(pc.is_in(table["index"], value_set=wanted)))
        if not tables:
            return arrow_schema(EXTENSION_SHARD).empty_table()
        order = [("index", "ascending"), ("number", "ascending"), ("role", "descending")]
        return pa.concat_tables(tables).sort_by(order)

    def answered(self, unit: Unit, only: Sequence[str] | None = None) -> "pa.Table":
        """Return the sampled responses of a unit as answered rows: uuid, texts, rejection."""
        import pyarrow as pa

        table = self.read(self.stage, unit, EXTENSION_SHARD)
        indices = table["index"].to_pylist()
        texts = self._instructions(set(indices))
        numbers = table["number"].to_pylist()
        return pa.table(
            {
                "index": table["index"],
                "uuid": [f"{texts[i][0]} {n}" for i, n in zip(indices, numbers, strict=True)],
                "instruction": [texts[index][1] for index in indices],
                "response": table["text"],
                "rejection": table["rejection"],
                "completion_tokens": table["completion_tokens"],
            }
        )

    def _instructions(self, indices: set[int]) -> dict[int, tuple[str, str]]:
        """Return uuid and instruction of rows by their index."""
        found: dict[int, tuple[str, str]] = {}
        for unit in self._base.units():
            if any(unit.start <= index < unit.stop for index in indices):
                rows = self._base.answered(unit, ["index", "uuid", "instruction"])
                columns = (rows[name].to_pylist() for name in ("index", "uuid", "instruction"))
                found |= {i: (u, text) for i, u, text in zip(*columns, strict=True)}
        return found

    def _holding(self, wanted: "pa.Array") -> list[Unit]:
        """Return the units that hold completions of these rows."""
        import pyarrow.compute as pc

        return [
            unit
            for unit, indices in self._indices
            if pc.any(pc.is_in(indices, value_set=wanted)).as_py()
        ]

    @cached_property
    def _indices(self) -> "list[tuple[Unit, pa.Array]]":
        import pyarrow.compute as pc

        return [
            (unit, pc.unique(self.read(self.stage, unit, EXTENSION_SHARD, ["index"])["index"]))
            for unit in self.units()
        ]

"""What a release says about its rows, so that a later plan need not read the data.

    index.parquet     config     uuid                                   content_hash
                      filtered   5e0c2f3a-8d55-5c0e-9d41-0d6f4f1f6a37   9f3c...   (32 hex digits)

One line a row of a config, in the config's row order, and each config in row groups of its own;
`train` comes before another split. A `content_hash` is of the values of a row and of its split, not
of its columns' names and types, which the schema has; in whatever Arrow layout they lie, it is the
same. Knows nothing of targets, versions or specs.
Imports pyarrow at once, so it is itself imported where it is used.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from magpie_hub.errors import TargetError
from magpie_hub.shards.files import write_file
from magpie_hub.shards.parquet import RELEASE_OPTIONS
from magpie_hub.shards.splits import TRAIN, split_of

ROWS = pa.schema({"uuid": pa.string(), "content_hash": pa.string()})
FILE = pa.schema({"config": pa.string(), **{field.name: field.type for field in ROWS}})
SLICE = 1_000
"""Rows that are encoded at once."""

NULL, STRUCT, END, NOTHING = (
    pa.scalar(mark, pa.large_binary()) for mark in (b"~", b"{", b";", b"")
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of a config that came, went, and stayed under their uuid with another content."""

    added: int
    removed: int
    changed: int


def row_hashes(table: pa.Table, split: str = TRAIN) -> pa.Array:
    """Return the content hash of each row: 128 bits as text of 32 hex digits.

    It is of the values of all columns in the table's order. A null is no empty text, list or
    struct; 0.0 and -0.0 differ, and every NaN is the same. A row of another split than `train` has
    another hash than it would have there.
    """
    # No row begins so: values begin with a digit, a sign or a mark.
    place = b"" if split == TRAIN else f"split {split};".encode()
    hashes: list[str] = []
    for batch in table.to_batches(max_chunksize=SLICE):
        rows = _joined([pa.scalar(place, pa.large_binary()), *map(_code, batch.columns)])
        hashes += map(xxhash.xxh3_128_hexdigest, rows.to_pylist())
    return pa.array(hashes, pa.string())


def digest(hashes: pa.Array | pa.ChunkedArray) -> str:
    """Return 32 hex digits that are equal where the same hashes stand in the same order."""
    state = xxhash.xxh3_128()
    for start in range(0, len(hashes), SLICE):
        state.update("".join(hashes.slice(start, SLICE).to_pylist()).encode())
    return state.hexdigest()


def hash_files(paths: Iterable[Path]) -> pa.Table:
    """Return `uuid` and `content_hash` of the rows of a config's Parquet files, in order."""
    tables = [ROWS.empty_table()]
    for path in paths:
        with pa.OSFile(str(path)) as opened:
            file = pq.ParquetFile(opened)
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number, use_threads=False)
                columns = [rows["uuid"].cast(pa.string()), row_hashes(rows, split_of(path))]
                tables.append(pa.Table.from_arrays(columns, schema=ROWS))
    return pa.concat_tables(tables)


def write(path: Path, configs: Mapping[str, pa.Table]) -> None:
    """Write the index of some configs, each as `hash_files` returns it; the same bytes each time.

    A config's rows fill row groups of their own, so that they can be read without the others'.
    """

    def fill(beside: Path) -> None:
        with pq.ParquetWriter(beside, FILE, use_dictionary=["config"], **RELEASE_OPTIONS) as file:
            for name, rows in configs.items():
                names = pa.repeat(pa.scalar(name), rows.num_rows)
                file.write_table(rows.add_column(0, "config", names).cast(FILE))

    write_file(path, fill)


def read(path: Path) -> dict[str, pa.Table]:
    """Return each config's `uuid` and `content_hash`, in order.

    Raises TargetError for a file that is damaged or holds other columns.
    """
    try:
        with pa.OSFile(str(path)) as opened:
            table = pq.read_table(opened, use_threads=False)
    except (pa.ArrowException, ValueError, OSError) as error:
        # What the system refuses, or a file that is not there, is no damage.
        if isinstance(error, OSError) and error.errno:
            raise
        raise TargetError(
            f"`{path}` is not a whole Parquet file: {str(error).splitlines()[0]}",
            hint="fetch the release again, or compare with a version whose index is whole",
        ) from error
    if not table.schema.equals(FILE):
        raise TargetError(
            f"`{path}` holds the columns `{', '.join(table.column_names)}`, expected"
            f" `{', '.join(FILE.names)}`",
            hint="compare with a version that was published by magpie-hub",
        )
    names = table["config"].unique().to_pylist()
    return {name: table.filter(pc.field("config") == name).select(ROWS.names) for name in names}


def compare(old: pa.Table, new: pa.Table) -> Difference:
    """Return what became of a config's rows, by uuid; another order alone is no difference.

    A uuid that stands there twice is two rows: each meets at most one on the other side.
    """
    stayed, same = _in_both(old, new, ["uuid"]), _in_both(old, new, ROWS.names)
    return Difference(new.num_rows - stayed, old.num_rows - stayed, stayed - same)


def _in_both(old: pa.Table, new: pa.Table, keys: list[str]) -> int:
    """Return how many rows meet one of the other side with the same keys."""
    sides = [
        side.select(keys)
        .append_column("old", pa.repeat(1 - number, side.num_rows))
        .append_column("new", pa.repeat(number, side.num_rows))
        for number, side in enumerate((old, new))
    ]
    counts = pa.concat_tables(sides).group_by(keys).aggregate([("old", "sum"), ("new", "sum")])
    return pc.sum(pc.min_element_wise(counts["old_sum"], counts["new_sum"])).as_py() or 0


def _code(values: pa.Array) -> pa.Array:
    """Return each value as bytes of which none begins another's, so that joining is safe."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _code(values.dictionary_decode())
    if values.null_count == len(values):
        return pa.repeat(NULL, len(values))
    if pa.types.is_struct(kind):
        coded = _joined([STRUCT, *map(_code, values.flatten())])
        return pc.if_else(values.is_valid(), coded, NULL)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        coded = _joined([_text(pc.list_value_length(values)), END, _items(values)])
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        raw = values.cast(pa.large_binary())
        coded = _joined([_text(pc.binary_length(raw)), END, raw])
    elif pa.types.is_floating(kind):
        floats = values.cast(pa.float64())
        bits = pc.if_else(pc.is_nan(floats), float("nan"), floats).view(pa.int64())
        coded = _joined([_text(bits), END])
    else:
        coded = _joined([_text(values), END])
    return pc.fill_null(coded, NULL)


def _items(lists: pa.Array) -> pa.Array:
    """Return the items of each list, encoded and joined; nothing for a null."""
    counts = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int64())
    ends = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(counts)])
    items = pa.LargeListArray.from_arrays(ends, _code(pc.list_flatten(lists)))
    return pc.binary_join(items, NOTHING)


def _text(values: pa.Array) -> pa.Array:
    return values.cast(pa.large_string()).cast(pa.large_binary())


def _joined(parts: list[pa.Array | pa.Scalar]) -> pa.Array:
    return pc.binary_join_element_wise(*parts, NOTHING)

"""How Parquet is written and read here: shards of a run, and the files of a release.

The same tables give the same bytes: fixed order, no timestamps, no names of machines. Knows
nothing of where a file belongs (`folder`) or of what a column means (`records`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from magpie_hub.errors import ShardError
from magpie_hub.shards.files import write_file

KEY = b"magpie_hub"
BLOCK_ROWS = 1_000
ROW_GROUP_BYTES = 10_000_000
FILE_BYTES = 500_000_000
SHARD_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "write_page_checksum": True,
    "store_schema": False,
}
RELEASE_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "write_page_index": True,
    # Cuts pages where the content says so: after a small change most chunks stay as they were,
    # and the Hub stores and uploads only the others.
    "use_content_defined_chunking": True,
    "store_schema": False,
}


def write_shard(path: Path, table: pa.Table, labels: Mapping[str, object]) -> None:
    """Write a finished shard atomically, with page checksums.

    labels: what the file is part of, kept in its footer; `read_shard` compares them.
    """

    def write(beside: Path) -> None:
        with pq.ParquetWriter(beside, table.schema, **SHARD_OPTIONS) as writer:
            writer.add_key_value_metadata({KEY: json.dumps(labels, sort_keys=True).encode()})
            writer.write_table(table)

    write_file(path, write)


def read_shard(
    path: Path,
    schema: pa.Schema,
    labels: Mapping[str, object],
    only: Sequence[str] | None = None,
) -> pa.Table:
    """Return the shard's rows, all columns or `only` some.

    Raises ShardError for a file that is truncated or damaged, that holds other columns, or that
    carries other labels, which means that it was made for another run, unit or stage.
    """
    try:
        # By descriptor and in this thread: pyarrow's threads on a Python file object can outlive
        # the interpreter and abort the process at its end.
        with pa.OSFile(str(path)) as opened:
            file = pq.ParquetFile(opened, page_checksum_verification=True)
            found, there = _labels_of(file), file.schema_arrow
            wanted = None if only is None else [name for name in only if name in there.names]
            table = file.read(wanted, use_threads=False)
    except FileNotFoundError:
        raise ShardError(
            f"`{path}` is missing; a later stage says that it was finished",
            hint="restore the file from a copy, or start over in another folder with --run",
        ) from None
    except (pa.ArrowException, ValueError, OSError) as error:
        # What the system refuses, such as the right to read, is no damage of the file.
        if isinstance(error, OSError) and error.errno:
            error.filename = str(path)
            raise
        raise ShardError(
            f"`{path}` is not a whole Parquet file: {str(error).splitlines()[0]}",
            hint="remove the file and run the same command: its rows are made again",
        ) from error
    strange = {name: found.get(name) for name in labels if found.get(name) != labels[name]}
    if strange:
        expected = {name: labels[name] for name in strange}
        raise ShardError(
            f"`{path}` belongs elsewhere: it says `{strange}`, expected `{expected}`",
            hint="move the file out of the run folder and run the same command",
        )
    if not there.equals(schema):
        raise ShardError(
            f"`{path}` holds the columns `{', '.join(there.names)}`, expected"
            f" `{', '.join(schema.names)}`",
            hint="the file was written by another version: start over in another folder with --run",
        )
    return table.replace_schema_metadata(None)


def read_labels(path: Path) -> dict[str, object]:
    """Return the labels in a shard's footer; none where the file is damaged."""
    try:
        with pa.OSFile(str(path)) as opened:
            return _labels_of(pq.ParquetFile(opened))
    except (pa.ArrowException, ValueError, OSError):
        return {}


def read_columns(path: Path, names: list[str]) -> pa.Table | None:
    """Return some columns of a shard; None where it lacks one of them."""
    with pa.OSFile(str(path)) as opened:
        file = pq.ParquetFile(opened)
        if set(names) - set(file.schema_arrow.names):
            return None
        return file.read(columns=names, use_threads=False).replace_schema_metadata(None)


def count_rows(path: Path) -> int:
    """Return the number of a shard's rows, from its footer."""
    with pa.OSFile(str(path)) as opened:
        return int(pq.ParquetFile(opened).metadata.num_rows)


def _labels_of(file: pq.ParquetFile) -> dict[str, object]:
    return dict(json.loads((file.metadata.metadata or {}).get(KEY, b"{}")))


def write_release(folder: Path, split: str, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Write a config's files `SPLIT-00000-of-0000N.parquet` into `folder`; return the rows.

    Row groups are about 10 MB and files about 500 MB, both as bytes of values. Where they end
    depends on the rows alone, not on the portions in which they come.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, size = 0, 0
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    for group, bytes_ in _row_groups(tables, schema):
        if writer is None or size + bytes_ > FILE_BYTES:
            if writer is not None:
                writer.close()
            parts.append(folder / f".{split}-{len(parts):05d}.tmp")
            writer, size = pq.ParquetWriter(parts[-1], schema, **RELEASE_OPTIONS), 0
        writer.write_table(group, row_group_size=group.num_rows)
        rows, size = rows + group.num_rows, size + bytes_
    if writer is not None:
        writer.close()
    for number, part in enumerate(parts):
        part.rename(folder / f"{split}-{number:05d}-of-{len(parts):05d}.parquet")
    return rows


def _row_groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[tuple[pa.Table, int]]:
    """Yield row groups, whole blocks of 1,000 rows, and the bytes of their values."""
    held: list[pa.Table] = []
    size = 0
    for block in _blocks(tables, schema):
        bytes_ = sum(_value_bytes(column) for column in block.columns)
        if held and size + bytes_ > ROW_GROUP_BYTES:
            yield pa.concat_tables(held).combine_chunks(), size
            held, size = [], 0
        held.append(block)
        size += bytes_
    if held:
        yield pa.concat_tables(held).combine_chunks(), size


def _blocks(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    rest = schema.empty_table()
    for table in tables:
        rest = pa.concat_tables([rest, table.cast(schema)])
        while rest.num_rows >= BLOCK_ROWS:
            yield rest.slice(0, BLOCK_ROWS)
            rest = rest.slice(BLOCK_ROWS)
    if rest.num_rows:
        yield rest


def _value_bytes(array: pa.ChunkedArray | pa.Array) -> int:
    """Return the bytes of the values alone: an array's own count depends on how it was cut."""
    if pa.types.is_string(array.type):
        return pc.sum(pc.binary_length(array)).as_py() or 0
    if pa.types.is_list(array.type):
        return _value_bytes(pc.list_flatten(array))
    if pa.types.is_struct(array.type):
        return sum(_value_bytes(pc.struct_field(array, i)) for i in range(array.type.num_fields))
    return 8 * len(array)

"""Rows that others made: files and datasets, row by row, with the place of each.

Knows how the formats are read and what a fault of a whole file is; what a row says is understood
in `foreign_rows`, and datasets are opened in `foreign_datasets`. A row that cannot be read comes
out all the same, with its fault: as many rows come out as there were. A line without anything on
it is no row.
"""

import csv
import gzip
import json
import os
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from glob import glob
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from magpie_hub.errors import ShardError
from magpie_hub.shards.files import sha256
from magpie_hub.shards.foreign_datasets import checksum, label, opened
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.foreign_rows import COLUMNS, MAPPED, SHAPES, Foreign, Unreadable, understand
from magpie_hub.spec.wording import shown

if TYPE_CHECKING:
    import pyarrow as pa

    from magpie_hub.spec.source import Source

__all__ = ["LABELS", "Foreign", "checksums", "read"]

_HEAD = 100
"""How many rows are looked at before a file's columns are held to be unknown."""
_BATCH = 1_000
_CELL = 2**31 - 1
"""The most characters of a cell of CSV; the module's own limit is less than a long response."""

_Rows = Iterator[tuple[str, object]]
"""Places, and what stood there: an object, other JSON, or why it is neither."""


def read(source: "Source") -> Iterator[Foreign]:
    """Return the rows of a source in their order, files one after another.

    Files are found at once and read as the rows are taken. Raises ShardError for a file or a
    dataset that cannot be read as a whole, or whose columns are not known; a single row has a
    fault instead.
    """
    columns = source.columns
    if strange := sorted(columns.keys() - MAPPED - LABELS.keys()):
        raise ShardError(
            f"`columns: {{{strange[0]}: ...}}` names no column of ours",
            hint=f"the names on the left are among `{'`, `'.join(sorted(MAPPED))}`, or labels",
        )
    if source.dataset is not None:
        rows = _dataset_rows(source, source.dataset)
    else:
        files = _found(source.files or [])
        rows = chain.from_iterable(_file_rows(path, files[path], columns) for path in files)
    return (understand(place, row, columns) for place, row in rows)


def checksums(source: "Source") -> dict[str, str]:
    """Return what names the content: of files the SHA-256, of a dataset its commit.

    A dataset in a folder has one SHA-256 for all its files.
    """
    if source.dataset is None:
        found = {}
        for path, name in _found(source.files or []).items():
            with _readable(path):
                found[name] = sha256(path)
        return found
    return {label(source.dataset): checksum(source, source.dataset)}


def _found(patterns: list[str]) -> dict[Path, str]:
    """Return the files that paths and globs name, in order, with the name of each in a place."""
    paths: list[Path] = []
    for pattern in patterns:
        wanted = Path(pattern).expanduser()
        found = [wanted] if wanted.is_file() else sorted(map(Path, glob(str(wanted))))  # noqa: PTH207 # hidden files stay hidden
        if not (files := [path for path in found if path.is_file()]):
            raise ShardError(
                f"{shown(pattern)} names no file",
                hint="give the path of a file, or a glob such as `rows/*.jsonl`",
            )
        paths += [path.absolute() for path in files]
    for path in paths:
        if _ending(path) not in _READERS:
            raise ShardError(
                f"{shown(path.name)} ends in none of `{'`, `'.join(_READERS)}`",
                hint="convert it, or rename it to say what it holds; text may be gzipped (`.gz`)",
            )
    names = {path: path.name for path in paths}
    if len(set(names.values())) < len(names):
        above = os.path.commonpath([path.parent for path in names])
        return {path: path.relative_to(above).as_posix() for path in names}
    return names


def _ending(path: Path) -> str:
    if path.suffix == ".gz" and path.with_suffix("").suffix != ".parquet":
        path = path.with_suffix("")
    return path.suffix


def _file_rows(path: Path, name: str, columns: Mapping[str, str]) -> _Rows:
    with _readable(path):
        yield from _READERS[_ending(path)](path, name, columns)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the system or a format says of a whole file into ShardError."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ShardError(
            f"`{path}` is not UTF-8: {error.reason} in its line {error.end}",
            hint="convert it, such as by `iconv -f latin1 -t utf-8`",
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = (isinstance(error, OSError) and error.strerror) or error
        raise ShardError(
            f"`{path}` cannot be read: {reason}", hint="check that the file is whole and yours"
        ) from error


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines with their ends; a UnicodeDecodeError carries the line as its end."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                error.end = number
                raise
            yield text.removeprefix("\ufeff") if number == 1 else text


def _json_lines(path: Path, name: str, columns: Mapping[str, str]) -> _Rows:
    lines = enumerate(_lines(path), start=1)
    rows = ((f"{name}:{number}", _parsed(line)) for number, line in lines if line.strip())
    return _with_known_columns(rows, path, columns)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        return Unreadable(f"it is no JSON: {error.msg} (column {error.colno})")
    except RecursionError:
        return Unreadable("it is no JSON that can be read: it is nested too deeply")
    except ValueError:
        return Unreadable("it is no JSON that can be read: a number has too many digits")


def _json_file(path: Path, name: str, columns: Mapping[str, str]) -> _Rows:
    content = _parsed("".join(_lines(path)))
    if isinstance(content, Unreadable):
        raise ShardError(
            f"`{path}` cannot be read: {content}",
            hint="if it holds one object a line, rename it to `.jsonl`",
        )
    items = content if isinstance(content, list) else [content]
    rows = ((f"{name}: item {number}", item) for number, item in enumerate(items, start=1))
    return _with_known_columns(rows, path, columns)


def _with_known_columns(rows: _Rows, path: Path, columns: Mapping[str, str]) -> _Rows:
    """Return the rows again, once the first ones have been looked at for their columns."""
    head = list(islice(rows, _HEAD))
    objects = [row for _, row in head if isinstance(row, dict)]
    if objects:
        _check_columns(str(path), dict.fromkeys(chain(*objects)), columns)
    return chain(head, rows)


def _check_columns(where: str, found: Collection[str], columns: Mapping[str, str]) -> None:
    """Raise ShardError if a mapped column is missing, or none says what the instruction is."""
    listed = ", ".join(shown(name) for name in islice(found, 30)) or "none at all"
    for ours, theirs in columns.items():
        if theirs not in found:
            raise ShardError(
                f"`{where}` has no column {shown(theirs)}, which `columns: {ours}` names; it has"
                f" {listed}",
                hint="write `columns: {OURS: THEIRS}` with the names that are there",
            )
    if not SHAPES & (columns.keys() | set(found)):
        raise ShardError(
            f"`{where}` has no column that is known to hold an instruction; it has {listed}",
            hint="say which it is: `columns: {instruction: THEIRS, response: THEIRS}`",
        )


def _csv(path: Path, name: str, columns: Mapping[str, str]) -> _Rows:
    """Yield the rows of CSV by the line that they begin in; an empty cell is a missing value."""
    csv.field_size_limit(_CELL)
    # Not strict, an unclosed quote would make one cell of the rest of the file, unsaid.
    reader = csv.reader(_lines(path), strict=True)
    header = next(reader, [])
    _check_columns(str(path), header, columns)
    while True:
        place = f"{name}:{reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield place, Unreadable(f"it is no CSV: {error}")
            continue
        if cells is None:
            return
        if cells and len(cells) != len(header):
            yield place, Unreadable(f"it has {len(cells)} cells, expected {len(header)}")
        elif cells:
            yield place, {name: cell or None for name, cell in zip(header, cells, strict=True)}


def _parquet(path: Path, name: str, columns: Mapping[str, str]) -> _Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # By descriptor and in this thread: see `parquet.read_shard`.
        with pa.OSFile(str(path)) as opened:
            file = pq.ParquetFile(opened)
            names = _read_columns(str(path), file.schema_arrow.names, columns)
            batches = file.iter_batches(_BATCH, columns=names, use_threads=False)
            yield from _arrow_rows(batches, f"{name}: row")
    except (pa.ArrowException, ValueError) as error:
        raise ShardError(
            f"`{path}` is no Parquet file that can be read: {str(error).splitlines()[0]}",
            hint="check that the file is whole",
        ) from error


def _read_columns(where: str, found: list[str], columns: Mapping[str, str]) -> list[str]:
    _check_columns(where, found, columns)
    return [name for name in found if name in COLUMNS or name in columns.values()]


def _arrow_rows(batches: "Iterator[pa.RecordBatch | pa.Table]", place: str) -> _Rows:
    rows = chain.from_iterable(batch.to_pylist() for batch in batches)
    return ((f"{place} {number}", row) for number, row in enumerate(rows, start=1))


_READERS = {".jsonl": _json_lines, ".json": _json_file, ".csv": _csv, ".parquet": _parquet}


def _dataset_rows(source: "Source", name: str) -> _Rows:
    dataset = opened(source, name)
    names = _read_columns(name, dataset.column_names, source.columns)
    # As Arrow, which opens no picture and no sound beside the text.
    batches = dataset.select_columns(names).with_format("arrow").iter(_BATCH)
    yield from _arrow_rows(batches, f"{label(name)} {source.split} row")

"""Which answered rows of a run repeat another: exactly, nearly, or one of another release.

All rows stand in one line, those of other releases first, then the run's own by their index; of
rows that are the same the first stays. Written down row by row, with what each lost to, beside the
shards of the rows. Keeps a few integers a row in memory, and of texts only those in hand.
"""

import tempfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magpie_hub.curate import near as nearly
from magpie_hub.curate.beside import DUPLICATE_SHARD
from magpie_hub.curate.index import INDEX_SHARD
from magpie_hub.curate.signatures import shingles, tokens
from magpie_hub.records import arrow_schema
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.curation import Dedup, Near

if TYPE_CHECKING:
    import pyarrow as pa

EXACT, NEAR = "exact-duplicate", "near-duplicate"


@dataclass(frozen=True, slots=True)
class Part:
    """An index shard among those that are compared. release: None for the run's own rows."""

    release: str | None
    path: Path
    start: int
    stop: int


def parts(against: dict[str, list[Path]], own: Sequence[Path]) -> list[Part]:
    """Return index shards in the order in which their rows are compared."""
    from magpie_hub.shards.parquet import count_rows

    made: list[Part] = []
    named = [(release, path) for release, paths in against.items() for path in paths]
    for release, path in [*named, *((None, path) for path in own)]:
        start = made[-1].stop if made else 0
        made.append(Part(release, path, start, start + count_rows(path)))
    return made


def write(folder: RunFolder, stage: str, line: Sequence[Part], dedup: Dedup) -> None:
    """Find the duplicates among rows of an index, and write what became of the run's own."""
    found = find(line, dedup, folder.path)
    lost = found.survivor != np.arange(len(found.survivor))
    winners = np.unique(found.survivor[lost])
    names = dict(zip(winners.tolist(), _column(line, winners, "uuid"), strict=True))
    own = [part for part in line if part.release is None]
    for unit, part in zip(folder.units(), own, strict=True):
        rows = folder.responses(unit, ["uuid", "rejection"])
        numbers = iter(range(part.start, part.stop))
        of_rows = [
            next(numbers) if kept else None for kept in rows["rejection"].is_null().to_pylist()
        ]
        folder.write(stage, unit, _table(rows["uuid"], of_rows, found, line, names))


@dataclass(frozen=True, slots=True)
class Found:
    """For each row of a line the row that stays in its place, or itself, and how similar it is.

    exact: whether it lost as an exact duplicate.
    """

    survivor: np.ndarray
    similarity: np.ndarray
    exact: np.ndarray


def find(line: Sequence[Part], dedup: Dedup, scratch: Path) -> Found:
    """Return what every row of a line repeats. scratch: a folder for files that go again."""
    count = line[-1].stop if line else 0
    high, low = _numbers(line, "high"), _numbers(line, "low")
    first = _first_of_equals(high, low) if dedup.exact else np.arange(count)
    exact = first != np.arange(count)
    survivor, similarity = first, np.ones(count, np.float32)
    if dedup.near:
        bands, signed = _bands(line, dedup.near)
        texts = _Shingles(line, dedup.near, scratch)
        found = nearly.duplicates(bands, high, signed & ~exact, texts, dedup.near.threshold)
        # What is an exact duplicate shares the fate of the first that is.
        survivor, similarity = found.survivor[first], found.similarity[first]
    return Found(survivor, similarity, exact & (survivor == first))


def _first_of_equals(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return for each row the first row with its numbers."""
    order = np.lexsort((low, high))
    new = np.ones(len(order), bool)
    new[1:] = (high[order][1:] != high[order][:-1]) | (low[order][1:] != low[order][:-1])
    first = np.empty(len(order), np.int64)
    # The sort is stable, so that the first of a group has the smallest index.
    first[order] = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    return first


def _read(path: Path, column: str) -> "pa.ChunkedArray":
    from magpie_hub.shards.parquet import read_shard

    return read_shard(path, arrow_schema(INDEX_SHARD), {}, [column])[column]


def _numbers(line: Sequence[Part], column: str) -> np.ndarray:
    read = [_read(part.path, column).to_numpy() for part in line]
    return np.concatenate(read) if read else np.zeros(0, np.uint64)


def _bands(line: Sequence[Part], near: Near) -> tuple[np.ndarray, np.ndarray]:
    """Return (bands, rows) of all signatures, and which rows have one."""
    count = line[-1].stop if line else 0
    bands, signed = np.zeros((near.bands, count), np.uint64), np.zeros(count, bool)
    for part in line:
        column = _read(part.path, "bands").combine_chunks()
        there = column.is_valid().to_numpy(zero_copy_only=False)
        rows = part.start + np.flatnonzero(there)
        bands[:, rows] = column.flatten().to_numpy().reshape(-1, near.bands).T
        signed[rows] = True
    return bands, signed


def _column(line: Sequence[Part], rows: np.ndarray, column: str) -> list[Any]:
    """Return a column's values of some rows, ascending."""
    values: list[Any] = []
    for part in line:
        inside = rows[np.searchsorted(rows, part.start) : np.searchsorted(rows, part.stop)]
        if len(inside):
            values += _read(part.path, column).take(inside - part.start).to_pylist()
    return values


class _Shingles:
    """The shingles of rows, in a file of their own while they are compared."""

    def __init__(self, line: Sequence[Part], near: Near, scratch: Path) -> None:
        self._line = line
        self._near = near
        self._scratch = scratch

    def __call__(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes = [np.zeros(1, np.int64)]
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            for part in self._line:
                texts = _column([part], rows, "instruction")
                cut = [tokens(text, self._near) for text in texts]
                numbers, offsets = shingles(cut, self._near)
                file.write(numbers.tobytes())
                sizes.append(np.diff(offsets))
            file.flush()
            offsets = np.cumsum(np.concatenate(sizes))
            numbers = np.memmap(file, np.uint64, "r") if offsets[-1] else np.zeros(0, np.uint64)
        return numbers, offsets


def _table(
    uuids: "pa.ChunkedArray",
    rows: Sequence[int | None],
    found: Found,
    line: Sequence[Part],
    names: dict[int, Any],
) -> "pa.Table":
    """Return what became of rows; rows: their numbers in the line, None for dropped ones."""
    import pyarrow as pa

    starts = [part.start for part in line]
    said: list[tuple[object, ...]] = []
    for row in rows:
        survivor = row if row is None else int(found.survivor[row])
        if row is None or survivor is None or survivor == row:
            said.append((None,) * 4)
            continue
        release = line[bisect_right(starts, survivor) - 1].release
        reason = EXACT if found.exact[row] else NEAR
        said.append((reason, names[survivor], release, float(found.similarity[row])))
    columns = list(zip(*said, strict=True)) or [()] * 4
    return pa.table([uuids, *map(list, columns)], schema=arrow_schema(DUPLICATE_SHARD))

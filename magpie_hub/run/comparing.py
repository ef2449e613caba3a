"""Vectors of all instructions, and how near each row's nearest neighbour is.

The vectors are shards of their own, so that rows that come later cost only theirs; what depends on
all rows is made again whenever there are more. All answer sets have the same instructions, so that
one has the vectors; but each has neighbours of its own. Knows no embedder by name.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from magpie_hub.curate.beside import DUPLICATE_SHARD
from magpie_hub.records import Unit, arrow_schema
from magpie_hub.run.reporting import Report
from magpie_hub.shards.folder import RunFolder
from magpie_hub.tag import TAGS
from magpie_hub.tag.embedders import Embedder
from magpie_hub.tag.neighbours import neighbours

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1000
"""Rows that are embedded at once."""


def embed(stage: str, embedder: Embedder, folder: RunFolder, report: Report) -> None:
    """Bring the vectors to all rows that were not dropped."""
    import pyarrow as pa

    units = folder.units()
    for done, unit in enumerate(units, 1):
        if not folder.tagged(stage, unit):
            rows = folder.answered(unit)
            kept = _kept(rows)
            uuids, texts = (rows[name].filter(kept).to_pylist() for name in ("uuid", "instruction"))
            made = [
                embedder.embed(uuids[start : start + BLOCK], texts[start : start + BLOCK])
                for start in range(0, len(texts), BLOCK)
            ]
            vectors = iter(np.concatenate(made).tolist() if made else [])
            column = [next(vectors) if keep else None for keep in kept.to_pylist()]
            schema = arrow_schema(TAGS["embedding"].shard)
            folder.write(stage, unit, pa.table([rows["uuid"], column], schema=schema))
        report("tag embedding", done, len(units), 0)


def compare(stage: str, embedding: str, folder: RunFolder, report: Report) -> None:
    """Write for every row its distance to its nearest neighbour, and how many are near."""
    units = folder.units()
    if all(folder.tagged(stage, unit) for unit in units):
        return
    report("tag neighbours", 0, len(units), 0)
    parts = [_vectors(folder, embedding, unit) for unit in units]
    uuids = np.concatenate([uuids for uuids, _ in parts])
    # Of a unit whose rows were all dropped nothing says how long a vector is.
    known = [vectors for own, vectors in parts if len(own)]
    found = neighbours(np.concatenate(known or [np.zeros((0, 1), np.float32)]))
    facts = {"index": found.index, "recall": found.recall, "searched_again": found.searched_again}
    start = 0
    for done, (unit, (own, _)) in enumerate(zip(units, parts, strict=True), 1):
        part = slice(start, start + len(own))
        start += len(own)
        distances = found.min_distance[part].tolist()
        labels = zip(
            [None if np.isnan(distance) else distance for distance in distances],
            found.repeat_count[part].tolist(),
            [uuids[index] if index >= 0 else None for index in found.earliest[part].tolist()],
            strict=True,
        )
        table = _table(folder, unit, _compared(folder, embedding, unit), list(labels))
        folder.write(stage, unit, table, **facts)
        report("tag neighbours", done, len(units), 0)


def _vectors(folder: RunFolder, stage: str, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Return uuids and vectors of the rows that are compared."""
    compared = _compared(folder, stage, unit)
    kept = _embedded(folder, stage, unit).filter(compared)
    flat = kept.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    own = folder.responses(unit, ["uuid"])["uuid"].filter(compared)
    uuids = np.array(own.to_pylist(), dtype=object)
    vectors = flat.reshape(len(own), -1) if len(own) else None
    return uuids, vectors if vectors is not None else np.zeros((0, 0), np.float32)


def _table(
    folder: RunFolder, unit: Unit, compared: "pa.ChunkedArray", labels: list[tuple[Any, ...]]
) -> "pa.Table":
    import pyarrow as pa

    rows = folder.responses(unit, ["uuid"])
    given, kept = iter(labels), compared.to_pylist()
    columns = list(zip(*[next(given) if keep else (None,) * 3 for keep in kept], strict=True))
    names = TAGS["neighbours"].columns
    filled = dict(zip(names, columns or [()] * len(names), strict=True))
    return pa.table({"uuid": rows["uuid"], **filled}, schema=arrow_schema(TAGS["neighbours"].shard))


def _embedded(folder: RunFolder, stage: str, unit: Unit) -> "pa.ChunkedArray":
    """Return the vectors of a unit's instructions; null where the first answer was dropped."""
    return folder.first.read(stage, unit, TAGS["embedding"].shard, ["vector"])["vector"]


def _compared(folder: RunFolder, embedding: str, unit: Unit) -> "pa.ChunkedArray":
    """Return which rows of a unit are compared: those that were not dropped and repeat no other.

    In another answer set than the first, also none that was dropped from the first.
    """
    import pyarrow.compute as pc

    kept = _kept(folder.responses(unit, ["rejection"]))
    if not folder.is_first:
        kept = pc.and_(kept, _embedded(folder, embedding, unit).is_valid())
    stage = folder.state()["curated"]["duplicates"]
    if stage is None:
        return kept
    found = folder.read(stage, unit, DUPLICATE_SHARD, ["reason"])
    return pc.and_(kept, found["reason"].is_null())


def _kept(rows: "pa.Table") -> "pa.ChunkedArray":
    return rows["rejection"].is_null()

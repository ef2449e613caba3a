"""Small runs that say what a test wants them to say, and what is found of their rows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from magpie_hub.curate import index
from magpie_hub.curate.duplicates import parts, write
from magpie_hub.records import INSTRUCTIONS, RESPONSES, SHARDS, arrow_schema
from magpie_hub.shards.folder import KEYS, RunFolder
from magpie_hub.spec.curation import Dedup

STAGE = "duplicates/test"


def run_of(place: Path, *growth: Sequence[str], refused: Sequence[int] = ()) -> RunFolder:
    """Write a finished run in units of four, or add the rows by which it grows; return it.

    growth: the instructions, by the times at which they came; "" is a draw that was dropped.
    refused: the indices of those whose response was dropped. The uuid of row 3 is "row-3".
    """
    folder = RunFolder(place)
    stops = [sum(map(len, growth[: n + 1])) for n in range(len(growth))]
    state: dict[str, object] = {name: {} for name in KEYS}
    folder.save(state | {"fingerprint": "f", "growth": stops, "unit_rows": 4})
    texts = [text for part in growth for text in part]
    for unit in folder.units():
        if folder.finished(RESPONSES, unit):
            continue
        drawn = [
            {"index": i, "instruction": texts[i], "rejection": None if texts[i] else "empty"}
            for i in range(unit.start, unit.stop)
        ]
        answered = [
            {"index": i, "uuid": f"row-{i}", "rejection": "no-response" if i in refused else None}
            for i in range(unit.start, unit.stop)
            if texts[i]
        ]
        for stage, rows in ((INSTRUCTIONS, drawn), (RESPONSES, answered)):
            folder.write(stage, unit, pa.Table.from_pylist(rows, arrow_schema(SHARDS[stage])))
    return folder


def indexed(folder: RunFolder, dedup: Dedup) -> list[Path]:
    """Bring a run's index up to its rows, and return its files."""
    near = dedup.near or None
    for unit in folder.units():
        index.of_unit(folder, unit, near)
    return [folder.shard(index.stage(near), unit) for unit in folder.units()]


def repeats(folder: RunFolder, dedup: Dedup, **against: list[Path]) -> list[dict[str, Any]]:
    """Return what became of each answered row of a run, beside other releases' indexes."""
    write(folder, STAGE, parts(against, indexed(folder, dedup)), dedup)
    shards = [folder.shard(STAGE, unit) for unit in folder.units()]
    return [row for shard in shards for row in pq.read_table(shard).to_pylist()]


def lost(folder: RunFolder, dedup: Dedup, **against: list[Path]) -> dict[str, tuple[str, str]]:
    """Return of each row that is lost why, and to which row."""
    return {
        row["uuid"]: (row["reason"], row["lost_to"])
        for row in repeats(folder, dedup, **against)
        if row["reason"]
    }

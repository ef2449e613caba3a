"""The build of up to four million rows: exact and near duplicates, lengths, filters, Parquet.

The rows are written as the shards of a run beforehand, with labels that the filter needs; what is
measured begins with those shards and ends with the release's files and card. Five sizes, each the
beginning of the largest, tell how it grows. Knows no goal.
"""

import atexit
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from magpie_hub.records import INSTRUCTION_SHARD, INSTRUCTIONS, RESPONSE_SHARD, RESPONSES, Unit
from magpie_hub.shards.folder import IMPORTED, RunFolder
from magpie_hub.shards.foreign_labels import LABELS
from tests.benchmarks import Pair
from tests.benchmarks.corpus import Batch, batches, score
from tests.benchmarks.measured import Measured, growth, measured

SIZES = (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000)
BYTES_A_ROW = 6_000
"""What the shards, the index and the release of a row take on the disk, at the most."""
QUALITIES = ("very poor", "poor", "average", "good", "excellent")


@dataclass(frozen=True, slots=True)
class Done:
    """What a build kept of each config, and which rows of the run `raw` has."""

    kept: dict[str, int]
    raw: list[np.ndarray]


def write_run(place: Path, rows: int) -> np.ndarray:
    """Write the shards of a run of so many rows, and return which row each is a copy of."""
    from magpie_hub.run.begin import UNIT_ROWS, begin
    from magpie_hub.spec.load import load

    place.mkdir(parents=True)
    (place / "rows.jsonl").write_text('{"instruction": "a", "response": "b"}\n')
    spec = {
        "repo": "org/corpus",
        "source": [str(place / "rows.jsonl")],
        "tags": ["lengths"],
        "configs": {"pro": {"filter": "pro-filter", "size": {"at_most": max(rows // 10, 1)}}},
    }
    (place / "corpus.yaml").write_text(yaml.safe_dump(spec))
    folder = RunFolder(place / "run")
    with folder.lock():
        begin(load(str(place / "corpus.yaml")), folder, print, draws=True)
        start, truths = 0, []
        for batch in batches(rows):
            truths.append(batch.truth)
            for first in range(0, len(batch.truth), UNIT_ROWS):
                _write_unit(folder, start + first, batch, slice(first, first + UNIT_ROWS))
            start += len(batch.truth)
        folder.save({**folder.state(), "growth": [rows]})
    return np.concatenate(truths)


def _write_unit(folder: RunFolder, start: int, batch: Batch, part: slice) -> None:
    texts, responses = batch.instructions[part], batch.responses[part]
    unit = Unit(start // folder.state()["unit_rows"], start, start + len(texts))
    chance = np.random.default_rng(start)
    index = list(range(start, unit.stop))
    uuids = [f"{number:036d}" for number in index]
    labels = {
        "uuid": uuids,
        "input_quality": chance.choice(QUALITIES, len(texts)).tolist(),
        "instruct_reward": chance.normal(-8, 4, len(texts)).tolist(),
        "min_neighbor_distance": chance.exponential(0.3, len(texts)).tolist(),
    }
    drawn = {"index": index, "instruction": texts}
    folder.write(INSTRUCTIONS, unit, _table(drawn, INSTRUCTION_SHARD))
    answered = {"index": index, "uuid": uuids, "response": responses}
    folder.write(RESPONSES, unit, _table(answered, RESPONSE_SHARD))
    folder.write(IMPORTED, unit, _table(labels, {"uuid": "string", **LABELS}))


def _table(columns: dict[str, list[Any]], types: dict[str, Any]) -> Any:
    import pyarrow as pa

    from magpie_hub.records import arrow_schema

    schema = arrow_schema(types)
    count = len(next(iter(columns.values())))
    missing = {name: pa.nulls(count, schema.field(name).type) for name in types}
    return pa.table(missing | columns, schema=schema)


def beginning(whole: Path, place: Path, rows: int) -> None:
    """Make the run of the first rows of another, out of the same files."""
    place.mkdir()
    for name in ("corpus.yaml", "rows.jsonl"):
        shutil.copyfile(whole / name, place / name)
    old, new = RunFolder(whole / "run"), RunFolder(place / "run")
    new.path.mkdir()
    new.save({**old.state(), "growth": [rows]})
    for stage in (INSTRUCTIONS, RESPONSES, IMPORTED):
        for unit in new.units():
            there = new.shard(stage, unit)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.hardlink_to(old.shard(stage, unit))


def build_all(place: Path) -> Done:
    """Tag and build a run, as the command does."""
    from magpie_hub import bundled
    from magpie_hub.run.building import build
    from magpie_hub.run.opened import Models
    from magpie_hub.run.tagging import tag
    from magpie_hub.spec.load import load

    spec, folder = load(str(place / "corpus.yaml")), RunFolder(place / "run")
    with folder.lock(), Models() as models:
        tag(spec, folder, _quiet, print, models)
        built = build(spec, folder, _quiet, print)
    with tempfile.TemporaryDirectory() as cache:
        raw = bundled.builder_module().Magpie(cache, config_name="raw", data_dir=folder.path)
        masks = raw.selection.masks
    return Done({name: funnel.kept for name, funnel in built.funnels.items()}, masks)


def _quiet(stage: str, done: int, total: int, tokens: int, failed: int = 0) -> None:
    """Say nothing: a line for each of 4,000 units is no measurement."""


@cache
def _corpus() -> tuple[Path, np.ndarray]:
    place = Path(tempfile.mkdtemp(prefix="corpus-"))
    atexit.register(shutil.rmtree, place)
    need, free = max(SIZES) * BYTES_A_ROW, shutil.disk_usage(place).free
    if free < need:
        raise SystemExit(
            f"error: {need / 1e9:.0f} GB of disk are needed, {free / 1e9:.0f} are free"
        )
    return place, write_run(place / "whole", max(SIZES))


@cache
def _built(rows: int) -> Measured[Done]:
    place, truth = _corpus()
    beginning(place / "whole", place / str(rows), rows)
    done = measured(partial(build_all, place / str(rows)))
    shutil.rmtree(place / str(rows))
    scored = score(truth[:rows], np.concatenate(done.result.raw))
    print(
        f"{rows:,} rows: {done.cpu_seconds:.0f} CPU s, {done.wall_seconds:.0f} s,"
        f" {done.peak_bytes / 1e9:.2f} GB, {scored}, {done.result.kept}",
        file=sys.stderr,
    )
    return done


def build_memory() -> Pair:
    """Return the peak memory of the largest build, beside that of the smallest."""
    ours, theirs = (_built(size).peak_bytes / 1e9 for size in (max(SIZES), min(SIZES)))
    return Pair(f"GB for {max(SIZES):,} rows, beside {min(SIZES):,}", [ours], [theirs], _versions())


def build_growth() -> Pair:
    """Return the exponent by which CPU seconds grow with rows, beside 1."""
    exponent = growth(SIZES, [_built(size).cpu_seconds for size in SIZES])
    return Pair("exponent of CPU seconds over five sizes", [exponent], [1.0], _versions())


def _rate(rows: int) -> Pair:
    ours, theirs = (size / _built(size).cpu_seconds for size in (rows, min(SIZES)))
    return Pair(f"rows/CPU s at {rows:,}, beside {min(SIZES):,}", [ours], [theirs], _versions())


build_rate_250k: Callable[[], Pair] = partial(_rate, SIZES[0])
build_rate_500k: Callable[[], Pair] = partial(_rate, SIZES[1])
build_rate_1m: Callable[[], Pair] = partial(_rate, SIZES[2])
build_rate_2m: Callable[[], Pair] = partial(_rate, SIZES[3])
build_rate_4m: Callable[[], Pair] = partial(_rate, SIZES[4])


def _versions() -> dict[str, str]:
    names = ("magpie-hub", "datasets", "pyarrow", "numpy", "text-dedup")
    return {name: version(name) for name in names}

"""What could cost too much: buckets full of the same, and a filter over a million tagged rows.

Knows no goal.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from magpie_hub.shards.folder import RunFolder
from tests.benchmarks import Pair
from tests.benchmarks.building import write_run
from tests.benchmarks.measured import Measured, measured

ROWS = 1_000_000
RUNS = 3
POEM = (
    "Write a poem about the sea, the wind and a lighthouse that nobody has lit since the keeper"
    " went home, in four stanzas of four lines each, so that a child could learn it by heart"
)


def identical(rows: int) -> int:
    """Return how many of so many equal rows are left, without the exact stage."""
    return _left([POEM] * rows)


def alike(rows: int) -> int:
    """Return how many are left of so many rows that differ in one word."""
    return _left([f"{POEM}, number {row}" for row in range(rows)])


def _left(texts: list[str]) -> int:
    from magpie_hub.curate.duplicates import find, parts
    from magpie_hub.curate.index import of_rows
    from magpie_hub.spec.curation import Dedup, Near

    near = Near(backend="rensa")
    with tempfile.TemporaryDirectory() as place:
        index = of_rows(Path(place) / "index", ((None, text) for text in texts), near)
        found = find(parts({}, index), Dedup(exact=False, near=near), Path(place))
    return int((found.survivor == np.arange(len(texts))).sum())


def _bucket(made: Callable[[int], int], rows: int) -> Pair:
    """Return the CPU seconds of rows in one bucket, beside those of half as many."""
    sizes = (rows, rows // 2)
    taken = [[measured(partial(made, size)) for size in sizes] for _ in range(RUNS)]
    assert {done.result for pair in taken for done in pair} == {1}
    whole, half = ([pair[side].cpu_seconds for pair in taken] for side in (0, 1))
    unit = f"CPU seconds for {rows:,} rows, beside half as many"
    return Pair(
        unit, whole, half, {name: version(name) for name in ("magpie-hub", "rensa", "numpy")}
    )


bucket_identical: Callable[[], Pair] = partial(_bucket, identical, 100_000)
bucket_alike: Callable[[], Pair] = partial(_bucket, alike, 20_000)


@cache
def _selected() -> Measured[int]:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "made"
        write_run(place, ROWS)
        measured(partial(_curated, place))
        done = measured(partial(select, place))
    figures = (
        f"{done.cpu_seconds:.1f} CPU s, {done.wall_seconds:.1f} s, {done.peak_bytes / 1e9:.2f}"
    )
    print(f"pro-filter over {ROWS:,} rows: {figures} GB, {done.result:,} left", file=sys.stderr)
    return done


def _curated(place: Path) -> None:
    """Bring a run to the state that a filter finds: compared and tagged."""
    from magpie_hub.run.opened import Models
    from magpie_hub.run.tagging import tag
    from magpie_hub.spec.load import load
    from tests.making import quiet

    path = place / "corpus.yaml"
    path.write_text(path.read_text() + "dedup: {near: {backend: rensa}}\n")
    folder = RunFolder(place / "run")
    with folder.lock(), Models() as models:
        tag(load(str(path)), folder, quiet, print, models)


def select(place: Path) -> int:
    """Return how many rows of a run `pro-filter` takes, as a build decides it."""
    from magpie_hub import bundled

    with tempfile.TemporaryDirectory() as cache:
        magpie = bundled.builder_module().Magpie
        builder = magpie(cache, config_name="pro", data_dir=place / "run")
        return int(builder.selection.funnel.kept)


def pro_filter_seconds() -> Pair:
    """Return the seconds in which a million rows are selected, checksums of all files included."""
    done = _selected()
    return Pair("seconds, beside CPU seconds", [done.wall_seconds], [done.cpu_seconds], _versions())


def pro_filter_memory() -> Pair:
    """Return the memory in which a million rows are selected, beside the most there may be."""
    return Pair("GB, beside 1", [_selected().peak_bytes / 1e9], [1.0], _versions())


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("magpie-hub", "pyarrow", "numpy")}

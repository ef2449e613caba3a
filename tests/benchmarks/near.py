"""Near duplicates of 200,000 rows: ours beside text-dedup's command line and datatrove's pipeline.

All read the same two JSONL files, and are measured with all their processes and imports. Ours is
what a run does: it writes an index and finds in it what repeats, exactly and nearly. Knows no goal.
"""

import atexit
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks import Pair
from tests.benchmarks.corpus import batches, score
from tests.benchmarks.measured import Measured, measured
from tests.benchmarks.peers_near import BANDS, JACCARD, ROWS, WORDS, datatrove, text_dedup, write

SIZE = 200_000


def ours(files: list[Path], rows: int, folder: Path, backend: str) -> NDArray[np.bool_]:
    """Return which rows of JSONL files our deduplication keeps."""
    from magpie_hub.curate.duplicates import find, parts
    from magpie_hub.curate.index import of_rows
    from magpie_hub.spec.curation import Dedup, Near

    settings = {"words": WORDS, "bands": BANDS, "hashes": BANDS * ROWS, "threshold": JACCARD}
    near = Near.model_validate({"backend": backend, **settings})
    index = of_rows(folder / "index", _texts(files), near)
    found = find(parts({}, index), Dedup(near=near), folder)
    assert len(found.survivor) == rows
    return found.survivor == np.arange(rows)


def _texts(files: list[Path]) -> Iterator[tuple[None, str]]:
    for path in files:
        with path.open(encoding="utf-8") as lines:
            yield from ((None, json.loads(line)["text"]) for line in lines)


@cache
def _corpus(rows: int) -> tuple[list[Path], NDArray[np.int64]]:
    folder = Path(tempfile.mkdtemp(prefix="near-"))
    atexit.register(shutil.rmtree, folder)
    made = list(batches(rows))
    files = write([text for batch in made for text in batch.instructions], folder)
    return files, np.concatenate([batch.truth for batch in made])


@cache
def _side(name: str) -> Measured[NDArray[np.bool_]]:
    files, truth = _corpus(SIZE)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        peers = {"text-dedup's command line": text_dedup, "datatrove": datatrove}
        if name in peers:
            found = peers[name](files, SIZE, folder)
        else:
            found = measured(partial(ours, files, SIZE, folder, name.removeprefix("ours by ")))
    scored = score(truth, found.result)
    figures = f"{found.cpu_seconds:.1f} CPU s, {found.wall_seconds:.1f} s"
    memory = f"{found.peak_bytes / 1e9:.2f} GB"
    print(f"{name}: {scored}, {figures}, {memory}", file=sys.stderr)
    return found


def _versions() -> dict[str, str]:
    names = ("magpie-hub", "numpy", "text-dedup", "rensa", "datatrove")
    return {name: version(name) for name in names}


def _recall(side: str, other: str) -> Pair:
    truth = _corpus(SIZE)[1]
    ours, theirs = (score(truth, _side(name).result).recall for name in (side, other))
    return Pair("share of redundant rows removed", [ours], [theirs], _versions())


def _seconds(side: str, other: str) -> Pair:
    ours, theirs = (_side(name).cpu_seconds for name in (side, other))
    return Pair("CPU seconds", [ours], [theirs], _versions())


def _memory(side: str, other: str) -> Pair:
    ours, theirs = (_side(name).peak_bytes / 1e9 for name in (side, other))
    return Pair("GB", [ours], [theirs], _versions())


OWN, FAST = "ours by text-dedup", "ours by rensa"
LINE, TROVE = "text-dedup's command line", "datatrove"

near_recall = partial(_recall, OWN, LINE)
near_fast_recall = partial(_recall, FAST, LINE)
near_fast_recall_datatrove = partial(_recall, FAST, TROVE)
near_seconds = partial(_seconds, OWN, LINE)
near_fast_seconds = partial(_seconds, FAST, LINE)
near_fast_seconds_datatrove = partial(_seconds, FAST, TROVE)
near_memory = partial(_memory, OWN, LINE)
near_memory_datatrove = partial(_memory, OWN, TROVE)
near_fast_memory = partial(_memory, FAST, LINE)
near_fast_memory_datatrove = partial(_memory, FAST, TROVE)


def near_lost() -> Pair:
    """Return the groups of which no row is left, the worse of our backends, beside all groups."""
    truth = _corpus(SIZE)[1]
    lost = max(score(truth, _side(name).result).lost for name in (OWN, FAST))
    groups = len(np.unique(truth[truth >= 0]))
    return Pair("groups without a survivor, beside all groups", [lost], [groups], _versions())

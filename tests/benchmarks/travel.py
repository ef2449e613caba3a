"""What share of a release travels to the Hub when one row in a hundred changed.

The uploads are real ones of hf_xet, into a store in a folder: it cuts files into chunks, asks what
the store has, and sends the rest. It starts each time without a cache, as on a new machine. Ours is
what a release has of its rows, Parquet and index; theirs is the Parquet that pyarrow writes by
default, with zstd. Knows no goal.
"""

import atexit
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from magpie_hub.columns import SFT
from magpie_hub.publish import index
from magpie_hub.records import arrow_schema
from magpie_hub.shards.parquet import write_release
from tests.benchmarks import Pair
from tests.benchmarks.corpus import Batch, batches

SIZE = 300_000
SCHEMA = arrow_schema({field.name: field.type for field in SFT})
CHOICES = {
    "language": ["EN", "EN", "EN", "EN", "EN", "DE", "ZH"],
    "task_category": ["Coding & Debugging", "Information seeking", "Math", "Creative writing"],
    "difficulty": ["very easy", "easy", "medium", "hard", "very hard"],
    "input_quality": ["very poor", "poor", "average", "good", "excellent"],
    "finish_reason": ["stop", "stop", "stop", "length"],
}
SAME = {
    **dict.fromkeys(("task_category_generator", "difficulty_generator"), "org/judge-8b-instruct"),
    "quality_generator": "org/judge-8b-instruct",
    "reward_model": "org/reward-8b",
    "model": "org/model-70b-instruct",
}
Change = Callable[[pa.Table, int], pa.Table]
"""Makes a new release of the first rows, given as a number, with the help of those behind them."""
Write = Callable[[pa.Table, Path], None]
DRAWN = {"top_p": 1.0, "max_tokens": 4096, "engine": "vllm", "engine_version": "0.32.0"}


def published(rows: int) -> pa.Table:
    """Return rows of the published columns, about 2.8 kB each; what judges write is left out."""
    return pa.concat_tables(map(_published, batches(rows))).combine_chunks()


def _published(batch: Batch) -> pa.Table:
    count = len(batch.truth)
    exact = Random(batch.instructions[0])
    chance = np.random.default_rng(exact.getrandbits(64))
    heats = chance.choice([1.0, 1.1, 1.2], count).tolist()
    drawn = [DRAWN | {"temperature": heat, "seed": exact.getrandbits(48)} for heat in heats]
    asked, answered = ([len(t) for t in texts] for texts in (batch.instructions, batch.responses))
    columns: dict[str, Any] = {
        "messages": _messages(list(chain(*zip(batch.instructions, batch.responses, strict=True)))),
        "instruction_length": asked,
        "response_length": answered,
        "instruction_tokens": [length // 4 for length in asked],
        "response_tokens": [length // 4 for length in answered],
        "language_confidence": chance.beta(9, 1, count),
        "response_quality": chance.integers(1, 6, count),
        "instruct_reward": chance.normal(-8, 4, count),
        "min_neighbor_distance": chance.exponential(0.3, count),
        "repeat_count": chance.poisson(0.5, count),
        "uuid": [str(uuid.UUID(int=exact.getrandbits(128))) for _ in range(count)],
        "gen_input_configs": drawn,
        "gen_response_configs": drawn,
        **{name: chance.choice(words, count) for name, words in CHOICES.items()},
        **{name: [word] * count for name, word in SAME.items()},
    }
    missing = {field.name: pa.nulls(count, field.type) for field in SCHEMA}
    return pa.table(missing | columns, schema=SCHEMA)


def _messages(texts: pa.Array | list[str]) -> pa.Array:
    """Return conversations of two messages, of which the texts follow one another."""
    kind = SCHEMA.field("messages").type
    roles = pa.array(["user", "assistant"] * (len(texts) // 2))
    messages = pa.StructArray.from_arrays([roles, pa.array(texts)], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(range(0, len(texts) + 1, 2), messages, type=kind)


def appended(rows: pa.Table, _: int) -> pa.Table:
    """Return the rows with those behind `size`, which are one more in a hundred."""
    return rows


def replaced(rows: pa.Table, size: int) -> pa.Table:
    """Return rows of which a run in the middle is others."""
    start, new = size // 2, rows.slice(size)
    stop = start + new.num_rows
    return pa.concat_tables([rows.slice(0, start), new, rows.slice(stop, size - stop)])


def retagged(rows: pa.Table, size: int) -> pa.Table:
    """Return rows of which scattered ones have another reward."""
    place = SCHEMA.get_field_index("instruct_reward")
    rewards = rows[place].to_numpy().copy()
    rewards[_scattered(rows, size)] = rewards[size:]
    return rows.set_column(place, SCHEMA.field(place), pa.array(rewards)).slice(0, size)


def answered(rows: pa.Table, size: int) -> pa.Table:
    """Return rows of which scattered ones have another response."""
    places = np.arange(2 * size)
    places[1::2][_scattered(rows, size)] = np.arange(2 * size + 1, 2 * rows.num_rows, 2)
    texts = rows["messages"].combine_chunks().flatten().field("content").take(pa.array(places))
    return rows.slice(0, size).set_column(0, SCHEMA.field(0), _messages(texts))


def removed(rows: pa.Table, size: int) -> pa.Table:
    """Return rows without some scattered ones."""
    stay = np.delete(np.arange(size), _scattered(rows, size))
    return rows.take(pa.array(stay))


def _scattered(rows: pa.Table, size: int) -> NDArray[np.int64]:
    """Return as many places below `size` as there are rows behind it."""
    return np.random.default_rng(0).choice(size, rows.num_rows - size, replace=False)


def ours(table: pa.Table, folder: Path) -> None:
    """Write a config's files and the index of its rows, as a release has them."""
    write_release(folder, "train", [table], SCHEMA)
    files = sorted(folder.glob("*.parquet"))
    index.write(folder / "index.parquet", {"raw": index.hash_files(files)})


def theirs(table: pa.Table, folder: Path) -> None:
    """Write one file with pyarrow's defaults and the same compression."""
    folder.mkdir()
    pq.write_table(table, folder / "train.parquet", compression="zstd")


def upload(folder: Path, store: Path) -> float:
    """Send a folder's files into a store; return the bytes sent, as a share of the files' own."""
    import hf_xet

    # What it remembers of the uploads before; without it, it has to ask the store.
    shutil.rmtree(store / "xet" / "shard-cache", ignore_errors=True)
    files = sorted(folder.iterdir())
    commit = hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}")
    for file in files:
        commit.start_upload_file(str(file), sha256=hf_xet.SKIP_SHA256)
    sent = commit.wait_to_finish().dedup_metrics.total_bytes_uploaded
    return float(sent / sum(file.stat().st_size for file in files))


@cache
def _rows() -> pa.Table:
    return published(SIZE + SIZE // 100)


@cache
def _uploaded(write: Write) -> Path:
    """Return a store that holds the old release."""
    place = Path(tempfile.mkdtemp(prefix="travel-"))
    atexit.register(shutil.rmtree, place)
    write(_rows().slice(0, SIZE), place / "old")
    upload(place / "old", place / "store")
    shutil.rmtree(place / "old")
    return place / "store"


def _share(change: Change, write: Write) -> float:
    with tempfile.TemporaryDirectory(prefix="travel-") as place:
        new, store = Path(place, "new"), Path(place, "store")
        write(change(_rows(), SIZE), new)
        shutil.copytree(_uploaded(write), store)
        share = upload(new, store)
    print(f"{change.__name__}, {write.__name__}: {share:.4f}", file=sys.stderr)
    return share


def _pair(change: Change) -> Pair:
    versions = {name: version(name) for name in ("magpie-hub", "pyarrow", "hf-xet")}
    unit = f"share of the bytes that travels, {SIZE:,} rows"
    return Pair(unit, [_share(change, ours)], [_share(change, theirs)], versions)


travel_appended: Callable[[], Pair] = partial(_pair, appended)
travel_shard: Callable[[], Pair] = partial(_pair, replaced)
travel_tag: Callable[[], Pair] = partial(_pair, retagged)
travel_responses: Callable[[], Pair] = partial(_pair, answered)
travel_removed: Callable[[], Pair] = partial(_pair, removed)

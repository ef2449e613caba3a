"""The facts of a config of a million rows, beside the same figures the plain pandas way.

Ours is one pass over the release's Parquet; theirs reads all of it and asks pandas, column by
column. Both must come to the same numbers and counts. Knows no goal.
"""

import sys
import tempfile
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid5

import numpy as np

from magpie_hub.records import NAMESPACE
from tests.benchmarks import Pair
from tests.benchmarks.corpus import Batch, batches
from tests.benchmarks.measured import Measured, measured

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ROWS = 1_000_000
SETTINGS = ((1.0, 0.99), (1.0, 1.0), (1.2, 0.99), (1.2, 1.0))
WORDS = {
    "finish_reason": ("stop", "stop", "stop", "length"),
    "language": ("EN", "EN", "EN", "DE", "ZH"),
    "task_category": ("Math", "Planning", "Editing", "Reasoning", "Others"),
    "difficulty": ("very easy", "easy", "medium", "hard", "very hard"),
    "input_quality": ("very poor", "poor", "average", "good", "excellent"),
    "safety": ("safe", "safe", "safe", "unsafe"),
}
WHOLE = ("instruction_tokens", "response_tokens", "repeat_count")
REAL = (
    *("language_confidence", "instruct_reward", "base_reward", "reward_difference"),
    "min_neighbor_distance",
)
LENGTHS = ("instruction_length", "response_length")
TEXTS = ("intent", "knowledge", "quality_explanation")
QUANTILES = {"p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}

Found = dict[str, Mapping[str, float]]
"""Numbers or counts by column; the numbers of a turn's characters by its place, from 0."""


def ours(place: Path) -> Found:
    """Return what the card's facts are made of."""
    from magpie_hub.card.measure import measure

    facts = measure(place)
    turns = {str(number): turn.characters for number, turn in enumerate(facts.turns)}
    return {**facts.numbers, **facts.counts, **turns}


def theirs(place: Path) -> Found:
    """Return the same numbers and counts by pandas, having made histograms and grid as well."""
    import pandas as pd

    frame = pd.read_parquet(place)
    numbers = {name: frame[name] for name in (*LENGTHS, *WHOLE, *REAL)}
    said = frame.messages.explode()
    lengths = said.map(lambda turn: len(turn["content"]))
    at = said.groupby(level=0).cumcount()
    numbers |= {str(number): lengths[at == number] for number in range(at.max() + 1)}
    for values in numbers.values():
        np.histogram(values, 30)
    cells = frame.gen_input_configs.map(lambda drawn: (drawn["temperature"], drawn["top_p"]))
    for name in ("input_quality", "difficulty"):
        ranks = {label: rank for rank, label in enumerate(WORDS[name], 1)}
        frame[name].map(ranks).groupby(cells).mean()
    frame.min_neighbor_distance.groupby(cells).mean()
    frame[frame.safety == "safe"].sort_values("uuid").head(5)
    counts: Found = {name: frame[name].value_counts().to_dict() for name in WORDS}
    return counts | {name: _described(values) for name, values in numbers.items()}


def _described(values: "pd.Series[Any]") -> dict[str, float]:
    whole = values.dtype.kind == "i"
    lower = {name: values.quantile(q, interpolation="lower") for name, q in QUANTILES.items()}
    shown = {"min": values.min(), **lower, "max": values.max()}
    return {
        **({"total": int(values.sum())} if whole else {}),
        "mean": round(float(values.mean()), 1 if whole else 4),
        "deviation": round(float(values.std(ddof=0)), 1 if whole else 4),
        **{name: int(v) if whole else round(float(v), 4) for name, v in shown.items()},
    }


def _write(place: Path) -> None:
    from magpie_hub.columns import SFT
    from magpie_hub.records import arrow_schema
    from magpie_hub.shards.parquet import write_release

    schema = arrow_schema({field.name: field.type for field in SFT})
    tables = (_table(number, batch, schema) for number, batch in enumerate(batches(ROWS)))
    write_release(place, "train", tables, schema)


def _table(number: int, batch: Batch, schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    rows = len(batch.instructions)
    chance = np.random.default_rng(number)
    drawn = {"max_tokens": 2048, "engine": "vllm", "engine_version": "1", "revision": "5fcb290"}
    settings = [SETTINGS[row % len(SETTINGS)] for row in range(rows)]
    texts = (batch.instructions, batch.responses)
    columns: dict[str, Any] = {
        "messages": [
            [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
            for user, assistant in zip(batch.instructions, batch.responses, strict=True)
        ],
        "uuid": [uuid5(NAMESPACE, f"{number} {row}").hex for row in range(rows)],
        "model": ["org/model"] * rows,
        "personal_data": [[]] * rows,
        "gen_input_configs": [
            {**drawn, "prefix": "<user>", "seed": row, "temperature": heat, "top_p": top_p}
            for row, (heat, top_p) in enumerate(settings)
        ],
        "gen_response_configs": [{**drawn, "temperature": 0.0, "top_p": 1.0}] * rows,
        **{name: list(map(len, said)) for name, said in zip(LENGTHS, texts, strict=True)},
        **{name: [text[:80] for text in batch.instructions] for name in TEXTS},
        **{name: chance.choice(words, rows).tolist() for name, words in WORDS.items()},
        **{name: chance.poisson(200, rows) for name in WHOLE},
        **{name: chance.normal(-8, 4, rows) for name in REAL},
    }
    missing = {name: pa.nulls(rows, schema.field(name).type) for name in schema.names}
    return pa.table(missing | columns, schema=schema)


@cache
def _measured() -> tuple[Measured[Found], Measured[Found]]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "raw"
        _write(place)
        sides = measured(partial(ours, place)), measured(partial(theirs, place))
    for name, side in zip(("ours", "pandas"), sides, strict=True):
        figures = f"{side.wall_seconds:.1f} s, {side.cpu_seconds:.1f} CPU s"
        print(f"{name}: {figures}, {side.peak_bytes / 1e9:.2f} GB", file=sys.stderr)
    _compare(*(side.result for side in sides))
    return sides


def _compare(ours: Found, theirs: Found) -> None:
    for name, figures in theirs.items():
        if ours[name] != figures:
            raise RuntimeError(f"`{name}` is {ours[name]}, pandas has {figures}")


def facts_seconds() -> Pair:
    """Return the seconds of the pass, beside those of pandas."""
    ours, theirs = (side.wall_seconds for side in _measured())
    return Pair(f"seconds for {ROWS:,} rows", [ours], [theirs], _versions())


def facts_memory() -> Pair:
    """Return the memory of the pass, beside that of pandas."""
    ours, theirs = (side.peak_bytes / 1e6 for side in _measured())
    return Pair(f"MB for {ROWS:,} rows", [ours], [theirs], _versions())


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("magpie-hub", "pyarrow", "numpy", "pandas")}

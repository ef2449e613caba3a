"""HNSW against Flat on the vectors of made-up instructions, by the embedded static model.

The texts come from a seed: an opening and words of a topic, topics of very different popularity,
with planted repeats of every kind that survives exact and near deduplication. Sizes, so that the
growth can be told: each is the beginning of the largest. Knows no goal.
"""

import json
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from typing import Literal

import numpy as np

from magpie_hub.tag.embedders import STATIC, open_embedder
from magpie_hub.tag.neighbours import Neighbours, Vectors, neighbours
from tests.benchmarks import Pair

SIZES = (12_500, 25_000, 50_000, 100_000, 200_000)
MILLION = 1_000_000
OPENINGS = (
    *("Write a story about", "Explain how", "What is the difference between", "How do I"),
    *("Give me a list of", "Can you summarize", "Translate into French:", "Solve:"),
    *("Create a plan for", "Write a Python function that", "Why does", "Compare"),
    *("I am looking for advice on", "Describe", "What are the benefits of", "Help me with"),
)
FLOOD = (
    "Write a short poem about the number {} and what it means to somebody who hears it for the"
    " first time on an evening in autumn, far from home, while the rain falls on the roof; it"
    " should have four lines, rhyme, and end with a question that nobody can answer."
)
"""One instruction in a hundred is this one; of 200,000 rows 2,000 are repeats of one another."""


def texts(rows: int, seed: int = 0) -> list[str]:
    """Return made-up instructions.

    Of 100 about 83 are new, 10 an earlier one with one word in twenty changed, 4 one with its words
    in another order, 2 a copy, 1 the flood.
    """
    chance = Random(seed)
    words = _words()
    usual = list(accumulate(1 / (rank + 20) for rank in range(len(words))))
    topics = [chance.choices(words, k=24) for _ in range(4_000)]
    popular = list(accumulate(1 / (rank + 10) ** 0.8 for rank in range(len(topics))))
    inside = list(accumulate(1 / (rank + 1) for rank in range(24)))
    made: list[str] = []
    while len(made) < rows:
        kind = chance.random()
        if kind < 0.01:
            made.append(FLOOD.format(chance.randrange(10**6)))
        elif kind < 0.17 and made:
            made.append(_repeat(chance, chance.choice(made), kind, words, usual))
        else:
            topic = chance.choices(topics, cum_weights=popular)[0]
            length = min(200, 4 + int(chance.lognormvariate(2.6, 0.7)))
            own = chance.choices(topic, cum_weights=inside, k=length * 4 // 5)
            other = chance.choices(words, cum_weights=usual, k=length - len(own))
            body = own + other
            chance.shuffle(body)
            made.append(f"{chance.choice(OPENINGS)} {' '.join(body)}")
    return made


def _repeat(chance: Random, text: str, kind: float, words: list[str], usual: list[float]) -> str:
    parts = text.split(" ")
    if kind < 0.11:
        for _ in range(max(1, len(parts) // 20)):
            parts[chance.randrange(len(parts))] = chance.choices(words, cum_weights=usual)[0]
    elif kind < 0.15:
        chance.shuffle(parts)
    return " ".join(parts)


def _words() -> list[str]:
    """Return about 9,000 words, the frequent ones first: what is one token to the static model."""
    package = find_spec("wordllama")
    assert package is not None
    assert package.origin is not None
    tokenizer = Path(package.origin).parent / STATIC[1]
    known = json.loads(tokenizer.read_text("utf-8"))["model"]["vocab"]
    whole = [word[1:] for word in sorted(known, key=known.__getitem__) if word.startswith("\u2581")]
    return [word for word in whole if len(word) > 2 and word.isascii() and word.islower()]


@dataclass(frozen=True, slots=True)
class Searched:
    """What an index found, and the CPU seconds that it was built and searched in."""

    found: Neighbours
    seconds: float


@cache
def _vectors() -> Vectors:
    embedder = open_embedder("static", {})
    made = texts(max(SIZES))
    return embedder.embed([""] * len(made), made)


@cache
def _searched(rows: int, index: Literal["flat", "hnsw"]) -> Searched:
    vectors = _vectors()[:rows]
    before = _cpu_seconds()
    found = neighbours(vectors, index=index)
    searched = Searched(found, _cpu_seconds() - before)
    print(f"{index} of {rows:,} rows: {searched.seconds:.1f} CPU seconds", file=sys.stderr)
    return searched


def neighbours_seconds() -> Pair:
    """Return the CPU seconds of HNSW and of Flat, build and search together, at the largest size.

    Of both, what they share (copies put together, rows searched again) is a part; of HNSW, the
    measuring of its recall too.
    """
    ours, theirs = (_searched(max(SIZES), index).seconds for index in ("hnsw", "flat"))
    return Pair("CPU seconds", [ours], [theirs], _versions())


def neighbours_recall() -> Pair:
    """Return the share of rows whose nearest neighbour HNSW found, beside Flat's 1."""
    ours, theirs = (_searched(max(SIZES), index).found for index in ("hnsw", "flat"))
    found = (ours.min_distance <= theirs.min_distance + 1e-9).mean()
    return Pair("recall@1", [float(found)], [1.0], _versions())


def neighbours_equal() -> Pair:
    """Return the share of rows with Flat's repeat_count and earliest both, beside Flat's 1."""
    ours, theirs = (_searched(max(SIZES), index).found for index in ("hnsw", "flat"))
    equal = (ours.repeat_count == theirs.repeat_count) & (ours.earliest == theirs.earliest)
    return Pair("share of rows", [float(equal.mean())], [1.0], _versions())


def neighbours_million() -> Pair:
    """Return the CPU seconds of a million rows, extrapolated along the power law of five sizes."""
    ours, theirs = (_extrapolated(index) for index in ("hnsw", "flat"))
    unit = f"CPU seconds of {MILLION:,} rows, extrapolated from {min(SIZES):,} to {max(SIZES):,}"
    return Pair(unit, [ours], [theirs], _versions())


def _extrapolated(index: Literal["flat", "hnsw"]) -> float:
    seconds = [_searched(rows, index).seconds for rows in SIZES]
    exponent, offset = np.polyfit(np.log(SIZES), np.log(seconds), 1)
    print(f"{index}: CPU seconds grow with rows ** {exponent:.2f}", file=sys.stderr)
    return float(np.exp(offset) * MILLION**exponent)


def _cpu_seconds() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("magpie-hub", "faiss-cpu", "numpy", "wordllama")}

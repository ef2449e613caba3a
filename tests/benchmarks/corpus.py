"""Made-up rows of any number, and the truth about them: which row is a copy of which.

Of each batch three quarters are originals: a walk over real English words, each of which is
followed by one of 32. A tenth are copies of an original that lies before them, in any batch; some
are equal only on the normal form. The rest are copies with 1 to 10 % of the words replaced,
inserted or deleted. A batch follows from (seed, its number) alone, so that fewer rows are the
beginning of more, and any number of rows needs the memory of two batches. Knows no deduplication.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.neighbours import _words

BATCH = 10_000
EXACT, NEAR = 1_000, 1_500
FOLLOWING = 32
CHAINS = 1_000
BOOK = 2**24
"""Characters of the text that responses are cut from."""

STYLES = (
    *(str, str, str, str.lower, str.upper),
    lambda text: text.replace(" ", "  ", 3) + "\n",
    lambda text: text[:-1],
    lambda text: f" {text[:-1]}!!",
)
"""What becomes of an exact copy; its normal form stays."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that follow one another.

    truth: of every row, the number of the row that it is a copy of, counted from the first row of
    the first batch; -1 for an original.
    """

    instructions: list[str]
    responses: list[str]
    truth: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Score:
    """recall: share of the redundant rows that were removed; lost: groups without a survivor."""

    recall: float
    lost: int


@dataclass(frozen=True, slots=True)
class _Originals:
    """rows, copies: places in the batch, the exact copies first. words: of each of `rows`."""

    rows: NDArray[np.int64]
    copies: NDArray[np.int64]
    words: list[list[str]]


def batches(rows: int, seed: int = 0) -> Iterator[Batch]:
    """Yield `rows` rows, 10,000 at a time and the rest at last.

    Instructions of 10 words or more, 228 characters in the mean; responses of 2,300.
    """
    for number in range(-(-rows // BATCH)):
        wanted = min(BATCH, rows - number * BATCH)
        instructions, truth = _instructions(seed, number)
        yield Batch(instructions[:wanted], _responses(seed, number)[:wanted], truth[:wanted])


def score(truth: NDArray[np.int64], kept: NDArray[np.bool_]) -> Score:
    """Return how much of what is redundant was removed, and how many groups with it.

    A group is an original and its copies; all but one of its rows are redundant.
    """
    group = np.where(truth < 0, np.arange(len(truth)), truth)
    sizes = np.bincount(group, minlength=len(truth))
    survivors = np.bincount(group[kept], minlength=len(truth))
    removed = sizes - np.maximum(survivors, np.minimum(sizes, 1))
    lost = np.count_nonzero((sizes > 0) & (survivors == 0))
    return Score(float(removed.sum() / np.count_nonzero(truth >= 0)), int(lost))


def _instructions(seed: int, number: int) -> tuple[list[str], NDArray[np.int64]]:
    chance = Random(f"{seed} {number}")
    own = _originals(seed, number)
    source = chance.randrange(number) if number else 0
    earlier = _originals(seed, source) if number else _Originals(own.rows[:0], own.copies, [])
    known = earlier.words + own.words
    places = np.concatenate([earlier.rows + source * BATCH, own.rows + number * BATCH])
    made = [""] * BATCH
    for place, words in zip(own.rows.tolist(), own.words, strict=True):
        made[place] = _text(words)
    truth = np.full(BATCH, -1, np.int64)
    before = np.searchsorted(own.rows, own.copies) + len(earlier.words)
    for nth, (place, choice) in enumerate(zip(own.copies.tolist(), before.tolist(), strict=True)):
        original = chance.randrange(choice)
        words = known[original]
        truth[place] = places[original]
        made[place] = (
            chance.choice(STYLES)(_text(words)) if nth < EXACT else _text(_edited(words, chance))
        )
    return made, truth


def _originals(seed: int, number: int) -> _Originals:
    chance = np.random.default_rng((seed, number))
    copies = 1 + chance.permutation(BATCH - 1)[: EXACT + NEAR]
    rows = np.delete(np.arange(BATCH), copies)
    # The shortest has ten words, of which one edit is a tenth.
    lengths = 10 + np.minimum(chance.lognormal(3.02, 0.9, len(rows)), 400).astype(np.int64)
    ends = np.cumsum(lengths).tolist()
    walked = _walk(chance, ends[-1])
    words = [walked[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return _Originals(rows, copies, words)


def _text(words: list[str]) -> str:
    return f"{' '.join(words).capitalize()}{'.' if len(words) % 2 else '?'}"


def _edited(words: list[str], chance: Random) -> list[str]:
    """Return words of which one in a hundred to one in ten was replaced, preceded or dropped."""
    edited = list(words)
    wanted = chance.uniform(0.01, 0.1) * len(words)
    # Rounded up or down by chance, so that the mean rate stays; a row of ten words has one edit.
    edits = min(max(1, int(wanted + chance.random())), len(words) // 10)
    for place in sorted(chance.sample(range(len(words)), edits), reverse=True):
        new = chance.choice(_language()[0])
        edited[place : place + 1] = chance.choice(([new], [new, edited[place]], []))
    return edited


def _responses(seed: int, number: int) -> list[str]:
    chance = np.random.default_rng((seed, number, 1))
    book = _book()
    lengths = np.clip(chance.lognormal(7.56, 0.6, BATCH), 20, 20_000).astype(np.int64)
    starts = chance.integers(0, len(book) - lengths)
    ends = (starts + lengths).tolist()
    return [book[start:end] for start, end in zip(starts.tolist(), ends, strict=True)]


@cache
def _book() -> str:
    words = _walk(np.random.default_rng(0), BOOK // 5)
    sentences = (_text(words[at : at + 14]) for at in range(0, len(words), 14))
    return " ".join(sentences)[:BOOK]


def _walk(chance: np.random.Generator, count: int) -> list[str]:
    """Return `count` words: walks of equal length, laid end to end."""
    words, following = _language()
    steps = chance.integers(0, 256, (-(-count // CHAINS), CHAINS), dtype=np.uint8)
    path = np.empty(steps.shape, np.int16)
    at = chance.integers(0, len(words), CHAINS, dtype=np.int16)
    for row, step in zip(path, steps, strict=True):
        row[:] = at = following[at, step]
    return list(np.array(words, object)[path.T.ravel()[:count]])


@cache
def _language() -> tuple[list[str], NDArray[np.int16]]:
    """Return the words and, of each by number, what follows it: 256 numbers, the likely repeated.

    A word is followed by frequent words more often than by rare ones.
    """
    words = _words()
    usual = 1 / (np.arange(len(words)) + 20)
    chance = np.random.default_rng(0)
    followers = chance.choice(len(words), (len(words), FOLLOWING), p=usual / usual.sum())
    likely = (FOLLOWING * (np.arange(256) / 256) ** 2).astype(np.int64)
    return words, followers[:, likely].astype(np.int16)

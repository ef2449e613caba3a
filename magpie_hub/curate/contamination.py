"""Which texts overlap the prompts of a benchmark: the same prompt, or a long run of its words.

Words are those of the normal form (`exact.normal_form`: NFKC, case folded) split at whatever is no
letter, digit or mark, so that white space and punctuation never matter; invisible characters are
dropped. Where words are not separated by spaces every character stands for itself, and makes half
a word of Chinese or Japanese, or a quarter of one of Thai, Lao, Burmese or Khmer, which is about
what their words have: a run of 13 words is 26 or 52 characters there.

Runs are found by hashes of 64 bits, and every hit is compared word by word: none is owed to a
collision. An index keeps some 60 bytes a word of the benchmarks, and nothing of other texts.

Knows only texts: no files, no rows, no Hub. NumPy stands at the top, since only a stage that
decontaminates imports this module.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from magpie_hub.curate.exact import normal_form

Numbers = NDArray[np.int32]
Places = NDArray[np.int64]
Hashes = NDArray[np.uint64]

SHORT = 8
"""Words that a prompt must have at least to be looked for within a text."""
COMMON, COMMON_SHARE = 10, 0.01
"""A run in more prompts of a benchmark than 10 and than 1 % of them is boilerplate.

It says nothing of a certain prompt. The share is for benchmarks that vary every prompt many times.
"""
BLOCK = 1 << 17
"""Characters from which on texts are looked through together."""

_WORD = 4  # what a word weighs; a character that is a part of a word weighs less
_HALF = re.compile(
    "[\u3005-\u3007\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
_QUARTER = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f]")
_VARIANT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # says how to draw what is before it
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse
_INVERSE = pow(_BASE, -1, 1 << 64)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a text shares with a prompt of a benchmark.

    prompt: its number in the benchmark, from 0. shared: the normal form that both have ("exact"),
    or the run of words that both have ("words").
    """

    benchmark: str
    prompt: int
    kind: Literal["exact", "words"]
    shared: str


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The words of many texts one behind the other, by number; a 0 closes each text.

    stops: where those stand. weights, sums: of all words before a place, for each place and the
    end; the hash of a run comes from the two sums at its ends, times the shift of its start.
    """

    words: Numbers
    stops: Places
    weights: Places
    sums: Hashes
    shifts: Hashes

    def runs(self, starts: Places, weight: int) -> tuple[Places, Places]:
        """Return from these starts the shortest runs of at least a weight: starts and ends.

        A start too near to the end has none, and is left out.
        """
        ends = np.searchsorted(self.weights, self.weights[starts] + weight)
        there = ends < len(self.weights)
        return starts[there], ends[there]

    def hashes(self, starts: Places, ends: Places) -> Hashes:
        """Return the hashes of runs: the same for the same words, wherever they stand."""
        hashes: Hashes = (self.sums[ends] - self.sums[starts]) * self.shifts[starts]
        return hashes


@dataclass(frozen=True, slots=True)
class _Index:
    """The runs to look for, sorted by hash; each with where it starts in the prompts' words.

    weights: those that runs are sought by. least: the weight of a run's beginning. marks: a table
    that tells by the first bits of a hash whether it may be that of a run, or of a beginning; few
    runs of a text begin like one of a prompt.
    """

    words: Numbers
    hashes: Hashes
    starts: Places
    weights: list[int]
    least: int
    marks: NDArray[np.bool_]

    def hits(self, texts: _Sequence) -> Iterator[tuple[int, int, Numbers]]:
        """Yield for each text that shares a run with a prompt, of the first such prompt.

        As (text, start of the run in the prompts' words, its words).
        """
        starts, ends = texts.runs(np.arange(len(texts.words)), self.least)
        starts = starts[self.marks[_slots(texts.hashes(starts, ends), self.marks)]]
        found = []
        for weight in self.weights:
            own, ends = texts.runs(starts, weight)
            hashes = texts.hashes(own, ends)
            may = self.marks[_slots(hashes, self.marks)]
            own, ends, hashes = own[may], ends[may], hashes[may]
            # The last of at most this hash; -1 is the very last, and none that is equal.
            place = np.searchsorted(self.hashes, hashes, "right") - 1
            hit = self.hashes[place] == hashes
            found.append(np.stack([own[hit], ends[hit], self.starts[place[hit]]]))
        own, ends, places = np.concatenate(found, axis=1)
        rows = np.searchsorted(texts.stops, own)
        order = np.lexsort((places, rows))
        last = -1
        for row, start, end, place in np.stack([rows, own, ends, places])[:, order].T.tolist():
            run = texts.words[start:end]
            if row != last and np.array_equal(run, self.words[place : place + len(run)]):
                last = row
                yield row, place, run


class Benchmarks:
    """The prompts of benchmarks by name, and which texts overlap them.

    A text overlaps a prompt if both have the same normal form, or a run of `words` words in common.
    A prompt of fewer words is looked for as a whole, down to SHORT words; a shorter one is found by
    its normal form only. Runs that are COMMON in a benchmark do not count for it. With 13 words
    hardly anything is found that was not copied; eight are often a mere turn of phrase.

    sizes: the prompts of each benchmark. common: the runs of each that do not count.
    """

    def __init__(self, prompts: Mapping[str, Iterable[str]], *, words: int = 13) -> None:
        self.sizes: dict[str, int] = {}
        self._exact: dict[str, int] = {}
        self._numbers: dict[str, int] = {}  # from 1; 0 is a word that no prompt has
        numbers, stops = array("i"), array("q")
        for benchmark, texts in prompts.items():
            before = len(stops)
            for form in map(normal_form, texts):
                self._exact.setdefault(form, len(stops))
                for word in _words(form):
                    numbers.append(self._numbers.setdefault(word, len(self._numbers) + 1))
                stops.append(len(numbers))
                numbers.append(0)
            self.sizes[benchmark] = len(stops) - before
        self._exact.pop("", None)
        self._vocabulary = ["", *self._numbers]
        self._weights = np.array([_WORD, *map(_weight, self._numbers)], np.int64)
        # Seeded, so that an index is the same in every process.
        random = np.random.default_rng(0)
        self._random = random.integers(1 << 64, size=len(self._weights), dtype=np.uint64)

        sequence = self._sequence(numbers, stops)
        self._stops = sequence.stops
        self._firsts = np.cumsum([0, *self.sizes.values()])
        self._index, common = _index(sequence, self._firsts, _WORD * words)
        self.common: dict[str, int] = dict(zip(self.sizes, common.tolist(), strict=True))

    def overlaps(self, texts: Iterable[str]) -> list[Overlap | None]:
        """Return for each text what it shares with a benchmark; None where that is nothing.

        "exact" goes before "words"; of several prompts it is the first, in the order of the
        benchmarks and of their prompts. Many texts at once are faster than one by one.
        """
        return [overlap for block in _blocks(texts) for overlap in self._overlaps(block)]

    def _overlaps(self, texts: list[str]) -> list[Overlap | None]:
        found: list[Overlap | None] = []
        numbers, stops = array("i"), array("q")
        number = self._numbers.get
        for form in map(normal_form, texts):
            if (prompt := self._exact.get(form)) is not None:
                found.append(self._overlap(prompt, "exact", form))
            else:
                found.append(None)
                numbers.extend([number(word, 0) for word in _words(form)])
            stops.append(len(numbers))
            numbers.append(0)
        sequence = self._sequence(numbers, stops)
        for row, place, run in self._index.hits(sequence):
            prompt = int(np.searchsorted(self._stops, place))
            shared = _text([self._vocabulary[number] for number in run])
            found[row] = self._overlap(prompt, "words", shared)
        return found

    def _overlap(self, prompt: int, kind: Literal["exact", "words"], shared: str) -> Overlap:
        place = int(np.searchsorted(self._firsts, prompt, "right")) - 1
        benchmark = list(self.sizes)[place]
        return Overlap(benchmark, prompt - int(self._firsts[place]), kind, shared)

    def _sequence(self, numbers: "array[int]", stops: "array[int]") -> _Sequence:
        words = np.array(numbers, np.int32)
        powers = np.cumprod(np.full(len(words), _BASE, np.uint64))
        return _Sequence(
            words,
            np.array(stops, np.int64),
            np.append(0, np.cumsum(self._weights[words])),
            np.append(np.uint64(0), np.cumsum(self._random[words] * powers)),
            np.cumprod(np.full(len(words), _INVERSE, np.uint64), dtype=np.uint64),
        )


def _index(prompts: _Sequence, firsts: Places, full: int) -> tuple[_Index, Places]:
    """Return the runs of weight `full` and the whole prompts that weigh less; and what is common.

    firsts: of each benchmark the number of its first prompt, and of all prompts together.
    """
    stops, least = prompts.stops, min(full, _WORD * SHORT)
    starts, ends = prompts.runs(np.arange(len(prompts.words)), full)
    inside = ends <= stops[np.searchsorted(stops, starts)]
    begins = np.append(0, stops + 1)[:-1]
    weights = prompts.weights[stops] - prompts.weights[begins]
    whole = (least <= weights) & (weights < full)
    starts = np.concatenate([starts[inside], begins[whole]])
    hashes = prompts.hashes(starts, np.concatenate([ends[inside], stops[whole]]))
    order = np.lexsort((starts, hashes))
    starts, hashes = starts[order], hashes[order]

    rare, common = _rare(hashes, np.searchsorted(stops, starts), firsts)
    starts, hashes = starts[rare], hashes[rare]
    first = _changes(hashes)
    starts, hashes = starts[first], hashes[first]

    marks = np.zeros(1 << max(16, (16 * len(starts)).bit_length()), bool)
    for marked in (hashes, prompts.hashes(*prompts.runs(starts, least))):
        marks[_slots(marked, marks)] = True
    sought = [*np.unique(weights[whole]).tolist(), full]
    return _Index(prompts.words, hashes, starts, sought, least, marks), common


def _rare(hashes: Hashes, prompts: Places, firsts: Places) -> tuple[NDArray[np.bool_], Places]:
    """Return which runs are not COMMON in their benchmark, and how many are, by benchmark.

    hashes: of all runs, sorted; prompts: which each stands in, ascending among equal hashes.
    """
    benchmarks = np.searchsorted(firsts, prompts, "right") - 1
    new = _changes(hashes) | _changes(benchmarks)
    group = np.cumsum(new) - 1
    owners = benchmarks[new]
    holders = np.bincount(group[new | _changes(prompts)], minlength=len(owners))
    common = holders > np.maximum(COMMON, COMMON_SHARE * np.diff(firsts)[owners])
    return ~common[group], np.bincount(owners[common], minlength=len(firsts) - 1)


def _changes(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which values differ from the one before; the first does."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _slots(hashes: Hashes, table: NDArray[np.bool_]) -> Hashes:
    """Return the slots of hashes in a table whose length is a power of 2: their first bits."""
    return hashes >> np.uint64(65 - len(table).bit_length())


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    block, size = [], 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    yield block


class _Signs(dict[int, str]):
    """What stands for each character of a text that is parted into words; filled as they come."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if kind == "Cf" or _VARIANT.match(character):
            sign = ""
        elif kind[0] not in "LNM":
            sign = " "
        else:
            sign = character if _weight(character) == _WORD else f" {character} "
        self[code] = sign
        return sign


_SIGNS = _Signs()


def _words(form: str) -> list[str]:
    return form.translate(_SIGNS).split()


def _weight(word: str) -> int:
    if _HALF.match(word):
        return _WORD // 2
    return _WORD // 4 if _QUARTER.match(word) else _WORD


def _text(words: list[str]) -> str:
    """Return words as a text, with blanks only where a script has them."""
    return " ".join("".join(w if _weight(w) < _WORD else f" {w} " for w in words).split())

"""Which rows are near duplicates: what holds of any rows, and how much is compared."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib.util import find_spec
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate import near as nearly
from magpie_hub.curate import signatures
from magpie_hub.curate.near import Found, duplicates
from magpie_hub.curate.signatures import band_keys, signer
from magpie_hub.spec.curation import Near

NEAR = Near(backend="rensa", words=1, hashes=16, bands=8, threshold=0.6)
"""Bands of two: many rows meet, and not all that are similar do."""
WORDS = "abcdefghijklmnop"
Row = frozenset[str]


@st.composite
def edited(draw: st.DrawFn) -> list[Row]:
    """Draw rows that are a few others with words left out and put in, each row but once."""
    words = st.frozensets(st.sampled_from(WORDS), min_size=1, max_size=10)
    originals = draw(st.lists(words, min_size=1, max_size=4))
    edits = st.frozensets(st.sampled_from(WORDS), max_size=3)
    made = st.tuples(st.sampled_from(originals), edits).map(lambda pair: pair[0] ^ pair[1])
    return draw(st.lists(made.filter(bool), max_size=25, unique=True))


def find(rows: list[Row], near: Near = NEAR) -> Found:
    """Return what each of the rows lost to."""
    texts = [sorted(row) for row in rows]
    content = [blake2b("".join(text).encode(), digest_size=8).digest() for text in texts]
    signed = signer(near)(texts)

    def shingles(some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return signatures.shingles([texts[i] for i in some], near)

    everyone = np.ones(len(rows), bool)
    keys = np.ascontiguousarray(band_keys(signed, near).T)
    return duplicates(
        keys, np.frombuffer(b"".join(content), np.uint64), everyone, shingles, near.threshold
    )


def left(rows: list[Row], near: Near = NEAR) -> list[Row]:
    """Return the rows that stay."""
    survivor = find(rows, near).survivor
    return [row for i, row in enumerate(rows) if survivor[i] == i]


@contextmanager
def watched() -> Iterator[list[set[tuple[int, int]]]]:
    """Give the pairs that are compared, a set for each round and a last for the similarities."""
    rounds: list[set[tuple[int, int]]] = []
    compare = nearly._similarities

    def noting(pairs: np.ndarray, shingles: nearly.Shingles, count: int) -> np.ndarray:
        low, high = nearly._decoded(pairs, count)
        rounds.append(set(zip(low.tolist(), high.tolist(), strict=True)))
        return compare(pairs, shingles, count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearly, "_similarities", noting)
        yield rounds


def jaccard(one: Row, other: Row) -> float:
    """Return how similar two rows are."""
    return len(one & other) / len(one | other)


def connected(rows: list[Row], pairs: Iterable[tuple[int, int]]) -> list[int]:
    """Return for each row the smallest that those of the pairs that are similar connect it with."""
    smallest = list(range(len(rows)))
    for low, high in pairs:
        if jaccard(rows[low], rows[high]) >= NEAR.threshold:
            one, other = sorted((smallest[low], smallest[high]))
            smallest = [one if number == other else number for number in smallest]
    return smallest


def test_three_rows() -> None:
    """Of rows with nine of eleven words in common the first stays, of its like there is none."""
    rows = [frozenset("abcdefghij"), frozenset("klmnop"), frozenset("bcdefghijk")]

    found = find(rows)

    assert found.survivor.tolist() == [0, 1, 0]
    assert found.similarity.tolist() == [1, 1, pytest.approx(9 / 11)]


def test_no_rows() -> None:
    """Of no rows none is lost."""
    assert find([]).survivor.tolist() == []


def test_who_takes_no_part() -> None:
    """A row that takes no part is like no other, whatever its numbers are."""
    bands, content = np.zeros((2, 4), np.uint64), np.arange(4, dtype=np.uint64)
    part = np.array([True, False, True, True])

    found = duplicates(bands, content, part, lambda rows: _alike(len(rows)), 0.7)

    assert found.survivor.tolist() == [0, 1, 0, 0]
    assert found.similarity.tolist() == [1, 1, 1, 1]


def _alike(rows: int) -> tuple[np.ndarray, np.ndarray]:
    return np.tile(np.arange(9, dtype=np.uint64), rows), 9 * np.arange(rows + 1)


@given(edited())
def test_doing_it_again_drops_nothing(rows: list[Row]) -> None:
    """What stays is what stays of it."""
    kept = left(rows)

    assert left(kept) == kept


@given(edited())
def test_no_group_is_lost(rows: list[Row]) -> None:
    """A row loses to one that stays: the smallest index that similar pairs connect it with."""
    with watched() as compared:
        survivor = find(rows).survivor

    assert survivor.tolist() == connected(rows, set().union(*compared))


@given(edited())
def test_against_all_pairs(rows: list[Row]) -> None:
    """A row loses only to one that it would lose to if all pairs were compared."""
    everything = connected(rows, combinations(range(len(rows)), 2))

    assert [everything[row] for row in find(rows).survivor] == everything


@given(edited())
def test_the_similarity_to_what_stays(rows: list[Row]) -> None:
    """It is the Jaccard similarity of the row and the one that it lost to; 1 for one that stays."""
    found = find(rows)

    expected = [jaccard(row, rows[found.survivor[i]]) for i, row in enumerate(rows)]
    assert found.similarity.tolist() == pytest.approx(expected)


@given(edited())
def test_no_two_that_stay_were_found_similar(rows: list[Row]) -> None:
    """Of the pairs that were compared, and were similar, at most one row stays."""
    with watched() as compared:
        survivor = find(rows).survivor

    for low, high in set().union(*compared):
        if jaccard(rows[low], rows[high]) >= NEAR.threshold:
            assert survivor[low] != low or survivor[high] != high


@given(edited(), st.data())
def test_the_order_of_rows(rows: list[Row], data: st.DataObject) -> None:
    """What is compared first depends on what rows say, and not on how they are ordered."""

    def first(some: list[Row]) -> set[frozenset[Row]]:
        with watched() as compared:
            find(some)
        return {frozenset((some[low], some[high])) for low, high in compared[0]}

    assert first(data.draw(st.permutations(rows))) == first(rows)


@pytest.mark.parametrize("near", [Near(backend="rensa"), Near.model_validate("high-recall")])
@pytest.mark.parametrize("common", [84, 90, 95])
def test_recall(near: Near, common: int) -> None:
    """Of pairs as similar as J, the share 1 - (1 - J^rows)^bands is found; four deviations off."""
    count = 300
    shared = [[f"p{pair}w{word}" for word in range(common)] for pair in range(count)]
    sides = [[f"{side}{word}" for word in range(100 - common)] for side in "ab"]
    rows = [frozenset(words + own) for own in sides for words in shared]

    survivor = find(rows, near.model_copy(update={"words": 1})).survivor

    similar = jaccard(rows[0], rows[count])
    chance = 1 - (1 - similar**near.rows) ** near.bands
    found = sum(survivor[count + pair] == pair for pair in range(count)) / count
    assert (survivor[:count] == range(count)).all()
    assert abs(found - chance) <= 4 * (chance * (1 - chance) / count) ** 0.5 + 1 / count


@pytest.mark.parametrize("groups", [1, 2, 10, 200, 2_000])
def test_a_hot_bucket(groups: int) -> None:
    """Rows of one bucket are compared with few others, and found where another band helps.

    What was compared before is not compared again: each round has fewer pairs.
    """
    count = 2_000
    group = np.random.default_rng(1).permutation(np.arange(count) % groups)
    content = np.random.default_rng(2).integers(0, 2**63, count).astype(np.uint64)

    def shingles(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.arange(3) + 10 * group[rows][:, None]
        return numbers.astype(np.uint64).ravel(), 3 * np.arange(len(rows) + 1)

    with watched() as compared:
        bands = np.zeros((4, count), np.uint64)
        bands[2] = group
        survivor = duplicates(bands, content, np.ones(count, bool), shingles, 0.7).survivor

    rounds = [len(one) for one in compared[:-1]]
    assert rounds == sorted(rounds, reverse=True)
    assert sum(rounds) <= len(bands) * nearly.NEIGHBOURS * count
    assert (group[survivor] == group).all()
    assert len(set(survivor.tolist())) == groups


@pytest.mark.skipif(
    find_spec("text_dedup") is None, reason="text-dedup runs under Python 3.12 and newer only"
)
@given(st.lists(st.frozensets(st.integers(0, 9)), min_size=1, max_size=6), st.integers(1, 30))
def test_jaccard_against_text_dedup(sets: list[frozenset[int]], at_once: int) -> None:
    """It is text-dedup's, however many are compared at once; but two empty sets share nothing."""
    from text_dedup.utils.jaccard import jaccard_similarity

    numbers = np.array([n for one in sets for n in sorted(one)], np.uint64)
    offsets = np.cumsum([0, *map(len, sets)])
    pairs = [(a, b) for a in range(len(sets)) for b in range(len(sets))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearly, "AT_ONCE", at_once)

        one, other = np.array(pairs).T
        found = nearly._jaccard(one, other, numbers, offsets)

    expected = [
        jaccard_similarity({*map(str, sets[a])}, {*map(str, sets[b])}) if sets[a] | sets[b] else 0
        for a, b in pairs
    ]
    assert found.tolist() == expected

"""Which rows are taken: the highest, a sample, or by quotas; never by the order that they come in.

Rows are numbered from 0; `ties` are small numbers here, and hashes of uuids in a build.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate.select import hashes, most, parts, quotas, sample, top

ALL = np.ones(6, dtype=bool)
ORDER = np.array([5.0, 7.0, 5.0, np.nan, 5.0, 9.0])
TIES = np.array([3, 6, 1, 5, 2, 4], dtype=np.uint64)


def mask(*rows: int, of: int = 6) -> np.ndarray:
    """Return the mask of these rows."""
    return np.isin(np.arange(of), rows)


def rows(taken: np.ndarray) -> list[int]:
    """Return the numbers of the rows of a mask."""
    assert taken.dtype == bool
    return np.flatnonzero(taken).tolist()


@pytest.mark.parametrize(
    ("size", "taken"),
    [
        (0, []),
        (1, [5]),
        (2, [1, 5]),
        # Of the three with a 5, the lowest of `ties` comes first.
        (3, [1, 2, 5]),
        (4, [1, 2, 4, 5]),
        (5, [0, 1, 2, 4, 5]),
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_top(size, taken):
    """The highest are taken, equals by their ties, what has no value last."""
    assert rows(top(ALL, ORDER, TIES, size)) == taken


def test_top_takes_of_the_mask_only():
    """A row that did not pass is not taken, however high it is; order may be whole numbers."""
    assert rows(top(mask(0, 2, 3), ORDER, TIES, 1)) == [2]
    assert rows(top(mask(), ORDER, TIES, 3)) == []
    assert rows(top(mask(0, 1, 2), np.array([5, 7, 9, 11, 13, 15]), TIES, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("size", "taken"), [(0, []), (2, [2, 4]), (4, [0, 2, 4, 5]), (9, [0, 1, 2, 3, 4, 5])]
)
def test_sample(size, taken):
    """The lowest of `ties` are taken, so that a larger sample holds the smaller."""
    assert rows(sample(ALL, TIES, size)) == taken


def test_sample_takes_of_the_mask_only():
    """A row that did not pass is not taken, however low its tie is."""
    assert rows(sample(mask(1, 3), TIES, 1)) == [3]


EASY, HARD = mask(0, 2, 4), mask(1, 3, 5)
HALVES = (0.5, 0.5)


@pytest.mark.parametrize(
    ("passed", "size", "taken", "missing"),
    [
        (ALL, 2, [2, 5], [0, 0]),
        # An odd row goes to the first.
        (ALL, 3, [2, 4, 5], [0, 0]),
        (ALL, 4, [1, 2, 4, 5], [0, 0]),
        (ALL, 8, [0, 1, 2, 3, 4, 5], [1, 1]),
        # What one lacks the other does not make up.
        (mask(0, 1, 3, 5), 4, [0, 1, 5], [1, 0]),
        # Without a size, as many as all can give their share of.
        (ALL, None, [0, 1, 2, 3, 4, 5], [0, 0]),
        (mask(0, 1, 3, 5), None, [0, 5], [0, 0]),
        (mask(1, 3, 5), None, [], [0, 0]),
    ],
)
def test_quotas(passed, size, taken, missing):
    """Each stratum gives its share, the highest first, and says what it lacks."""
    found = quotas(passed, [EASY, HARD], HALVES, ORDER, TIES, size)

    assert rows(found[0]) == taken
    assert found[1] == missing


@pytest.mark.parametrize(
    ("size", "shares", "whole"),
    [
        (200_000, HALVES, [100_000, 100_000]),
        (5, HALVES, [3, 2]),
        (10, (0.3, 0.3, 0.3, 0.1), [3, 3, 3, 1]),
        (4, (0.3, 0.3, 0.4), [1, 1, 2]),
        (2, (0.1, 0.15, 0.75), [0, 0, 2]),
        (7, (0.29, 0.71), [2, 5]),
        (0, HALVES, [0, 0]),
        (3, (1.0,), [3]),
    ],
)
def test_parts(size, shares, whole):
    """Shares of a size are whole rows that add up; what is over goes to the largest rest."""
    assert parts(size, shares) == whole


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.data())
def test_most(counts, data):
    """The largest size fits every stratum, and one row more does not."""
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(counts), max_size=len(counts)))
    shares = [weight / sum(weights) for weight in weights]
    strata = np.repeat(np.arange(len(counts)), counts)
    masks = [strata == number for number in range(len(counts))]

    size = most(np.ones(len(strata), dtype=bool), masks, shares)

    def fits(size: int) -> bool:
        return all(part <= n for part, n in zip(parts(size, shares), counts, strict=True))

    assert fits(size)
    assert not any(fits(size + more) for more in range(1, 9))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1), st.data())
def test_the_order_of_rows_does_not_matter(given_rows, data):
    """The same rows are taken of a shuffled table, by each of the ways, many equals or not."""
    count = len(given_rows)
    shuffled = np.array(data.draw(st.permutations(range(count))))
    size = data.draw(st.integers(0, count))
    passed = np.array([is_in for is_in, _ in given_rows])
    order = np.array([value for _, value in given_rows])
    ties = hashes(str(number) for number in range(count))

    def taken(new):
        high, low = order[new] > 1, order[new] <= 1
        found = [
            top(passed[new], order[new], ties[new], size),
            sample(passed[new], ties[new], size),
            quotas(passed[new], [high, low], HALVES, order[new], ties[new], size)[0],
        ]
        return [set(new[one].tolist()) for one in found]

    assert taken(shuffled) == taken(np.arange(count))
    assert [len(one) for one in taken(shuffled)][:2] == 2 * [min(size, int(passed.sum()))]


def test_hashes():
    """They are those of `printf 34 | b2sum -l 64`, on any machine; none for no rows."""
    found = hashes(["34", "ü"])

    assert found.dtype == np.uint64
    assert found[0] == 0x2CB08FAE690ADE87
    assert hashes([]).tolist() == []

"""Which rows are near duplicates of one another: candidates by signatures, verified by shingles.

Rows that share a band of their signatures stand in one bucket. In it, in an order that depends on
what they say alone, each is compared with the next few: work grows linearly with a bucket. The
order is that of the next band, so that rows which are alike in more than one band stand together,
then that of a hash of the content. Pairs that are similar enough are edges; of what edges connect,
the row with the smallest index survives. Then the survivors are compared in the same way, until no
two of those that are compared are similar, so that doing it again drops nothing more. Knows numbers
only: no text, no file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NEIGHBOURS = 3
"""With how many that follow it in a bucket a row is compared; of four rows all pairs are."""
AT_ONCE = 250_000
"""Shingles that are compared at once; each takes some 50 bytes of memory."""

Shingles = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Rows, ascending, to their distinct shingles: `numbers[offsets[i] : offsets[i + 1]]`, sorted."""


@dataclass(frozen=True, slots=True)
class Found:
    """What each row lost to.

    survivor: the index of the row that stays, a row's own where it does. similarity: of the two,
    by shingles; it may be under the threshold where others connect them. 1 for a survivor.
    """

    survivor: np.ndarray
    similarity: np.ndarray


def duplicates(
    bands: np.ndarray,
    content: np.ndarray,
    taking_part: np.ndarray,
    shingles: Shingles,
    least: float,
) -> Found:
    """Return what every row lost to.

    bands: (bands, rows), a 64-bit number for each band of each signature. content: (rows), a hash
    that orders rows by what they say. taking_part: (rows), False for a row that is like no other.
    least: the Jaccard similarity of an edge.
    """
    count = bands.shape[1]
    buckets = [
        _members(band, bands[number - len(bands) + 1], content, taking_part)
        for number, band in enumerate(bands)
    ]
    alive = taking_part.copy()
    survivor = np.arange(count)
    seen = np.zeros(0, np.uint64)
    while True:
        pairs = _unseen(buckets, seen, count)
        similar = pairs[_similarities(pairs, shingles, count) >= least]
        if not len(similar):
            break
        seen = np.union1d(seen, pairs)
        dropped, kept = _components(similar, count)
        survivor[dropped] = kept
        alive[dropped] = False
        buckets = [bucket.only(alive) for bucket in buckets]
    # What a row lost to may have lost to another in a later round.
    while (further := survivor[survivor] != survivor).any():
        survivor[further] = survivor[survivor[further]]
    return Found(survivor, _to_survivors(survivor, shingles))


@dataclass(frozen=True, slots=True)
class _Buckets:
    """The buckets of one band with two rows or more: rows, one bucket after another."""

    rows: np.ndarray
    starts: np.ndarray
    """True where a bucket begins."""

    def only(self, alive: np.ndarray) -> "_Buckets":
        """Return the buckets of the rows that are alive, those of one left out."""
        number = np.cumsum(self.starts)[alive[self.rows]]
        rows = self.rows[alive[self.rows]]
        return _buckets(rows, number)

    def pairs(self, count: int) -> np.ndarray:
        """Return the pairs to compare, each as one number."""
        number = np.cumsum(self.starts)
        pairs = [np.zeros(0, np.uint64)]
        for away in range(1, NEIGHBOURS + 1):
            one = np.flatnonzero(number[away:] == number[:-away])
            pairs.append(_coded(self.rows[one], self.rows[one + away], count))
        return np.unique(np.concatenate(pairs))


def _members(
    band: np.ndarray, after: np.ndarray, content: np.ndarray, taking_part: np.ndarray
) -> _Buckets:
    rows = np.flatnonzero(taking_part)
    rows = rows[np.lexsort((content[rows], after[rows], band[rows]))]
    return _buckets(rows, band[rows])


def _buckets(rows: np.ndarray, keys: np.ndarray) -> _Buckets:
    """Return buckets of rows that are sorted by the key of their bucket."""
    starts = np.ones(len(rows), bool)
    starts[1:] = keys[1:] != keys[:-1]
    alone = starts & np.append(starts[1:], True)
    return _Buckets(rows[~alone], starts[~alone])


def _coded(one: np.ndarray, other: np.ndarray, count: int) -> np.ndarray:
    low, high = np.minimum(one, other), np.maximum(one, other)
    coded: np.ndarray = low.astype(np.uint64) * np.uint64(count) + high.astype(np.uint64)
    return coded


def _decoded(pairs: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.divmod(pairs, np.uint64(max(count, 1)))
    return low.astype(np.int64), high.astype(np.int64)


def _unseen(buckets: list[_Buckets], seen: np.ndarray, count: int) -> np.ndarray:
    pairs = np.zeros(0, np.uint64)
    for bucket in buckets:
        pairs = np.union1d(pairs, bucket.pairs(count))
    return np.setdiff1d(pairs, seen, assume_unique=True)


def _components(edges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that edges connect to one of a smaller index, and that row for each."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    low, high = _decoded(edges, count)
    rows = np.union1d(low, high)
    ends = np.searchsorted(rows, low), np.searchsorted(rows, high)
    graph = coo_array((np.ones(len(low), bool), ends), shape=(len(rows), len(rows)))
    _, component = connected_components(graph, directed=False)
    # Rows ascend, so that the first of a component is its smallest.
    _, first = np.unique(component, return_index=True)
    smallest = rows[first[component]]
    lost = smallest != rows
    return rows[lost], smallest[lost]


def _similarities(pairs: np.ndarray, shingles: Shingles, count: int) -> np.ndarray:
    low, high = _decoded(pairs, count)
    rows = np.union1d(low, high)
    return _jaccard(np.searchsorted(rows, low), np.searchsorted(rows, high), *shingles(rows))


def _to_survivors(survivor: np.ndarray, shingles: Shingles) -> np.ndarray:
    similarity = np.ones(len(survivor), np.float32)
    lost = np.flatnonzero(survivor != np.arange(len(survivor)))
    pairs = _coded(survivor[lost], lost, len(survivor))
    similarity[lost] = _similarities(pairs, shingles, len(survivor))
    return similarity


def _jaccard(
    one: np.ndarray, other: np.ndarray, numbers: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Return the Jaccard similarity of pairs of sets."""
    sizes = np.diff(offsets)
    together = sizes[one] + sizes[other]
    common = np.zeros(len(one), np.int64)
    reached, start = np.cumsum(together), 0
    while start < len(one):
        before = reached[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(reached, before + AT_ONCE, side="right")))
        common[start:stop] = _common(one[start:stop], other[start:stop], numbers, offsets)
        start = stop
    found: np.ndarray = common / np.maximum(together - common, 1)
    return found


def _common(
    one: np.ndarray, other: np.ndarray, numbers: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Return how many numbers two sets share, pair by pair: those that stand twice in both."""
    owners, places = [], []
    for side in (one, other):
        sizes = offsets[side + 1] - offsets[side]
        owners.append(np.repeat(np.arange(len(side)), sizes))
        begin = np.repeat(offsets[side] - np.cumsum(sizes) + sizes, sizes)
        places.append(begin + np.arange(len(begin)))
    owner, values = np.concatenate(owners), numbers[np.concatenate(places)]
    order = np.lexsort((values, owner))
    owner, values = owner[order], values[order]
    twice = (owner[1:] == owner[:-1]) & (values[1:] == values[:-1])
    return np.bincount(owner[1:][twice], minlength=len(one))

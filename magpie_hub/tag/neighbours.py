"""Nearest neighbours of rows by their vectors, as the published Magpie datasets define them.

Distances are squared L2 on unit vectors; two rows nearer than 0.05 (a cosine above 0.975) count as
repeats. A row is kept later if it is the earliest of its own neighbourhood; that is no grouping,
since of a chain a ~ b ~ c the last is dropped for b although it is far from a.

Small sets are searched exactly (FAISS Flat), larger ones through an HNSW graph. FAISS decides in
float32 or less which rows come up; what is reported of them, and whether they are repeats, is
computed again in float64 from the two vectors alone. So the answer does not hang on BLAS, nor on
the number of threads: FAISS builds the same graph with any number of them, from 1.15.1 on; threads
of older versions link it in an order of chance.

Takes and returns arrays. Knows no embedder, no file and no run; NumPy stands at the top, since
only a stage that has vectors imports this module.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import faiss

Vectors = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DISTANCE = 0.05
"""Nearer than this, two rows are repeats of each other."""
FLAT_ROWS = 100_000
"""Up to so many distinct vectors are searched exactly.

In 256 dimensions both indexes take about as many CPU seconds at 70,000 rows, and at 200,000 HNSW
takes half of Flat's (`tests/benchmarks/neighbours.py`); what is gained before is not worth a guess.
"""
K = 32
"""Neighbours that a search looks for; a row that has so many within DISTANCE may have more."""
LINKS, EF_CONSTRUCTION, EF_SEARCH = 16, 100, 128
"""Of the graph: links of a vector, and how many candidates are kept when it is built, searched."""
SLACK = 1e-3
"""More than a squared distance is off by: 2e-4 with vectors in 16 bits, 1e-6 in 32."""
SAMPLE = 1_000
"""Distinct vectors that the recall of HNSW is measured on."""
BLOCK = 8_192
"""Vectors, or pairs of them, that are worked on at once: 16 MiB in float64 at 256 dimensions."""
QUERIES = 256
"""Vectors that are compared with a block of all others at once: 16 MiB of distances."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the neighbours of each row are, and how they were found.

    min_distance: squared L2 to the nearest other row; NaN where there is only one row.
    repeat_count: other rows nearer than DISTANCE. earliest: the smallest index among the row and
    those; -1 where there are none. index: "flat" or "hnsw".
    recall: of HNSW, the share of a sample of distinct vectors whose nearest it found; else None.
    searched_again: rows of which the search found K neighbours within DISTANCE, so that they were
    compared with every other row.
    """

    min_distance: Floats
    repeat_count: Indices
    earliest: Indices
    index: Literal["flat", "hnsw"]
    recall: float | None
    searched_again: int


@dataclass(frozen=True, slots=True)
class _Distinct:
    """The vectors that differ; how many rows have each, and the first that does."""

    vectors: Vectors
    rows: Indices
    first: Indices


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of the neighbours of some distinct vectors.

    nearest: the distance to the nearest other vector, infinite where there is none. count: rows of
    other vectors within DISTANCE. earliest: the first of these rows and of the vector's own.
    """

    nearest: Floats
    count: Indices
    earliest: Indices


def neighbours(vectors: Vectors, *, index: Literal["auto", "flat", "hnsw"] = "auto") -> Neighbours:
    """Return the neighbours of rows among themselves.

    vectors: float32 (rows, dimensions) of unit length. index: which to search; "auto" goes by
    FLAT_ROWS.
    """
    distinct, place = _distinct(vectors)
    if index == "auto":
        index = "flat" if len(distinct.rows) <= FLAT_ROWS else "hnsw"
    found, full = _search(distinct, _flat(distinct) if index == "flat" else _hnsw(distinct))
    recall = _recall(distinct, found) if index == "hnsw" else None
    exact = _compare(distinct, full)
    found.nearest[full], found.count[full] = exact.nearest, exact.count
    found.earliest[full] = exact.earliest

    repeated = distinct.rows > 1
    count = found.count + distinct.rows - 1
    nearest = np.where(repeated, 0.0, found.nearest)
    return Neighbours(
        np.where(np.isinf(nearest), np.nan, nearest)[place],
        count[place],
        np.where(count > 0, found.earliest, -1)[place],
        index,
        recall,
        int(distinct.rows[full].sum()),
    )


def _distinct(vectors: Vectors) -> tuple[_Distinct, Indices]:
    """Return the distinct vectors, in order, and each row's place among them.

    Many rows with one vector would fill a search with themselves, and tie up a graph's links.
    """
    seen: dict[bytes, int] = {}
    digests = (blake2b(row.tobytes(), digest_size=16).digest() for row in vectors)
    place = np.fromiter((seen.setdefault(digest, len(seen)) for digest in digests), np.int64)
    _, first, rows = np.unique(place, return_index=True, return_counts=True)
    return _Distinct(np.ascontiguousarray(vectors[first]), rows, first), place


def _flat(distinct: _Distinct) -> "faiss.Index":
    import faiss

    index = faiss.IndexFlatL2(distinct.vectors.shape[1])
    index.add(distinct.vectors)
    return index


def _hnsw(distinct: _Distinct) -> "faiss.Index":
    import faiss

    kind = faiss.ScalarQuantizer.QT_fp16
    # The library's stub asks for another type than the library takes.
    index = faiss.IndexHNSWSQ(distinct.vectors.shape[1], kind, LINKS)  # type: ignore[arg-type]
    index.hnsw.efConstruction = EF_CONSTRUCTION
    index.hnsw.efSearch = EF_SEARCH
    index.add(distinct.vectors)
    return index


def _search(distinct: _Distinct, index: "faiss.Index") -> tuple[_Found, Indices]:
    """Return what an index finds, and the places of vectors that may have more than K repeats."""
    total = len(distinct.rows)
    found = _Found(np.full(total, np.inf), np.zeros(total, np.int64), distinct.first.copy())
    full = [np.empty(0, np.int64)]
    for start in range(0, total, BLOCK):
        own = np.arange(start, min(start + BLOCK, total))
        # One more than K, since a vector comes up for itself, if not always first.
        distances, hits = index.search(distinct.vectors[own], K + 1)
        distances[(hits == own[:, None]) | (hits < 0)] = np.inf
        full.append(own[(distances < DISTANCE + SLACK).sum(axis=1) >= K])
        limits = np.maximum(distances.min(axis=1), DISTANCE) + SLACK
        row, column = np.nonzero(distances < limits[:, None])
        left, right = own[row], hits[row, column]
        exact = _squared_distances(distinct.vectors, left, right)
        np.minimum.at(found.nearest, left, exact)
        left, right = left[exact < DISTANCE], right[exact < DISTANCE]
        np.add.at(found.count, left, distinct.rows[right])
        np.minimum.at(found.earliest, left, distinct.first[right])
    return found, np.concatenate(full)


def _compare(distinct: _Distinct, own: Indices) -> _Found:
    """Return what comparing the vectors at the places `own` with all others finds.

    In float64, whose matrix products are off by 1e-14 here; no pair is kept, however many are near.
    """
    total = len(distinct.rows)
    found = _Found(np.full(len(own), np.inf), np.zeros(len(own), np.int64), distinct.first[own])
    for start in range(0, len(own), QUERIES):
        part = slice(start, start + QUERIES)
        mine = distinct.vectors[own[part]].astype(np.float64)
        closest = own[part].copy()
        for begin in range(0, total, BLOCK):
            block = slice(begin, begin + BLOCK)
            distances = _all_distances(mine, distinct.vectors[block].astype(np.float64))
            distances[own[part, None] == np.arange(total)[block]] = np.inf
            row, column = np.nonzero(distances < DISTANCE)
            np.add.at(found.count[part], row, distinct.rows[block][column])
            np.minimum.at(found.earliest[part], row, distinct.first[block][column])
            least = distances.min(axis=1)
            nearer = least < found.nearest[part]
            found.nearest[part][nearer] = least[nearer]
            closest[nearer] = begin + distances[nearer].argmin(axis=1)
        some = np.isfinite(found.nearest[part])
        found.nearest[part][some] = _squared_distances(
            distinct.vectors, own[part][some], closest[some]
        )
    return found


def _all_distances(left: Floats, right: Floats) -> Floats:
    """Return the squared distances of every row of `left` to every one of `right`."""
    squares = [np.einsum("ij,ij->i", side, side) for side in (left, right)]
    distances: Floats = squares[0][:, None] + squares[1] - 2 * (left @ right.T)
    return distances


def _recall(distinct: _Distinct, found: _Found) -> float:
    chance = np.random.default_rng(0)
    total = len(distinct.rows)
    sample = chance.choice(total, min(SAMPLE, total), replace=False)
    return float((found.nearest[sample] <= _compare(distinct, sample).nearest + 1e-9).mean())


def _squared_distances(vectors: Vectors, left: Indices, right: Indices) -> Floats:
    """Return the squared distances of pairs in float64, each from its two vectors alone."""
    distances = np.empty(len(left))
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        apart = vectors[left[part]].astype(np.float64) - vectors[right[part]]
        distances[part] = np.einsum("ij,ij->i", apart, apart)
    return distances

"""Neighbours are those of brute force, by either index, however many rows are alike."""

import time

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie_hub.tag.neighbours import DISTANCE, K, Neighbours, neighbours


def unit(rows):
    """Return rows of numbers as float32 vectors of length 1."""
    vectors = np.asarray(rows, np.float64)
    return (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32)


def at_angles(*degrees):
    """Return unit vectors in the plane; 12 degrees apart is 0.0437, 13 degrees is 0.0513."""
    turned = np.radians(degrees)
    return unit(np.stack([np.cos(turned), np.sin(turned)], axis=1))


def brute_force(vectors):
    """Return the three columns as magpie.md defines them, row by row in float64."""
    vectors = vectors.astype(np.float64)
    columns = []
    for row, vector in enumerate(vectors):
        distances = ((vectors - vector) ** 2).sum(axis=1)
        distances[row] = np.inf
        near = np.flatnonzero(distances < DISTANCE)
        nearest = distances.min() if len(vectors) > 1 else np.nan
        columns.append((nearest, len(near), min(row, *near) if len(near) else -1))
    return [np.array(column) for column in zip(*columns, strict=True)]


def planted():
    """Return 2,000 random directions with copies, near copies, a chain and a crowd among them."""
    chance = np.random.default_rng(0)
    rows = unit(chance.normal(size=(2_000, 48))).astype(np.float64)
    rows[1_000:1_100] = rows[:100]
    rows[1_100:1_300] = unit(rows[:200]) + 0.015 * chance.normal(size=(200, 48))
    rows[1_300:1_400] = rows[7] + 0.01 * chance.normal(size=(100, 48))
    step = unit(rows[8:9] - (rows[8] @ rows[9]) * rows[9])[0]
    angles = np.radians(12 * np.arange(1, 6))[:, None]
    rows[1_400:1_405] = np.cos(angles) * rows[9] + np.sin(angles) * step
    return unit(rows)


def same(found: Neighbours, vectors):
    """Assert that what was found is what brute force finds, to the last nanounit of distance."""
    nearest, count, earliest = brute_force(vectors)
    np.testing.assert_allclose(found.min_distance, nearest, rtol=0, atol=1e-9)
    assert found.repeat_count.tolist() == count.tolist()
    assert found.earliest.tolist() == earliest.tolist()


def test_the_earliest_is_not_the_nearest():
    """Of rows at 0, 12, 13 and 90 degrees the third repeats only the second, which is nearest."""
    found = neighbours(at_angles(0, 12, 13, 90))
    assert found.repeat_count.tolist() == [1, 2, 1, 0]
    assert found.earliest.tolist() == [0, 0, 1, -1]
    expected = [2 - 2 * np.cos(np.radians(angle)) for angle in (12, 1, 1, 77)]
    assert found.min_distance.tolist() == pytest.approx(expected, abs=1e-6)
    assert (found.index, found.recall, found.searched_again) == ("flat", None, 0)


def test_copies_count_one_by_one():
    """Copies of a vector repeat one another at distance 0, and whatever is near to any of them."""
    found = neighbours(at_angles(90, 10, 0, 10, 90, 45))
    assert found.min_distance.tolist()[:2] == found.min_distance.tolist()[3:5] == [0.0, 0.0]
    assert found.repeat_count.tolist() == [1, 2, 2, 2, 1, 0]
    assert found.earliest.tolist() == [0, 1, 1, 1, 0, -1]


@pytest.mark.parametrize("index", ["flat", "hnsw"])
def test_equals_brute_force(index):
    """On 2,000 rows with every kind of repeat the columns are those of brute force."""
    vectors = planted()
    found = neighbours(vectors, index=index)
    same(found, vectors)
    assert found.index == index
    assert found.recall == (None if index == "flat" else 1.0)
    assert found.searched_again > K


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 72), max_size=60))
def test_small_sets(steps):
    """Any rows at angles of 5 degrees, few enough that many are equal, are as brute force says."""
    vectors = at_angles(*(5 * step for step in steps)) if steps else np.empty((0, 2), np.float32)
    found = neighbours(vectors)
    if steps:
        same(found, vectors)
    assert len(found.min_distance) == len(found.repeat_count) == len(found.earliest) == len(steps)


@pytest.mark.parametrize("noise", [0.0, 1e-4])
@pytest.mark.parametrize("index", ["flat", "hnsw"])
def test_five_thousand_alike(index, noise):
    """A bucket of 5,000 equal or all but equal rows is counted whole, in seconds."""
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(6_000, 64))
    rows[500:5_500] = rows[0] + noise * chance.normal(size=(5_000, 64))
    begun = time.process_time()
    found = neighbours(unit(rows), index=index)
    assert time.process_time() - begun < 30
    alike = [0, *range(500, 5_500)]
    assert set(found.repeat_count[alike].tolist()) == {5_000}
    assert set(found.earliest[alike].tolist()) == {0}
    assert found.searched_again == (5_001 if noise else 0)
    assert found.min_distance[alike].max() <= 1e-6


@pytest.mark.parametrize("index", ["flat", "hnsw"])
def test_threads_change_nothing(monkeypatch, index):
    """One thread and four find the same to the last bit, in a graph too sparse to find all."""
    for setting in ("LINKS", "EF_CONSTRUCTION", "EF_SEARCH"):
        monkeypatch.setattr(f"magpie_hub.tag.neighbours.{setting}", 4)
    vectors = planted()
    before = faiss.omp_get_max_threads()
    found = []
    try:
        for threads in (1, 4):
            faiss.omp_set_num_threads(threads)
            found.append(neighbours(vectors, index=index))
    finally:
        faiss.omp_set_num_threads(before)
    for column in ("min_distance", "repeat_count", "earliest"):
        np.testing.assert_array_equal(getattr(found[0], column), getattr(found[1], column))
    assert index == "flat" or found[0].recall < 0.98


def test_recall_is_measured(monkeypatch):
    """A graph that is searched too narrowly says what share of a sample it found."""
    monkeypatch.setattr("magpie_hub.tag.neighbours.EF_CONSTRUCTION", 1)
    monkeypatch.setattr("magpie_hub.tag.neighbours.LINKS", 2)
    vectors = unit(np.random.default_rng(0).normal(size=(3_000, 48)))
    found = neighbours(vectors, index="hnsw")
    truth = brute_force(vectors)[0]
    recall = (found.min_distance <= truth + 1e-9).mean()
    assert found.recall == pytest.approx(recall, abs=0.05)
    assert recall < 0.9


def test_the_index_goes_by_distinct_vectors(monkeypatch):
    """Copies do not count for the choice between the indexes."""
    monkeypatch.setattr("magpie_hub.tag.neighbours.FLAT_ROWS", 3)
    assert neighbours(at_angles(0, 0, 0, 40, 80)).index == "flat"
    assert neighbours(at_angles(0, 0, 20, 40, 80)).index == "hnsw"


def test_one_row_has_no_neighbour():
    """A row alone has no distance, no repeats and no earliest."""
    found = neighbours(at_angles(0))
    assert np.isnan(found.min_distance).tolist() == [True]
    assert (found.repeat_count.tolist(), found.earliest.tolist()) == ([0], [-1])

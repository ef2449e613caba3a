"""What the benchmarks of curation stand on: a corpus whose truth holds, and honest measuring."""

import json
import sys
from collections import Counter, defaultdict
from functools import partial
from itertools import combinations, pairwise

import numpy as np
import pytest

from magpie_hub.curate.exact import normal_form
from tests.benchmarks.corpus import BATCH, EXACT, NEAR, Score, batches, score
from tests.benchmarks.measured import growth, measured, measured_command
from tests.benchmarks.peers_near import write

ORPHAN = """
import os, time
if not os.fork():
    os.setsid()
    held = bytearray(100 << 20)
    while time.process_time() < 0.3:
        pass
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def made():
    """Return 20,000 rows as (instructions, responses, truth)."""
    first, second = batches(2 * BATCH)
    truth = np.concatenate([first.truth, second.truth])
    return first.instructions + second.instructions, first.responses + second.responses, truth


def distance(left, right):
    """Return the least number of words to replace, insert or delete."""
    row = list(range(len(right) + 1))
    for nth, word in enumerate(left, 1):
        above, row[0] = row[:], nth
        for at, other in enumerate(right):
            row[at + 1] = min(above[at] + (word != other), above[at + 1] + 1, row[at] + 1)
    return row[-1]


def alike(texts, jaccard=0.7):
    """Return all pairs whose word 2-grams reach `jaccard`.

    Two such share one of their rarest 2-grams, when that many are taken of each.
    """
    grams = [set(pairwise(normal_form(text).split(" "))) for text in texts]
    often = Counter(gram for of in grams for gram in of)
    holders = defaultdict(list)
    for row, of in enumerate(grams):
        for gram in sorted(of, key=lambda gram: (often[gram], gram))[: int(len(of) * 0.3) + 1]:
            holders[gram].append(row)
    near = {pair for rows in holders.values() for pair in combinations(rows, 2)}
    return [
        (a, b) for a, b in near if len(grams[a] & grams[b]) >= jaccard * len(grams[a] | grams[b])
    ]


def test_fewer_rows_are_the_beginning_of_more(made):
    """A row follows from the seed and its number; another seed gives other rows."""
    (some,) = batches(25)
    assert (some.instructions, some.responses) == (made[0][:25], made[1][:25])
    assert [len(batch.truth) for batch in batches(BATCH + 3)] == [BATCH, 3]
    assert next(batches(25, seed=1)).instructions != some.instructions


def test_lengths_are_the_papers(made):
    """Instructions have 228 characters in the mean, and ten words at least; responses 2,300."""
    instructions, responses, _ = made
    assert np.mean([len(text) for text in instructions]) == pytest.approx(228, rel=0.03)
    assert np.mean([len(text) for text in responses]) == pytest.approx(2300, rel=0.03)
    assert min(len(text.split()) for text in instructions) >= 9  # of ten, one was deleted


def test_copies_follow_an_original(made):
    """A quarter of each batch are copies of originals before them, many in another batch."""
    copies = np.flatnonzero(made[2] >= 0)
    originals = made[2][copies]
    assert len(copies) == 2 * (EXACT + NEAR)
    assert (originals < copies).all()
    assert (made[2][originals] == -1).all()
    assert ((originals < BATCH) & (copies >= BATCH)).sum() > NEAR


def test_a_tenth_are_exact_and_the_rest_a_little_edited(made):
    """A tenth has its original's normal form, not always its text; of the others at most one word
    in ten was edited.
    """
    texts, _, truth = made
    pairs = [(texts[original], texts[copy]) for copy, original in enumerate(truth) if original >= 0]
    forms = [(normal_form(old), normal_form(new)) for old, new in pairs]
    near = [(old.split(), new.split()) for old, new in forms if old != new]
    assert len(near) == pytest.approx(2 * NEAR, abs=5)  # a word may be replaced by itself
    assert 0.3 < sum(old == new for old, new in pairs) / (2 * EXACT) < 0.5
    assert all(1 <= distance(old, new) <= len(old) / 10 for old, new in near[:300])


def test_originals_are_alike_by_no_chance(made):
    """No two of 7,500 originals would be duplicates by Jaccard 0.7 on word 2-grams."""
    texts, _, truth = made
    found = alike(texts[:BATCH])
    assert len(found) > NEAR
    groups = np.where(truth < 0, np.arange(len(truth)), truth)
    assert [(texts[a], texts[b]) for a, b in found if groups[a] != groups[b]] == []


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        ([1, 0, 0, 1, 0, 1], Score(1.0, 0)),
        ([1, 1, 1, 1, 1, 1], Score(0.0, 0)),
        ([0, 1, 1, 1, 0, 1], Score(2 / 3, 0)),
        ([1, 0, 0, 0, 0, 0], Score(1.0, 2)),
    ],
)
def test_a_group_needs_one_survivor(kept, expected):
    """The removed of three redundant rows count, whichever survives; a group may not vanish."""
    truth = np.array([-1, 0, 0, -1, 3, -1])
    assert score(truth, np.array(kept, bool)) == expected


def test_a_function_is_measured():
    """Its result comes back, and the memory that it held is seen."""
    took = measured(partial(sorted, range(2_000_000)))
    assert took.result == list(range(2_000_000))
    assert 50e6 < took.peak_bytes < 300e6
    assert 0 < took.cpu_seconds < 10


def test_what_a_command_leaves_behind_is_measured(tmp_path):
    """A process that outlives the command counts, in processor time and memory."""
    took = measured_command([sys.executable, "-c", ORPHAN], tmp_path, {})
    assert took.result is None
    assert took.cpu_seconds > 0.3
    assert took.peak_bytes > 100 << 20


def test_a_command_that_fails_says_why(tmp_path):
    """The error holds the end of its output."""
    with pytest.raises(RuntimeError, match=r"failed:\n(.*\n)*ZeroDivisionError"):
        measured_command([sys.executable, "-c", "1 / 0"], tmp_path, {})


def test_growth_is_an_exponent():
    """Four times the cost for twice the rows is an exponent of 2."""
    assert growth([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


def test_peers_read_halves_in_order(tmp_path):
    """Both files together hold the texts in their order; the first has the odd one."""
    texts = ["a", "b", "\n", "d", "e"]
    files = write(texts, tmp_path)
    parts = [path.read_text("utf-8").splitlines() for path in files]
    assert [len(part) for part in parts] == [3, 2]
    assert [json.loads(line)["text"] for part in parts for line in part] == texts

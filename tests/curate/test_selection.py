"""Which rows a config has: every drop is counted once, whatever the order of rows and units."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate.filters import Filter, Quota, Rule
from magpie_hub.curate.selection import Choice, Portion, Selection, select_rows
from magpie_hub.curate.where import parse

TEXTS = ("uuid", "rejection", "duplicate", "duplicate_of_release", "benchmark_overlap", "language")
SCHEMA = pa.schema([*((name, pa.string()) for name in TEXTS), ("response_length", pa.int64())])
LENGTH = Rule("response_length", ">=", 10)
LONG = Filter((LENGTH,), "response_length")
HALVES = Filter(
    (LENGTH,),
    "response_length",
    (
        Quota((Rule("language", "==", "EN"),), 0.5),
        Quota((Rule("language", "==", "ZH"),), 0.5),
    ),
)
Row = dict[str, object]


def row(uuid: str, length: int | None = 20, language: str = "EN", **others: str) -> Row:
    """Return an answered row; `others` say that it was rejected, repeats or overlaps."""
    return {"uuid": uuid, "response_length": length, "language": language, **others}


def portion(rows: Sequence[Row], *rejected: str) -> Portion:
    """Return the rows of a unit, and why other draws of it were dropped."""
    drawn = pa.chunked_array([[*rejected, *(None for _ in rows)]], pa.string())
    return Portion(drawn, pa.Table.from_pylist(list(rows), SCHEMA))


def steps(found: Selection) -> list[tuple[str, str, int, int]]:
    """Return the steps of a funnel, and check that they add up to the rows."""
    steps = found.funnel.steps
    assert sum(int(mask.sum()) for mask in found.masks) == found.funnel.kept
    left = [found.funnel.drawn, *(step.left for step in steps)]
    assert [a - b for a, b in pairwise(left)] == [step.dropped for step in steps]
    return [(step.stage, step.reason, step.dropped, step.left) for step in steps]


def taken(portions: Sequence[Portion], found: Selection) -> list[str]:
    """Return the uuids of the rows that are taken."""
    masks = zip(portions, found.masks, strict=True)
    return [uuid for part, mask in masks for uuid in part.rows.filter(mask)["uuid"].to_pylist()]


EVERYTHING = [
    portion(
        [
            row("a"),
            row("b", rejection="template-leak"),
            row("c", duplicate="near-duplicate"),
            row("d", duplicate="exact-duplicate", duplicate_of_release="org/v1"),
            row("e", benchmark_overlap="eval"),
            # What is dropped for one reason is counted for no other.
            row("f", 5, rejection="empty", duplicate="near-duplicate", benchmark_overlap="eval"),
            row("g", 5, duplicate="near-duplicate", benchmark_overlap="eval"),
        ],
        *("empty", "cut-at-limit", "empty"),
    ),
    portion([]),
    portion([row("h", 9), row("i", None), row("j", 30, "ZH"), row("k", 40), row("l", 50)], "empty"),
]
DROPPED = [
    ("instruction", "empty", 3, 13),
    ("instruction", "cut-at-limit", 1, 12),
    ("response", "empty", 1, 11),
    ("response", "template-leak", 1, 10),
    ("duplicate", "near-duplicate", 2, 8),
    ("duplicate", "exact-duplicate of org/v1", 1, 7),
]


def test_every_stage() -> None:
    """A row is dropped by the first stage that drops it, and each step says what is left."""
    choice = Choice(LONG, parse("language == 'EN'"), size=2)

    found = select_rows(EVERYTHING, choice)

    assert steps(found) == [
        *DROPPED,
        ("benchmark", "eval", 1, 6),
        ("filter", "response_length >= 10", 2, 4),
        ("where", "language == 'EN'", 1, 3),
        ("size", "2 by response_length, the highest", 1, 2),
    ]
    assert found.funnel.drawn == 16
    assert taken(EVERYTHING, found) == ["k", "l"]
    assert (found.notes, found.missing) == ((), 0)


def test_overlaps_that_are_only_marked() -> None:
    """Rows that overlap a benchmark stay where the config does not drop them."""
    found = select_rows(EVERYTHING, Choice(Filter(()), drops_overlaps=False))

    assert steps(found) == DROPPED
    assert taken(EVERYTHING, found) == ["a", "e", "h", "i", "j", "k", "l"]


@pytest.mark.parametrize(
    ("size", "uuids", "missing", "notes"),
    [
        (None, ["a", "j", "k", "l"], 0, []),
        (0, [], 0, []),
        (3, ["j", "k", "l"], 0, []),
        (4, ["a", "j", "k", "l"], 0, ["`size` asks for 4 rows and 4 pass"]),
        (1000, ["a", "j", "k", "l"], 996, ["`size` asks for 1,000 rows and 4 pass"]),
    ],
)
def test_a_size(size: int | None, uuids: list[str], missing: int, notes: list[str]) -> None:
    """The highest are taken; where there are no more, that is noted, and what is missing told."""
    found = select_rows(EVERYTHING, Choice(LONG, size=size))

    assert taken(EVERYTHING, found) == uuids
    assert found.missing == missing
    assert [note.partition(":")[0] for note in found.notes] == notes
    assert steps(found)[-1][3] == len(uuids)


@pytest.mark.parametrize(
    ("size", "uuids", "missing"),
    [
        (None, ["e", "f"], 0),
        (2, ["e", "f"], 0),
        # A half of English that is not there is not made up by Chinese.
        (4, ["d", "e", "f"], 1),
        (100, ["b", "c", "d", "e", "f"], 95),
    ],
)
def test_quotas(size: int | None, uuids: list[str], missing: int) -> None:
    """Each stratum gives its share of those that pass; what one lacks is told."""
    rows = [row("a", 9), row("f", 10)]
    rows += [row(uuid, 11 + n, "ZH") for n, uuid in enumerate("bcde")] + [row("g", 99, "FR")]
    portions = [portion(rows[:3]), portion(rows[3:])]

    found = select_rows(portions, Choice(HALVES, size=size))

    assert sorted(taken(portions, found)) == uuids
    assert found.missing == missing
    assert steps(found)[-1][0] == "size"


def test_rows_without_a_value() -> None:
    """A row without what is longest comes behind one that has nothing of it."""
    portions = [portion([row("a", None), row("b", 0), row("c", None)])]

    found = select_rows(portions, Choice(Filter((), "response_length"), size=1))

    assert taken(portions, found) == ["b"]


def test_a_sample() -> None:
    """Where no column is longest rows are taken by their uuids; a larger size has the smaller."""
    portions = [portion([row(f"row-{n}") for n in range(start, start + 10)]) for start in (0, 10)]

    samples = [
        taken(portions, select_rows(portions, Choice(Filter(()), size=size)))
        for size in range(1, 20)
    ]

    assert [len(sample) for sample in samples] == list(range(1, 20))
    assert all(set(small) < set(large) for small, large in pairwise(samples))
    assert samples[9] != [f"row-{n}" for n in range(10)]


@pytest.mark.parametrize("portions", [[portion([])], [portion([], "empty"), portion([])]])
@pytest.mark.parametrize("choice", [Choice(LONG), Choice(LONG, size=3), Choice(HALVES, size=4)])
def test_nothing_to_select(portions: list[Portion], choice: Choice) -> None:
    """Of no rows none is taken, and the funnel says where the draws went."""
    found = select_rows(portions, choice)

    assert steps(found)[-1][3] == 0
    assert found.missing == (choice.size or 0)


REASONS = st.sampled_from([None, None, None, "some reason", "another"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "rejection": REASONS,
            "duplicate": REASONS,
            "benchmark_overlap": REASONS,
            "language": st.sampled_from(["EN", "ZH", None]),
            "response_length": st.sampled_from([None, 1, 10, 11, 12]),
        }
    ),
    max_size=20,
).map(lambda rows: [{"uuid": f"row-{n}"} | each for n, each in enumerate(rows)])
CHOICES = st.builds(
    Choice,
    filter=st.sampled_from([Filter(()), LONG, HALVES]),
    where=st.sampled_from([None, parse("language != 'EN'")]),
    size=st.none() | st.integers(0, 12),
    drops_overlaps=st.booleans(),
)


@given(ROWS, CHOICES, st.data())
def test_the_order_of_rows(rows: list[Row], choice: Choice, data: st.DataObject) -> None:
    """The same rows are taken, with the same funnel, in whatever order and units they come."""
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    whole, parted = [portion(rows)], [portion(shuffled[:cut]), portion(shuffled[cut:])]

    one, other = select_rows(whole, choice), select_rows(parted, choice)

    assert sorted(taken(whole, one)) == sorted(taken(parted, other))
    assert steps(one) == steps(other)
    assert (one.notes, one.missing) == (other.notes, other.missing)


@given(ROWS, CHOICES)
def test_against_plain_python(rows: list[Row], choice: Choice) -> None:
    """Rows that pass are those that plain Python finds, and the size takes its part of them."""

    def passes(each: Row) -> bool:
        reasons = [each["rejection"], each["duplicate"]]
        reasons += [each["benchmark_overlap"]] if choice.drops_overlaps else []
        long = not choice.filter.rules or (each["response_length"] or 0) >= 10
        return not any(reasons) and long and (choice.where is None or each["language"] == "ZH")

    whole = [portion(rows)]
    found = select_rows(whole, choice)

    uuids = [each["uuid"] for each in rows if passes(each)]
    got = taken(whole, found)
    assert set(got) <= set(uuids)
    if choice.filter.quotas:
        languages = [each["language"] for each in rows if each["uuid"] in got]
        assert None not in languages
        assert found.missing == max(0, (choice.size or 0) - len(got))
        if not found.missing:
            assert abs(languages.count("EN") - languages.count("ZH")) <= 1
    else:
        assert len(got) == min(len(uuids), len(uuids) if choice.size is None else choice.size)
        assert found.missing == max(0, (choice.size or 0) - len(uuids))
    assert all(mask.dtype == np.bool_ for mask in found.masks)

"""The published filters on 40 rows: what each keeps was worked out by hand from its definition.

Definitions: Table 5 of arXiv 2406.08464v2, the reference implementation's data_filter.ipynb, and
the cards of Magpie-Pro-300K-Filtered and Magpie-Qwen2-Pro-200K-Chinese and -English. A row is
what row 01 is but for what it is there to show.
"""

import math

import numpy as np
import pyarrow as pa
import pytest

from magpie_hub.curate import select
from magpie_hub.curate.filters import FILTERS, keep

NAN = math.nan
COLUMNS = (
    *("uuid", "input_quality", "difficulty", "min_neighbor_distance", "instruct_reward"),
    *("reward_difference", "response_length", "instruction", "min_similar_uuid", "language"),
)
# fmt: off
ROWS = [
    ("01", "good",      "medium",    0.30,    -5.0,   1.0,  1000, "Why?",         None, "EN"),
    ("02", "excellent", "hard",      0.40,    -4.0,   2.0,  990,  "Why?",         None, "EN"),
    # Quality.
    ("03", "average",   "medium",    0.30,    -5.0,   1.0,  980,  "Why?",         None, "EN"),
    ("04", "poor",      "medium",    0.30,    -5.0,   1.0,  970,  "Why?",         None, "EN"),
    ("05", "very poor", "medium",    0.30,    -5.0,   1.0,  960,  "Why?",         None, "EN"),
    ("06", None,        "medium",    0.30,    -5.0,   1.0,  950,  "Why?",         None, "EN"),
    # Difficulty.
    ("07", "good",      "very easy", 0.30,    -5.0,   1.0,  940,  "Why?",         None, "EN"),
    ("08", "good",      "easy",      0.30,    -5.0,   1.0,  930,  "Why?",         None, "EN"),
    ("09", "good",      "very hard", 0.30,    -5.0,   1.0,  920,  "Why?",         None, "EN"),
    ("10", "good",      None,        0.30,    -5.0,   1.0,  910,  "Why?",         None, "EN"),
    # Distance to the nearest neighbour: > 0 or not.
    ("11", "good",      "medium",    0.0,     -5.0,   1.0,  900,  "Why?",         "11", "EN"),
    ("12", "good",      "medium",    2.1e-06, -5.0,   1.0,  890,  "Why?",         "12", "EN"),
    ("13", "good",      "medium",    None,    -5.0,   1.0,  880,  "Why?",         None, "EN"),
    ("14", "good",      "medium",    NAN,     -5.0,   1.0,  870,  "Why?",         None, "EN"),
    # Reward: > -12 (the paper), > -10 (the notebook), >= -10 (the cards).
    ("15", "good",      "medium",    0.30,    -12.0,  1.0,  860,  "Why?",         None, "EN"),
    ("16", "good",      "medium",    0.30,    -11.99, 1.0,  850,  "Why?",         None, "EN"),
    ("17", "good",      "medium",    0.30,    -10.0,  1.0,  840,  "Why?",         None, "EN"),
    ("18", "good",      "medium",    0.30,    -9.99,  1.0,  830,  "Why?",         None, "EN"),
    ("19", "good",      "medium",    0.30,    None,   1.0,  820,  "Why?",         None, "EN"),
    ("20", "good",      "medium",    0.30,    NAN,    1.0,  810,  "Why?",         None, "EN"),
    # Reward less that of a base model: > 0.
    ("21", "good",      "medium",    0.30,    -5.0,   0.0,  800,  "Why?",         None, "EN"),
    ("22", "good",      "medium",    0.30,    -5.0,   0.01, 790,  "Why?",         None, "EN"),
    ("23", "good",      "medium",    0.30,    -5.0,   -1.0, 780,  "Why?",         None, "EN"),
    ("24", "good",      "medium",    0.30,    -5.0,   None, 770,  "Why?",         None, "EN"),
    # Ends with a colon: itself, before white space, a wide one; and one within.
    ("25", "good",      "medium",    0.30,    -5.0,   1.0,  760,  "List them:",   None, "EN"),
    ("26", "good",      "medium",    0.30,    -5.0,   1.0,  750,  "List them: \n", None, "EN"),
    ("27", "good",      "medium",    0.30,    -5.0,   1.0,  740,  "列出\uff1a",     None, "ZH"),
    ("28", "good",      "medium",    0.30,    -5.0,   1.0,  730,  "Note: go on.", None, "EN"),
    # The first of a neighbourhood, and another of it.
    ("29", "good",      "medium",    0.04,    -5.0,   1.0,  720,  "Why?",         "29", "EN"),
    ("30", "good",      "medium",    0.04,    -5.0,   1.0,  710,  "Why?",         "29", "EN"),
    # Language.
    ("31", "good",      "medium",    0.30,    -5.0,   1.0,  700,  "为什么",         None, "ZH"),
    ("32", "good",      "medium",    0.30,    -5.0,   1.0,  690,  "Pourquoi",     None, "FR"),
    ("33", "good",      "medium",    0.30,    -5.0,   1.0,  680,  "Why?",         None, None),
    # Equally long, the shortest of all.
    ("34", "good",      "medium",    0.30,    -5.0,   1.0,  500,  "Why?",         None, "EN"),
    ("35", "good",      "medium",    0.30,    -5.0,   1.0,  500,  "Why?",         None, "EN"),
    ("36", "good",      "medium",    0.30,    -5.0,   1.0,  500,  "Why?",         None, "EN"),
    # Without any tag, and the longest.
    ("37", None,        None,        None,    None,   None, 2000, "Why?",         None, None),
    # Several things at once.
    ("38", "excellent", "very easy", 0.50,    -1.0,   3.0,  600,  "Why?",         None, "EN"),
    ("39", "average",   "easy",      0.30,    -5.0,   1.0,  590,  "为什么",         None, "ZH"),
    ("40", "average",   "easy",      0.30,    -11.0,  -1.0, 580,  "Why?",         None, "EN"),
]
# fmt: on

KEPT = {
    # quality >= average, distance > 0, reward > -12
    "pro-filter": "01-03 07-10 12 16-18 21-36 38-40",
    # quality >= good, difficulty >= easy, distance > 0, reward > -12
    "pro-filter2": "01 02 08 09 12 16-18 21-36",
    # distance > 0, reward > -12
    "pro-filter3": "01-10 12 16-18 21-36 38-40",
    # quality >= good, difficulty >= easy, distance > 0, difference > 0
    "pro-filter4": "01 02 08 09 12 15-20 22 25-36",
    # As pro-filter2.
    "pro-filter5": "01 02 08 09 12 16-18 21-36",
    # As pro-filter3, half easy and half harder: all three that are easy, the three longest harder.
    "pro-filter6": "01 02 03 08 39 40",
    # quality >= good, difficulty >= medium, distance > 0, difference > 0
    "air-filter": "01 02 09 12 15-20 22 25-36",
    # quality >= good, reward > -10, no colon at the end, no neighbour or the first of them
    "notebook-filter": "01 02 07-14 18 21-24 27-29 31-36 38",
    # quality >= average, reward >= -10, no colon at the end, no neighbour or the first of them
    "pro-300k-card": "01-03 07-14 17 18 21-24 27-29 31-36 38 39",
    # The same, in Chinese or English.
    "qwen2-pro-200k-chinese": "31 39",
    "qwen2-pro-200k-english": "01-03 07-14 17 18 21-24 28 29 34-36 38",
}

# The longest; of 34, 35 and 36, by `printf 34 | b2sum -l 64`, 34 comes first, then 36.
TAKEN = [
    ("pro-filter", 3, "01-03"),
    ("pro-filter", 28, "01-03 07-10 12 16-18 21-34 38-40"),
    ("pro-filter", 29, "01-03 07-10 12 16-18 21-34 36 38-40"),
    ("pro-filter", 30, "01-03 07-10 12 16-18 21-36 38-40"),
    ("pro-filter", 99, "01-03 07-10 12 16-18 21-36 38-40"),
    ("pro-filter2", 3, "01 02 08"),
    ("pro-filter3", 4, "01-04"),
    ("pro-filter4", 4, "01 02 08 09"),
    # By the lowest of those hashes, since its length says nothing here.
    ("pro-filter5", 3, "17 18 29"),
    # Half of them easy; of an odd size one more.
    ("pro-filter6", 4, "01 02 08 39"),
    ("pro-filter6", 5, "01 02 08 39 40"),
    # Of the four easy ones one is not there, and no other row comes in for it.
    ("pro-filter6", 8, "01-04 08 39 40"),
    ("air-filter", 3, "01 02 09"),
    ("notebook-filter", 3, "01 02 07"),
    ("pro-300k-card", 4, "01-03 07"),
    ("qwen2-pro-200k-chinese", 1, "31"),
    ("qwen2-pro-200k-english", 4, "01-03 07"),
]


def ids(listed: str) -> list[str]:
    """Return the ids of a list such as `01-03 07`."""
    found = []
    for part in listed.split():
        first, _, last = part.partition("-")
        found += [f"{number:02}" for number in range(int(first), int(last or first) + 1)]
    return found


def taken(name: str, size: int | None, rows: list[tuple[object, ...]]) -> list[str]:
    """Return the ids of the rows that a config with this filter and size has, in their order."""
    chosen = FILTERS[name]
    values = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    table = pa.table({column: values[column] for column in chosen.columns})
    uuids = np.array(values["uuid"])
    ties, order = select.hashes(uuids), np.array(values["response_length"])

    def passing(rules):
        return np.logical_and.reduce([keep(rule, table) for rule in rules])

    mask = passing(chosen.rules)
    if chosen.quotas:
        strata = [passing(quota.rules) for quota in chosen.quotas]
        shares = [quota.share for quota in chosen.quotas]
        mask, _ = select.quotas(mask, strata, shares, order, ties, size)
    elif size is not None and chosen.longest:
        assert chosen.longest == "response_length"
        mask = select.top(mask, order, ties, size)
    elif size is not None:
        mask = select.sample(mask, ties, size)
    return sorted(uuids[mask])


def test_the_fixture():
    """There are 40 rows with ids of their own, and a definition for every published filter."""
    assert [row[0] for row in ROWS] == ids("01-40")
    assert {*KEPT, "finished", "no-personal-data"} == FILTERS.keys()
    assert {name for name, _, _ in TAKEN} == KEPT.keys()


@pytest.mark.parametrize(("name", "kept"), KEPT.items())
def test_what_a_filter_keeps(name, kept):
    """Without a size, exactly the rows that the definition gives, in whatever order they come."""
    assert taken(name, None, ROWS) == ids(kept)
    assert taken(name, None, ROWS[::-1]) == ids(kept)


@pytest.mark.parametrize(("name", "size", "kept"), TAKEN)
def test_what_a_size_takes(name, size, kept):
    """With a size, exactly the rows that the definition gives, in whatever order they come."""
    assert taken(name, size, ROWS) == ids(kept)
    assert taken(name, size, ROWS[::-1]) == ids(kept)

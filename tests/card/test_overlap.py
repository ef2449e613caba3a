"""Which rows configs share: by eye on three configs, against sets on forty."""

import random
from itertools import combinations

import pyarrow as pa

from magpie_hub.card.overlap import overlaps


def table(uuids):
    """Return an index of rows, as a build has it of a config, in two chunks."""
    halves = [uuids[: len(uuids) // 2], uuids[len(uuids) // 2 :]]
    hashes = [["h"] * len(half) for half in halves]
    columns = [pa.chunked_array(parts, pa.string()) for parts in (halves, hashes)]
    return pa.table(columns, names=["uuid", "content_hash"])


def test_three_configs():
    """A config that is part of another shares all of its rows; no shared row, no pair."""
    rows = {"raw": table(["a", "b", "c", "d"]), "small": table(["d", "b"]), "other": table(["x"])}
    found = overlaps(rows)

    assert found == {("raw", "small"): 2}
    assert found["raw", "small"] == rows["small"].num_rows


def test_one_config():
    """A release of one config shares nothing."""
    assert overlaps({"raw": table(["a", "b"])}) == {}


def test_forty_configs():
    """Of every two of forty configs the rows are those that sets have in common."""
    draw = random.Random(0)
    names = {
        f"c{number}": draw.sample([f"{row:x}" for row in range(300)], draw.randrange(1, 60))
        for number in range(40)
    }
    shared = {
        (one, other): len(set(names[one]) & set(names[other]))
        for one, other in combinations(names, 2)
    }
    found = overlaps({name: table(uuids) for name, uuids in names.items()})
    assert found == {pair: rows for pair, rows in shared.items() if rows}
    assert len(found) < len(shared)

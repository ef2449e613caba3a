"""The benchmark of what travels, on so few rows that it runs with every test."""

import pyarrow as pa
import pytest

from magpie_hub.publish.index import ROWS, Difference, compare, row_hashes
from tests.benchmarks import travel

ALL = travel.published(1_010)


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (travel.appended, Difference(10, 0, 0)),
        (travel.replaced, Difference(10, 10, 0)),
        (travel.retagged, Difference(0, 0, 10)),
        (travel.answered, Difference(0, 0, 10)),
        (travel.removed, Difference(0, 10, 0)),
    ],
)
def test_one_row_in_a_hundred_changes(change, difference):
    """Each kind of change is of ten in a thousand rows, and leaves the others as they are."""
    old, new = (
        pa.table([rows["uuid"], row_hashes(rows)], schema=ROWS)
        for rows in (ALL.slice(0, 1_000), change(ALL, 1_000))
    )
    assert compare(old, new) == difference


def test_what_a_store_has_does_not_travel(tmp_path):
    """All of a new release travels, then nothing, and of a changed one a part."""
    travel.ours(ALL.slice(0, 1_000), tmp_path / "old")
    travel.ours(travel.retagged(ALL, 1_000), tmp_path / "new")
    first, again, changed = (
        travel.upload(tmp_path / name, tmp_path / "store") for name in ("old", "old", "new")
    )
    assert 0.9 < first < 1.1
    assert again < 0.01
    assert 0.01 < changed < 0.7

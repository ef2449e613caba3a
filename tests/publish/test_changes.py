"""A config's change is told from checksums and counts; the rows themselves are never read."""

from typing import Any

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.changes import ConfigChange, compare_config
from magpie_hub.publish.index import digest
from tests.publish.making import table

OLD = {"a": "1", "b": "2", "c": "3"}


def entry(rows: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return a config as a manifest lists it."""
    return {
        "version": "1.2.0",
        "rows": len(rows),
        "digest": digest(table(rows)["content_hash"]),
        "features": {"uuid": "string", "quality": "int64"},
        "frozen": False,
        "alias": None,
        "facts": {"counts": {}},
        **more,
    }


def compare(new: dict[str, str], old: dict[str, Any], **more: Any) -> ConfigChange:
    """Compare rows with a published entry of `OLD`; more: what the new entry has."""
    return compare_config(
        "raw", old, entry(new, **more), lambda: {"raw": table(OLD)}, lambda: {"raw": table(new)}
    )


@pytest.mark.parametrize(
    ("rows", "counts", "version", "line"),
    [
        (OLD, (0, 0, 0), "1.2.0", "3 rows"),
        (OLD | {"d": "4"}, (1, 0, 0), "1.3.0", "4 rows; 1 added"),
        ({"a": "1", "b": "2"}, (0, 1, 0), "1.3.0", "2 rows; 1 removed"),
        (OLD | {"c": "9"}, (0, 0, 1), "1.3.0", "3 rows; 1 changed"),
        ({"a": "1", "b": "x", "d": "4"}, (1, 1, 1), "1.3.0", "1 added, 1 removed, 1 changed"),
        ({"c": "3", "b": "2", "a": "1"}, (0, 0, 0), "1.3.0", "3 rows; in another order"),
    ],
)
def test_rows(rows, counts, version, line):
    """Rows that came, went, or have another content, and another order, are minor changes."""
    change = compare(rows, entry(OLD))
    assert (change.added, change.removed, change.changed) == counts
    assert (change.version_before, change.version) == ("1.2.0", version)
    assert change.level == ("none" if version == "1.2.0" else "minor")
    assert change.line.endswith(line)


def test_a_new_config():
    """Its rows are all added, its version is the first, and no index is asked for."""
    change = compare_config("raw", None, entry(OLD), dict, dict)
    assert (change.state, change.level, change.added) == ("new", "minor", 3)
    assert change.line == "`raw` 1.0.0: new, 3 rows"


def test_the_index_is_not_read_for_the_same_rows():
    """Where the checksums of all rows agree, neither index is opened."""
    change = compare_config("raw", entry(OLD), entry(OLD), lambda: 1 / 0, lambda: 1 / 0)
    assert change.state == "same"


@pytest.mark.parametrize(
    ("features", "schema"),
    [
        ({"uuid": "string"}, "`quality` is gone"),
        ({"uuid": "string", "quality": "int64", "reward": "float64"}, "`reward` is new"),
        ({"uuid": "string", "quality": "string"}, "`quality` has another type"),
    ],
)
def test_a_schema(features, schema):
    """A column that is gone, new or of another type is a major change, with the same rows too."""
    change = compare(OLD, entry(OLD), features=features)
    assert (change.level, change.version, change.schema) == ("major", "2.0.0", (schema,))
    assert change.line == f"`raw` 2.0.0: 3 rows; schema: {schema}"


@pytest.mark.parametrize(
    ("rows", "features", "said"),
    [
        (OLD | {"d": "4"}, {"uuid": "string", "quality": "int64"}, "1 rows would be added"),
        (OLD, {"uuid": "string"}, "schema: `quality` is gone"),
    ],
)
def test_a_frozen_config(rows, features, said):
    """It may not change, in rows or in schema, and the error says by how much it would."""
    with pytest.raises(TargetError, match="config `raw` is frozen") as caught:
        compare(rows, entry(OLD, frozen=True), frozen=True, features=features)
    assert said in caught.value.message
    assert "take `freeze` from `configs.raw`" in caught.value.hint


def test_a_frozen_config_that_stays():
    """Frozen rows that are the same can be published for ever; thawed ones may change."""
    assert compare(OLD, entry(OLD), frozen=True).state == "same"
    assert compare({"a": "1"}, entry(OLD, frozen=True)).removed == 2


def test_means():
    """Of a number that both have, the mean is told where it moved."""
    old = {"numbers": {"reward": {"mean": 1.5}, "length": {"mean": 2}}}
    new = {"numbers": {"reward": {"mean": 1.0}, "length": {"mean": 2}, "tokens": {"mean": 0}}}
    change = compare(OLD, entry(OLD, facts=old), facts=new)
    assert change.means == {"reward": (1.5, 1.0)}


def test_drift():
    """The share of rows whose label would have to change: largest first, and only what moved."""
    old = {"quality": {"1": 5, "5": 5}, "language": {"EN": 9, "DE": 1}, "safety": {"safe": 10}}
    new = {"quality": {"1": 10}, "language": {"EN": 80, "FR": 20}, "safety": {"safe": 100}}
    change = compare(OLD, entry(OLD, facts={"counts": old}), facts={"counts": new})
    assert change.drift == {"quality": 0.5, "language": 0.2}
    assert list(change.drift) == ["quality", "language"]


@pytest.mark.parametrize("counts", [{}, {"reward": {}}, {"quality": {}}])
def test_labels_that_are_on_one_side_only(counts):
    """A label that is new, gone, or on no row gives no drift, or all of it, and no error."""
    change = compare(
        OLD, entry(OLD, facts={"counts": {"quality": {"1": 3}}}), facts={"counts": counts}
    )
    assert change.drift == ({"quality": 0.5} if "quality" in counts else {})


def test_a_name_of_others_in_the_changelog():
    """A name with line breaks and backticks stays in its line and between its backticks."""
    assert ConfigChange("a\n# `b", "deleted").line == "`a # 'b` is deleted"

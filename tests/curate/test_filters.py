"""A rule keeps what compares so, and nothing that is missing."""

import pyarrow as pa
import pytest

from magpie_hub.columns import SFT, type_name
from magpie_hub.curate.filters import FILTERS, Rule, keep
from magpie_hub.errors import BuildError

ROWS = pa.table(
    {
        "n": [15, 16, None, 17],
        "s": ["stop", "length", None, "stop "],
        "l": [["phone"], [], None, ["key", "phone"]],
    }
)


@pytest.mark.parametrize(
    ("rule", "expected", "shown"),
    [
        (Rule("n", ">=", 16), [False, True, False, True], "n >= 16"),
        (Rule("n", "<=", 16), [True, True, False, False], "n <= 16"),
        (Rule("n", "==", 16), [False, True, False, False], "n == 16"),
        (Rule("n", ">=", 15.5), [False, True, False, True], "n >= 15.5"),
        (Rule("s", "==", "stop"), [True, False, False, False], 's == "stop"'),
        (Rule("l", "has at most", 0), [False, True, False, False], "l has at most 0"),
        (Rule("l", "has at most", 1), [True, True, False, False], "l has at most 1"),
    ],
)
def test_keep(rule: Rule, expected: list[bool], shown: str) -> None:
    """A row is kept where its value compares so; null never does; the rule reads as written."""
    kept = keep(rule, ROWS, filter_name="f")

    assert kept.dtype == bool
    assert kept.tolist() == expected
    assert str(rule) == shown


def test_rows_in_chunks_and_none() -> None:
    """The mask has one value a row, however the table is cut, and none for no rows."""
    rule = Rule("n", ">=", 16)
    chunked = pa.concat_tables([ROWS, ROWS.slice(3), ROWS.slice(0, 0)])
    assert keep(rule, chunked, filter_name="f").tolist() == [False, True, False, True, True]
    assert keep(rule, ROWS.slice(0, 0), filter_name="f").tolist() == []
    assert keep(rule, ROWS.schema.empty_table(), filter_name="f").tolist() == []


def test_a_column_that_no_tag_made() -> None:
    """A missing column names the filter, the rule, and the command that makes the column."""
    with pytest.raises(BuildError) as caught:
        keep(Rule("safety", "==", "safe"), ROWS, filter_name="pro")

    assert caught.value.message == (
        'filter `pro`: its rule `safety == "safe"` needs the column `safety`, which no tag of the'
        " spec makes"
    )
    assert "magpie-hub tag SPEC" in caught.value.hint


def test_named_filters_speak_of_published_columns() -> None:
    """Every rule of every filter is on a published column, with a value of the column's type."""
    kinds = {"string": str, "int64": int, "list<string>": int}
    published = {field.name: type_name(field.type) for field in SFT}
    rules = [rule for rules in FILTERS.values() for rule in rules]
    assert rules
    for rule in rules:
        assert (rule.operator == "has at most") is published[rule.column].startswith("list")
        assert isinstance(rule.value, kinds[published[rule.column]])

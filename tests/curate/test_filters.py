"""A rule keeps what compares so, never what is missing; filters speak of columns there are."""

import math

import pyarrow as pa
import pytest

from magpie_hub.columns import SFT, type_name
from magpie_hub.curate.filters import FILTERS, ORDERED, Filter, Quota, Rule, keep
from magpie_hub.errors import BuildError
from magpie_hub.tag import TAGS

ROWS = pa.table(
    {
        "uuid": ["a", "b", "c", "d"],
        "n": [15, 16, None, 17],
        "x": [15.0, math.nan, None, -1.5],
        "s": ["stop", "length", None, "stop "],
        "t": ["Go on:", "Go on: \n\u3000", None, "a:b"],
        "l": [["phone"], [], None, ["key", None, "phone"]],
        "m": [[1], [2, 1], None, []],
        "yes": [True, False, None, True],
        "first": ["a", "a", None, "d"],
        "struct": [{"n": 15}, {"n": None}, None, {"n": 17}],
        "difficulty": ["very easy", "medium", None, "hard"],
        "input_quality": ["average", "very poor", "no such label", "excellent"],
    }
)


@pytest.mark.parametrize(
    ("rule", "kept", "shown"),
    [
        (Rule("n", ">=", 16), "bd", "n >= 16"),
        (Rule("n", "<=", 16), "ab", "n <= 16"),
        (Rule("n", ">", 16), "d", "n > 16"),
        (Rule("n", "<", 16), "a", "n < 16"),
        (Rule("n", "==", 16), "b", "n == 16"),
        (Rule("n", "!=", 16), "ad", "n != 16"),
        (Rule("n", ">=", 15.5), "bd", "n >= 15.5"),
        (Rule("n", "in", (15, 17, 99)), "ad", "n in [15, 17, 99]"),
        (Rule("x", ">", -2), "ad", "x > -2"),
        (Rule("x", "!=", 15), "d", "x != 15"),
        (Rule("x", "is null"), "bc", "x is null"),
        (Rule("yes", "==", True), "ad", "yes == True"),
        (Rule("s", "==", "stop"), "a", 's == "stop"'),
        (Rule("s", "in", ("stop", "x")), "a", 's in ["stop", "x"]'),
        (Rule("s", "contains", "top"), "ad", 's contains "top"'),
        (Rule("s", "contains", "."), "", 's contains "."'),
        (Rule("s", "matches", "^st.p$"), "a", 's matches "^st.p$"'),
        (Rule("s", "does not match", "^st.p$"), "bd", 's does not match "^st.p$"'),
        (Rule("t", "does not end with", ":"), "d", 't does not end with ":"'),
        (Rule("l", "has at most", 0), "b", "l has at most 0"),
        (Rule("l", "has at most", 1), "ab", "l has at most 1"),
        (Rule("l", "contains", "phone"), "ad", 'l contains "phone"'),
        (Rule("m", "contains", 1), "ab", "m contains 1"),
        (Rule("first", "is own or null"), "acd", "first is own or null"),
        (Rule("struct.n", ">", 15), "d", "struct.n > 15"),
        (Rule("difficulty", ">=", "medium"), "bd", 'difficulty >= "medium"'),
        (Rule("difficulty", "<", "hard"), "ab", 'difficulty < "hard"'),
        (Rule("difficulty", "!=", "hard"), "ab", 'difficulty != "hard"'),
        (Rule("input_quality", ">", "average"), "d", 'input_quality > "average"'),
        (Rule("input_quality", "<=", "average"), "ab", 'input_quality <= "average"'),
    ],
)
def test_keep(rule: Rule, kept: str, shown: str) -> None:
    """A row is kept where its value compares so, however the table is cut; the rule reads so."""
    chunked = pa.concat_tables([ROWS.slice(0, 1), ROWS.slice(0, 0), ROWS.slice(1)])
    for table in (ROWS, chunked):
        mask = keep(rule, table)
        assert mask.dtype == bool
        assert "".join(uuid for uuid, is_kept in zip("abcd", mask, strict=True) if is_kept) == kept
    assert keep(rule, ROWS.slice(0, 0)).tolist() == []
    assert keep(rule, ROWS.schema.empty_table()).tolist() == []
    assert str(rule) == shown


def test_whole_numbers_that_no_float_holds() -> None:
    """They compare with a fraction, and with each other exactly."""
    table = pa.table({"n": [2**53, 2**53 + 1]})
    assert keep(Rule("n", ">", 0.5), table).tolist() == [True, True]
    assert keep(Rule("n", "in", (0.5, 1)), table).tolist() == [False, False]
    assert keep(Rule("n", "==", 2**53), table).tolist() == [True, False]


@pytest.mark.parametrize(
    ("rule", "type_"),
    [
        (Rule("s", ">", 1), "string"),
        (Rule("s", "in", (1, 2)), "string"),
        (Rule("n", "==", "stop"), "int64"),
        (Rule("n", "matches", "a"), "int64"),
        (Rule("n", "has at most", 1), "int64"),
        (Rule("n.part", "==", 1), "int64"),
        (Rule("struct", "==", 1), "struct<n: int64>"),
    ],
)
def test_a_column_of_another_type(rule: Rule, type_: str) -> None:
    """The rule, the column and its type are told."""
    with pytest.raises(BuildError) as caught:
        keep(rule, ROWS)

    name = rule.column.partition(".")[0]
    assert caught.value.message == (
        f"the rule `{rule}` cannot be asked of the column `{name}`, whose type is `{type_}`"
    )
    assert "schema" in caught.value.hint


def test_the_columns_of_a_filter() -> None:
    """All that rules, quotas and the longest read, each once, in that order."""
    rules = (Rule("n", ">", 1), Rule("first", "is own or null"), Rule("n", "<", 5))
    quotas = (Quota((Rule("struct.n", "==", 1), Rule("s", "!=", "x")), 0.25),)

    assert Filter(rules).columns == ("n", "first", "uuid")
    assert Filter(rules, "x", quotas).columns == ("n", "first", "uuid", "struct", "s", "x")
    assert FILTERS["pro-filter"].columns == (
        *("input_quality", "min_neighbor_distance", "instruct_reward", "response_length"),
    )
    assert str(quotas[0]) == '25% struct.n == 1 and s != "x"'


def test_the_order_of_labels_is_the_judges() -> None:
    """The labels that have an order are those that the judges are asked for, and all of them."""
    asked = {
        column: tuple(TAGS[tag].question.schema["properties"][column]["enum"])
        for tag, column in (("difficulty", "difficulty"), ("quality", "input_quality"))
    }
    assert asked == ORDERED


@pytest.mark.parametrize("name", FILTERS)
def test_named_filters_speak_of_published_columns(name: str) -> None:
    """Every rule is on a published column or a text, with a value of its type; quotas are whole."""
    known = {field.name: type_name(field.type) for field in SFT} | {"instruction": "string"}
    kinds = {"string": str, "int64": int, "float64": int, "list<string>": int}
    chosen = FILTERS[name]

    for rule in (*chosen.rules, *(rule for quota in chosen.quotas for rule in quota.rules)):
        type_ = known[rule.column]
        assert (rule.operator == "has at most") is type_.startswith("list")
        assert rule.operator == "is own or null" or isinstance(rule.value, kinds[type_])
        if rule.column in ORDERED:
            assert rule.value in ORDERED[rule.column]
    assert {"uuid", *known} >= set(chosen.columns)
    assert chosen.longest in (None, "response_length")
    assert sum(quota.share for quota in chosen.quotas) in (0, 1)

"""Filters as data: named lists of rules, each a comparison of one column with a value.

A new filter is a new entry; no rule is code. A missing value (null, NaN) compares to nothing, and
a rule keeps only what compares. Knows column names and Arrow tables; neither where the rows come
from nor, of those that pass, which are taken: that is `select`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from magpie_hub.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Operator = Literal[
    "==",
    "!=",
    ">=",
    "<=",
    ">",
    "<",
    "in",
    "contains",
    "has at most",
    "matches",
    "does not match",
    "does not end with",
    "is null",
    "is own or null",
]
Value = str | int | float

_COMPUTE = {
    "==": "equal",
    "!=": "not_equal",
    ">=": "greater_equal",
    "<=": "less_equal",
    ">": "greater",
    "<": "less",
}
ORDERED = {
    "difficulty": ("very easy", "easy", "medium", "hard", "very hard"),
    "input_quality": ("very poor", "poor", "average", "good", "excellent"),
}
"""The columns whose labels have an order, which >=, <=, > and < go by; the lowest first."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps the rows whose column compares so with the value; a part of a struct is `a.b`.

    in: one of several values. contains: a list has the item, a text the words. has at most: so
    many items in a list. matches, does not match: a regular expression (RE2: in linear time)
    anywhere in a text. does not end with: white space at the end aside. is own or null: the uuid
    of the row itself, or none, so that of rows that name the first of them, the first is kept.
    """

    column: str
    operator: Operator
    value: Value | tuple[Value, ...] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it reads."""
        own = ("uuid",) if self.operator == "is own or null" else ()
        return (self.column.partition(".")[0], *own)

    def __str__(self) -> str:
        shown = f"{self.column} {self.operator}"
        if isinstance(self.value, tuple):
            return f"{shown} [{', '.join(map(_shown, self.value))}]"
        return shown if self.value is None else f"{shown} {_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Quota:
    """The rows that pass its rules are to be `share` (0 to 1) of those that a config takes."""

    rules: tuple[Rule, ...]
    share: float

    def __str__(self) -> str:
        return f"{self.share:.0%} {' and '.join(map(str, self.rules))}"


@dataclass(frozen=True, slots=True)
class Filter:
    """Rules that a row must pass, and which rows a config's `size` takes of those that do.

    longest: the column whose highest values are taken; without one, a random sample is. quotas:
    disjoint, their shares add up to 1; what falls in none is not taken.
    """

    rules: tuple[Rule, ...]
    longest: str | None = None
    quotas: tuple[Quota, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs, each once; ties go by uuid besides, which every row has."""
        rules = [*self.rules, *(rule for quota in self.quotas for rule in quota.rules)]
        names = [name for rule in rules for name in rule.columns]
        return tuple(dict.fromkeys([*names, *([self.longest] if self.longest else [])]))


_AVERAGE = Rule("input_quality", ">=", "average")
_GOOD = Rule("input_quality", ">=", "good")
_EASY = Rule("difficulty", ">=", "easy")
_APART = Rule("min_neighbor_distance", ">", 0)
_REWARDED = Rule("instruct_reward", ">", -12)
_BETTER = Rule("reward_difference", ">", 0)
_LENGTH = "response_length"
# "Remove repetition and incomplete instructions", as the cards say and the notebook does it.
_FIRST = Rule("min_similar_uuid", "is own or null")
_NO_COLON = Rule("instruction", "does not end with", ":")
_CARD = (_AVERAGE, Rule("instruct_reward", ">=", -10), _FIRST, _NO_COLON)
_NO_WIDE_COLON = Rule("instruction", "does not end with", "\N{FULLWIDTH COLON}")

FILTERS: dict[str, Filter] = {
    # A conversation that is whole: the answer ended by itself and says something.
    "finished": Filter(
        (
            Rule("finish_reason", "==", "stop"),
            Rule("instruction_length", ">=", 16),
            Rule("response_length", ">=", 32),
        )
    ),
    # Nothing in the conversation has the form of personal data.
    "no-personal-data": Filter((Rule("personal_data", "has at most", 0),)),
    # Table 5 of the paper (arXiv 2406.08464v2), with its -12 for tau 1 and its 0 for tau 2.
    "air-filter": Filter((_GOOD, Rule("difficulty", ">=", "medium"), _APART, _BETTER), _LENGTH),
    "pro-filter": Filter((_AVERAGE, _APART, _REWARDED), _LENGTH),
    "pro-filter2": Filter((_GOOD, _EASY, _APART, _REWARDED), _LENGTH),
    "pro-filter3": Filter((_APART, _REWARDED), _LENGTH),
    "pro-filter4": Filter((_GOOD, _EASY, _APART, _BETTER), _LENGTH),
    # All that pass, whatever their length.
    "pro-filter5": Filter((_GOOD, _EASY, _APART, _REWARDED)),
    "pro-filter6": Filter(
        (_APART, _REWARDED),
        _LENGTH,
        (
            Quota((Rule("difficulty", "==", "easy"),), 0.5),
            Quota((Rule("difficulty", ">", "easy"),), 0.5),
        ),
    ),
    # What data_sft/data_filter.ipynb of the reference implementation does by default.
    "notebook-filter": Filter(
        (_GOOD, Rule("instruct_reward", ">", -10), _NO_COLON, _FIRST), _LENGTH
    ),
    # The cards of Magpie-Pro-300K-Filtered, which has another threshold of reward than the paper,
    # and of Magpie-Qwen2-Pro-200K-Chinese and -English. Those of Air-300K, of the sets of several
    # turns, and of Llama 3.1, 3.3, Qwen2.5, Phi-3 and Gemma-2 we have not seen whole, nor the
    # quotas by category of the preference sets: they are not offered.
    "pro-300k-card": Filter(_CARD, _LENGTH),
    "qwen2-pro-200k-chinese": Filter(
        (*_CARD, _NO_WIDE_COLON, Rule("language", "==", "ZH")), _LENGTH
    ),
    "qwen2-pro-200k-english": Filter((*_CARD, Rule("language", "==", "EN")), _LENGTH),
}


def keep(rule: Rule, table: "pa.Table") -> "np.ndarray":
    """Return for each row of the table whether the rule keeps it, as booleans.

    Raises BuildError for a column of a type that cannot be compared so, KeyError for none.
    """
    return as_mask(truth(rule, table))


def as_mask(found: "pa.ChunkedArray") -> "np.ndarray":
    """Return Arrow's booleans as NumPy's, null as False."""
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(found, False), dtype=bool)


def truth(rule: Rule, table: "pa.Table") -> "pa.ChunkedArray":
    """Return for each row whether the rule is true, null where its value is missing.

    Raises as `keep` does.
    """
    import pyarrow as pa

    try:
        return _compare(rule, _column(rule.column, table), table)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        name = rule.columns[0]
        raise BuildError(
            f"the rule `{rule}` cannot be asked of the column `{name}`, whose type is"
            f" `{table[name].type}`",
            hint="correct the rule, or the schema of the tag that makes the column",
        ) from error


def _column(name: str, table: "pa.Table") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    top, *parts = name.split(".")
    column = pc.struct_field(table[top], parts) if parts else table[top]
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), None, column)
    return column


def _compare(rule: Rule, column: "pa.ChunkedArray", table: "pa.Table") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    values = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    if pa.types.is_integer(column.type) and any(isinstance(value, float) for value in values):
        # Arrow would refuse whole numbers that a float cannot hold exactly.
        column = column.cast(pa.float64(), safe=False)
    match rule.operator:
        case "is null":
            return pc.is_null(column)
        case "is own or null":
            return pc.or_kleene(pc.is_null(column), pc.equal(column, table["uuid"]))
        case "in":
            found = pc.is_in(column, value_set=pa.array(values))
            return pc.if_else(pc.is_valid(column), found, None)
        case "contains":
            return _contains(column, rule.value)
        case "has at most":
            return pc.less_equal(pc.list_value_length(column), rule.value)
        case "matches":
            return pc.match_substring_regex(column, rule.value)
        case "does not match":
            return pc.invert(pc.match_substring_regex(column, rule.value))
        case "does not end with":
            return pc.invert(pc.ends_with(pc.utf8_rtrim_whitespace(column), rule.value))
    value: Any = rule.value
    if rule.column in ORDERED and rule.operator not in ("==", "!="):
        labels = ORDERED[rule.column]
        column, value = pc.index_in(column, value_set=pa.array(labels)), labels.index(value)
    return pc.call_function(_COMPUTE[rule.operator], [column, pa.scalar(value)])


def _contains(column: "pa.ChunkedArray", value: Any) -> "pa.ChunkedArray":
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_list(column.type):
        return pc.match_substring(column, value)
    hits = pc.fill_null(pc.equal(pc.list_flatten(column), pa.scalar(value)), False)
    found = np.zeros(len(column), dtype=bool)
    found[pc.list_parent_indices(column).filter(hits)] = True
    return pc.if_else(pc.is_valid(column), pa.array(found), None)


def _shown(value: Value) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)

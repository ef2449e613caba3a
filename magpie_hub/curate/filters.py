"""Filters as data: named lists of rules, each a comparison of one column with a value.

A new filter is a new entry; no rule is code. Knows column names and Arrow tables, not where the
rows come from.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from magpie_hub.errors import BuildError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Operator = Literal["==", ">=", "<=", "has at most"]
_COMPUTE = {"==": "equal", ">=": "greater_equal", "<=": "less_equal", "has at most": "less_equal"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps the rows whose column compares so with the value; a missing value is not kept.

    "has at most" compares the number of items in a list.
    """

    column: str
    operator: Operator
    value: str | int | float

    def __str__(self) -> str:
        value = f'"{self.value}"' if isinstance(self.value, str) else self.value
        return f"{self.column} {self.operator} {value}"


FILTERS: dict[str, tuple[Rule, ...]] = {
    # A conversation that is whole: the answer ended by itself and says something.
    "finished": (
        Rule("finish_reason", "==", "stop"),
        Rule("instruction_length", ">=", 16),
        Rule("response_length", ">=", 32),
    ),
    # Nothing in the conversation has the form of personal data.
    "no-personal-data": (Rule("personal_data", "has at most", 0),),
}


def keep(rule: Rule, table: "pa.Table", *, filter_name: str) -> "np.ndarray":
    """Return for each row of the table whether the rule keeps it, as booleans.

    Raises BuildError where the table lacks the rule's column, which a tag would have made.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if rule.column not in table.column_names:
        raise BuildError(
            f"filter `{filter_name}`: its rule `{rule}` needs the column `{rule.column}`, which no"
            " tag of the spec makes",
            hint="add the tag that makes it to `tags:` and run `magpie-hub tag SPEC`",
        )
    column = table[rule.column]
    if rule.operator == "has at most":
        column = pc.list_value_length(column)
    passed = pc.call_function(_COMPUTE[rule.operator], [column, pa.scalar(rule.value)])
    kept: np.ndarray = pc.fill_null(passed, False).to_numpy()
    return kept

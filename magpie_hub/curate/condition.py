"""A condition on columns, as a tree: which columns it reads, and for which rows it holds.

What is missing compares to nothing: where x is null, neither `x == 1` nor `not x == 1` holds, but
`x == 1 or y == 1` holds where y is 1 (Kleene's logic). Does not know how a condition is written:
that is `where`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

from magpie_hub.curate.filters import Rule, as_mask, truth

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Negated:
    """`not` of a part."""

    part: "Tree"


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts between which `word` stands."""

    word: Literal["and", "or"]
    parts: tuple["Tree", ...]


Tree = Rule | Negated | Joined


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition as it was written, and what it says."""

    text: str
    tree: Tree

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that it reads, each once, as they come in the text."""
        return tuple(dict.fromkeys(name for rule in _rules(self.tree) for name in rule.columns))

    def keep(self, table: "pa.Table") -> "np.ndarray":
        """Return for each row of the table whether the condition holds, as booleans.

        Raises BuildError for a column of a type that cannot be compared so, KeyError for none.
        """
        return as_mask(_truth(self.tree, table))

    def __str__(self) -> str:
        return self.text


def _rules(tree: Tree) -> Iterator[Rule]:
    match tree:
        case Rule():
            yield tree
        case Negated():
            yield from _rules(tree.part)
        case Joined():
            for part in tree.parts:
                yield from _rules(part)


def _truth(tree: Tree, table: "pa.Table") -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    match tree:
        case Rule():
            return truth(tree, table)
        case Negated():
            return pc.invert(_truth(tree.part, table))
    join = pc.and_kleene if tree.word == "and" else pc.or_kleene
    return reduce(join, (_truth(part, table) for part in tree.parts))

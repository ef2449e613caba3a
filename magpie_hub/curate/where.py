"""The grammar of a config's `where:`: a condition on columns, read here and never by `eval`.

    language == 'ZH' and not (difficulty in ['easy', 'very easy'] or response_length < 200)

A comparison has a column (a part of a struct is `a.b`), an operator and a value: `==`, `!=`, `<`,
`<=`, `>`, `>=`, `in [...]`, `not in [...]`, `contains` (a list has the item, a text the words),
`matches` (a regular expression, RE2, anywhere in a text), `is null`, `is not null`. A text stands
in '..' or "..", without escapes. `and`, `or`, `not` and parentheses join them: `not` binds first,
then `and`. Difficulty and quality go by the order of their labels.

Knows names and types of columns; neither what a spec is nor where rows come from.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, cast

from magpie_hub.curate.condition import Condition, Joined, Negated, Tree
from magpie_hub.curate.filters import ORDERED, Operator, Rule, Value
from magpie_hub.engines.options import nearest
from magpie_hub.errors import SpecError
from magpie_hub.records import Type
from magpie_hub.spec.wording import shown

LONGEST, DEEPEST = 4000, 50
"""The most characters of a condition, and the most parentheses and `not` within each other."""
LARGEST = 2**53
"""The largest number: up to it, a float holds every whole one."""

_TOKEN = re.compile(
    r"(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))"
    r"|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)"
    r"|(?P<sign>[()\[\],]|(?:[=!<>]=|[<>])(?![=&|!<>~]))"
    r"|(?P<stray>-?[\w.]+|[=&|!<>~]+|\S)"
)
_WORDS = ("and", "or", "not", "in", "is", "null", "contains", "matches", "true", "false")
_ORDERING = ("<", "<=", ">", ">=")
_EQUALITY = ("==", "!=")
_OPERATORS = {
    "a text": (*_EQUALITY, "in", "contains", "matches"),
    "a number": (*_EQUALITY, *_ORDERING, "in"),
    "true or false": _EQUALITY,
    "a list": ("contains",),
    "a struct": (),
}
_INSTEAD = {"=": "==", "<>": "!=", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not"}
_EXAMPLE = "such as: language == 'ZH' and response_length >= 200"


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str, types: Mapping[str, Type] | None = None) -> Condition:
    """Read a condition.

    types: of all columns that there are; without them, neither names nor types are checked. Raises
    SpecError that says what stands at which character and what was expected.
    """
    if len(text) > LONGEST:
        raise SpecError(
            f"it has {len(text):,} characters, expected at most {LONGEST:,}",
            hint="let a tag of your own make the choice, and ask for its label here",
        )
    reader = _Reader(text, None if types is None else dict(_flat(types)))
    tree = reader.joined("or", 0)
    if reader.token.kind != "end":
        raise reader.wrong("`and`, `or` or the end")
    return Condition(text, tree)


class _Reader:
    """Reads a condition from left to right; `token` is the next that was not used."""

    def __init__(self, text: str, types: dict[str, Type] | None) -> None:
        self.types = types
        self.tokens = [_Token(str(m.lastgroup), m[0], m.start() + 1) for m in _TOKEN.finditer(text)]
        self.tokens.append(_Token("end", "", len(text) + 1))
        self.next = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.next]

    def taken(self, *words: str) -> str:
        """Use the token and return it, if it is one of these words or signs; else ""."""
        if self.token.kind not in ("name", "sign") or self.token.text not in words:
            return ""
        self.next += 1
        return self.tokens[self.next - 1].text

    def need(self, word: str) -> None:
        if not self.taken(word):
            raise self.wrong(f"`{word}`")

    def joined(self, word: Literal["and", "or"], depth: int) -> Tree:
        parts = [self.joined("and", depth) if word == "or" else self.part(depth)]
        while self.taken(word):
            parts.append(self.joined("and", depth) if word == "or" else self.part(depth))
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def part(self, depth: int) -> Tree:
        if depth > DEEPEST:
            raise self.wrong(f"at most {DEEPEST} parentheses and `not` within each other")
        if self.taken("not"):
            return Negated(self.part(depth + 1))
        if self.taken("("):
            tree = self.joined("or", depth + 1)
            self.need(")")
            return tree
        return self.comparison()

    def comparison(self) -> Tree:
        column = self.column()
        if self.taken("is"):
            negated = bool(self.taken("not"))
            self.need("null")
            rule = Rule(column, "is null")
        else:
            negated = bool(self.taken("not"))
            operator = self.operator(column, negated)
            found = self.values(column) if operator == "in" else self.value(column, operator)
            rule = Rule(column, cast(Operator, operator), found)
        return Negated(rule) if negated else rule

    def column(self) -> str:
        token = self.token
        if token.kind != "name" or token.text in _WORDS:
            raise self.wrong("the name of a column, `not` or `(`")
        if self.types is not None and token.text not in self.types:
            known = [name for name in self.types if "." not in name]
            expected = f"one of the columns `{'`, `'.join(known)}`"
            raise self.wrong(expected, nearest(token.text, self.types))
        self.next += 1
        return token.text

    def operator(self, column: str, negated: bool) -> str:
        at = self.token
        words = ("in", "contains", "matches")
        operator = self.taken(*words) if negated else self.taken(*_EQUALITY, *_ORDERING, *words)
        if not operator:
            listed = words if negated else (*_EQUALITY, *_ORDERING, *words, "not", "is")
            raise self.wrong(f"one of `{'`, `'.join(listed)}`")
        if self.types is not None:
            type_ = self.types[column]
            kind = _kind(type_)
            allowed = (*_OPERATORS[kind], *(_ORDERING if column in ORDERED else ()), "is")
            if operator not in allowed:
                part = f"{column}.{next(iter(type_))}" if isinstance(type_, dict) else ""
                raise self.wrong(
                    f"one of `{'`, `'.join(allowed)}`, since `{column}` is {kind}",
                    f"name a part of it, such as `{part}`" if part else "",
                    at=at,
                )
        return operator

    def values(self, column: str) -> tuple[Value, ...]:
        self.need("[")
        found = [self.value(column, "in")]
        while self.taken(","):
            at = self.token
            found.append(self.value(column, "in"))
            if _kind_of(found[-1]) != _kind_of(found[0]):
                raise self.wrong(f"{_kind_of(found[0])}, as before it", at=at)
        self.need("]")
        return tuple(found)

    def value(self, column: str, operator: str) -> Value:
        """Read a value that the column can be compared with."""
        token = self.token
        value = self.literal()
        if self.types is not None:
            type_ = self.types[column]
            kind = _kind(type_[0] if isinstance(type_, list) else type_)
            if kind != _kind_of(value):
                raise self.wrong(f"{kind}, as in `{column}`", at=token)
        if operator == "matches":
            self.check_pattern(token)
        elif operator != "contains" and column in ORDERED and value not in ORDERED[column]:
            labels = ORDERED[column]
            expected = f"one of `{column}`'s `{'`, `'.join(labels)}`"
            raise self.wrong(expected, nearest(str(value), labels), at=token)
        return value

    def literal(self) -> Value:
        token = self.token
        found: Value
        match token.kind:
            case "text" if not any("\ud800" <= c <= "\udfff" for c in token.text):
                found = token.text[1:-1]
            case "number" if abs(float(token.text)) <= LARGEST:
                whole = token.text.lstrip("-").isdigit()
                found = int(token.text) if whole else float(token.text)
            case "name" if token.text in ("true", "false"):
                found = token.text == "true"
            case "number":
                raise self.wrong(f"a number of at most {LARGEST:,}")
            case _:
                quoted = token.kind == "name" and token.text not in _WORDS
                raise self.wrong(
                    "a text in quotes, a number, `true` or `false`",
                    f"write '{token.text}'" if quoted else "",
                )
        self.next += 1
        return found

    def check_pattern(self, token: _Token) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if token.kind != "text":
            raise self.wrong("a regular expression in quotes", at=token)
        try:
            pc.match_substring_regex(pa.array([""]), token.text[1:-1])
        except pa.ArrowInvalid as error:
            why = str(error).removeprefix("Invalid regular expression: ")
            raise self.wrong(
                f"a regular expression as RE2 reads them ({shown(why)})",
                "mend it; RE2 has neither look-around nor references to groups",
                at=token,
            ) from error

    def wrong(self, expected: str, hint: str = "", *, at: _Token | None = None) -> SpecError:
        """Return the error that says what stands there, and what should."""
        token = at or self.token
        what = "it ends" if token.kind == "end" else f"{shown(token.text)} stands"
        return SpecError(
            f"{what} at character {token.at}, expected {expected}", hint=hint or _hint(token)
        )


def _hint(token: _Token) -> str:
    word = _INSTEAD.get(token.text, token.text.lower())
    if word != token.text and word in (*_WORDS, *_EQUALITY):
        return f"write `{word}`"
    if token.text == "null":
        return "write `is null` or `is not null`"
    if token.text in ("'", '"'):
        return "close the quote"
    return _EXAMPLE


def _flat(types: Mapping[str, Type], above: str = "") -> Iterator[tuple[str, Type]]:
    """Yield the types by name, parts of structs as `a.b`."""
    for name, type_ in types.items():
        yield above + name, type_
        if isinstance(type_, dict):
            yield from _flat(type_, f"{above}{name}.")


def _kind(type_: Type) -> str:
    if isinstance(type_, list):
        return "a struct" if isinstance(type_[0], dict) else "a list"
    if isinstance(type_, dict):
        return "a struct"
    return {"string": "a text", "bool": "true or false"}.get(type_, "a number")


def _kind_of(value: Value) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number"

"""Options of an engine, as a dataclass: its fields are the names, types, bounds and defaults.

Reads what a spec wrote beside an engine's name. Knows no engine and needs no library, so that
a spec can be checked before anything is opened.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from difflib import get_close_matches
from math import inf
from types import UnionType
from typing import Any, TypeVar, get_args

from magpie_hub.errors import EngineError

T = TypeVar("T")
Default = TypeVar("Default", int, float, None)


def bounded(default: Default, at_least: float, at_most: float = inf) -> Default:
    """Declare a number of an options dataclass with its inclusive bounds."""
    return field(default=default, metadata={"at_least": at_least, "at_most": at_most})


def read_options(kind: type[T], engine: str, options: Mapping[str, object]) -> T:
    """Return `kind`, an options dataclass, filled from `options`.

    A whole number is accepted where a float is expected. Raises EngineError for an unknown
    name (with the nearest known one), a wrong type, a number out of its bounds, or a missing
    option that has no default.
    """
    known = {option.name: option for option in fields(kind)}  # type: ignore[arg-type]
    expected = f"one of `{'`, `'.join(known)}`" if known else "none"
    for name, value in options.items():
        if name not in known:
            raise EngineError(
                f"`{engine}` has no option `{name}`, expected {expected}",
                hint=nearest(name, known) if known else f"remove `{name}`",
            )
        if not _fits(value, known[name]):
            raise EngineError(
                f"the option `{name}` of the engine `{engine}` is `{value}`,"
                f" expected {_expected(known[name])}",
                hint=f"correct `{name}`, or leave it out for the default",
            )
    for name, option in known.items():
        if option.default is MISSING and name not in options:
            raise EngineError(
                f"the engine `{engine}` has no `{name}`, expected {_expected(option)}",
                hint=f"write it beside the engine's name: {{name: {engine}, {name}: ...}}",
            )
    return kind(**options)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word closest to `name`, if one is close."""
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean `{close[0]}`?" if close else "use one of the names listed"


def _types(option: Field[Any]) -> tuple[Any, ...]:
    return get_args(option.type) if isinstance(option.type, UnionType) else (option.type,)


def _fits(value: object, option: Field[Any]) -> bool:
    types = _types(option)
    if isinstance(value, list) and list[str] in types:
        return bool(value) and all(type(item) is str for item in value)
    # By exact type, since `True` is an int to isinstance.
    if type(value) not in types and not (type(value) is int and float in types):
        return False
    if not isinstance(value, int | float) or "at_least" not in option.metadata:
        return True
    return bool(option.metadata["at_least"] <= value <= option.metadata["at_most"])


def _expected(option: Field[Any]) -> str:
    words = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    words |= {list[str]: "a list of text"}
    text = " or ".join(words[kind] for kind in _types(option) if kind in words)
    if "at_least" in option.metadata:
        text += f" of at least {option.metadata['at_least']:g}"
        if option.metadata["at_most"] != inf:
            text += f" and at most {option.metadata['at_most']:g}"
    return text

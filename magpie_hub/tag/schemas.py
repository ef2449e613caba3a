"""The JSON Schemas of judges' answers: the columns that they fill, and how long an answer can be.

Only flat objects of bounded values: an answer without a bound is not finished in time by a small
model, and would be no label. Knows no prompt and no judge.
"""

import json
from collections.abc import Mapping
from typing import Any

from magpie_hub.errors import SpecError
from magpie_hub.records import Type

_PLAIN = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}
_NUMBER = 24
"""The most characters of a number in JSON."""


def whole(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that asks for all of its properties and for nothing else."""
    closed = {"required": list(schema["properties"]), "additionalProperties": False}
    return {**schema, "type": "object", **closed}


def columns_of(schema: Mapping[str, Any]) -> dict[str, Type]:
    """Return the columns that an answer fills: one for each property."""
    return {name: _type(part) for name, part in schema["properties"].items()}


def longest(schema: Mapping[str, Any]) -> int:
    """Return the most characters of an answer, which no tokenizer makes more tokens of.

    Characters that JSON escapes, and those that a tokenizer takes in bytes, are the exception.
    """
    total = 2
    for name, part in schema["properties"].items():
        total += len(json.dumps(name)) + 4 + _longest(part)
    return total


def check(place: str, schema: Any) -> None:
    """Raise SpecError where a schema is not one of an answer; `place` is the key in the spec."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _wrong(place, f"it is no JSON Schema: {error.message}") from error
    if "$ref" in str(schema) or "$dynamicRef" in str(schema):
        raise _wrong(place, "it has a `$ref`, expected all of it in one place")
    parts = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(parts, dict) or not parts:
        raise _wrong(place, "it has no `properties`")
    for name, part in parts.items():
        if not isinstance(name, str) or not name.isidentifier() or len(name) > 60:
            raise _wrong(place, f"`{name}` cannot be a column's name")
        if not isinstance(part, dict) or (why := _fault(part)):
            raise _wrong(place, f"`{name}` {why if isinstance(part, dict) else 'is no schema'}")


def _wrong(place: str, why: str) -> SpecError:
    return SpecError(
        f"`{place}`: {why}",
        hint="write an object of bounded values, such as"
        ' {"properties": {"mood": {"enum": ["good", "bad"]}, "why": {"type": "string",'
        ' "maxLength": 200}}}',
    )


def _fault(part: Mapping[str, Any]) -> str:
    if "enum" in part:
        kinds = {type(value) for value in part["enum"]}
        return "" if len(kinds) == 1 and kinds <= {str, int} else "has labels of several types"
    match part.get("type"):
        case "string":
            return "" if "maxLength" in part else "is text without a `maxLength`"
        case "array":
            if "maxItems" not in part or not isinstance(part.get("items"), dict):
                return "is a list without `maxItems` or without `items`"
            return _fault(part["items"]) or (
                "is a list of lists" if part["items"].get("type") == "array" else ""
            )
    return "" if str(part.get("type")) in _PLAIN else "has no `type` that a column can have"


def _type(part: Mapping[str, Any]) -> Type:
    if "enum" in part:
        return "string" if isinstance(part["enum"][0], str) else "int64"
    if part["type"] == "array":
        return [_type(part["items"])]
    return _PLAIN[part["type"]]


def _longest(part: Mapping[str, Any]) -> int:
    if "enum" in part:
        return max(len(json.dumps(value, ensure_ascii=False)) for value in part["enum"])
    if part["type"] == "array":
        return 2 + int(part["maxItems"]) * (_longest(part["items"]) + 2)
    return int(part["maxLength"]) + 2 if part["type"] == "string" else _NUMBER

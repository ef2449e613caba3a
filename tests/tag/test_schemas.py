"""Schemas of judges' answers: flat, closed and bounded, each property a column."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie_hub.errors import SpecError
from magpie_hub.tag.judge import question
from magpie_hub.tag.schemas import check, columns_of, longest, whole

QUESTIONS = ("quality", "difficulty", "category", "response_quality")
TEXT = {"type": "string", "maxLength": 5}
# Characters that JSON writes as they are.
PLAIN = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\')
EVERY_TYPE = whole(
    {
        "properties": {
            "mood": {"enum": ["good", "so so"]},
            "stars": {"enum": [1, 10]},
            "why": {"type": "string", "maxLength": 40},
            "count": {"type": "integer"},
            "share": {"type": "number"},
            "sure": {"type": "boolean"},
            "topics": {"type": "array", "maxItems": 3, "items": TEXT},
        }
    }
)


def instances(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for the values that satisfy a schema."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema["type"]:
        case "object":
            parts = schema["properties"].items()
            return st.fixed_dictionaries({name: instances(part) for name, part in parts})
        case "array":
            return st.lists(instances(schema["items"]), max_size=schema["maxItems"])
        case "string":
            return st.text(PLAIN, max_size=schema["maxLength"])
        case "integer":
            return st.integers(-(2**53), 2**53)
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False)
    return st.booleans()


@pytest.mark.parametrize(
    "schema",
    [*(question(name).schema for name in QUESTIONS), EVERY_TYPE],
    ids=[*QUESTIONS, "every type"],
)
@settings(deadline=None)
@given(data=st.data())
def test_no_answer_is_longer_than_longest(schema: dict[str, Any], data: st.DataObject) -> None:
    """Every answer of plain letters is within the bound that its tokens are limited to."""
    answer = data.draw(instances(schema))
    assert len(json.dumps(answer)) <= longest(schema)


def test_the_bound_is_close() -> None:
    """The longest answer of a schema of one text is as long as the bound, but for a comma."""
    schema = whole({"properties": {"why": {"type": "string", "maxLength": 200}}})
    assert longest(schema) == len(json.dumps({"why": "x" * 200})) + 2


@pytest.mark.parametrize("name", QUESTIONS)
def test_ours_are_closed_and_valid(name: str) -> None:
    """Each schema of ours asks for all of its properties, for nothing else, and bounds them."""
    schema = question(name).schema
    check("tags", schema)
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False


def test_a_schema_is_closed_whatever_it_says() -> None:
    """`required` and `additionalProperties` of a spec's schema are ours to say; the rest stays."""
    given_ = {"properties": {"a": TEXT, "b": TEXT}, "required": ["a"], "title": "Mood"}
    assert whole(given_) == {
        "type": "object",
        "properties": {"a": TEXT, "b": TEXT},
        "required": ["a", "b"],
        "additionalProperties": False,
        "title": "Mood",
    }


def test_columns() -> None:
    """Each property is a column of the type that its values have."""
    assert columns_of(EVERY_TYPE) == {
        "mood": "string",
        "stars": "int64",
        "why": "string",
        "count": "int64",
        "share": "float64",
        "sure": "bool",
        "topics": ["string"],
    }


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "string"}, "`a` is text without a `maxLength`"),
        ({"type": "array", "items": TEXT}, "`a` is a list without `maxItems`"),
        ({"type": "array", "maxItems": 2}, "`a` is a list without `maxItems` or without `items`"),
        ({"type": "array", "maxItems": 2, "items": {"type": "string"}}, "text without"),
        (
            {
                "type": "array",
                "maxItems": 2,
                "items": {"type": "array", "maxItems": 1, "items": TEXT},
            },
            "`a` is a list of lists",
        ),
        ({"enum": ["a", 1]}, "`a` has labels of several types"),
        ({"enum": []}, "`a` has labels of several types"),
        ({"enum": [[1]]}, "`a` has labels of several types"),
        ({"type": "object"}, "`a` has no `type` that a column can have"),
        ({"type": ["string", "null"], "maxLength": 5}, "`a` has no `type` that a column can have"),
        ({"$ref": "#/a"}, "it has a `$ref`"),
        ({"type": "string", "maxLength": 5, "$ref": "http://x"}, "it has a `$ref`"),
        (True, "`a` is no schema"),
        ({"type": "nix"}, "it is no JSON Schema: 'nix' is not valid"),
        ({"type": "string", "maxLength": -1}, "it is no JSON Schema: -1 is less than"),
        ({"type": "string", "maxLength": 5, "pattern": "("}, "'(' is not a 'regex'"),
    ],
)
def test_a_part_that_is_no_column(part: object, why: str) -> None:
    """What is unbounded, nested or no schema is refused, with the property and the reason."""
    with pytest.raises(SpecError) as caught:
        check("tags.mood.schema", {"properties": {"a": part}})
    assert caught.value.message.startswith("`tags.mood.schema`: ")
    assert why in caught.value.message
    assert "maxLength" in caught.value.hint


@pytest.mark.parametrize(
    "schema",
    [
        *(None, [], {}, {"properties": {}}, {"properties": []}),
        *({"properties": {name: TEXT}} for name in ("a b", "", "1st", "x" * 61, 1, True)),
    ],
    ids=str,
)
def test_a_schema_without_columns(schema: object) -> None:
    """A schema that is no object, or whose properties cannot be columns' names, is refused."""
    with pytest.raises(SpecError):
        check("tags.mood.schema", schema)

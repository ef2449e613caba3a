"""A tag makes its own columns, row for row, and lies under a name of its own."""

import json
from typing import Any

import pyarrow as pa
import pytest

from magpie_hub.columns import SFT
from magpie_hub.spec.tags import OwnTag, Tags
from magpie_hub.tag import TAGS, Tag, free_texts, own, own_columns, wanted

ROWS = pa.table(
    {
        "uuid": ["u1", "u2", "u3"],
        "instruction": ["Why is the sky blue?", "Warum ist der Himmel blau?", "Why?"],
        "response": ["Air.", "", "Because."],
        "completion_tokens": [2, 0, 3],
    }
)
COMPUTED = [tag for tag in TAGS.values() if tag.module]
MOOD = {
    "prompt": "{{ instruction }}",
    "schema": {"properties": {"mood": {"enum": ["good", "bad"]}}},
}


@pytest.mark.parametrize("tag", COMPUTED, ids=str)
def test_labels_row_for_row(tag: Tag) -> None:
    """A tag's shard has its columns, one row for each row, in the same order, however cut."""
    labels = tag.label(ROWS)

    assert labels.column_names == list(tag.shard)
    assert labels["uuid"].to_pylist() == ["u1", "u2", "u3"]
    pieces = [tag.label(ROWS.slice(i, 1)) for i in (2, 1, 0)]
    assert pa.concat_tables(pieces[::-1]).equals(labels)
    assert tag.label(pa.concat_tables([ROWS, ROWS.slice(1)])).slice(3).equals(labels.slice(1))


@pytest.mark.parametrize("tag", COMPUTED, ids=str)
def test_no_rows(tag: Tag) -> None:
    """A unit of which nothing was kept has a shard of no labels, with the same columns."""
    assert tag.label(ROWS.slice(0, 0)).equals(tag.label(ROWS).slice(0, 0))


def test_columns_are_the_published_ones() -> None:
    """The columns of the tags are published columns of the same type, and no two make the same."""
    made = [(name, type_) for tag in TAGS.values() for name, type_ in tag.columns.items()]

    assert len(dict(made)) == len(made)
    published = {field.name: field.type for field in SFT if field.group == "tag"}
    assert json.dumps(dict(made)) == json.dumps({name: published[name] for name, _ in made})
    assert [tag.name for tag in TAGS.values()] == list(TAGS)
    # What comes with the response itself is no tag's, nor is what was found before tagging.
    others = {"instruction_tokens", "finish_reason", "benchmark_overlap"}
    assert published.keys() - dict(made).keys() == others


def test_what_computes_and_what_asks() -> None:
    """The shard of a tag that asks a model says how each label was made; no other has room."""
    assert [tag.name for tag in COMPUTED] == ["lengths", "language", "personal_data"]
    assert list(TAGS["language"].shard) == ["uuid", "language", "language_confidence"]
    assert list(TAGS["embedding"].shard) == ["uuid", "vector"]
    assert [name for name, tag in TAGS.items() if "failure" in tag.shard] == [
        *("quality", "difficulty", "category", "response_quality", "safety"),
        *("reward", "base_response", "base_reward"),
    ]


def test_the_stage_changes_with_all_that_decides_the_labels() -> None:
    """Another tag, version, model, prompt or schema lies in another folder; the same in the same.

    One place is written down: where it moves, all labels are made again.
    """
    language = Tag("language", {"language": "string"}, "magpie_hub.tag.language", version=2)
    assert language.stage() == TAGS["language"].stage() == "tags/language/901b674551c8372a"
    other = {"properties": {"mood": {"enum": ["good", "so so"]}}}
    tags = [made(MOOD), made(MOOD | {"prompt": "{{ response }}"}), made(MOOD | {"schema": other})]
    stages = [
        language.stage(),
        Tag("language", {"language": "string"}, "magpie_hub.tag.language", version=3).stage(),
        TAGS["lengths"].stage(),
        *(tag.stage("5fcb290") for tag in tags),
        tags[0].stage("abc"),
    ]
    assert len(set(stages)) == len(stages)
    assert tags[0].stage("5fcb290") == made(MOOD).stage("5fcb290")
    assert tags[0].stage("abc").startswith("tags/mood/")


def made(section: dict[str, Any]) -> Tag:
    """Return a spec's own tag `mood`."""
    return own("mood", OwnTag.model_validate(section))


def test_what_is_wanted() -> None:
    """Tags come in the order of making, with those that they need; a spec's own come last."""
    asked = {
        "mood": MOOD,
        "neighbours": {},
        "reward": {"base": {"model": "org/base"}},
        "lengths": {},
    }
    assert list(wanted(Tags.model_validate(asked))) == [
        *("lengths", "reward", "embedding", "neighbours", "mood", "base_response", "base_reward")
    ]
    assert list(wanted(Tags.model_validate(["language", "reward"]))) == ["language", "reward"]


def test_own_columns() -> None:
    """A spec's own tag publishes its properties and its judge; a description is the meaning."""
    stars = {"type": "integer", "description": "Stars, of five."}
    schema = {"properties": MOOD["schema"]["properties"] | {"stars": stars}}
    tags = Tags.model_validate({"quality": {}, "mood": MOOD | {"schema": schema}})
    assert own_columns(tags) == {
        "mood": ("string", "Of the tag mood."),
        "stars": ("int64", "Stars, of five."),
        "mood_generator": ("string", "Of the tag mood."),
    }


def test_free_texts() -> None:
    """Of a spec's own tags, what a judge says in its own words is told from labels and numbers."""
    parts = {
        "mood": {"enum": ["good", "bad"]},
        "why": {"type": "string", "maxLength": 99},
        "words": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 9}},
        "kinds": {"type": "array", "maxItems": 3, "items": {"enum": ["a", "b"]}},
        "sure": {"type": "boolean"},
    }
    tags = Tags.model_validate({"tone": {"prompt": "x", "schema": {"properties": parts}}})
    assert free_texts(tags) == {"why", "words"}

"""A tag makes its own columns, row for row, and lies under a name of its own."""

import json

import pyarrow as pa
import pytest

from magpie_hub.records import columns
from magpie_hub.tag import TAGS, Tag

ROWS = pa.table(
    {
        "uuid": ["u1", "u2", "u3"],
        "instruction": ["Why is the sky blue?", "Warum ist der Himmel blau?", "Why?"],
        "response": ["Air.", "", "Because."],
        "completion_tokens": [2, 0, 3],
    }
)


@pytest.mark.parametrize("tag", TAGS.values(), ids=str)
def test_labels_row_for_row(tag: Tag) -> None:
    """A tag's shard has its columns, one row for each row, in the same order, however cut."""
    labels = tag.label(ROWS)

    assert labels.column_names == list(tag.shard)
    assert labels["uuid"].to_pylist() == ["u1", "u2", "u3"]
    pieces = [tag.label(ROWS.slice(i, 1)) for i in (2, 1, 0)]
    assert pa.concat_tables(pieces[::-1]).equals(labels)
    assert tag.label(pa.concat_tables([ROWS, ROWS.slice(1)])).slice(3).equals(labels.slice(1))


@pytest.mark.parametrize("tag", TAGS.values(), ids=str)
def test_no_rows(tag: Tag) -> None:
    """A unit of which nothing was kept has a shard of no labels, with the same columns."""
    assert tag.label(ROWS.slice(0, 0)).equals(tag.label(ROWS).slice(0, 0))


def test_columns_are_the_published_ones() -> None:
    """The columns of the tags are published columns of the same type, and no two make the same."""
    made = [(name, type_) for tag in TAGS.values() for name, type_ in tag.columns.items()]

    assert len(dict(made)) == len(made)
    published = columns("sft")
    assert json.dumps(dict(made)) == json.dumps({name: published[name] for name, _ in made})
    assert [tag.name for tag in TAGS.values()] == list(TAGS)


def test_the_stage_changes_with_the_version() -> None:
    """Another version of a tag, or another tag, lies in another folder; the same in the same."""
    first = Tag("language", {"language": "string"}, "magpie_hub.tag.language", version=1)
    second = Tag("language", {"language": "string"}, "magpie_hub.tag.language", version=2)
    assert first.stage == TAGS["language"].stage
    assert len({first.stage, second.stage, TAGS["lengths"].stage}) == 3
    assert first.stage.startswith("tags/language/")

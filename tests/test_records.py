"""The names of draws never change, and the schemas as data are the schemas in Arrow."""

from dataclasses import fields

import pyarrow as pa
import pytest

from magpie_hub.records import (
    INSTRUCTION_SHARD,
    RESPONSE_SHARD,
    Draw,
    Instruction,
    Response,
    arrow_schema,
)

DRAW = Draw(repo="org/x", model="org/m", revision="abc", seed=0)


def test_a_draw_has_its_name_for_good() -> None:
    """A uuid and a seed are what they were in every release before: these were written down."""
    assert DRAW.uuid(7) == "48b3822f-0939-51a9-9e48-37721ec23571"
    assert DRAW.seed_of(7, "instructions") == 2964313761


@pytest.mark.parametrize(
    "other",
    [
        Draw("org/y", "org/m", "abc", 0),
        Draw("org/x", "org/n", "abc", 0),
        Draw("org/x", "org/m", "abd", 0),
        Draw("org/x", "org/m", "abc", 1),
    ],
)
def test_whatever_names_a_draw_changes_it(other: Draw) -> None:
    """Another repository, model, revision or seed gives other uuids and other seeds."""
    assert other.uuid(7) != DRAW.uuid(7)
    assert other.seed_of(7, "instructions") != DRAW.seed_of(7, "instructions")


def test_names_and_seeds_of_many_rows() -> None:
    """Rows and stages have uuids and seeds of their own; no seed is llama.cpp's "random"."""
    assert len({DRAW.uuid(index) for index in range(5000)}) == 5000
    assert DRAW.uuid(0, "greedy") != DRAW.uuid(0)

    seeds = [DRAW.seed_of(i, stage) for i in range(2500) for stage in ("instructions", "b")]

    assert len(set(seeds)) > 4990
    assert 0 <= min(seeds) < 2**22 < 2**32 - 2**22 < max(seeds) < 2**32 - 1


@pytest.mark.parametrize(
    ("record", "shard"), [(Instruction, INSTRUCTION_SHARD), (Response, RESPONSE_SHARD)]
)
def test_records_are_the_rows_of_their_shards(record: type, shard: dict[str, object]) -> None:
    """A record's fields are the columns of its shard, by name and in order."""
    assert [field.name for field in fields(record)] == list(shard)


def test_types_as_data() -> None:
    """A name is a primitive, a map a struct, a list of one a list."""
    given = {"a": "int64", "b": {"c": "string", "d": "float64"}, "e": [{"f": "string"}]}

    assert arrow_schema(given) == pa.schema(
        {
            "a": pa.int64(),
            "b": pa.struct({"c": pa.string(), "d": pa.float64()}),
            "e": pa.list_(pa.struct({"f": pa.string()})),
        }
    )

"""What is measured of a config's files: by eye on four rows, and against pandas on many."""

import json
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.card.facts import LENGTHS, as_json, measure
from magpie_hub.columns import SFT
from magpie_hub.records import arrow_schema

SCHEMA = arrow_schema({field.name: field.type for field in SFT})


@pytest.fixture
def config(tmp_path):
    """Write lists of rows as the Parquet files of a config; return the config's folder."""

    def write(*files):
        for number, rows in enumerate(files):
            name = f"train-{number:05d}-of-{len(files):05d}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, SCHEMA), tmp_path / name, row_group_size=2)
        return tmp_path

    return write


def test_four_rows(config, row):
    """Lengths, counts and engines over two files are what one finds by eye."""
    folder = config(
        [row(instruction_length=n, finish_reason=f) for n, f in [(1, "stop"), (2, "length")]]
        + [row(instruction_length=3, language=None)],
        [row(instruction_length=10, language="DE")],
    )
    facts = measure(folder)

    assert facts.rows == 4
    assert [(name, rows) for name, _, rows in facts.files] == [
        ("train-00000-of-00002.parquet", 3),
        ("train-00001-of-00002.parquet", 1),
    ]
    assert facts.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert facts.numbers["instruction_length"] == {
        "mean": 4.0,
        "deviation": 3.5,  # the root of (9 + 4 + 1 + 36) / 4, to one digit
        "min": 1,
        "p25": 1,
        "median": 2,
        "p75": 3,
        "p95": 3,
        "max": 10,
    }
    assert facts.counts["finish_reason"] == {"stop": 3, "length": 1}
    assert list(facts.counts["language"].items()) == [("EN", 2), ("DE", 1), ("none", 1)]
    assert facts.engines == (("scripted", "1", "5fcb290"),)
    assert facts.sample["instruction_length"] == 1


def test_a_column_without_values_has_no_numbers(config, row):
    """A tag that the spec leaves out is not shown as zeros."""
    empty = dict.fromkeys(LENGTHS[:2])
    facts = measure(config([row(**empty), row(**empty)]))
    assert list(facts.numbers) == ["response_tokens"]


def test_lists_and_rewards(config, row):
    """A list counts for each of its values, an empty one as none; a reward has four digits."""
    rows = [
        row(safety_categories=["S1", "S2"], instruct_reward=1 / 3),
        row(safety_categories=["S2"], instruct_reward=-1.0),
        row(safety_categories=[]),
        row(),
    ]
    facts = measure(config(rows))
    assert facts.counts["safety_categories"] == {"S2": 2, "none": 2, "S1": 1}
    reward = facts.numbers["instruct_reward"]
    assert (reward["mean"], reward["min"], reward["max"]) == (-0.3333, -1.0, 0.3333)
    assert {"safety", "base_reward"} <= set(facts.empty)
    assert facts.empty.count("safety_categories") == 0


def test_engines_are_those_that_wrote_rows(config, row):
    """A run that went on with another version of its engine names both, each once."""
    old, new = ({**row()["gen_response_configs"], "engine_version": v} for v in ("1", "2"))
    rows = [row(gen_response_configs=drawn) for drawn in (new, old, new)]
    assert [version for _, version, _ in measure(config(rows)).engines] == ["1", "2"]


def test_numbers_are_those_of_pandas(config, row):
    """On 500 rows with gaps every figure is the one that pandas computes."""
    draw = random.Random(0)
    values = [draw.choice([None, draw.randrange(10_000)]) for _ in range(500)]
    facts = measure(config([row(response_length=value) for value in values]))

    column = pd.Series(values, dtype="Int64").dropna().astype("int64")
    quantiles = {"p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}
    assert facts.numbers["response_length"] == {
        "mean": round(column.mean(), 1),
        "deviation": round(column.std(ddof=0), 1),
        "min": column.min(),
        **{name: column.quantile(q, interpolation="lower") for name, q in quantiles.items()},
        "max": column.max(),
    }


def test_as_json(config, row):
    """The facts of a config are plain data, with units and without a row's text."""
    facts = {"raw": measure(config([row("a secret")]))}
    shown = as_json(facts, {"quality": {"rows": 1, "failed": {}}}, {"backend": "rensa"})

    assert json.loads(json.dumps(shown)) == shown
    assert shown["configs"]["raw"]["counts"] == {
        "language": {"EN": 1},
        "finish_reason": {"stop": 1},
    }
    assert set(shown["units"]) >= set(shown["configs"]["raw"]["numbers"])
    assert shown["tags"] == {"quality": {"rows": 1, "failed": {}}}
    assert shown["curation"] == {"backend": "rensa"}
    assert "a secret" not in json.dumps(shown)

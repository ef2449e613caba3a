"""Runs whose instructions two scripted models answer, and what these were asked."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from builders.magpie import Magpie
from magpie_hub.run.graph import rows as drawn_and_answered
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import carry_out, spec_file

OWN: dict[str, Any] = {"name": "own", "temperature": 0}
"""What the generator answers itself."""
CONFIGS = {"raw": {}, "theirs": {"answers": "other"}}


def other(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return an answer set by another model, which answers nothing to every fourth instruction."""
    engine = {"name": "scripted", "empty": 0.25, "transcript": str(folder / "other.jsonl")}
    return {"name": "other", "model": "org/other", "engine": engine, "temperature": 0.7} | changes


def keys(folder: Path, *responses: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the keys of a spec with these answer sets; its generator writes down its requests."""
    engine = {"name": "scripted", "transcript": str(folder / "own.jsonl")}
    given = {"generator": {"model": "org/own", "engine": engine}, "responses": [*responses]}
    return {"tags": ["lengths"], "configs": CONFIGS, **given, **changes}


def again(folder: Path, rows: int, **spec: Any) -> RunFolder:
    """Bring the run in a folder on by a spec, to its tags."""
    made, run_ = load(str(spec_file(folder, rows, **spec))), RunFolder(folder / "run")
    with run_.lock():
        for stage in (drawn_and_answered, tag):
            carry_out(stage, made, run_)
    return run_


def asked(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the keys of the requests that a model got, in order."""
    path = folder / f"{name}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line)["key"] for line in lines]


def stages(folder: Path, name: str) -> Counter[str]:
    """Return how many requests of each stage a model got."""
    return Counter(key["stage"] for key in asked(folder, name))


def shards(run_: RunFolder, stage: str) -> list[dict[str, Any]]:
    """Return the rows of a stage's shards, read as anyone would."""
    paths = sorted((run_.path / stage).glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def built(folder: Path, config: str) -> list[dict[str, Any]]:
    """Return a config's rows as the builder streams them."""
    builder = Magpie(str(folder / "cache"), config_name=config, data_dir=folder / "run")
    return list(builder.as_streaming_dataset("train"))

"""Tagged runs on the scripted engine, made in this process, and what lies in their shards."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from magpie_hub.run.graph import rows
from magpie_hub.run.opened import Models
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import spec_file

TRANSCRIPT = "judged.jsonl"
MOOD = {"prompt": "{{ instruction }}", "schema": {"properties": {"mood": {"enum": [1, 2]}}}}
"""A tag of a spec's own, which the scripted engine always garbles where it garbles anything."""


def judge(folder: Path, **options: object) -> dict[str, object]:
    """Return a judge of its own beside the generator, that writes down what it is asked."""
    engine = {"name": "scripted", "transcript": str(folder / TRANSCRIPT), **options}
    return {"model": "judge", "engine": engine}


def tagged(
    folder: Path, count: int = 60, models: Models | None = None, **changes: Any
) -> tuple[Spec, RunFolder]:
    """Bring the run in `folder` to `count` rows and to the tags of a spec, and return both.

    models: what opens its models; `changes` are keys of the spec.
    """
    spec = load(str(spec_file(folder, count, **{"configs": {}, **changes})))
    run = RunFolder(folder / "run")
    with run.lock(), models or Models() as opened:
        rows(spec, run, quiet, print, opened)
        tag(spec, run, quiet, print, opened)
    return spec, run


def quiet(stage: str, done: int, total: int, tokens: int, failed: int = 0) -> None:
    """Take a report of progress and say nothing."""


def stage_of(run: RunFolder, name: str) -> str:
    """Return where a tag's shards lie."""
    return str(run.state()["tags"][name]["stage"])


def labels(run: RunFolder, name: str) -> list[dict[str, Any]]:
    """Return the rows of a tag's shards, one for each answered row, read as anyone would."""
    return _rows(run, stage_of(run, name))


def answers(run: RunFolder) -> list[dict[str, Any]]:
    """Return the rows of the response shards."""
    return _rows(run, "responses/default")


def duplicates(run: RunFolder) -> list[dict[str, Any]]:
    """Return the rows of the response shards, each with what it repeats."""
    found = _rows(run, str(run.state()["curated"]["duplicates"]))
    return [row | what for row, what in zip(answers(run), found, strict=True)]


def _rows(run: RunFolder, stage: str) -> list[dict[str, Any]]:
    paths = [run.shard(stage, unit) for unit in run.units()]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def asked(folder: Path, skip: int = 0) -> list[tuple[str, int, int]]:
    """Return the (tag, unit, index) of the judge's requests in order, but for the first."""
    path = folder / TRANSCRIPT
    lines = path.read_text().splitlines()[skip:] if path.exists() else []
    keys = [json.loads(line)["key"] for line in lines]
    return [(key["stage"].split("/")[1], key["unit"]["number"], key["index"]) for key in keys]

"""Runs on the scripted engine that go on until enough is kept, and what comes of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import released, spec_file
from tests.run.releasing import fingerprints

TRANSCRIPT = "asked.jsonl"
CONFIGS: dict[str, Any] = {
    "filtered": {"filter": "finished", "default": True},
    "few": {"from": "filtered", "size": {"at_most": 5}},
}


def spec(folder: Path, rows: int, at_most: int = 20_000, **changes: Any) -> Spec:
    """Return a spec that is to keep so many rows, and that writes down what it asks for."""
    folder.mkdir(exist_ok=True)
    options = changes.pop("options", {})
    engine = {"name": "scripted", "transcript": str(folder / TRANSCRIPT), **options}
    given = {"until": {"config": "filtered", "rows": rows}, "at_most": at_most}
    changes = {
        "generator": {"model": "scripted", "engine": engine},
        "instructions": given,
        "tags": ["lengths"],
        "dedup": {"near": False},
        "configs": CONFIGS,
        **changes,
    }
    return load(str(spec_file(folder, **changes)))


def release(folder: Path, rows: int, **changes: Any) -> RunFolder:
    """Bring a spec to its release in `dist` of the folder, and return the run."""
    run = RunFolder(folder / "run")
    released(spec(folder, rows, **changes), run, folder / "dist")
    return run


def asked(folder: Path) -> Counter[tuple[str, int]]:
    """Return how often each (stage, index) was asked for."""
    lines = (folder / TRANSCRIPT).read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    return Counter((key["stage"], key["index"]) for key in keys)


def draws(folder: Path) -> int:
    """Return how many instructions were asked for."""
    return sum(stage == "instructions" for stage, _ in asked(folder))


def kept(run: RunFolder) -> list[int]:
    """Return the indices of the rows that pass `finished`, judged row by row."""
    rows = [row for unit in run.units() for row in run.answered(unit).to_pylist()]
    return [
        row["index"]
        for row in rows
        if row["rejection"] is None
        and row["finish_reason"] == "stop"
        and len(row["instruction"]) >= 16
        and len(row["response"]) >= 32
    ]


def published(folder: Path, config: str) -> list[dict[str, Any]]:
    """Return the released rows of a config."""
    place = folder / "dist" / "org" / "tiny" / config
    rows: list[dict[str, Any]] = pq.read_table(place).to_pylist()
    return rows


def parquet(folder: Path) -> dict[str, str]:
    """Return the checksum of every Parquet file below a folder."""
    found = fingerprints(folder)
    return {name: digest for name, digest in found.items() if name.endswith(".parquet")}


def funnel(folder: Path, config: str) -> Any:
    """Return the released funnel of a config."""
    manifest = json.loads((folder / "dist" / "org" / "tiny" / "release.json").read_text())
    return manifest["configs"][config]["funnel"]

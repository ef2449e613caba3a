"""Small runs on the scripted engine, for tests that need something real to look at."""

from pathlib import Path
from typing import Any

import yaml

from magpie_hub.run import graph
from magpie_hub.run.graph import FIRST_ROUND, Released, Stage
from magpie_hub.run.opened import Models
from magpie_hub.run.publishing import Wanted
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec


def spec_file(folder: Path, rows: int = 60, **changes: Any) -> Path:
    """Write a spec for the scripted engine into `folder` and return its path."""
    path = folder / "tiny.yaml"
    spec = {
        "repo": "org/tiny",
        "generator": {"model": "scripted", "engine": "scripted"},
        "instructions": {"rows": rows},
        "configs": {"filtered": {"filter": "finished", "default": True}},
    }
    path.write_text(yaml.safe_dump(spec | changes))
    return path


def finished_run(folder: Path, rows: int = 60, **changes: Any) -> tuple[Spec, RunFolder]:
    """Make a run that is generated and tagged, and return it with its spec."""
    spec = load(str(spec_file(folder, rows, **changes)))
    run = RunFolder(folder / "run")
    with run.lock():
        for stage in FIRST_ROUND:
            carry_out(stage, spec, run)
    return spec, run


def quiet(stage: str, done: int, total: int, tokens: int, failed: int = 0) -> None:
    """Take a report of progress and say nothing."""


def carry_out(
    stage: Stage, spec: Spec, run: RunFolder, report: Report = quiet, warn: Warn = print
) -> None:
    """Bring a run through one stage, with models that are open for that long."""
    with Models() as models:
        stage(spec, run, report, warn, models)


def released(spec: Spec, run: RunFolder, target: Path, warn: Warn = print) -> Released:
    """Bring a spec to a release in a folder."""
    return graph.release(spec, run, Wanted(str(target)), quiet, warn, print)

"""The order of the stages, and the commands that are more than one of them.

    first round    generate -> tag
    second round   extensions of the rows that a config selected, and their tags; empty for now
    then           build -> publish

Every stage does what is missing, so the whole graph can be walked again at any time.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from magpie_hub.run.begin import Warn, check
from magpie_hub.run.building import Built, build, publish
from magpie_hub.run.generation import Report, generate
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Instructions, Spec

Stage = Callable[[Spec, RunFolder, Report, Warn], object]
FIRST_ROUND: tuple[Stage, ...] = (generate, tag)
SECOND_ROUND: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` made: where it lies, what it was built from, whether anything changed."""

    place: Path
    built: Built
    changed: bool


def release(spec: Spec, folder: RunFolder, target: Path, report: Report, warn: Warn) -> Released:
    """Walk the whole graph and put the release into `target`; goes on where it was stopped."""
    from magpie_hub.publish.folder import check as check_place

    check(spec)
    # Looked at before the hours of work as well as behind them.
    check_place(target / spec.repo)
    with folder.lock():
        for stage in (*FIRST_ROUND, *SECOND_ROUND):
            stage(spec, folder, report, warn)
        built = build(spec, folder, report, warn)
        place, changed = publish(spec, folder, built, target)
    return Released(place, built, changed)


def preview(
    spec: Spec, rows: int, report: Report, warn: Warn, show: Callable[[RunFolder], None]
) -> None:
    """Take a few rows through the first round in a folder that is gone afterwards.

    show: called with the run while the folder is there.
    """
    check(spec)
    few = spec.model_copy(update={"instructions": _fewer(spec.instructions, rows)})
    with tempfile.TemporaryDirectory(prefix="magpie-preview-") as place:
        folder = RunFolder(Path(place) / "run")
        with folder.lock():
            for stage in FIRST_ROUND:
                stage(few, folder, report, warn)
            show(folder)


def _fewer(instructions: Instructions, rows: int) -> Instructions:
    return instructions.model_copy(update={"rows": min(rows, instructions.rows)})

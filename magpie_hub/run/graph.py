"""The order of the stages, and the commands that are more than one of them.

    first round    generate, or take in what others made -> curate, tag -> count; again and again
                   where the spec says until what is kept
    second round   extensions of the rows that a config selected, and their scores
    then           curate, build -> publish

Every stage does what is missing, so the whole graph can be walked again at any time.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from magpie_hub.run.building import Built, build
from magpie_hub.run.checking import check
from magpie_hub.run.extending import extend
from magpie_hub.run.generation import generate
from magpie_hub.run.importing import take_in
from magpie_hub.run.opened import Models
from magpie_hub.run.publishing import Put, Wanted, check_target, publish
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.run.tagging import tag
from magpie_hub.run.until import is_enough, measure, reloading, to_say
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Spec

Stage = Callable[[Spec, RunFolder, Report, Warn, Models], object]


def rows(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Bring the run to its rows, answered, from a generator or from a source.

    Of a run that goes on until enough is kept, to those of the next round that is known.
    """
    stage = take_in if spec.source is not None else generate
    stage(spec, folder, report, warn, models)


def round_of_rows(
    spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models
) -> None:
    """Bring the run to its rows, and say what is to be done for more."""
    rows(spec, folder, report, warn, models)
    if said := to_say(spec, folder):
        warn(said)


def tags(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Bring the run to all its labels, and count what they are wanted for."""
    tag(spec, folder, report, warn, models)
    measure(spec, folder)


FIRST_ROUND: tuple[Stage, ...] = (rows, tags)
SECOND_ROUND: tuple[Stage, ...] = (extend,)


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` made: what was built, and what was published of it."""

    built: Built
    put: Put


def release(
    spec: Spec,
    folder: RunFolder,
    wanted: Wanted,
    report: Report,
    warn: Warn,
    say: Callable[[str], None],
) -> Released:
    """Walk the whole graph and publish what comes of it; goes on where it was stopped."""
    check(spec)
    # Looked at before the hours of work as well as behind them.
    check_target(spec, wanted)
    with folder.lock():
        with Models() as models:
            _first_rounds(spec, folder, report, warn, models)
            for stage in SECOND_ROUND:
                stage(spec, folder, report, warn, models)
        built = build(spec, folder, report, warn)
        return Released(built, publish(spec, folder, wanted, say))


def _first_rounds(
    spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models
) -> None:
    """Walk the first round until enough is kept; once, where nothing says how much that is."""
    said = False
    while True:
        for stage in FIRST_ROUND:
            stage(spec, folder, report, warn, models)
        if is_enough(spec, folder):
            return
        if not said and (why := reloading(spec)):
            warn(why)
        said = True


def preview(
    spec: Spec, most: int, report: Report, warn: Warn, show: Callable[[RunFolder], None]
) -> None:
    """Take a few rows through the first round in a folder that is gone afterwards.

    show: called with the run while the folder is there.
    """
    check(spec)
    few = spec.model_copy(update=_fewer(spec, most))
    with tempfile.TemporaryDirectory(prefix="magpie-preview-") as place:
        folder = RunFolder(Path(place) / "run")
        with folder.lock(), Models() as models:
            for stage in FIRST_ROUND:
                stage(few, folder, report, warn, models)
            show(folder)


def _fewer(spec: Spec, most: int) -> dict[str, object]:
    """Return the sections of a spec that say how many rows there are, with at most so many."""
    given = spec.source or spec.instructions
    few = given.model_copy(update={"rows": min(most, given.rows or most)})
    if spec.source is None:
        few = few.model_copy(update={"until": None, "at_most": None})
    # To read other releases and benchmarks would take longer than all the rest.
    alone = {"dedup": spec.dedup.model_copy(update={"against": []}), "decontaminate": None}
    return {"source" if spec.source is not None else "instructions": few, **alone}

"""What a run folder holds so far: rows, tokens and engine seconds of each stage.

Reads only what is written, and takes no lock, so that it can be asked while a run goes on. Of what
is drawn, answered and extended the units in progress count too, of labels the finished ones alone.
Knows nothing of what a reason means.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magpie_hub.records import (
    ANSWERS,
    EXTENSION_SHARD,
    INSTRUCTION_SHARD,
    INSTRUCTIONS,
    MODEL_TAG_SHARD,
    RESPONSE_SHARD,
    Type,
    Unit,
)
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage of a run.

    rows: completions that are in, of `of` that there will be (for responses the kept instructions
    so far). rejected: reason to rows. tokens: written by the model. seconds: of the engine.
    """

    rows: int
    of: int
    rejected: dict[str, int]
    tokens: int
    seconds: float


def progress(folder: RunFolder) -> dict[str, Progress]:
    """Return the progress of `instructions`, of `responses`, and of `responses NAME` for others.

    Raises RunError where there is no run, ShardError where a file of it is damaged.
    """
    drawn = _stage(folder, INSTRUCTIONS, (folder.state()["growth"] or [0])[-1])
    judged = sum(
        unit.stop - unit.start for unit in folder.units() if folder.finished(INSTRUCTIONS, unit)
    )
    kept, found = judged - sum(drawn.rejected.values()), {"instructions": drawn}
    for name, rows in answer_sets(folder).items():
        found[name] = _stage(rows, rows.stage, kept)
    return found


def answer_sets(folder: RunFolder) -> dict[str, RunFolder]:
    """Return a run with each of its answer sets: `responses`, and `responses NAME` for others."""
    asked = folder.state()["spec"].get("responses") or [{"name": ANSWERS}]
    views = {answers["name"]: folder.of_answers(answers["name"]) for answers in asked}
    return {
        "responses" if rows.stage == folder.stage else f"responses {name}": rows
        for name, rows in views.items()
    }


@dataclass(frozen=True, slots=True)
class Extension:
    """Completions that extend rows: further turns, or samples.

    rows: that have some; the other numbers are of completions, as in `Progress`.
    """

    rows: int
    completions: int
    rejected: dict[str, int]
    tokens: int
    seconds: float


def extension(folder: ExtensionFolder) -> Extension:
    """Return the progress of an extension."""
    columns = ["index", "rejection", "completion_tokens", "seconds"]
    # Read first: a journal goes only once its shard is there, so nothing is missed.
    found = {
        number: read(folder.journal(folder.stage, Unit(number, 0, 0)))[0][1:]
        for number in folder.begun()
    }
    for unit in folder.units():
        table = folder.read(folder.stage, unit, EXTENSION_SHARD, columns)
        found[unit.number] = table.select(columns).to_pylist()
    every = [row for rows in found.values() for row in rows]
    return Extension(
        rows=len({row["index"] for row in every}),
        completions=len(every),
        rejected=dict(Counter(row["rejection"] for row in every if row.get("rejection"))),
        tokens=sum(row["completion_tokens"] for row in every),
        seconds=sum(row["seconds"] for row in every),
    )


@dataclass(frozen=True, slots=True)
class Labelled:
    """One tag that a model makes.

    model: as rows name it. rows: that were asked about; failed: of these, reason to rows. retried:
    rows that took more than one attempt. cut: rows of which the model did not see all.
    """

    model: str
    rows: int
    failed: dict[str, int]
    retried: int
    cut: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float

    @property
    def failures(self) -> int:
        """The rows that have no label, for whatever reason."""
        return sum(self.failed.values())


def tags(folder: RunFolder) -> dict[str, Labelled]:
    """Return what finished shards say of each tag that a model makes, by the tag's name."""
    found = {}
    for name, tag in folder.state()["tags"].items():
        tables = [_how(folder, tag["stage"], unit) for unit in folder.units()]
        made = [table for table in tables if table is not None]
        if made:
            found[name] = _labelled(str(tag["model"]), made)
    return found


def _how(folder: RunFolder, stage: str, unit: Unit) -> "pa.Table | None":
    """Return how a unit's labels were made; None for a tag that asks no model."""
    from magpie_hub.shards.parquet import read_columns

    if not folder.finished(stage, unit):
        return None
    return read_columns(folder.shard(stage, unit), list(MODEL_TAG_SHARD))


def _labelled(model: str, tables: "list[pa.Table]") -> Labelled:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables(tables)
    asked = table.filter(pc.greater(table["attempts"], 0))
    counted = pc.value_counts(asked["failure"].drop_null()).to_pylist()
    sums = {
        name: pc.sum(asked[name]).as_py() or 0
        for name in ("prompt_tokens", "completion_tokens", "seconds")
    }
    return Labelled(
        model=model,
        rows=asked.num_rows,
        failed={pair["values"]: pair["counts"] for pair in counted},
        retried=pc.sum(pc.greater(asked["attempts"], 1)).as_py() or 0,
        cut=pc.sum(pc.greater(asked["cut"], 0)).as_py() or 0,
        **sums,
    )


def rate(stages: dict[str, Progress]) -> float:
    """Return the tokens per engine second of all stages; 0 before anything is in."""
    seconds = sum(stage.seconds for stage in stages.values())
    return sum(stage.tokens for stage in stages.values()) / seconds if seconds else 0.0


def _stage(folder: RunFolder, stage: str, of: int) -> Progress:
    rows, tokens, seconds = 0, 0, 0.0
    rejected: Counter[str] = Counter()
    for unit in folder.units():
        # Read first: a journal goes only once its shard is there, so no row is missed.
        found = read(folder.journal(stage, unit))[0][1:]
        if folder.finished(stage, unit):
            names = ["rejection", "completion_tokens", "seconds"]
            columns: dict[str, Type] = (
                INSTRUCTION_SHARD if stage == INSTRUCTIONS else RESPONSE_SHARD
            )
            table = folder.read(stage, unit, columns, names)
            rejected.update(r for r in table["rejection"].to_pylist() if r is not None)
            found = table.select(["completion_tokens", "seconds"]).to_pylist()
        rows += len(found)
        # Rows that others made say nothing of either.
        tokens += sum(row["completion_tokens"] or 0 for row in found)
        seconds += sum(row["seconds"] or 0.0 for row in found)
    return Progress(rows, of, dict(rejected), tokens, seconds)

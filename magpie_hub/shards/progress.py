"""What a run folder holds so far: rows, tokens and engine seconds of each stage.

Reads only what is written, and takes no lock, so that it can be asked while a run goes on. Knows
nothing of configs or of what a reason means.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magpie_hub.records import INSTRUCTIONS, MODEL_TAG_SHARD, RESPONSES, SHARDS, Unit
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
    """Return the progress of `instructions` and of `responses`.

    Raises RunError where there is no run, ShardError where a file of it is damaged.
    """
    drawn = _stage(folder, INSTRUCTIONS, (folder.state()["growth"] or [0])[-1])
    judged = sum(
        unit.stop - unit.start for unit in folder.units() if folder.finished(INSTRUCTIONS, unit)
    )
    return {
        "instructions": drawn,
        "responses": _stage(folder, RESPONSES, judged - sum(drawn.rejected.values())),
    }


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


def seconds_for(stages: dict[str, Progress], rows: int) -> float:
    """Return the engine seconds that `rows` draws and their responses take at the pace so far."""
    drawn, answered = stages["instructions"], stages["responses"]
    per_draw = drawn.seconds / max(drawn.rows, 1)
    per_answer = answered.seconds / max(answered.rows, 1)
    kept = answered.of / max(drawn.rows, 1)
    return rows * (per_draw + kept * per_answer)


def _stage(folder: RunFolder, stage: str, of: int) -> Progress:
    rows, tokens, seconds = 0, 0, 0.0
    rejected: Counter[str] = Counter()
    for unit in folder.units():
        # Read first: a journal goes only once its shard is there, so no row is missed.
        found = read(folder.journal(stage, unit))[0][1:]
        if folder.finished(stage, unit):
            names = ["rejection", "completion_tokens", "seconds"]
            table = folder.read(stage, unit, SHARDS[stage], names)
            rejected.update(r for r in table["rejection"].to_pylist() if r is not None)
            found = table.select(["completion_tokens", "seconds"]).to_pylist()
        rows += len(found)
        # Rows that others made say nothing of either.
        tokens += sum(row["completion_tokens"] or 0 for row in found)
        seconds += sum(row["seconds"] or 0.0 for row in found)
    return Progress(rows, of, dict(rejected), tokens, seconds)

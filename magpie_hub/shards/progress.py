"""What a run folder holds so far: rows, tokens and engine seconds of each stage.

Reads only what is written, and takes no lock, so that it can be asked while a run goes on. Knows
nothing of configs or of what a reason means.
"""

from collections import Counter
from dataclasses import dataclass

from magpie_hub.records import INSTRUCTIONS, RESPONSES, SHARDS
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read


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
    drawn = _stage(folder, INSTRUCTIONS, folder.state()["growth"][-1])
    judged = sum(
        unit.stop - unit.start for unit in folder.units() if folder.finished(INSTRUCTIONS, unit)
    )
    return {
        "instructions": drawn,
        "responses": _stage(folder, RESPONSES, judged - sum(drawn.rejected.values())),
    }


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
            table = folder.read(stage, unit, SHARDS[stage])
            rejected.update(r for r in table["rejection"].to_pylist() if r is not None)
            found = table.select(["completion_tokens", "seconds"]).to_pylist()
        rows += len(found)
        tokens += sum(row["completion_tokens"] for row in found)
        seconds += sum(row["seconds"] for row in found)
    return Progress(rows, of, dict(rejected), tokens, seconds)

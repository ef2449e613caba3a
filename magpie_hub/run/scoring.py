"""Scores all rows of a run with one open reward model.

Scores come in blocks, since a scorer works on many texts at once; a block is in a journal as soon
as it is done. Knows no chat template and no spec.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from time import monotonic
from typing import Any

from magpie_hub.engines.scoring import Score, Scorer
from magpie_hub.errors import EngineError
from magpie_hub.records import Unit
from magpie_hub.run.asking import Made, Unfinished, begun, finish
from magpie_hub.run.reporting import Report
from magpie_hub.shards.folder import RunFolder
from magpie_hub.tag.exchange import Exchange

BLOCK = 512
"""Rows that are scored at once."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """A tag that a scorer makes.

    texts: adds to a unit's rows what is scored, as `scored`; None where a row has nothing to score.
    values: the labels of a row by its score.
    """

    made: Made
    exchange: Exchange
    texts: Callable[[Unit, list[Row]], None]
    values: Callable[[Row, float], dict[str, object]]


def score(tags: Iterable[Scored], scorer: Scorer, folder: RunFolder, report: Report) -> None:
    """Bring the tags to all rows of the run."""
    for scored in tags:
        units = folder.units()
        total = sum(folder.answers(unit) for unit in units)
        done = failed = 0
        for unit in units:
            rows = folder.answers(unit)
            if not folder.tagged(scored.made.stage, unit):
                work = begun(scored.made, unit, folder)
                try:
                    scored.texts(unit, work.rows)
                    for block in _blocks(work):
                        _score(scored, work, block, scorer)
                        known = len(work.rows) - work.left
                        report(f"tag {scored.made.tag.name}", done + known, total, 0, failed)
                except BaseException:
                    work.journal.close()
                    raise
                failed += sum(entry["failure"] is not None for entry in work.entries.values())
                finish(work, folder)
            done += rows
            report(f"tag {scored.made.tag.name}", done, total, 0, failed)


def _blocks(work: Unfinished) -> Iterable[list[int]]:
    left = [
        index
        for index, row in enumerate(work.rows)
        if row["rejection"] is None and index not in work.entries
    ]
    return [left[start : start + BLOCK] for start in range(0, len(left), BLOCK)]


def _score(scored: Scored, work: Unfinished, block: list[int], scorer: Scorer) -> None:
    rows = [work.rows[index] for index in block]
    prompts = [_prompt(scored.exchange, row, scorer.context_length) for row in rows]
    began = monotonic()
    scores = scorer.score([ids for ids, _ in prompts if ids])
    seconds = (monotonic() - began) / max(len(scores), 1)
    given = iter(scores)
    for index, row, (ids, cut) in zip(block, rows, prompts, strict=True):
        result = next(given) if ids else Score((), "there is nothing to score")
        failure: str | None = "engine-error" if ids else "nothing-to-score"
        number = _number(result) if result.logits else None
        if number is not None:
            failure = None if isfinite(number) else "not-a-number"
        entry = {
            "index": index,
            "values": None if failure or number is None else scored.values(row, number),
            "failure": failure,
            "raw": (result.error or str(number)) if failure else None,
            "attempts": 1,
            "cut": cut,
            "prompt_tokens": len(ids),
            "completion_tokens": 0,
            "seconds": seconds if ids else 0.0,
            "engine": scorer.name,
            "engine_version": scorer.version,
        }
        work.journal.append(entry)
        work.entries[index] = entry
        work.left -= 1


def _prompt(exchange: Exchange, row: Row, most: int) -> tuple[tuple[int, ...], int]:
    if row["scored"] is None:
        return (), 0
    return exchange.prompt({"instruction": row["instruction"], "response": row["scored"]}, most)


def _number(result: Score) -> float:
    if len(result.logits) != 1:
        raise EngineError(
            f"the reward model gives {len(result.logits)} numbers for a text, expected one",
            hint="choose a reward model with one label; a classifier's labels are no reward",
        )
    return result.logits[0]

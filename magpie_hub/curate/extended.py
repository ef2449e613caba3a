"""What extensions make of rows: conversations, or a chosen and a rejected response.

A pure function of completions and their scores as they lie in shards: nothing is asked, and nothing
computed but a difference of two numbers. Knows columns, and neither files nor models.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from magpie_hub.curate.exact import normal_form
from magpie_hub.errors import BuildError
from magpie_hub.records import exchange_hash
from magpie_hub.spec.configs import Samples, Turns

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
SCORES = {
    "reward": ("instruct_reward", "reward_model"),
    "response_quality": ("response_quality", "response_quality_generator"),
}
"""By the tag that scores samples: its column of the score, and that of the model."""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one row: its further columns, or the reason why it is dropped."""

    columns: Row
    reason: str | None = None


def by_row(rows: "pa.Table", completions: "pa.Table") -> list[tuple[Row, list[Row]]]:
    """Return answered rows, each with its completions in the order of their places.

    Raises BuildError where completions extend another exchange than the row holds.
    """
    found: dict[int, list[Row]] = {}
    for completion in completions.to_pylist():
        found.setdefault(completion["index"], []).append(completion)
    pairs = [(row, found.get(row["index"], [])) for row in rows.to_pylist()]
    for row, extension in pairs:
        base = exchange_hash(row["instruction"], row["response"])
        if any(completion["base"] != base for completion in extension):
            raise BuildError(
                f"the extension of row `{row['uuid']}` continues another exchange than it holds",
                hint="remove the folder `extensions` of the run and run the same command",
            )
    return pairs


def conversation(row: Row, completions: Iterable[Row], asked: Turns) -> Made:
    """Return the conversation of a row: all whole exchanges, and why there are no more."""
    said = [_said("user", row["instruction"]), _said("assistant", row["response"])]
    how: list[Row] = []
    end = "cut-at-limit" if row["finish_reason"] == "length" else None
    question: Row | None = None
    for one in completions:
        if one["number"] > asked.number:
            break
        end = one["rejection"]
        if end is None and one["role"] == "user":
            question = one
        elif end is None and question is not None:
            said += [_said("user", question["text"]), _said("assistant", one["text"])]
            how += [_how(question), _how(one)]
            end = "cut-at-limit" if one["finish_reason"] == "length" else None
    turns = len(said) // 2
    columns = {"messages": said, "turns": turns, "gen_turn_configs": how}
    columns["turns_end"] = end if turns < asked.number else None
    few = f"fewer than {asked.at_least} turns" if turns < asked.at_least else None
    return Made(columns, few)


def preference(row: Row, samples: Iterable[Row], asked: Samples) -> Made:
    """Return the best and the worst of a row's samples, or why there is no choice.

    Of equal scores the first sample counts. One that was cut at its limit is neither: its score is
    that of half an answer.
    """
    score, scorer = SCORES[asked.scored_by]
    able = [
        sample
        for sample in samples
        if sample["number"] <= asked.number
        and sample["rejection"] is None
        and sample["finish_reason"] != "length"
        and sample[score] is not None
    ]
    if len(able) < 2:
        return Made({}, "fewer than two scored samples")
    best, worst = max(able, key=lambda s: s[score]), min(able, key=lambda s: s[score])
    margin = float(best[score]) - float(worst[score])
    if not margin or best["text"] == worst["text"]:
        return Made({}, "tie")
    if margin < asked.margin:
        return Made({}, f"margin < {asked.margin:g}")
    return Made(
        {
            "prompt": [_said("user", row["instruction"])],
            "chosen": [_said("assistant", best["text"])],
            "rejected": [_said("assistant", worst["text"])],
            "chosen_reward": float(best[score]),
            "rejected_reward": float(worst[score]),
            "margin": margin,
            "samples": len(able),
            "scorer": best[scorer],
            "gen_chosen_configs": best["gen_configs"],
            "gen_rejected_configs": worst["gen_configs"],
        }
    )


def in_test(instruction: str, share: float) -> bool:
    """Return whether an instruction is on the test side: by a hash of its normal form."""
    digest = blake2b(normal_form(instruction).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def _said(role: str, text: str) -> Mapping[str, str]:
    return {"role": role, "content": text}


def _how(completion: Row) -> Row:
    how = {"turn": completion["number"], "role": completion["role"]}
    return {**how, "finish_reason": completion["finish_reason"], **completion["gen_configs"]}

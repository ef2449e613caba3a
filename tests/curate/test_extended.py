"""What extensions make of rows: whole exchanges, the best and the worst, and why there are none."""

from typing import Any

import pyarrow as pa
import pytest

from magpie_hub.curate.extended import by_row, conversation, in_test, preference
from magpie_hub.errors import BuildError
from magpie_hub.records import EXTENSION_SHARD, arrow_schema, exchange_hash
from magpie_hub.spec.configs import Samples, Turns

ROW = {"index": 7, "uuid": "u7", "instruction": "Why?", "response": "So.", "finish_reason": "stop"}
HOW = {"system_prompt": None, "temperature": 1.0}


def said(number: int, role: str, text: str, rejection: str | None = None, end: str = "stop") -> Any:
    """Return a completion as it lies in a shard."""
    base = exchange_hash("Why?", "So.")
    return {
        "index": 7,
        "base": base,
        "number": number,
        "role": role,
        "text": text,
        "rejection": rejection,
        "finish_reason": end,
        "gen_configs": HOW,
    }


U2, A2 = said(2, "user", "And then?"), said(2, "assistant", "This.")
U3, A3 = said(3, "user", "Is it over?"), said(3, "assistant", "Yes.")


@pytest.mark.parametrize(
    ("completions", "turns", "end"),
    [
        ([U2, A2, U3, A3], 3, None),
        ([U2, A2, said(3, "user", "", "empty")], 2, "empty"),
        ([U2, A2, U3, said(3, "assistant", "", "engine-error", "error")], 2, "engine-error"),
        ([U2, said(2, "assistant", "This", None, "length")], 2, "cut-at-limit"),
        ([U2, A2, U3, said(3, "assistant", "Ye", None, "length")], 3, None),
        ([said(2, "user", "na na", "repetition-loop")], 1, "repetition-loop"),
    ],
)
def test_a_conversation_keeps_whole_exchanges(
    completions: list[Any], turns: int, end: str | None
) -> None:
    """A conversation that died keeps what it has, and says why; one that has all says nothing."""
    made = conversation(ROW, completions, Turns(number=3))

    assert made.reason is None
    assert (made.columns["turns"], made.columns["turns_end"]) == (turns, end)
    roles = [message["role"] for message in made.columns["messages"]]
    assert roles == ["user", "assistant"] * turns
    assert len(made.columns["gen_turn_configs"]) == 2 * (turns - 1)


def test_how_later_turns_were_drawn() -> None:
    """Each has its turn, its role and its end beside the settings of the sampler."""
    made = conversation(ROW, [U2, A2], Turns(number=2))
    assert made.columns["messages"][2:] == [
        {"role": "user", "content": "And then?"},
        {"role": "assistant", "content": "This."},
    ]
    how = {"turn": 2, "finish_reason": "stop", **HOW}
    assert made.columns["gen_turn_configs"] == [how | {"role": "user"}, how | {"role": "assistant"}]


def test_turns_that_are_not_asked_for_are_left_out() -> None:
    """A run that has three turns can give a config of two."""
    made = conversation(ROW, [U2, A2, U3, A3], Turns(number=2))
    assert (made.columns["turns"], made.columns["turns_end"]) == (2, None)


def test_a_first_response_that_was_cut_is_not_gone_on_from() -> None:
    """It stays a conversation of one exchange, and says why."""
    made = conversation(ROW | {"finish_reason": "length"}, [], Turns(number=2))
    assert (made.columns["turns"], made.columns["turns_end"]) == (1, "cut-at-limit")


def test_conversations_that_are_too_short_are_dropped() -> None:
    """Where a least number is asked for, the others go with a reason."""
    asked = Turns(number=3, at_least=2)
    assert conversation(ROW, [said(2, "user", "", "empty")], asked).reason == "fewer than 2 turns"
    assert conversation(ROW, [U2, A2], asked).reason is None


def sampled(*scores: float | None, **others: Any) -> list[Any]:
    """Return samples with these scores, each with a text of its own."""
    return [
        said(n, "assistant", f"Answer {n}.")
        | {"instruct_reward": score, "reward_model": "org/rm"}
        | others
        for n, score in enumerate(scores, 1)
    ]


def test_the_best_against_the_worst() -> None:
    """Chosen has the highest score, rejected the lowest, the margin is their difference."""
    made = preference(ROW, sampled(0.5, 2.0, -1.0, None), Samples(number=4))
    found = made.columns
    assert made.reason is None
    assert found["prompt"] == [{"role": "user", "content": "Why?"}]
    assert found["chosen"] == [{"role": "assistant", "content": "Answer 2."}]
    assert found["rejected"] == [{"role": "assistant", "content": "Answer 3."}]
    assert (found["chosen_reward"], found["rejected_reward"], found["margin"]) == (2.0, -1.0, 3.0)
    assert (found["samples"], found["scorer"]) == (3, "org/rm")


def test_of_equal_scores_the_first_sample_counts() -> None:
    """Which of two equals is taken does not depend on their order in a shard."""
    samples = sampled(2.0, 1.0, 2.0, 1.0)
    for given in (samples, samples[::-1]):
        found = preference(ROW, sorted(given, key=lambda s: s["number"]), Samples(number=4)).columns
        assert found["chosen"][0]["content"] == "Answer 1."
        assert found["rejected"][0]["content"] == "Answer 2."


@pytest.mark.parametrize(
    ("samples", "asked", "reason"),
    [
        (sampled(1.0, 1.0, 1.0), {}, "tie"),
        (sampled(1.0, 2.0, text="The same."), {}, "tie"),
        (sampled(1.0, 1.05), {"margin": 0.1}, "margin < 0.1"),
        (sampled(1.0, None), {}, "fewer than two scored samples"),
        (sampled(1.0, 2.0, rejection="empty"), {}, "fewer than two scored samples"),
        (sampled(1.0, 2.0, finish_reason="length"), {}, "fewer than two scored samples"),
        ([], {}, "fewer than two scored samples"),
    ],
)
def test_rows_without_a_choice(samples: list[Any], asked: dict[str, Any], reason: str) -> None:
    """Ties, narrow margins, and rows of which too few samples can be judged are dropped."""
    assert preference(ROW, samples, Samples(number=4, **asked)).reason == reason


def test_samples_that_are_not_asked_for_are_left_out() -> None:
    """A run that has four samples can give a config of two."""
    made = preference(ROW, sampled(1.0, 2.0, 3.0, 0.0), Samples(number=2))
    assert (made.columns["chosen_reward"], made.columns["rejected_reward"]) == (2.0, 1.0)


def test_a_row_gets_its_own_completions_and_no_others() -> None:
    """Completions go to the row of their index; of another exchange they are an error."""
    columns = arrow_schema(
        {k: v for k, v in EXTENSION_SHARD.items() if k in U2 and k != "gen_configs"}
    )
    completions = pa.Table.from_pylist(
        [{k: v for k, v in A2.items() if k != "gen_configs"}], columns
    )
    other = ROW | {"index": 8}
    [(_, of_first), (_, of_other)] = by_row(pa.Table.from_pylist([ROW, other]), completions)
    assert ([one["text"] for one in of_first], of_other) == (["This."], [])
    with pytest.raises(BuildError, match="another exchange"):
        by_row(pa.Table.from_pylist([ROW | {"response": "Other."}]), completions)


def test_sides_go_by_the_normal_form_of_the_instruction() -> None:
    """About the share that was asked for is on the test side; what is the same is on one side."""
    texts = [f"Question number {n}" for n in range(5000)]
    tested = [in_test(text, 0.1) for text in texts]
    assert 0.08 < sum(tested) / 5000 < 0.12
    assert [in_test(text.upper() + " ?", 0.1) for text in texts] == tested
    assert all(in_test(text, 0.2) for text, test in zip(texts, tested, strict=True) if test)

"""Releases of every kind from the real SmolLM2: they load, and hold what their columns say."""

from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from magpie_hub.columns import KINDS
from magpie_hub.hub import SMOLLM2
from magpie_hub.templates.system_prompts import FOLLOW_UP, SYSTEM_PROMPTS
from tests.making import spec_file
from tests.run.releasing import run

SPEC: dict[str, Any] = {
    "generator": {
        "model": SMOLLM2,
        "engine": {"name": "llama_cpp", "parallel": 16},
        # Short answers come to their end, and are soon judged.
        "system_turn": "You answer every question with one short sentence.",
    },
    "instructions": {
        "rows": 48,
        "sampling": "pro-grid",
        "system_prompts": {"none": {"weight": 1}, "creative-writing": {"weight": 1}},
        "sanitise": ["labels", "answers", "unfinished"],
        "bad_first_tokens": ["#", "##"],
        "first_token_temperature": 0.9,
        "max_tokens": 96,
    },
    "responses": {"temperature": 0, "max_tokens": 160},
    "tags": ["lengths", "language", "response_quality"],
    "configs": {
        "raw": {"default": True},
        "talks": {"from": "raw", "turns": 2},
        "pairs": {
            "from": "raw",
            "samples": {"number": 3, "temperature": 1.0, "scored_by": "response_quality"},
            "test": 0.25,
        },
    },
    "card": {"samples": "unscreened"},
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a release with all kinds."""
    folder = tmp_path_factory.mktemp("kinds")
    spec_file(folder, **SPEC)
    done = run(folder, "release", "tiny.yaml", within=900)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / "org" / "tiny"


@pytest.mark.slow
def test_single_turns(release: Path) -> None:
    """Half of the draws stand behind a system prompt that no response was shown."""
    rows = load_dataset(str(release), "raw", split="train")
    assert len(rows) >= 24
    assert rows.column_names == [field.name for field in KINDS["sft"]]
    drawn = [row["gen_input_configs"] for row in rows]
    assert {one["system_prompt"] for one in drawn} == {None, "creative-writing"}
    for one in drawn:
        asked = SYSTEM_PROMPTS["creative-writing"] in one["prefix"]
        assert asked == (one["system_prompt"] is not None)
        assert (len(one["bad_first_tokens"]), one["first_token_temperature"]) == (2, 0.9)
    assert not [
        r for r in rows if r["messages"][0]["content"].startswith("#") and not r["sanitised"]
    ]
    for row in rows:
        assert (row["raw_instruction"] is None) == (not row["sanitised"])
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]


@pytest.mark.slow
def test_conversations(release: Path) -> None:
    """The model goes on as the user, and answers; a conversation that ended early says why."""
    rows = load_dataset(str(release), "talks", split="train")
    single = load_dataset(str(release), "raw", split="train")
    assert rows.column_names == [field.name for field in KINDS["multi-turn"]]
    assert rows["uuid"] == single["uuid"]
    whole = [row for row in rows if row["turns"] == 2]
    assert len(whole) >= 6
    for row, first in zip(rows, single, strict=True):
        assert row["messages"][:2] == first["messages"]
        assert len(row["messages"]) == 2 * row["turns"]
        assert (row["turns_end"] is None) == (row["turns"] == 2)
        assert not any(FOLLOW_UP in message["content"] for message in row["messages"])
    assert {how["system_prompt"] for row in whole for how in row["gen_turn_configs"]} == {
        "follow-up",
        None,
    }


@pytest.mark.slow
def test_preferences(release: Path) -> None:
    """The judge's best sample stands against its worst, on one side of the split."""
    splits = load_dataset(str(release), "pairs")
    assert set(splits) == {"train", "test"}
    rows = [*splits["train"], *splits["test"]]
    assert len(rows) >= 6
    assert splits["train"].column_names == [field.name for field in KINDS["preference"]]
    for row in rows:
        assert row["margin"] == row["chosen_reward"] - row["rejected_reward"] > 0
        assert 1 <= row["rejected_reward"] < row["chosen_reward"] <= 5
        assert row["chosen"][0]["content"] != row["rejected"][0]["content"]
        assert row["scorer"] == SMOLLM2
        assert row["gen_chosen_configs"]["temperature"] == 1.0
    sides = [{row["prompt"][0]["content"] for row in splits[name]} for name in splits]
    assert not sides[0] & sides[1]

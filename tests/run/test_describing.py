"""What the card of a run on the scripted engine says of how its rows were written."""

import re
from typing import Any

import pytest

from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.templates.system_prompts import FOLLOW_UP
from tests.card.reading import fences
from tests.making import released, spec_file

HOTTER = {"number": 2, "system_prompt": "Ask.", "temperature": 1.2, "top_p": 0.9}
SPEC: dict[str, Any] = {
    "generator": {"model": "scripted", "engine": "scripted"},
    "responses": [
        {"name": "own"},
        {"name": "big", "model": "org/big", "engine": "scripted", "temperature": 0.7}
        | {"reasoning": "keep"},
    ],
    "tags": ["lengths"],
    "configs": {
        "big": {"answers": "big"},
        "talks": {"from": "raw", "size": 5, "turns": 2},
        "asked": {"answers": "big", "size": 5, "turns": HOTTER},
        "plain": {"from": "raw", "size": 5, "turns": {"number": 2, "system_prompt": "none"}},
    },
}


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The card of a release with two answer sets and three configs of several turns."""
    folder = tmp_path_factory.mktemp("run")
    spec = load(str(spec_file(folder, **SPEC)))
    released(spec, RunFolder(folder / "run"), folder / "release")
    return (folder / "release" / "org" / "tiny" / "README.md").read_text()


def test_system_prompts_before_later_turns(card: str) -> None:
    """Their texts stand on the card under the names that rows have, where there is one."""
    assert "| later user turns in `talks` | behind the system prompt `follow-up` below," in card
    assert "| later user turns in `asked` | behind the system prompt `custom` below," in card
    assert "| later user turns in `plain` | behind no system prompt of ours |" in card
    assert {"Ask.\n", f"{FOLLOW_UP}\n"} < {*fences(card)}


def test_each_answer_set(card: str) -> None:
    """Its model, its sampling, its configs and what became of its reasoning stand on the card."""
    assert "| answers `own` | `scripted` at `scripted`, temperature 0.0, top_p 1.0," in card
    assert "| answers `big` | `org/big` at `scripted`, temperature 0.7, top_p 1.0," in card
    assert "tokens, for `raw`, `plain`, `talks` |" in card
    assert "tokens, for `asked`, `big` |" in card
    between = "what stood between `<think>` and `</think>` is"
    assert f"| reasoning of `own` | {between} no part of the data |" in card
    assert f"| reasoning of `big` | {between} in its own column in `big` alone |" in card


def test_each_sampler(card: str) -> None:
    """What users and responses were sampled with stands beside the configs that hold it."""
    assert "| sampling of later user turns in `asked` | temperature 1.2, top_p 0.9," in card
    assert "| sampling of later user turns in `plain`, `talks` | temperature 1.0," in card
    assert "| sampling of responses in `asked`, `big` | temperature 0.7, top_p 1.0," in card


def test_what_tokens_are_of(card: str) -> None:
    """Those of a conversation of several turns were counted in its first exchange alone."""
    told = re.findall(r"^[\d,]+ tokens of (.*?) in all, [\d,]+ of (.*)\.$", card, re.MULTILINE)
    one, several = ("responses", "instructions"), ("first responses", "first instructions")
    assert told == [one, several, one, several, several]  # raw, asked, big, plain, talks

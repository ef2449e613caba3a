"""Conversations of several turns, and preferences: what is measured, and how a card says it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from magpie_hub.card.facts import Prompted
from magpie_hub.card.figures import draw
from magpie_hub.card.measure import measure
from magpie_hub.card.metadata import front_matter
from magpie_hub.card.render import ConfigCard, render
from tests.card.hostile import HOSTILE
from tests.card.kinds import SAID, card, preference, talk, written
from tests.card.reading import fences, shape
from tests.card.stating import PINS, spec, stated

CONFIGS = {
    "mt": {"turns": {"number": 2, "at_least": 1}},
    "dpo": {"from": "raw", "samples": {"number": 5, "margin": 0.1}, "test": 0.5},
}
TALKS = [talk(2, "0"), talk(1, "1"), talk(2, "2", safety="safe", personal_data=[])]
PREFERENCES = {
    "train": [preference("3", 2.0, 1.0), preference("1", 0.5, -1.5)],
    "test": [preference("2", 1.0, 0.75, samples=4)],
}


@pytest.fixture
def talks(tmp_path: Path) -> ConfigCard:
    """A config of three conversations, of which two have two exchanges."""
    return card(tmp_path, "mt", "multi-turn", train=TALKS)


@pytest.fixture
def preferences(tmp_path: Path) -> ConfigCard:
    """A config of two preferences to train on and one to test with."""
    return card(tmp_path, "dpo", "preference", default=True, **PREFERENCES)


def test_what_is_measured_of_conversations(talks: ConfigCard) -> None:
    """Exchanges and ends are counted, later turns have lengths, and how they were drawn is told."""
    facts = talks.facts
    assert facts.counts["turns"] == {"2": 2, "1": 1}
    assert facts.counts["turns_end"] == {"none": 2, "length": 1}
    assert "turns" not in facts.numbers
    assert [(turn.role, turn.rows, turn.characters["max"]) for turn in facts.turns] == [
        ("user", 3, 20),
        ("assistant", 3, 24),
        ("user", 2, 13),
        ("assistant", 2, 18),
    ]
    assert facts.sampling == (
        ("later user turns", 1.2, 0.9, 64),
        ("responses", 0.0, 0.9, 64),
        ("responses", 0.8, 0.9, 64),
    )
    assert talks.kind == "multi-turn"


def test_what_is_measured_of_preferences(preferences: ConfigCard) -> None:
    """Both splits are read, rewards and margins spread, and the three texts have their lengths."""
    facts = preferences.facts
    assert [name for name, _, _ in facts.files] == [
        f"{split}-00000-of-00001.parquet" for split in ("train", "test")
    ]
    assert {split: rows for split, (rows, _) in facts.splits.items()} == {"train": 2, "test": 1}
    assert sum(memory for _, memory in facts.splits.values()) == facts.bytes_memory
    assert [(turn.column, turn.role, turn.characters["median"]) for turn in facts.turns] == [
        ("prompt", "user", 4),
        ("chosen", "assistant", 3),
        ("rejected", "assistant", 2),
    ]
    margin = facts.numbers["margin"]
    assert [margin[name] for name in ("mean", "min", "median", "max")] == [1.0833, 0.25, 1.0, 2.0]
    assert facts.histograms["rejected_reward"].edges[0] == -1.5
    assert facts.counts["samples"] == {"5": 2, "4": 1}
    assert facts.counts["scorer"] == {"org/reward": 3}
    assert (facts.models, facts.engines) == (("org/m",), (("scripted", "1", "5fcb290"),))
    assert preferences.kind == "preference"


def test_no_preference_is_screened(tmp_path: Path) -> None:
    """Nothing says that a sampled response is safe: rows are shown where any may be, or none."""
    folder = written(tmp_path, "preference", **PREFERENCES)
    assert measure(folder).samples == ()
    shown = measure(folder, unscreened=True).samples
    assert [row["uuid"] for row in shown] == ["1", "2", "3"]


def test_system_prompts_and_rules(tmp_path: Path) -> None:
    """Rows are counted by system prompt, none first, and by the rules that rewrote them."""
    rows = [
        talk(1, "0") | {"sanitised": ["labels", "unfinished"], "difficulty": "hard"},
        talk(1, "1") | {"sanitised": []},
        talk(1, "2"),
    ]
    rows[1]["gen_input_configs"] |= {"system_prompt": "chess"}
    facts = measure(written(tmp_path, "multi-turn", train=rows))
    assert facts.system_prompts == (
        Prompted(None, 2, None, 4.0, None),
        Prompted("chess", 1, None, None, None),
    )
    assert facts.counts["sanitised"] == {"none": 2, "labels": 1, "unfinished": 1}
    assert len(facts.grid) == 1


def test_the_front_matter(talks: ConfigCard, preferences: ConfigCard) -> None:
    """Each split has its files and its rows, and the tags say what the rows are for."""
    read = front_matter(spec(), [talks, preferences])
    found = MetadataConfigs.from_dataset_card_data(DatasetCardData(**read))
    assert [entry["path"] for entry in found["dpo"]["data_files"]] == ["dpo/train-*", "dpo/test-*"]
    [of_talks, of_preferences] = read["dataset_info"]
    assert [split["name"] for split in of_talks["splits"]] == ["train"]
    assert of_preferences["splits"] == [
        {"name": split, "num_bytes": memory, "num_examples": rows}
        for split, (rows, memory) in preferences.facts.splits.items()
    ]
    assert read["tags"][3:] == ["sft", "multi-turn", "preference", "dpo"]
    assert front_matter(spec(), [preferences])["tags"][3:] == ["preference", "dpo"]


def page(*configs: ConfigCard, **changes: Any) -> str:
    """Return the card of these configs."""
    return render(stated(*configs, spec=spec(configs=CONFIGS, **changes), tags={}))


def test_the_page_of_preferences(preferences: ConfigCard) -> None:
    """It says who preferred, how to train on it, and shows each pair with its rewards."""
    shown = page(preferences)
    assert "`org/reward` scored the answers: the best is `chosen`, the worst `rejected`." in shown
    assert "Rows in `test` instead of `train`: 1; no instruction is in both." in shown
    assert fences(shown)[1:5] == [
        'rows = load_dataset("org/tiny", "dpo", split="train", revision="vX.Y.Z")\n',
        *("Why?\n", "So.\n", "No\n"),
    ]
    assert "**Chosen**, 0.5\n" in shown
    assert "**Rejected**, -1.5\n" in shown
    assert '    eval_dataset=rows["test"],\n' in shown
    assert "SFTTrainer" not in shown
    assert "| `chosen`, `assistant`, characters | 3.0 |" in shown
    assert "Rows in `dpo`: `train` 2, `test` 1." in shown
    assert "by DPO, and for research" in shown
    assert "no person's choice" in shown


def test_the_page_of_conversations(talks: ConfigCard) -> None:
    """Exchanges and ends are in the statistics, all turns are shown, and what was not labelled."""
    shown = page(replace(talks, default=True, prompt=("follow-up", "Go on.")))
    assert "`turns` in `mt`: `2` 2, `1` 1." in shown
    assert "`turns_end` in `mt`: `none` 2, `length` 1." in shown
    assert fences(shown)[2:6] == [f"{text}\n" for text in SAID]
    assert "what was said later was neither screened nor labelled" in shown
    assert "behind the system prompt `follow-up` below, which no response was given" in shown
    assert "Then `org/m` wrote each further user turn, behind a system prompt of ours that" in shown
    assert "No instruction was written or listed by a person." in shown
    assert "Go on.\n" in fences(shown)
    assert "No response was given any of these system prompts." in shown


def test_conversations_without_a_system_prompt(talks: ConfigCard) -> None:
    """Where nothing of ours stood before later user turns, the page says so, and names nothing."""
    shown = page(replace(talks, default=True))
    assert "| later user turns in `mt` | behind no system prompt of ours |" in shown
    assert "Then `org/m` wrote each further user turn and answered it." in shown
    assert "No instruction was written, listed or prompted by a person." in shown
    assert "any of these system prompts" not in shown


def test_every_sampler_is_told(talks: ConfigCard, preferences: ConfigCard) -> None:
    """Whatever was sampled in a config besides the default one stands with the config's name."""
    of_pairs = tuple((what, 0.7, *rest) for what, _, *rest in preferences.facts.sampling)
    facts = replace(preferences.facts, sampling=of_pairs)
    shown = page(talks, replace(preferences, facts=facts))
    assert "| sampling of later user turns in `mt` | temperature 1.2, top_p 0.9, at most" in shown
    assert "| sampling of responses in `mt` | temperature 0.8, top_p 0.9, at most 64" in shown
    assert "| sampling of responses in `dpo` | temperature 0.7, top_p 0.9, at most 64" in shown
    assert "| sampling of responses | temperature 0.8" in page(preferences)


def test_reasoning_of_each_answer_set(talks: ConfigCard, preferences: ConfigCard) -> None:
    """Of each set that has any, the page says whether it is published, and in which configs."""
    marks = {"opening": "<think>", "closing": "</think>"}
    big = marks | {"name": "big", "configs": ["mt", "b"], "kept": ["b"]}
    small = marks | {"name": "small", "configs": ["dpo"], "kept": []}
    sets = [
        {"model": "org/m", "revision": "0e9e39f", **PINS["responses"], **set_}
        for set_ in (big, small)
    ]
    pins = PINS | {"answers": sets, "reasoning": [big, small]}
    shown = render(stated(talks, preferences, spec=spec(configs=CONFIGS), pins=pins))
    between = "what stood between `<think>` and `</think>` is"
    assert f"| reasoning of `big` | {between} in its own column in `b` alone |" in shown
    assert f"| reasoning of `small` | {between} no part of the data |" in shown
    alone = PINS | {"reasoning": [big | {"kept": ["mt", "b"]}]}
    shown = render(stated(preferences, spec=spec(configs=CONFIGS), pins=alone))
    assert f"| reasoning | {between} in its own column |" in shown


def test_a_page_of_both(talks: ConfigCard, preferences: ConfigCard) -> None:
    """The other kind has a snippet and a field table of its own, and no row of it is missed."""
    shown = page(talks, preferences)
    assert shown.index("DPOTrainer") < shown.index("On `mt`, whose rows are conversations:")
    assert shown.count("SFTTrainer(") == 1
    assert "| `gen_turn_configs` |" in shown.partition("## Columns")[2]
    assert "| `dpo` (default) | 3, 1 of them `test` |" in shown
    assert "| from `raw`; the best and the worst of 5 responses by `reward`, at least 0.1" in shown


def test_what_is_said_of_screening(talks: ConfigCard, preferences: ConfigCard) -> None:
    """No sampled response was screened: of preferences the page promises no row that was."""
    said = "the sampled responses were not screened, neither for safety nor for personal data."
    none = replace(preferences, facts=replace(preferences.facts, samples=()))
    hidden = page(none, card={"samples": "screened"})
    assert hidden.count(f"No row is shown here: {said}") == 2
    assert "One is shown if" not in hidden
    assert "and were not screened for personal data." in page(preferences)
    both = page(talks, preferences, tags=["personal_data"])
    assert "by their form alone, and not in later turns or sampled responses; names" in both


def test_only_what_was_screened_is_shown(tmp_path: Path) -> None:
    """Of a conversation whose first exchange is safe, the card shows that one, and says so."""
    config = card(tmp_path, "mt", "multi-turn", default=True, train=TALKS)
    screened = replace(config, facts=measure(tmp_path / "mt"))
    assert [row["uuid"] for row in screened.facts.samples] == ["2"]
    shown = page(screened, card={"samples": "screened"})
    assert "Of each the first exchange is shown" in shown
    assert "And at night?" not in shown


def test_the_provenance(tmp_path: Path) -> None:
    """The page says what came before an instruction, what was forbidden, and what was rewritten."""
    rows = [talk(1, "0") | {"sanitised": ["labels"]}, talk(1, "1")]
    rows[1]["gen_input_configs"] |= {"system_prompt": "chess"}
    config = card(tmp_path, "mt", "multi-turn", default=True, train=rows)
    said = spec(
        instructions={
            "system_prompts": {"chess": {"text": "Chess."}, "none": {}},
            "bad_first_tokens": ["#", 14711],
            "first_token_temperature": 1.2,
        },
        configs={"mt": {"turns": 2}},
    )
    set_ = {"name": "big", "model": "org/m", "revision": "0e9e39f", "configs": ["mt", "b"]}
    pins = PINS | {
        "prefixes": {"chess": "<system>Chess.<user>"},
        "answers": [set_ | PINS["responses"]],
    }
    shown = render(stated(config, spec=said, pins=pins))
    assert "words begin, and in part a system prompt before that, it wrote" in shown
    assert "| system prompt | none of ours, in 1 row of `mt` |" in shown
    assert "| system prompt | `chess`, in 1 row of `mt` |" in shown
    assert "before it wrote an instruction without a system prompt of ours:" in shown
    assert [text for text in fences(shown) if text.endswith("<user>\n")] == [
        *("<user>\n", "<system>Chess.<user>\n")
    ]
    assert "| first token of instructions | none of `#`, `14711` |" in shown
    assert "| first token of instructions | temperature 1.2 |" in shown
    assert (
        "| rewritten by `labels` | 1 of the instructions, which stand in `raw_instruction`" in shown
    )
    assert "| `chess` | 1 |" in shown.partition("## Statistics")[2]
    assert "then `org/m` answered it" in shown
    assert "| answers `big` | `org/m` at `0e9e39f`, temperature 0.0, top_p 1.0, at most 64" in shown
    assert "at most 64 tokens, for `mt`, `b` |" in shown


def test_no_draw_without_a_system_prompt(tmp_path: Path) -> None:
    """Where each row was drawn with a system prompt, the page tells of no other prefix."""
    row = talk(1, "0")
    row["gen_input_configs"] |= {"system_prompt": "chess"}
    config = card(tmp_path, "mt", "multi-turn", default=True, train=[row])
    pins = PINS | {"prefixes": {"chess": "<system>Chess.<user>"}}
    shown = render(stated(config, pins=pins))
    assert "words begin, and a system prompt before that, it wrote" in shown
    assert "without a system prompt of ours" not in shown
    assert "The prefixes, of which one is all that the model was given before" in shown
    assert "<user>\n" not in fences(shown)


def test_the_figures(talks: ConfigCard, preferences: ConfigCard) -> None:
    """The lengths of a preference stand in one panel, and exchanges are bars of their own."""
    alts = {
        figure.name: figure.alt for figure in draw("dpo", preferences.facts, preferences.funnel)
    }
    assert alts["lengths"].endswith("Medians in characters: prompts 4; chosen 3; rejected 2.")
    alts = {figure.name: figure.alt for figure in draw("mt", talks.facts, talks.funnel)}
    assert "turns 2 (66.7%); turns end length (33.3%)" in alts["tags"]
    assert "instructions 20 and 13; responses 24 and 18." in alts["lengths"]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_of_a_preference_stays_text(tmp_path: Path, text: str) -> None:
    """Whatever prompt, answers and names say, the page has the same parts."""

    def shaped(word: str) -> list[tuple[str, str]]:
        row = preference("1", 2.0, 1.0) | {"scorer": word, "model": word}
        for column in ("prompt", "chosen", "rejected"):
            row[column] = [{"role": "user", "content": word}]
        row["gen_input_configs"]["system_prompt"] = word
        name = f"dpo{len(word)}{word == text}"
        config = card(tmp_path, name, "preference", default=True, train=[row])
        pins = PINS | {"prefixes": {"chess": word}}
        facts = replace(config.facts, counts={"scorer": {word: 1}})
        return shape(render(stated(replace(config, facts=facts, name="dpo"), pins=pins)))

    assert shaped(text) == shaped("x" * len(text))

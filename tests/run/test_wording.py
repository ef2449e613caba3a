"""What of a spec goes into the fixed texts of prompts, and what may not."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from magpie_hub.engines.scripted import TEMPLATE, Scripted
from magpie_hub.errors import RunError, SpecError, TemplateError
from magpie_hub.run.generation import generate
from magpie_hub.run.models import Model, check
from magpie_hub.run.pins import pins_of
from magpie_hub.run.wording import of_conversations, of_generator, prompt_texts
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import carry_out, finished_run, spec_file
from tests.run.folders import CHATML, files, save
from tests.small_hub import FIRST, SECOND

DAY = "2026-01-31"
PACED = TEMPLATE.replace("You follow a", "You follow ' ~ pace | default('a') ~ '")


def made(folder: Path, **changes: Any) -> Spec:
    """Return a spec for the scripted engine."""
    return load(str(spec_file(folder, **changes)))


@pytest.mark.parametrize(
    ("changes", "place", "token"),
    [
        (
            {"instructions": {"system_prompts": {"mine": {"text": "A <|im_end|> text."}}}},
            "instructions.system_prompts.mine",
            "<|im_end|>",
        ),
        (
            {"generator": {"model": "s", "engine": "scripted", "system_turn": "<|im_start|>user"}},
            "generator.system_turn",
            "<|im_start|>",
        ),
        (
            {"configs": {"a": {"turns": {"number": 2, "system_prompt": "Go <|im_end|> on."}}}},
            "configs.a.turns.system_prompt",
            "<|im_end|>",
        ),
    ],
)
def test_a_system_prompt_is_words_alone(
    tmp_path: Path, changes: dict[str, Any], place: str, token: str
) -> None:
    """A control token in one would become a real one: it is refused by its key."""
    spec = made(tmp_path, **changes)
    with pytest.raises(TemplateError) as caught:
        check([of_generator(spec), *of_conversations(spec, {}).values()], date=DAY)
    assert caught.value.message.startswith(f"`{place}` holds `{token}`, which is part of")


def test_any_token_of_the_vocabulary_is_refused(tmp_path: Path) -> None:
    """Also one that the template never writes: a tokenizer would make one token of it."""
    content = files()
    listed = b'"added_tokens": [{"id": 9, "content": "<file>"}, '
    content["tokenizer.json"] = content["tokenizer.json"].replace(b'"added_tokens": [', listed)
    engine = {"name": "server", "url": "http://127.0.0.1:9"}
    generator = {"model": str(save(tmp_path / "model", content)), "engine": engine}

    def checked(text: str) -> list[Model]:
        given = {"rows": 9, "system_prompts": {"mine": {"text": text}}}
        spec = made(tmp_path, generator=generator, instructions=given)
        return check([of_generator(spec)], date=DAY)

    [model] = checked("Ask of a <folder>.\nUser: x")
    assert "Ask of a <folder>.\nUser: x<|im_end|>" in model.texts.prefixes["mine"]
    with pytest.raises(TemplateError, match="holds `<file>`"):
        checked("Ask of a <file>.")


def test_a_name_of_ours_stands_for_our_text(tmp_path: Path) -> None:
    """Rows say `german` of our prompt alone; a text of a person's own has another name."""
    spec = made(tmp_path, instructions={"system_prompts": {"german": {"text": "Sprich."}}})
    with pytest.raises(SpecError, match="`german` is a prompt of ours") as caught:
        prompt_texts(spec)
    assert "`instructions.system_prompts.german.text`" in caught.value.message
    mine = made(tmp_path, instructions={"system_prompts": {"mine": {"text": "Sprich."}}})
    assert prompt_texts(mine) == {"mine": "Sprich."}


def test_conversations_are_those_of_the_pinned_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When `main` has moved to another template, later turns go by the one of the run's weights."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--org--m"
    for commit, template in ((FIRST, CHATML), (SECOND, CHATML.replace("im_", "am_"))):
        save(repo / "snapshots" / commit, files(template))
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text(SECOND)
    engine = {"name": "server", "url": "http://127.0.0.1:9"}
    turns = {"number": 2, "system_prompt": "none"}
    spec = made(
        tmp_path, generator={"model": "org/m", "engine": engine}, configs={"a": {"turns": turns}}
    )
    for answered, begins in (
        ({"default": {"commit": FIRST}}, "<|im_start|>user\n"),
        ({"default": {"commit": None}}, "<|am_start|>user\n"),
    ):
        [model] = check([*of_conversations(spec, answered).values()], date=DAY)
        assert [chat[0] for chat in model.texts["texts"]] == [begins, begins]


def test_what_a_template_is_given_is_part_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reaches the draws, the answers and further turns of a run, which keeps to it."""
    monkeypatch.setattr(Scripted, "chat_template", PACED)

    def keys(**given: object) -> dict[str, Any]:
        generator = {"model": "scripted", "engine": "scripted", "chat_template_kwargs": given}
        other = {"name": "other", "model": "scripted", "engine": "scripted"}
        turns = {"turns": {"number": 2, "system_prompt": "none"}}
        return {
            "generator": generator,
            "responses": [{"name": "own"}, {**other, "chat_template_kwargs": {"pace": "no"}}],
            "configs": {"raw": {}, "talks": turns},
        }

    _, folder = finished_run(tmp_path, 10, **keys(pace="a slow"))
    slow = "<|im_start|>system\nYou follow a slow script.<|im_end|>\n<|im_start|>user\n"
    rows = folder.instructions(folder.units()[0]).to_pylist()
    assert {row["gen_input_configs"]["prefix"] for row in rows} == {slow}
    state = folder.state()
    assert pins_of(state, "own").before == slow
    assert pins_of(state, "other").before == slow.replace("a slow", "no")
    [talks] = state["conversations"].values()
    assert {chat[0] for chats in (talks["texts"], talks["prompted"]) for chat in chats} == {slow}
    assert state["spec"]["generator"]["chat_template_kwargs"] == {"pace": "a slow"}
    with folder.lock(), pytest.raises(RunError, match="chat_template_kwargs`: the run in"):
        carry_out(generate, made(tmp_path, **keys(pace="a fast")), RunFolder(folder.path))

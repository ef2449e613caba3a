"""How instructions are drawn in a run: first tokens, and prefixes behind which nothing fits."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.errors import EngineError
from magpie_hub.hub import SMOLLM2
from magpie_hub.run.generation import generate
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import carry_out, spec_file

REAL = {"model": SMOLLM2, "engine": "llama_cpp"}


def drawn(
    folder: Path, instructions: dict[str, Any], said: list[str], **generator: Any
) -> RunFolder:
    """Draw instructions and return the run; what a person is told goes to `said`."""
    folder.mkdir()
    model = {"model": "scripted", "engine": "scripted"} | generator
    spec = load(str(spec_file(folder, instructions=instructions, generator=model)))
    run = RunFolder(folder / "run")
    with run.lock():
        carry_out(generate, spec, run, warn=said.append)
    return run


def first_words(run: RunFolder) -> Counter[str]:
    """Return the words that draws begin with."""
    texts = [
        row["instruction"] for unit in run.units() for row in run.instructions(unit).to_pylist()
    ]
    return Counter(text.split()[0] for text in texts if text)


def test_a_banned_word_behind_a_space(tmp_path: Path) -> None:
    """Behind `USER: ` words are tokens with the space in front: those are banned with them."""
    few: dict[str, Any] = {"rows": 32, "max_tokens": 4, "sampling": [{"temperature": 0.9}]}
    spaced = REAL | {"prefix": "<|im_start|>user\nUSER: "}
    said: list[str] = []
    word, times = first_words(drawn(tmp_path / "free", few, said, **spaced)).most_common(1)[0]
    assert times > 1
    assert [line for line in said if line.startswith("the tokenizer joins ' ' at the end")]
    banned = drawn(tmp_path / "banned", few | {"bad_first_tokens": [word]}, said, **spaced)
    assert not first_words(banned)[word]


def test_a_banned_text_of_several_tokens(tmp_path: Path) -> None:
    """Only what is one token can be kept from being the first."""
    with pytest.raises(EngineError, match="`### Task` is several tokens of the model"):
        drawn(tmp_path / "run", {"rows": 4, "bad_first_tokens": ["### Task"]}, [])


def test_a_prefix_that_fills_the_context(tmp_path: Path) -> None:
    """A system prompt behind which nothing can be drawn is named before anything is drawn."""
    prompts = {"none": {}, "long": {"text": "Ask me. " * 4000}}
    with pytest.raises(EngineError, match="the prefix with the system prompt `long` has"):
        drawn(tmp_path / "run", {"rows": 4, "system_prompts": prompts}, [], **REAL)

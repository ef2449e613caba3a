"""A thinking model's run: reasoning never reaches the messages, and has a column if asked for."""

from datasets import load_dataset

from magpie_hub.engines.base import Sampling
from magpie_hub.generate.reasoning import Reasoning
from magpie_hub.run.answering import stops
from magpie_hub.run.pins import Pins
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import released, spec_file

THINKS = {"model": "scripted", "engine": {"name": "scripted", "thoughts": 0.5}}


def made(folder, reasoning):
    """Return the rows of a release, made in the one run folder that there is."""
    path = spec_file(folder, generator=THINKS, responses={"reasoning": reasoning})
    released(load(str(path)), RunFolder(folder / "run"), folder / reasoning)
    place = str(folder / reasoning / "org" / "tiny")
    return load_dataset(place, "raw", split="train", cache_dir=str(folder / "cache" / reasoning))


def test_reasoning_is_kept_in_a_column_or_dropped(tmp_path):
    """The choice changes what is published, and nothing of what was drawn: one run serves both."""
    kept, dropped = made(tmp_path, "keep"), made(tmp_path, "drop")

    assert kept.column_names[:2] == ["messages", "reasoning"]
    assert dropped.column_names == [name for name in kept.column_names if name != "reasoning"]
    assert kept["messages"][:] == dropped["messages"][:]
    thoughts = [thought is not None for thought in kept["reasoning"]]
    assert 0.2 < sum(thoughts) / len(thoughts) < 0.8
    assert all(thought.endswith("say it.") for thought in kept["reasoning"] if thought)
    assert not any("think>" in turns[1]["content"] for turns in kept["messages"])
    card = (tmp_path / "keep" / "org" / "tiny" / "README.md").read_text()
    assert "| `reasoning` |" in card
    assert "what stood between `<think>` and `</think>` is in its own column" in card


def test_a_mark_between_reasoning_and_answer_does_not_end_a_response():
    """Where messages follow each other in one answer, only the last one's end is the end."""
    closing = "<|end|><|start|>assistant<|channel|>final<|message|>"
    marks = Reasoning("<|channel|>analysis<|message|>", closing, opened=False)
    ends = ("<|end|>", "<|return|>")
    sampling, texts = Sampling(0.0, 1.0, 9), ("<|user|>", {}, "<|user|>", "<|end|>")
    pins = Pins("r", None, "2026-01-31", *texts, ends, (), (), sampling, marks, ())
    token = {"<|end|>": [7], "<|return|>": [8]}
    assert stops(pins, token.__getitem__) == ((7, 8), (8,))

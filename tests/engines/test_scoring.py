"""Scoring, as far as it goes without a model; the models are in `tests/vllm`."""

import sys

import pytest

from magpie_hub.engines.scoring import batches, open_scorer
from magpie_hub.errors import EngineError


def test_batches_hold_texts_of_like_length():
    """Longest first, padding counted; one that is longer than a batch has one of its own."""
    lengths = [(5, 0), (50, 1), (6, 2), (200, 3), (45, 4), (4, 5)]
    assert list(batches(lengths, 100)) == [[3], [1, 4], [2, 0, 5]]
    assert list(batches([], 100)) == []


def test_an_engine_that_cannot_score(tmp_path):
    """The names that can are listed, and a near one is offered."""
    with pytest.raises(EngineError, match="`transformer` cannot score") as caught:
        open_scorer("transformer", tmp_path, {})
    assert caught.value.hint == "did you mean `transformers`?"


def test_missing_library_names_the_extra(tmp_path, monkeypatch):
    """Without torch the error says what to install."""
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("magpie_hub.engines.scoring.Tokenizer", lambda _: None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(EngineError, match="`torch`, which is not installed") as caught:
        open_scorer("transformers", tmp_path, {})
    assert caught.value.hint == 'run: pip install "magpie-hub[score]"'

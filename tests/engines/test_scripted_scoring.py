"""The scorer without a model: numbers that depend on the text alone and are spread like rewards."""

from statistics import mean, stdev

import pytest

from magpie_hub.engines.scoring import open_scorer
from magpie_hub.errors import EngineError

TEXTS = [f"What is {number} times seven? It is {7 * number}." for number in range(400)]


def scores(texts: list[str]) -> list[float]:
    """Return the numbers of texts, by a scorer that is opened for them."""
    with open_scorer("scripted", None, {}) as scorer:
        found = scorer.score([scorer.encode(text, special=False) for text in texts])
    return [number for score in found for number in score.logits]


def test_a_text_has_one_number() -> None:
    """The same text gets the same number, in any order and by another scorer."""
    assert scores(TEXTS) == scores(TEXTS[::-1])[::-1]
    assert len(set(scores(TEXTS))) == len(TEXTS)


def test_numbers_are_spread() -> None:
    """Texts of one length differ by a few points, as rewards do."""
    assert 1.5 < stdev(scores(TEXTS)) < 3


def test_longer_texts_get_more() -> None:
    """An answer that says more is preferred, up to a length."""
    longer = [text + " And so it goes on." * 5 for text in TEXTS]
    assert mean(scores(longer)) > mean(scores(TEXTS)) + 3
    assert max(scores(["word " * 10_000])) < 50


def test_it_has_no_options() -> None:
    """What is meant for the engine that completes is refused by the one that scores."""
    with pytest.raises(EngineError, match="`transcript`"):
        open_scorer("scripted", None, {"transcript": "asked.jsonl"})

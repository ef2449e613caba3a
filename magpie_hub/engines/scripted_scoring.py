"""A scorer that needs no model, for tests, documentation and dry runs: numbers out of a hash.

A text's number depends on its token ids alone. Numbers are spread as a reward model's are, and a
longer text gets more, so that filters and preferences have something to go by; they say
nothing of how good a text is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from magpie_hub.engines.options import read_options
from magpie_hub.engines.scoring import Score, Scorer
from magpie_hub.engines.scripted import TEMPLATE, Scripted

LOWEST, SPREAD, EACH = -22.0, 5.0, 25
"""The least number of a text, what each of its two draws may add, and the tokens of a point."""
LONGEST = 1200
"""The tokens beyond which more are worth no more."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a spec may write beside `name: scripted` where it scores: nothing."""


class ScriptedScorer(Scorer):
    """A deterministic stand-in for a reward model; see the module's docstring."""

    name = "scripted"
    weights = "none"
    chat_template = TEMPLATE
    version = "1"
    context_length = Scripted.context_length

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        read_options(Options, self.name, options)
        self._words = Scripted(None, {})

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self._words.encode(text, special=special)

    def score(self, prompts: Sequence[Sequence[int]]) -> list[Score]:
        return [Score((_number(prompt),)) for prompt in prompts]

    def close(self) -> None:
        self._words.close()


def _number(prompt: Sequence[int]) -> float:
    draw = Random(str(list(prompt)))
    drawn = SPREAD * (draw.random() + draw.random())
    return LOWEST + drawn + min(len(prompt), LONGEST) / EACH

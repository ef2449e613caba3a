"""What the tags share that a model makes: token ids around a row's texts, cut to fit, and answers.

Knows no prompt and no model; a row's texts are encoded as plain words, so that nothing in them can
become a control token. Long texts lose their middle, since both ends of a request matter most.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.errors import EngineError

Encode = Callable[[str], list[int]]
Row = Mapping[str, str]
"""A row's texts by the names that a prompt uses: `instruction`, `response`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said of a row: the values of the tag's columns, or why there are none."""

    values: Mapping[str, object] | None
    failure: str | None = None


class Asker(ABC):
    """Asks an engine for one tag, and reads its answers."""

    attempts: int
    """How often a row is asked before it counts as failed."""
    stop: tuple[int, ...]
    """Token ids that end an answer."""
    max_tokens: int
    json_schema: str | None = None

    @abstractmethod
    def prompt(self, row: Row) -> tuple[tuple[int, ...], int]:
        """Return the prompt's token ids, and how many characters of the row are not in it."""

    @abstractmethod
    def read(self, completion: Completion) -> Answer:
        """Return what a completion says, or the reason why it says nothing."""

    def request(self, key: Hashable, prompt: tuple[int, ...], seed: int, attempt: int) -> Request:
        """Return the request of an attempt, from 0; what failed greedily is then sampled."""
        temperature = 0.0 if attempt == 0 else RETRY_TEMPERATURE
        sampling = Sampling(temperature, 1.0, self.max_tokens)
        return Request(key, prompt, sampling, seed, self.stop, self.json_schema)


RETRY_TEMPERATURE = 0.7


def fit(
    tokens: Callable[[Sequence[str]], tuple[int, ...]], texts: Sequence[str], most: int
) -> tuple[tuple[int, ...], int]:
    """Return `tokens(texts)` with the texts cut to have at most `most` ids, and the characters cut.

    Raises EngineError where the prompt is too long without any text.
    """
    ids = tokens(texts)
    if len(ids) <= most:
        return ids, 0
    empty = len(tokens([""] * len(texts)))
    whole = sum(map(len, texts))
    # Tokens are not spread evenly over a text, so that the first guess may be too long.
    allowed = int(whole * max(most - empty, 0) / max(len(ids) - empty, 1))
    while allowed >= len(texts):
        share = [max(1, len(text) * allowed // whole) for text in texts]
        pieces = [shortened(text, length) for text, length in zip(texts, share, strict=True)]
        ids = tokens(pieces)
        if len(ids) <= most:
            kept = sum(min(len(text), n) for text, n in zip(texts, share, strict=True))
            return ids, whole - kept
        allowed = allowed * 9 // 10 - 1
    raise EngineError(
        f"the prompt of a tag has {empty:,} tokens without any row in it and the context leaves"
        f" {most:,}, expected room for a row's beginning and end",
        hint="give the engine a longer context, or choose a model that has one",
    )


def shortened(text: str, length: int) -> str:
    """Return a text of more than `length` characters without its middle, and a mark there."""
    if len(text) <= length:
        return text
    head = (length + 1) // 2
    tail = text[len(text) - (length - head) :]
    return f"{text[:head]}\n[... {len(text) - length:,} characters left out ...]\n{tail}"

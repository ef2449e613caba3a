"""Prompts made of one exchange inside a chat template: what guard and reward models are given.

Knows the texts around the words and how to encode them; no engine and no file of a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from magpie_hub.engines.base import Completion
from magpie_hub.engines.prompt import tokens
from magpie_hub.tag.asked import Answer, Asker, Encode, Row, fit
from magpie_hub.tag.safety import Adapter, read


@dataclass(frozen=True, slots=True)
class Exchange:
    """The texts of a chat template around the words of a user and an assistant.

    texts: before, between and after the words. controls: which control tokens are in them.
    special: token ids of a text of the template's own; plain: of any text, with no control token.
    """

    texts: tuple[str, str, str]
    controls: tuple[str, ...]
    special: Encode
    plain: Encode

    def tokens(self, words: Sequence[str]) -> tuple[int, ...]:
        """Return the ids of an exchange of two texts, an instruction and a response."""
        before, between, after = self.texts
        user, answer = words
        own = ((before, True), (user, False), (between, True), (answer, False), (after, True))
        return tokens(own, self.controls, self.special, self.plain)

    def prompt(self, row: Row, most: int) -> tuple[tuple[int, ...], int]:
        """Return at most `most` ids of a row, and how many of its characters are not in them."""
        return fit(self.tokens, [row["instruction"], row["response"]], most)


class Guard(Asker):
    """Asks a guard model for its verdict, once: a second try would be a toss of a coin."""

    attempts = 1

    def __init__(
        self, adapter: Adapter, exchange: Exchange, stop: tuple[int, ...], context_length: int
    ) -> None:
        self._adapter, self._exchange, self.stop = adapter, exchange, stop
        self.max_tokens = adapter.max_tokens
        self._most = context_length - adapter.max_tokens

    def prompt(self, row: Row) -> tuple[tuple[int, ...], int]:
        return self._exchange.prompt(row, self._most)

    def read(self, completion: Completion) -> Answer:
        if completion.finish_reason == "error":
            return Answer(None, "engine-error")
        verdict = read(self._adapter, completion.text)
        # What was cut off may only have been further codes of what is unsafe.
        cut = completion.finish_reason == "length"
        if verdict is None or (cut and verdict.safety == "safe"):
            return Answer(None, "no-verdict")
        values: Mapping[str, object] = {
            "safety": verdict.safety,
            "safety_categories": list(verdict.categories),
        }
        return Answer(values)

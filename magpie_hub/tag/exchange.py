"""Prompts made of one exchange inside a chat template: what guard and reward models are given.

Knows the texts around the words and how to encode them; no engine and no file of a run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from magpie_hub.engines.base import Completion
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
        """Return the ids of an exchange of two texts, an instruction and a response.

        Words are encoded together with the template's text up to the next control token, as a
        tokenizer reads them in one piece: behind `User: ` they would begin otherwise.
        """
        ids: list[int] = []
        open_text = ""
        for text, control in self._pieces(words):
            if control:
                ids += [*(self.plain(open_text) if open_text else ()), *self.special(text)]
                open_text = ""
            else:
                open_text += text
        return (*ids, *(self.plain(open_text) if open_text else ()))

    def _pieces(self, words: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """Yield the parts of an exchange, and whether each is a control token of the template."""
        for text, own in zip(self.texts, [*words, ""], strict=True):
            if not self.controls:
                # Nothing is known of its tokens but by encoding the text as a template's.
                yield text, True
            else:
                parts = re.split("(" + "|".join(map(re.escape, self.controls)) + ")", text)
                yield from ((part, part in self.controls) for part in parts)
            yield own, False

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

"""What a base model, which was never taught to answer, makes of an instruction.

It is shown a few answered questions of our own writing and goes on from there. Knows that text and
nothing of what the answer is for.
"""

from collections.abc import Sequence

from magpie_hub.engines.base import Completion
from magpie_hub.tag.asked import Answer, Asker, Encode, Row, fit
from magpie_hub.tag.judge import PROMPTS, compiled

MARK = "@@@"
"""What begins each part of the pages; a base model writes on behind its answer."""


class BaseResponse(Asker):
    """Asks a base model for its answer, once.

    before: what its tokenizer puts in front of every text. encode: a text's ids.
    """

    attempts = 1
    max_tokens = 512

    def __init__(
        self, before: tuple[int, ...], stop: tuple[int, ...], encode: Encode, context_length: int
    ) -> None:
        self._before, self.stop, self._encode = before, stop, encode
        self._most = context_length - self.max_tokens
        self._template = compiled(question())

    def prompt(self, row: Row) -> tuple[tuple[int, ...], int]:
        def tokens(texts: Sequence[str]) -> tuple[int, ...]:
            shown = self._template.render(instruction=texts[0])
            return (*self._before, *self._encode(shown))

        return fit(tokens, [row["instruction"]], self._most)

    def read(self, completion: Completion) -> Answer:
        if completion.finish_reason == "error":
            return Answer(None, "engine-error")
        answer, mark, _ = completion.text.partition(MARK)
        if completion.finish_reason == "length" and not mark:
            return Answer(None, "cut-off")
        text = answer.strip()
        text = text.encode(errors="replace").decode()
        return Answer({"base_output": text}) if text else Answer(None, "empty")


def question() -> str:
    """Return the pages as a template; they decide what is answered."""
    return (PROMPTS / "base_response.jinja").read_text(encoding="utf-8")

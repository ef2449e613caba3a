"""Separates what a thinking model reasons from what it answers.

Knows the two marks as texts; knows no template and no engine. A completion's text shows control
tokens, so that the marks can be found in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The marks around a model's reasoning.

    opened: whether the prompt ends with the opening mark, so that the completion begins within.
    header: what a model writes in front of an answer that it did not think over, if anything.
    """

    opening: str
    closing: str
    opened: bool
    header: str = ""

    def split(self, text: str) -> tuple[str | None, str]:
        """Return (reasoning, answer); None where the model did not reason.

        An answer that never began, since the limit came first, is empty.
        """
        if not self.opened and not text.lstrip().startswith(self.opening):
            # A mark further on is something that the answer talks of.
            return None, text.lstrip().removeprefix(self.header)
        thought, _, answer = text.partition(self.closing)
        return thought.strip().removeprefix(self.opening).strip(), answer

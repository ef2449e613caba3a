"""Separates what a thinking model reasons from what it answers.

Knows the two marks as texts; knows no template and no engine. A completion's text shows control
tokens, so that the marks can be found in it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The marks around a model's reasoning.

    opened: whether the prompt ends with the opening mark, so that the completion begins within.
    """

    opening: str
    closing: str
    opened: bool

    def split(self, text: str) -> tuple[str | None, str]:
        """Return (reasoning, answer); None where the model did not reason.

        An answer that never began, since the limit came first, is empty.
        """
        thought, closed, answer = text.partition(self.closing)
        if not closed and not self.opened and not text.lstrip().startswith(self.opening):
            return None, text
        return thought.strip().removeprefix(self.opening).strip(), answer

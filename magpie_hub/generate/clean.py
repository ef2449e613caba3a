"""Why a text is not kept: rules that are each a named reason, in the order they are asked.

The names stand in the shards, in the funnel and on the card. Knows one text at a time and no
model: what counts as a control token is handed in.
"""

import re
from collections.abc import Iterable

from magpie_hub.engines.base import Completion

REASONS = {
    "engine-error": "the engine refused or failed the request",
    "unfinished-reasoning": "the token limit came before the reasoning had ended",
    "empty": "nothing but white space was written",
    "template-leak": "a control token of the chat template stands in the text",
    "repetition-loop": "the end of the text repeats itself at least four times",
    "cut-at-limit": "the text was cut at its token limit",
    "too-short": "fewer than four letters or digits",
    "ends-in-colon": "the text announces something that does not follow",
    "repeats-a-turn": "the user says the same as in an earlier turn",
    "exact-duplicate": "an earlier instruction has the same normal form",
}
TAIL = 2000
LOOP_LENGTH = 48
LOOP_TIMES = 4


def tidy(text: str) -> str:
    """Return the text as it is kept: without outer white space, always valid Unicode."""
    return text.strip().encode(errors="replace").decode()


def within_turn(text: str, ends: Iterable[str]) -> tuple[str, bool]:
    """Return a text up to where its turn ends, tidied, and whether it came to such an end.

    ends: texts that end a turn and are several tokens, so that no engine stops at them.
    """
    whole = min((text.partition(end)[0] for end in ends), key=len, default=text)
    return tidy(whole), len(whole) < len(text)


def instruction_fault(
    completion: Completion, text: str, controls: Iterable[str], *, cut: bool
) -> str | None:
    """Return the reason why an instruction is not kept, or None.

    text: the tidied completion, as far as it is the user's. controls: the texts of the template's
    control tokens. cut: whether it ends where the token limit came.
    """
    return response_fault(completion, text, controls) or text_fault(text, cut=cut)


def text_fault(text: str, *, cut: bool) -> str | None:
    """Return what an instruction's own words have against it, or None.

    cut: whether they end where the token limit came.
    """
    if not text:
        return "empty"
    if loops(text):
        return "repetition-loop"
    if cut:
        return "cut-at-limit"
    if len(re.findall(r"[^\W_]", text)) < 4:
        return "too-short"
    if text.endswith((":", "\N{FULLWIDTH COLON}")):
        return "ends-in-colon"
    return None


def response_fault(completion: Completion, text: str, controls: Iterable[str]) -> str | None:
    """Return the reason why a response is not kept, or None.

    A response that was cut is kept, with its finish reason: dropping it is a filter's choice.
    """
    if completion.finish_reason == "error":
        return "engine-error"
    if not text:
        return "empty"
    # Some are such at the beginning of a line only: they hold the line break.
    if any(control in f"\n{text}" for control in controls):
        return "template-leak"
    return None


def loops(text: str) -> bool:
    """Whether the text ends in at least four copies of one piece, 48 characters or more.

    Linear: the shortest period of every ending comes from one prefix function of the reversed
    last 2,000 characters (Knuth, Morris and Pratt).
    """
    tail = text[: -TAIL - 1 : -1]
    border = [0] * len(tail)
    for i in range(1, len(tail)):
        k = border[i - 1]
        while k and tail[i] != tail[k]:
            k = border[k - 1]
        border[i] = k + (tail[i] == tail[k])
        length = i + 1
        if length >= LOOP_LENGTH and (length - border[i]) * LOOP_TIMES <= length:
            return True
    return False

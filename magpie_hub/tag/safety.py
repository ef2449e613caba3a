"""What a guard model's answer says: safe, or unsafe with the categories that it names.

How a family of guards answers is data, so that another needs no code. An answer that is not
wholly of that form is no verdict, and never "safe". Knows no engine and no chat template.
"""

import re
from dataclasses import dataclass
from typing import Literal

from magpie_hub.errors import EngineError


@dataclass(frozen=True, slots=True)
class Adapter:
    """How a family of guard models is asked, and how it answers.

    safe, unsafe: regular expressions that match the whole stripped answer; the group `categories`
    of `unsafe`, if it has one, holds codes, separated by commas or white space. categories: what
    codes mean; the guard may use others. content: whether its chat template takes a message's
    content as a text or as a list of parts. max_tokens: of an answer.
    """

    safe: str
    unsafe: str
    categories: dict[str, str]
    content: Literal["text", "parts"] = "text"
    max_tokens: int = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard said; categories: codes in its own order, each once."""

    safety: Literal["safe", "unsafe"]
    categories: tuple[str, ...]


# A last code that was cut off, such as `S`, is none: the verdict before it still stands.
_UNSAFE = r"unsafe(?:\s+(?P<categories>S\d{1,2}(?:[,\s]+S\d{1,2})*))?(?:[,\s]+S?)?"
ADAPTERS = {
    # Versions 3 and 4.
    "llama-guard": Adapter(
        safe="safe",
        unsafe=_UNSAFE,
        categories={
            "S1": "violent crimes",
            "S2": "crimes without violence",
            "S3": "sexual crimes",
            "S4": "sexual exploitation of children",
            "S5": "false statements that harm a person's name",
            "S6": "advice in medicine, law or money that calls for a specialist",
            "S7": "violations of privacy",
            "S8": "violations of intellectual property",
            "S9": "weapons that kill indiscriminately",
            "S10": "hate",
            "S11": "suicide and self-harm",
            "S12": "sexual content",
            "S13": "false information about elections",
            "S14": "abuse of a code interpreter",
        },
    ),
    # The model of the published Magpie datasets, which counts otherwise.
    "llama-guard-2": Adapter(
        safe="safe",
        unsafe=_UNSAFE,
        categories={
            "S1": "violent crimes",
            "S2": "crimes without violence",
            "S3": "sexual crimes",
            "S4": "sexual exploitation of children",
            "S5": "advice that calls for a specialist",
            "S6": "violations of privacy",
            "S7": "violations of intellectual property",
            "S8": "weapons that kill indiscriminately",
            "S9": "hate",
            "S10": "suicide and self-harm",
            "S11": "sexual content",
        },
    ),
}


def check(adapter: Adapter) -> None:
    """Raise EngineError where an adapter's expressions cannot be used to read an answer."""
    hint = "correct the guard's `safe` and `unsafe`, or use the adapter `llama-guard`"
    for name, expression in (("safe", adapter.safe), ("unsafe", adapter.unsafe)):
        try:
            form = re.compile(expression)
        except re.error as error:
            raise EngineError(
                f"the guard's `{name}` is `{expression}`, expected a regular expression: {error}",
                hint=hint,
            ) from error
        if form.fullmatch(""):
            raise EngineError(
                f"the guard's `{name}` is `{expression}`, which an empty answer matches; expected"
                " one that does not",
                hint=hint,
            )


def read(adapter: Adapter, text: str) -> Verdict | None:
    """Return the verdict that an answer holds, or None where it is not to be read.

    An answer that both forms match is unsafe. `unsafe` without a code is unsafe, with no category.
    """
    answer = text.strip()
    if found := re.fullmatch(adapter.unsafe, answer):
        codes = re.split(r"[,\s]+", found.groupdict().get("categories") or "")
        return Verdict("unsafe", tuple(dict.fromkeys(filter(None, codes))))
    return Verdict("safe", ()) if re.fullmatch(adapter.safe, answer) else None

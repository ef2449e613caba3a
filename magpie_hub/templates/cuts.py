"""Cuts renderings of a conversation at its words.

A conversation is rendered twice, with other words each time; what lies between the words must be
equal in both, else there is no clean cut. Knows no model, and not what the texts are for.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from magpie_hub.templates.sandbox import Rendering
from magpie_hub.templates.sources import TemplateSource

WORDS: tuple[dict[str, str], dict[str, str]] = (
    {
        "S": "be brief at the harbour",
        "U1": "where do herons sleep",
        "A1": "among the tall reeds",
        "U": "when will {} otters float",
        "A": "not before {} bells ring",
    },
    {
        "S": "answer every traveller with patience and name a town that is worth a detour",
        "U1": "please recommend a quiet valley for an autumn walk with an old dog and tell me"
        " which of the paths along the river stays dry after a whole week of rain",
        "A1": "most visitors enjoy the orchard lane below the chapel",
        "U": "could we also reach the windmill before {} lanterns are lit behind the hills",
        "A": "certainly if {} shepherds open their muddy meadow halfway",
    },
)
"""Two sets of plain lower-case words, since templates may trim, lower or look for signs. They
differ in length, first letter and number of words, so that a text made from those differs too.
`U` and `A` are for all later turns, whose numbers stand at `{}` in words."""
_DIGITS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ODD = " \tÄpfel: 42 × <b>X</b>,\r\n\n```y``` {{ z }} #1_000 \n "
"""What ordinary words do not have: outer spaces, digits, line breaks, capitals, markup."""
_ROLES = {"S": "system", "U": "user", "A": "assistant"}

Content = Literal["text", "parts"]
"""What a template takes as a message's content: a text, or `[{"type": "text", "text": ...}]`."""
_UNREAD = "key_that_no_template_reads"
"""Shows in a rendering where a template that takes texts prints a list of parts as it is."""
Shape = tuple[str, ...]
"""The messages of a conversation in order: `S` (system), then `U1`, `A1`, `U2` and so on."""
Cut = tuple[str, ...] | str
"""The texts before, between and after a shape's words, or why there are none."""


def words(shape: Shape, which: int) -> dict[str, str]:
    """Return the words of a shape's messages from the first (0) or second (1) set."""
    return {mark: _words(mark, WORDS[which]) for mark in shape}


def _words(mark: str, known: Mapping[str, str]) -> str:
    return known[mark] if mark in known else known[mark[0]].format(_spelled(mark[1:]))


def _spelled(number: str) -> str:
    return " ".join(_DIGITS[int(digit)] for digit in number)


def messages(
    shape: Shape, contents: Mapping[str, str], content: Content = "text"
) -> list[dict[str, object]]:
    """Return a conversation of this shape as a template takes it."""
    return [{"role": _ROLES[mark[0]], "content": _in(content, contents[mark])} for mark in shape]


def _in(content: Content, text: str) -> object:
    return text if content == "text" else [{"type": "text", "text": text, _UNREAD: ""}]


def variables(source: TemplateSource, *, generation_prompt: bool = True) -> dict[str, object]:
    """Return what transformers gives a template besides the messages, with what the spec gives."""
    tokens = {"bos_token": source.bos_token, "eos_token": source.eos_token, **source.other_tokens}
    # A token that the tokenizer lacks is undefined, which prints nothing.
    known: dict[str, object] = {name: token for name, token in tokens.items() if token is not None}
    given = {"tools": None, "documents": None, **source.given}
    return known | given | {"add_generation_prompt": generation_prompt}


def cut(shape: Shape, first: Rendering, second: Rendering) -> Cut:
    """Return the texts around a shape's words, from a rendering of each of the two `WORDS`."""
    found = pieces(shape, first, words(shape, 0))
    if isinstance(found, str) or found == (again := pieces(shape, second, words(shape, 1))):
        return found
    return again if isinstance(again, str) else "the text around them changes with the words"


def pieces(shape: Sequence[str], rendering: Rendering, contents: Mapping[str, str]) -> Cut:
    """Return what stands before, between and after the words of one rendering."""
    if rendering.error:
        return f"the template raises `{rendering.error}`"
    if _UNREAD in rendering.text:
        return "the template does not look into a list of parts"
    for mark in shape:
        if not (count := rendering.text.count(contents[mark])):
            return f"the {_ROLES[mark[0]]} message is dropped or rewritten"
        if count > 1:
            return f"the {_ROLES[mark[0]]} message is written {count} times"
    found, rest = [], rendering.text
    for mark in shape:
        piece, there, rest = rest.partition(contents[mark])
        if not there:
            return "the messages are not written in their order"
        found.append(piece)
    return (*found, rest)

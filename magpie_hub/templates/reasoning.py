"""The marks between which a thinking model writes down its reasoning, read off its chat template.

A template that renders an answer's reasoning shows its marks around it. Others only know how to
drop reasoning, and then name the closing mark. Knows no model by name.
"""

import re

from magpie_hub.templates.cuts import variables
from magpie_hub.templates.sandbox import render
from magpie_hub.templates.sources import TemplateSource

_ASKED = "where do herons sleep"
_THOUGHT = "they like quiet water and shelter"
_ANSWERED = "among the tall reeds"
_KEYS = ("reasoning_content", "reasoning", "thinking")
"""The names under which templates look for the reasoning of a message."""
_LAST_MARK = re.compile(r"(?:<[^<>\s]+>|\[[^\[\]\s]+\])\s*$")
_CLOSING = re.compile(r"<(/\w*think\w*)>|\[(/THINK)\]")


def marks(source: TemplateSource, post_query: str, *, date: str) -> tuple[str, str] | None:
    """Return the texts that open and close the reasoning, or None where the template has none.

    post_query: the text between the user's words and where the model begins to write; the opening
    mark may be its end. date: YYYY-MM-DD, as for `prefix.derive`.
    """
    if not re.search("think|reason", source.chat_template, re.IGNORECASE):
        return None
    return _rendered(source, post_query, date) or _named(source.chat_template)


def _rendered(source: TemplateSource, post_query: str, date: str) -> tuple[str, str] | None:
    answer = {"role": "assistant", "content": _ANSWERED, **dict.fromkeys(_KEYS, _THOUGHT)}
    conversation = [{"role": "user", "content": _ASKED}, answer]
    given = variables(source, generation_prompt=False)
    [rendering] = render(source.chat_template, [conversation], variables=given, date=date)
    before, thought, after = rendering.text.partition(_ASKED)[2].partition(_THOUGHT)
    closing, answered, _ = after.partition(_ANSWERED)
    if not thought or not answered or not closing.strip():
        return None
    opening = before.removeprefix(post_query).strip() if before.startswith(post_query) else ""
    if not opening and (last := _LAST_MARK.search(before)):
        opening = last.group().strip()
    return (opening, closing.strip()) if opening else None


def _named(chat_template: str) -> tuple[str, str] | None:
    found = _CLOSING.search(chat_template)
    if found is None:
        return None
    closing = found.group()
    return closing.replace("/", "", 1), closing

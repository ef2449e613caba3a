"""Cuts a chat template's renderings into the texts that stand around a user's words.

A conversation is rendered twice, with other words each time, and cut at the words. What lies
between must be equal in both, else there is no clean cut. It knows no model and no engine: what
it says of a template it has seen that template do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from magpie_hub.errors import TemplateError
from magpie_hub.templates.sandbox import Rendering, render
from magpie_hub.templates.sources import TemplateSource

WORDS: tuple[dict[str, str], ...] = (
    {
        "S": "be brief at the harbour",
        "U1": "where do herons sleep",
        "A1": "among the tall reeds",
        "U2": "why do otters float",
        "A2": "on account of their fur",
        "U3": "who feeds the swans",
    },
    {
        "S": "answer every traveller with patience and name a town that is worth a detour",
        "U1": "please recommend a quiet valley for an autumn walk with an old dog and tell me"
        " which of the paths along the river stays dry after a whole week of rain",
        "A1": "most visitors enjoy the orchard lane below the chapel",
        "U2": "could we also reach the windmill before the sun goes down behind the hills",
        "A2": "certainly if nobody minds a muddy meadow halfway",
        "U3": "then kindly draw up a list of things that ought to go into our rucksack",
    },
)
"""Two sets of plain lower-case words, since templates may trim, lower or look for signs. They
differ in length, first letter and number of words, so that a text made from those differs too."""
ODD = " \tÄpfel: 42 × <b>X</b>,\r\n\n```y``` {{ z }} #1_000 \n "
"""What ordinary words do not have: outer spaces, digits, line breaks, capitals, markup."""
_ROLES = {"S": "system", "U": "user", "A": "assistant"}

ASK = ("U1",)
CHAT = ("U1", "A1", "U2")
LONG_CHAT = ("U1", "A1", "U2", "A2", "U3")
SYSTEM = ("S", "U1")
SYSTEM_CHAT = ("S", "U1", "A1", "U2")
Cut = tuple[str, ...] | str
"""The texts before, between and after a shape's words, or why there are none."""
_SHAPES = (ASK, CHAT, LONG_CHAT, SYSTEM, SYSTEM_CHAT)

_MARK = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
_OTHER_DATE = "1999-12-31"


@dataclass(frozen=True, slots=True)
class ChatTexts:
    """The fixed texts of a model's conversations.

    prefix: up to where the first user's words begin, with the template's default system turn.
    prefix_with_system: the same with a system prompt, which stands where `SYS` stands; None
    where the template refuses, drops or rewrites one.
    between_turns: from the end of an answer to the next user's words; None where the template
    does not render a second turn cleanly.
    post_query: from the end of the user's words to where the answer begins.
    end_of_turn: the strings that end the user's turn.
    warnings: sentences on what a reader of these texts should know.
    """

    prefix: str
    prefix_with_system: str | None
    between_turns: str | None
    post_query: str
    end_of_turn: tuple[str, ...]
    warnings: tuple[str, ...]


def derive(
    source: TemplateSource,
    *,
    date: str | None = None,
    render_kwargs: Mapping[str, object] | None = None,
) -> ChatTexts:
    """Return the texts that the template puts around a user's words.

    date: YYYY-MM-DD, the day that the template sees; today (UTC) where it is None.
    render_kwargs: what the template is given besides, such as `{"enable_thinking": False}`.
    Raises TemplateError with the reason where no clean cut exists.
    """
    day = _day(date)
    texts = _texts(source, day, render_kwargs or {})
    if "strftime_now" not in source.chat_template:
        return texts
    other = _texts(source, _OTHER_DATE, render_kwargs or {})
    fields = ("prefix", "prefix_with_system", "between_turns", "post_query")
    dated = [name for name in fields if getattr(texts, name) != getattr(other, name)]
    if not dated:
        return texts
    warning = f"the date, pinned to {day}, is part of {', '.join(dated)}"
    return replace(texts, warnings=(*texts.warnings, warning))


def stop_token_ids(source: TemplateSource, texts: ChatTexts) -> list[int]:
    """Return the ids of the end-of-turn marks that are single tokens, then the EOS token's id."""
    marks = (*texts.end_of_turn, source.eos_token or "")
    return list(dict.fromkeys(source.special_ids[m] for m in marks if m in source.special_ids))


def _day(date: str | None) -> str:
    try:
        day = datetime.fromisoformat(date) if date else datetime.now(UTC)
    except ValueError:
        raise TemplateError(
            f"`{date}` is not a date", hint="write it as YYYY-MM-DD, such as 2025-06-17"
        ) from None
    return day.date().isoformat()


def _texts(source: TemplateSource, day: str, render_kwargs: Mapping[str, object]) -> ChatTexts:
    cuts, odd = _renderings(source, day, render_kwargs)
    ask = cuts[ASK]
    if not isinstance(ask, str) and not ask[0]:
        ask = "nothing stands before them, so there is nothing to complete"
    if isinstance(ask, str):
        raise TemplateError(
            f"the chat template of `{source.name}` has no clean place for a user's words: {ask}",
            hint="choose a model whose template writes the user's words once, as they are",
        )
    prefix, post_query = ask
    between_turns, turn_warnings = _turns(cuts, prefix, post_query)
    prefix_with_system, system_warnings = _system(cuts, post_query)
    return ChatTexts(
        prefix=prefix,
        prefix_with_system=prefix_with_system,
        between_turns=between_turns,
        post_query=post_query,
        end_of_turn=_end_of_turn(post_query, source),
        warnings=(
            *_border_warnings(source, prefix, post_query, odd),
            *system_warnings,
            *turn_warnings,
        ),
    )


def _renderings(
    source: TemplateSource, day: str, render_kwargs: Mapping[str, object]
) -> tuple[dict[tuple[str, ...], Cut], Rendering]:
    """Return the cut of every shape, and what became of odd words; one child process."""
    conversations = [
        [{"role": _ROLES[mark[0]], "content": words[mark]} for mark in shape]
        for shape in _SHAPES
        for words in WORDS
    ]
    *pairs, odd = render(
        source.chat_template,
        [*conversations, [{"role": "user", "content": ODD}]],
        variables=variables(source) | dict(render_kwargs),
        date=day,
    )
    two = iter(pairs)
    return {shape: cut(shape, next(two), next(two)) for shape in _SHAPES}, odd


def variables(source: TemplateSource, *, generation_prompt: bool = True) -> dict[str, object]:
    """Return what transformers gives a template besides the messages."""
    # A token that the tokenizer lacks is undefined, which prints nothing.
    tokens = {"bos_token": source.bos_token, "eos_token": source.eos_token}
    known: dict[str, object] = {name: token for name, token in tokens.items() if token is not None}
    return known | {"add_generation_prompt": generation_prompt, "tools": None, "documents": None}


def cut(shape: tuple[str, ...], first: Rendering, second: Rendering) -> Cut:
    """Return the texts around a shape's words, from a rendering of each of the two `WORDS`."""
    pieces = _pieces(shape, first, WORDS[0])
    if isinstance(pieces, str) or pieces == (again := _pieces(shape, second, WORDS[1])):
        return pieces
    return again if isinstance(again, str) else "the text around them changes with the words"


def _pieces(shape: tuple[str, ...], rendering: Rendering, words: Mapping[str, str]) -> Cut:
    """Return what stands before, between and after the words of one rendering."""
    if rendering.error:
        return f"the template raises `{rendering.error}`"
    for mark in shape:
        if not (count := rendering.text.count(words[mark])):
            return f"the {_ROLES[mark[0]]} message is dropped or rewritten"
        if count > 1:
            return f"the {_ROLES[mark[0]]} message is written {count} times"
    pieces, rest = [], rendering.text
    for mark in shape:
        piece, found, rest = rest.partition(words[mark])
        if not found:
            return "the messages are not written in their order"
        pieces.append(piece)
    return (*pieces, rest)


def _turns(
    cuts: Mapping[tuple[str, ...], Cut], prefix: str, post_query: str
) -> tuple[str | None, list[str]]:
    chat, long_chat = cuts[CHAT], cuts[LONG_CHAT]
    if isinstance(chat, str):
        return None, [f"there is no text between turns: {chat}"]
    before, head, between, after = chat
    warnings = []
    if (before, after) != (prefix, post_query):
        warnings.append("the text around the user's words differs in a chat of two turns")
    if isinstance(long_chat, str) or not long_chat[2] == between == long_chat[4]:
        warnings.append("the text between turns differs in a chat of three turns")
    if head.strip() != post_query.strip():
        warnings.append(
            f"a new answer begins after {post_query!r}, an earlier one stands after {head!r}:"
            " the model may open its answer with a thought or a mark"
        )
    return between, warnings


def _system(cuts: Mapping[tuple[str, ...], Cut], post_query: str) -> tuple[str | None, list[str]]:
    alone, chat = cuts[SYSTEM], cuts[SYSTEM_CHAT]
    if isinstance(alone, str):
        return None, [f"there is no prefix with a system prompt: {alone}"]
    before, after, end = alone
    warnings = []
    if end != post_query:
        warnings.append("a system prompt changes the text after the user's words")
    if isinstance(chat, str) or chat[:2] != (before, after):
        warnings.append("in a chat of several turns a system prompt leaves the prefix")
    if "SYS" in before + after:
        warnings.append("`SYS` is also part of the text around a system prompt")
    return f"{before}SYS{after}", warnings


def _border_warnings(
    source: TemplateSource, prefix: str, post_query: str, odd: Rendering
) -> list[str]:
    warnings = []
    if source.bos_token and not prefix.startswith(source.bos_token):
        warnings.append(f"the template does not write the BOS token `{source.bos_token}`")
    if prefix.endswith(" "):
        warnings.append("the prefix ends in a space, which a tokenizer may join with a word")
    if not post_query.strip():
        warnings.append("the template writes no mark after the user's words")
    words = odd.text.removeprefix(prefix).removesuffix(post_query)
    if odd.error or prefix + words + post_query != odd.text:
        warnings.append("words with digits, signs or line breaks change the text around them")
    elif words == ODD.strip():
        warnings.append("the template trims the user's words")
    elif words != ODD:
        warnings.append("the template rewrites words that hold digits, signs or line breaks")
    return warnings


def _end_of_turn(post_query: str, source: TemplateSource) -> tuple[str, ...]:
    """Return the mark at the head of `post_query`, or where there is none its first line."""
    head = post_query.lstrip()
    known = (*source.special_ids, source.eos_token or "")
    if marks := [mark for mark in known if mark.strip() and head.startswith(mark)]:
        return (max(marks, key=len),)
    if mark := _MARK.match(head):
        return (mark.group(),)
    return (head.partition("\n")[0].rstrip(),) if head else ()

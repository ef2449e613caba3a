"""Derives from a chat template the texts that stand around a user's words and a model's answers.

It knows no model and no engine: what it says of a template it has seen that template do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from magpie_hub.errors import TemplateError
from magpie_hub.templates.cuts import (
    ODD,
    Content,
    Cut,
    Shape,
    cut,
    messages,
    pieces,
    variables,
    words,
)
from magpie_hub.templates.sandbox import Rendering, render
from magpie_hub.templates.sources import TemplateSource

ASK = ("U1",)
CHAT = ("U1", "A1", "U2")
LONG_CHAT = ("U1", "A1", "U2", "A2", "U3")
SYSTEM = ("S", "U1")
SYSTEM_CHAT = ("S", "U1", "A1", "U2")
_SHAPES = (ASK, CHAT, LONG_CHAT, SYSTEM, SYSTEM_CHAT)

_MARK = re.compile(r"<<?[^<>\s]+>>?|\[[^\[\]\s]+\]")
_HEAD = r"(?:#+ ?\w[\w ]*|\w+):"
_OTHER_DATE = "1999-12-31"
_CONTENTS: tuple[Content, ...] = ("text", "parts")
_NOTHING_BEFORE = "nothing stands before them, so there is nothing to complete"


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


def derive(source: TemplateSource, *, date: str | None = None) -> ChatTexts:
    """Return the texts that the template puts around a user's words.

    date: YYYY-MM-DD, the day that the template sees; today (UTC) where it is None.
    Raises TemplateError with the reason where no clean cut exists.
    """
    day = _day(date)
    texts = _texts(source, day)
    if "strftime_now" not in source.chat_template:
        return texts
    other = _texts(source, _OTHER_DATE)
    fields = ("prefix", "prefix_with_system", "between_turns", "post_query")
    dated = [name for name in fields if getattr(texts, name) != getattr(other, name)]
    if not dated:
        return texts
    warning = f"the date, pinned to {day}, is part of {', '.join(dated)}"
    return replace(texts, warnings=(*texts.warnings, warning))


def conversation(
    source: TemplateSource, *, date: str, turns: int = 1, system: str | None = None
) -> tuple[str, ...]:
    """Return the 2 * turns texts around the words of a conversation that the model continues.

    The conversation has `turns` user messages and an answer between each two: the texts stand
    before the first user's words, between them and the first answer, and so on, after the last
    user's words. All come from one rendering, since a template may write a turn of the past
    otherwise than the last.
    date: as for `derive`. system: a system prompt, which is part of the texts.
    Raises TemplateError with the reason where there is no clean cut, or where the template
    refuses the system prompt, drops it or rewrites it (but for white space at its ends).
    """
    shape = tuple(f"{who}{turn}" for turn in range(1, turns + 1) for who in "UA")[:-1]
    reasons = []
    for content in _CONTENTS:
        takes, found = _continued(source, shape, system, content, _day(date))
        if not isinstance(found, str):
            return found
        reasons.append(found)
        if takes:
            break
    behind = "" if system is None else " behind a system prompt"
    count = "one turn" if turns == 1 else f"{turns} turns"
    raise TemplateError(
        f"the chat template of `{source.name}` has no clean place for {count}{behind}:"
        f" {reasons[-1] if takes else reasons[0]}",
        hint="leave out the system prompt, or choose a model that takes one"
        if behind
        else "choose a model whose template writes every message once, as it is",
    )


def _continued(
    source: TemplateSource, shape: Shape, system: str | None, content: Content, day: str
) -> tuple[bool, Cut]:
    """Return whether the template takes content of this kind, and the texts, or why not."""
    asked = shape if system is None else ("S", *shape)
    known = words(asked, 0)
    own = {} if system is None else {"S": system}
    # One behind a system prompt of our words shows what the template does with one.
    said = (known | own, words(asked, 1) | own, known)
    first, second, plain, *alone = render(
        source.chat_template,
        [messages(asked, contents, content) for contents in said]
        + [messages(ASK, words(ASK, which), content) for which in (0, 1)],
        variables=variables(source),
        date=day,
    )
    takes = not isinstance(cut(ASK, *alone), str)
    found = cut(shape, first, second)
    if isinstance(found, str):
        return takes, found
    if not all(found[::2]):
        return takes, _NOTHING_BEFORE
    if system is None:
        return takes, found
    return takes, _behind(system, found, pieces(shape, plain, known), known)


def _behind(system: str, found: tuple[str, ...], plain: Cut, known: Mapping[str, str]) -> Cut:
    """Return `found` where the system prompt stands in it as our own words do in `plain`."""
    if isinstance(plain, str):
        return plain
    if (count := "".join(plain).count(known["S"])) > 1:
        return f"the system message is written {count} times"
    for written in (system, system.strip()):
        if count and found == tuple(text.replace(known["S"], written) for text in plain):
            return found
    return "the system message is dropped or rewritten"


def stop_token_ids(source: TemplateSource, texts: ChatTexts) -> list[int]:
    """Return the ids of the end-of-turn marks that are single tokens, then the EOS token's id."""
    marks = (*texts.end_of_turn, source.eos_token or "")
    return list(dict.fromkeys(source.special_ids[m] for m in marks if m in source.special_ids))


def turn_marks(texts: ChatTexts) -> set[str]:
    """Return what tells a model in plain text where turns begin and end.

    Marks such as `[INST]`; and heads such as `USER:`, behind a line break since they are such at
    the beginning of a line only: elsewhere a word with a colon is a word.
    """
    given = (texts.prefix, texts.prefix_with_system, texts.between_turns, texts.post_query)
    found = {mark for text in given for mark in _MARK.findall(text or "")}
    begins = (re.search(rf"(?:^|\s)({_HEAD})\s*$", text or "") for text in given)
    heads = [*begins, re.match(rf"\s*({_HEAD})", texts.post_query)]
    return found | {f"\n{head[1]}" for head in heads if head}


def _day(date: str | None) -> str:
    try:
        day = datetime.fromisoformat(date) if date else datetime.now(UTC)
    except ValueError:
        raise TemplateError(
            f"`{date}` is not a date", hint="write it as YYYY-MM-DD, such as 2025-06-17"
        ) from None
    return day.date().isoformat()


def _texts(source: TemplateSource, day: str) -> ChatTexts:
    reasons = []
    for content in _CONTENTS:
        cuts, odd = _renderings(source, day, content)
        ask = cuts[ASK]
        if not isinstance(ask, str) and ask[0]:
            break
        reasons.append(ask if isinstance(ask, str) else _NOTHING_BEFORE)
    else:
        raise TemplateError(
            f"the chat template of `{source.name}` has no clean place for a user's words:"
            f" {reasons[0]}",
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
    source: TemplateSource, day: str, content: Content
) -> tuple[dict[Shape, Cut], Rendering]:
    """Return the cut of every shape, and what became of odd words; one child process."""
    conversations = [
        messages(shape, words(shape, which), content) for shape in _SHAPES for which in (0, 1)
    ]
    *pairs, odd = render(
        source.chat_template,
        [*conversations, messages(ASK, {"U1": ODD}, content)],
        variables=variables(source),
        date=day,
    )
    two = iter(pairs)
    return {shape: cut(shape, next(two), next(two)) for shape in _SHAPES}, odd


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
    return f"{before}SYS{after}", warnings


def _border_warnings(
    source: TemplateSource, prefix: str, post_query: str, odd: Rendering
) -> list[str]:
    warnings = []
    if source.bos_token and not prefix.startswith(source.bos_token):
        warnings.append(f"the template does not write the BOS token `{source.bos_token}`")
    if prefix.endswith(" "):
        warnings.append("the prefix ends in a space, which a tokenizer may join with a word")
    [end] = _end_of_turn(post_query, source) or [""]
    if not end:
        warnings.append("the template writes no mark after the user's words")
    elif source.special_ids and end not in source.special_ids:
        warnings.append(
            f"`{end}`, which ends the user's turn, is no token of its own: a draw goes on behind it"
            f" until `{source.eos_token}` or `instructions.max_tokens`: lower that"
        )
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

"""Token ids of prompts that mix a chat template's own texts with words that others wrote.

The ids are those that the tokenizer gives the whole prompt when it reads it in one piece, but that
the names of control tokens in words stay plain text. Knows no template and no engine: only how an
encoder answers.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

Encode = Callable[[str], Sequence[int]]
"""Token ids of a text: `special` ones know control tokens by their names, `plain` ones do not."""

PROBES = ("Hello", "how", "Écris", "7", "如何", "Как", "كيف", '"', "(", "#", "*", "`", "🙂")
"""Beginnings of what a person may write: letters of several scripts, a digit, signs."""


def tokens(
    pieces: Iterable[tuple[str, bool]], controls: Sequence[str], special: Encode, plain: Encode
) -> tuple[int, ...]:
    """Return the ids of a prompt.

    pieces: texts in order, and whether each is the template's own; others are words. controls: the
    control tokens that the template's texts hold; with none, nothing is known of its tokens but by
    encoding a text of its own.
    Words are read together with the template's text up to the next control token: behind `User: `
    they would begin otherwise. Where the names of control tokens stand in them, that stretch is
    encoded as plain text, by itself.
    """
    ids: list[int] = []
    run = ""
    for text, has_words in _stretches(pieces, controls):
        # Equal, unless it holds a control token's name. A stretch is not encoded apart without
        # need: some tokenizers put a space before, some control tokens swallow one behind.
        if not has_words or special(text) == plain(text):
            run += text
        else:
            ids += [*(special(run) if run else ()), *plain(text)]
            run = ""
    return (*ids, *(special(run) if run else ()))


def _stretches(
    pieces: Iterable[tuple[str, bool]], controls: Sequence[str]
) -> Iterator[tuple[str, bool]]:
    """Yield the control tokens and what lies between them, and whether there are words in it."""
    # A longer name first: one may begin with another.
    names = "|".join(map(re.escape, sorted(controls, key=len, reverse=True)))
    between, has_words = "", False
    for text, own in pieces:
        # Without known names a text of the template's own is taken for one.
        parts = re.split(f"({names})", text) if own and names else ["", text, ""] if own else [text]
        for number, part in enumerate(parts):
            if number % 2:
                yield between, has_words
                yield part, False
                between, has_words = "", False
            else:
                between += part
                has_words = has_words or (bool(part) and not own)
    yield between, has_words


def open_end(text: str, special: Encode) -> tuple[tuple[int, ...], str]:
    """Return the ids of a text behind which the model writes, and what is left to it of the text.

    text: the template's own. Where the tokenizer would join its end with the words that follow
    (the space of `USER: ` belongs to the next word), ids that end there are such as the model has
    never seen before a word; so the end is cut off, and the model writes it: mostly nothing.
    """
    read = [tuple(special(text + words)) for words in PROBES]
    for end in range(len(text), 0, -1):
        ids = tuple(special(text[:end]))
        if all(whole[: len(ids)] == ids for whole in read):
            return ids, text[end:]
    return (), text


def merges(texts: Sequence[str], special: Encode) -> list[str]:
    """Return a sentence for each border between a text and words over which tokens are joined.

    texts: the template's own, before, between and after words. There the ids of a prompt are not
    those of its parts: `tokens` reads it in one piece, and `open_end` cuts before the border.
    """
    found = []
    for before, after in pairwise(texts):
        _, left = open_end(before, special)
        if left:
            found.append(
                f"the tokenizer joins {left!r} with the words behind it: the model has to write it"
            )
        if joined := [w for w in PROBES if not _is_border(before + w, after, special)]:
            shown = ", ".join(f"`{words}`" for words in joined)
            found.append(f"the tokenizer joins the end of words such as {shown} with {after!r}")
    return found


def _is_border(text: str, behind: str, special: Encode) -> bool:
    ids = tuple(special(text))
    return tuple(special(text + behind))[: len(ids)] == ids

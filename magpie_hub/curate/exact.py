"""Exact duplicates of instructions on a stated normal form.

Normal form: Unicode NFKC, case folded, white space folded to single blanks, outer white space and
trailing punctuation dropped; `C`, `C#` and `C++` differ, and so do `5` and `5%`. Knows only texts
and their indices; holds a hash of 16 bytes a text (130 bytes of memory), never the text.
"""

import unicodedata
from hashlib import blake2b


def normal_form(text: str) -> str:
    """Return the form on which two instructions are the same; never empty for a text."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    end = len(folded)
    while end and _closes(folded[end - 1]):
        end -= 1
    return folded[:end] or folded


def digest(text: str) -> bytes:
    """Return 128 bits that stand for the normal form of a text."""
    return blake2b(normal_form(text).encode(), digest_size=16).digest()


class Seen:
    """The instructions so far, each by the hash of its normal form."""

    def __init__(self) -> None:
        """Start with none."""
        self._first: dict[bytes, int] = {}

    def duplicate_of(self, index: int, text: str) -> int | None:
        """Return the lowest index told so far with this normal form; remember a new one."""
        first = self._first.setdefault(digest(text), index)
        return None if first == index else first


def _closes(character: str) -> bool:
    # Punctuation, separators, invisible controls. Marks are no such thing: in Hindi or Thai they
    # are vowels, and symbols mean something too.
    return unicodedata.category(character)[0] in "PZC" and character not in "#%"

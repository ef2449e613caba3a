"""Exact duplicates of instructions on a stated normal form.

Normal form: Unicode NFKC, case folded, white space folded to single blanks, outer white space and
trailing punctuation dropped. Knows only texts and their indices; holds 16 bytes a text.
"""

import re
import unicodedata
from hashlib import blake2b

_TRAILING = re.compile(r"[\W_]+\Z")


def normal_form(text: str) -> str:
    """Return the form on which two instructions are the same; never empty for a text."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return _TRAILING.sub("", folded) or folded


class Seen:
    """The instructions so far, each by the hash of its normal form."""

    def __init__(self) -> None:
        """Start with none."""
        self._first: dict[bytes, int] = {}

    def duplicate_of(self, index: int, text: str) -> int | None:
        """Return the lowest index told so far with this normal form; remember a new one."""
        digest = blake2b(normal_form(text).encode(), digest_size=16).digest()
        first = self._first.setdefault(digest, index)
        return None if first == index else first

"""The marks in a card: what each publish makes anew, and in it the places for a person's words.

    <!-- magpie-hub: pro -->            what the spec `pro` says
    <!-- magpie-hub keep limits -->     in it, what a person has to say of its limits
    <!-- /magpie-hub keep limits -->
    <!-- /magpie-hub: pro -->
    <!-- magpie-hub changelog -->       the versions so far
    <!-- /magpie-hub changelog -->

Each fills a line; a name stands once in a spec's part. A text that is not ours must be `broken`
before it is shown, or it could end a part. Knows nothing of what is said between the marks.
"""

import re
from collections.abc import Mapping
from itertools import zip_longest
from urllib.parse import quote

from magpie_hub.errors import TargetError

Pair = tuple[str, str]
"""The line before a part of a card, and the one behind it."""
CHANGELOG = ("<!-- magpie-hub changelog -->\n", "<!-- /magpie-hub changelog -->\n")
VERSION = "vX.Y.Z"
"""Stands in a card for the version that it is published as, which only a plan knows."""
_KEEP = re.compile(r"^<!-- (/?)magpie-hub keep ([\w-]+) -->[ \t]*(?:\r?\n|\Z)", re.MULTILINE)


def of_spec(name: str) -> Pair:
    """Return the marks around what a spec says, by the spec's name."""
    what = quote(name, safe="")
    return f"<!-- magpie-hub: {what} -->\n", f"<!-- /magpie-hub: {what} -->\n"


def keep(name: str) -> Pair:
    """Return the marks around what a person writes, by the name of the place."""
    return f"<!-- magpie-hub keep {name} -->\n", f"<!-- /magpie-hub keep {name} -->\n"


def broken(text: str) -> str:
    """Return a text in which nothing is a mark any more."""
    # Between the letters stands what has no width: nobody sees it.
    text = text.replace(VERSION, VERSION.replace(".", "\u200b."))
    return re.sub(r"<!--(?=\s*/?magpie-hub)", "<!- -", text)


def find(body: str, pair: Pair) -> tuple[int, int] | None:
    """Return where a part of a card lies, marks included; None where there is none.

    TargetError where a mark has lost the other one.
    """
    begin, end = (_line(mark, body) for mark in pair)
    if begin is None and end is None:
        return None
    if begin is None or end is None or end.start() < begin.end():
        raise _unpaired(pair)
    return begin.start(), end.end()


def kept(section: str) -> dict[str, str]:
    """Return by name what a person wrote at the places for it; TargetError where a mark is lost."""
    return {name: section[start:stop] for name, start, stop in _places(section)}


def filled(section: str, texts: Mapping[str, str]) -> str:
    """Return a section with these texts at its places, and nothing at those without one."""
    for name, start, stop in reversed(_places(section)):
        section = section[:start] + texts.get(name, "") + section[stop:]
    return section


def _places(section: str) -> list[tuple[str, int, int]]:
    """Return each place's name, and where its text begins and ends."""
    lines = [*_KEEP.finditer(section)]
    places: dict[str, tuple[str, int, int]] = {}
    for begin, end in zip_longest(lines[::2], lines[1::2]):
        name = begin[2]
        if begin[1] or end is None or end.groups() != ("/", name) or name in places:
            raise _unpaired(keep(name))
        places[name] = (name, begin.end(), end.start())
    return [*places.values()]


def _line(mark: str, body: str) -> re.Match[str] | None:
    """Return where a mark fills a line: an editor may have given the lines other ends."""
    return re.search(rf"^{re.escape(mark.strip())}[ \t]*(?:\r?\n|\Z)", body, re.MULTILINE)


def _unpaired(pair: Pair) -> TargetError:
    begin, end = (mark.strip() for mark in pair)
    return TargetError(
        f"README.md should have the mark `{begin}` and behind it `{end}`, each once, and has not",
        hint="put both back, around the part that they were around, or remove both and that part",
    )

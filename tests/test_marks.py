"""The marks of a card: found where they fill a line, never forged, never lost unseen."""

import pytest

from magpie_hub import marks
from magpie_hub.errors import TargetError

TEXT = """\
Facts.
<!-- magpie-hub keep limits -->
Mine.

Also mine.
<!-- /magpie-hub keep limits -->
More facts.
<!-- magpie-hub keep uses -->
<!-- /magpie-hub keep uses -->"""


def test_what_a_person_wrote():
    """Each place has its text, letter by letter, an empty one too; it can be put in again."""
    texts = {"limits": "Mine.\n\nAlso mine.\n", "uses": ""}
    assert marks.kept(TEXT) == texts
    assert marks.filled(TEXT, texts) == TEXT
    assert marks.kept(marks.filled(TEXT, {"uses": "All.\n"})) == {"limits": "", "uses": "All.\n"}
    assert marks.kept("Facts.\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "<!-- magpie-hub keep a -->\n",
        "<!-- /magpie-hub keep a -->\n",
        "<!-- /magpie-hub keep a -->\n<!-- magpie-hub keep a -->\n",
        "<!-- magpie-hub keep a -->\n<!-- /magpie-hub keep a -->\n" * 2,
        "<!-- magpie-hub keep a -->\n<!-- /magpie-hub keep b -->\n",
        "".join([*marks.keep("a")[:1], *marks.keep("b"), *marks.keep("a")[1:]]),
    ],
)
def test_places_that_are_not_clear(text):
    """A lost mark, a name that is there twice, one pair in another: an error that names it."""
    with pytest.raises(TargetError, match="should have the mark `<!-- magpie-hub keep a -->`"):
        marks.kept(text)


@pytest.mark.parametrize(
    "text",
    [
        "<!-- magpie-hub: pro -->",
        "<!-- /magpie-hub: pro -->",
        "<!--magpie-hub changelog-->",
        "<!--\n /magpie-hub keep limits -->",
    ],
)
def test_what_is_broken_is_no_mark(text):
    """A text of others shows what it said, and marks nothing; other comments stay."""
    assert marks.broken(text) == text.replace("<!--", "<!- -")
    assert marks.broken("<!-- a comment -->") == "<!-- a comment -->"


def test_a_mark_fills_a_line():
    """Blanks may follow it, and an editor's line ends; words beside it make it a text."""
    pair = marks.of_spec("a --> b")
    assert pair[0] == "<!-- magpie-hub: a%20--%3E%20b -->\n"
    body = f"Mine.\n{pair[0]}Facts.\r\n{pair[1].strip()}  \r\nAlso mine."
    assert marks.find(body, pair) == (6, len(body) - len("Also mine."))
    assert marks.find(f"See {pair[0]}", pair) is None

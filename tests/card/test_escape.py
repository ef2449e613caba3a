"""Every text stays a text, in each place that a card has for one."""

import re

import pytest

from magpie_hub.card.escape import cell, code, fence, html, inline, url
from magpie_hub.marks import VERSION
from tests.card.reading import MARKDOWN

TEXTS = ["a", "`", "``a`", " a", "<b>", "a\nb", "x | y", "\\", "&amp;", "https://x.org", "a@b.org"]


def cells(table: str) -> list:
    """Return the children of the cells of a table's rows."""
    return [token.children for token in MARKDOWN.parse(table) if token.type == "inline"][2:]


@pytest.mark.parametrize("text", TEXTS)
def test_a_table_cell(text):
    """As words and as code a text fills one cell, its white space folded."""
    words, coded = cells(f"| a | b |\n| --- | --- |\n| {inline(text)} | {cell(text)} |\n")

    assert "".join(child.content for child in words) == " ".join(text.split())
    assert [child.type for child in coded] == ["code_inline"]
    assert coded[0].content == re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("text", [*TEXTS, "www.x.org"])
def test_a_line(text):
    """Outside of tables a text is one run of words, and code is code."""
    flat = re.sub(r"\s+", " ", text)
    words = MARKDOWN.parse(f"x{inline(text)}y")[1].children
    assert "".join(child.content for child in words) == f"x{flat}y"
    assert {child.type for child in words} <= {"text", "text_special"}
    # What GitHub's Markdown makes a link of by itself.
    assert not re.search(r"://|www\.|\w@", inline(text))
    (coded,) = [c for c in MARKDOWN.parse(f"x {code(text)} y")[1].children if c.type != "text"]
    assert coded.content == flat


def test_what_cannot_be_seen():
    """What turns the direction of a line, has no width or controls a terminal is left out of it."""
    assert inline("a\u202eb\u200bc\x1b[0m\ufeff") == "abc\\[0m"
    assert code("a\u202eb\x00c") == "`abc`"


def test_a_fence():
    """A block holds its text to the letter, but for what would be taken for a mark or a version."""
    text = f"```\n<!-- /magpie-hub: x -->\n{VERSION} ````\n"
    (token,) = MARKDOWN.parse(fence(text))
    assert token.content.replace("\u200b", "") == text.replace("<!--", "<!- -")
    assert VERSION not in fence(text)
    assert fence("a\n\nb") == "```text\na\n\nb\n```"


def test_elements_and_addresses():
    """HTML is shown as words, and only addresses of the web are led to."""
    assert html("<b>&\n") == "&lt;b&gt;&amp; "
    assert url("https://x.org/a(b)|c?d=1") == "https://x.org/a%28b%29%7Cc?d=1"
    assert url("javascript:alert(1)") == "#"

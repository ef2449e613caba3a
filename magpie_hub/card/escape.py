"""How a text comes into Markdown as just that text, in each place that a card has for one.

A row may hold markup, a template, YAML or a mark of ours: here it becomes words on a page. Knows no
template and no fact.
"""

import re
import unicodedata
from urllib.parse import quote

from markupsafe import Markup, escape

from magpie_hub.marks import broken

_MARKUP = re.compile(r"([\\`*_{}\[\]#+!|~$])")
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""What has no width, or turns the direction of what follows it."""


def inline(text: str) -> Markup:
    """Return text as Markdown that reads as it stands, in one line; safe in a table cell."""
    escaped = _MARKUP.sub(r"\\\1", _line(text)).replace("&", "&amp;").replace("<", "&lt;")
    # A bare address would become a link.
    escaped = escaped.replace("://", ":&#47;/").replace("www.", "www&#46;").replace("@", "&#64;")
    return Markup(escaped.replace(">", "&gt;"))


def code(text: str) -> Markup:
    """Return text as inline code outside of tables."""
    flat = _line(text)
    ticks = "`" * (_longest_run(flat) + 1)
    is_bare = flat and not flat.startswith("`") and not flat.endswith("`") and flat.strip()
    space = "" if is_bare else " "
    return Markup(f"{ticks}{space}{flat}{space}{ticks}")


def cell(text: str) -> Markup:
    """Return text as inline code in a table cell."""
    return Markup(code(text).replace("|", "\\|"))


def fence(text: str, language: str = "text") -> Markup:
    """Return text as a fenced block whose fence is longer than any run of ticks in it.

    The text stays as it is, but for what would be taken for a mark of ours.
    """
    ticks = "`" * max(3, _longest_run(text) + 1)
    end = "" if text.endswith("\n") else "\n"
    return Markup(f"{ticks}{language}\n{broken(text)}{end}{ticks}")


def html(text: str) -> Markup:
    """Return text as the content of an HTML element, where Markdown does not reach."""
    return escape(_line(text))


def url(text: str) -> Markup:
    """Return an address as the target of a link; one that is not of the web leads nowhere."""
    return url_path(text) if re.match(r"https?://", text) else Markup("#")


def url_path(text: str) -> Markup:
    """Return a path or an address as the target of a link."""
    return Markup(quote(text, safe=":/?#=&%~+,;@!'-._"))


def _line(text: str) -> str:
    """Return a text in one line, without what cannot be seen."""
    if not isinstance(text, Markup):
        text = broken(_UNSEEN.sub("", text))
    flat = re.sub(r"\s+", " ", text)
    return "".join(each for each in flat if unicodedata.category(each) != "Cc")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)

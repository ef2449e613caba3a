"""The card as one HTML file that a browser shows as the Hub would, without asking anyone.

Markdown is rendered with GitHub's additions (tables, strikethrough, raw HTML) except that a bare
address stays text; what comes of it is cut down to the elements and attributes below, so a row's
text can bring in neither script nor style. The figures travel inside the page, other images show
their alt text, and the browser is told to load nothing. Knows no files and no facts. Imported only
where a preview is asked for.
"""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import nh3
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

TAGS = {
    *(*_HEADINGS, "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div"),
    *("dl", "dt", "em", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "picture", "pre", "s"),
    *("source", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead"),
    *("tr", "ul"),
}
"""The elements that a card may show."""

ATTRIBUTES = {
    "a": {"href", "title"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height", "align"},
    "ol": {"start"},
    "source": {"srcset", "media"},
    **{tag: {"align"} for tag in ("div", "p")},
    **{tag: {"align", "colspan", "rowspan"} for tag in ("td", "th")},
    **{tag: {"id", "align"} for tag in _HEADINGS},
}
"""What those elements may carry. An image's address is one of the card's own figures."""

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)

# An override of the direction of writing ends with the element that it stands in; a long word
# breaks, names of columns only where space is short; a table whose numbers do not fit scrolls in
# its own box, as on the Hub.
_STYLE = """\
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --ground: #fff;
  --code: #f3f4f6; --line: #d1d9e0; --link: #0a58ca; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #a3acb8; --ground: #0b0f19; --code: #1b2230; --line: #343d4c;
    --link: #79b4ff; } }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 800px; padding: 24px 16px 64px; color: var(--ink);
  background: var(--ground); font: 16px/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.6em 0 0.6em; overflow-wrap: break-word; }
h1, h2 { border-bottom: 1px solid var(--line); padding-bottom: 0.25em; }
a { color: var(--link); }
img { max-width: 100%; height: auto; }
code, pre, kbd, td, th, a, summary { unicode-bidi: isolate; }
code, kbd, pre { background: var(--code); border-radius: 4px;
  font: 0.875em/1.5 ui-monospace, monospace; }
code, kbd { padding: 0.1em 0.3em; }
pre { padding: 12px; white-space: pre-wrap; }
pre code { padding: 0; font-size: 1em; }
table { display: block; width: max-content; max-width: 100%; overflow-x: auto;
  border-collapse: collapse; margin: 1em 0; font-size: 0.9em; }
th, td { border: 1px solid var(--line); padding: 4px 8px; text-align: left; vertical-align: top;
  min-width: 5em; }
th { overflow-wrap: normal; }
@media (min-width: 600px) {
  td:has(> code:only-child) { overflow-wrap: break-word; max-width: 20em; } }
[align="right"] { text-align: right; white-space: nowrap; min-width: 0; }
[align="center"] { text-align: center; }
blockquote { margin: 1em 0; padding-left: 1em; border-left: 3px solid var(--line);
  color: var(--soft); }
hr { border: 0; border-top: 1px solid var(--line); }
summary { cursor: pointer; }
header { color: var(--soft); font-size: 0.875em; }
"""


def page(card: str, figures: Mapping[str, bytes]) -> str:
    """Return a card (front matter and Markdown) as one HTML file; the same card, the same bytes.

    figures: PNGs by their relative paths in the card.
    """
    front, _, markdown = card.removeprefix("---\n").partition("\n---\n")
    facts = yaml.safe_load(front)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(str(facts['pretty_name']))}</title>\n<style>\n{_STYLE}</style>\n"
        f"</head>\n<body>\n<header>{html.escape(_summary(facts))}</header>\n<main>\n"
        f"{_clean(_rendered(markdown), figures)}</main>\n</body>\n</html>\n"
    )


def _summary(facts: Mapping[str, Any]) -> str:
    """Return in one line what the Hub shows of the front matter above the card."""
    shown = {
        "licence": facts.get("license_name", facts.get("license")),
        "languages": ", ".join(facts.get("language", ())),
        "size": ", ".join(facts.get("size_categories", ())),
        "configs": ", ".join(config["config_name"] for config in facts.get("configs", ())),
    }
    return " · ".join(f"{name}: {value}" for name, value in shown.items() if value)


def _rendered(markdown: str) -> str:
    """Return Markdown as HTML; headings have ids and cells an `align`, and no element a style."""
    parser = MarkdownIt(
        "gfm-like2", {"linkify": False, "alerts": False, "tasklists": False, "langPrefix": ""}
    )
    tokens = parser.parse(markdown)
    taken: dict[str, int] = {}
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrs["id"] = _slug(following.children or (), taken)
        elif token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", None)):
            token.attrs["align"] = str(style).removeprefix("text-align:")
    rendered: str = parser.renderer.render(tokens, parser.options, {})
    return rendered


def _slug(children: Sequence[Token], taken: dict[str, int]) -> str:
    """Return a heading's id as GitHub and the Hub make it, with a number from the second on."""
    text = "".join(child.content for child in children if child.type in ("text", "code_inline"))
    slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
    times = taken[slug] = taken.get(slug, -1) + 1
    return f"{slug}-{times}" if times else slug


def _clean(rendered: str, figures: Mapping[str, bytes]) -> str:
    """Return HTML cut down to what a card may show; no image but a figure has a source."""

    def checked(_: str, name: str, value: str) -> str | None:
        if name not in ("src", "srcset"):
            return value
        figure = figures.get(unquote(value))
        return f"data:image/png;base64,{base64.b64encode(figure).decode()}" if figure else None

    return nh3.clean(
        rendered,
        tags=TAGS,
        attributes=ATTRIBUTES,
        attribute_filter=checked,
        url_schemes={"http", "https", "mailto"},
    )

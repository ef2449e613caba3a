"""The preview: the Markdown of the Hub, nothing that runs, nothing that is fetched."""

import base64
import os
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from magpie_hub.card.preview import ATTRIBUTES, TAGS, page
from tests.card.hostile import HOSTILE

FRONT = (
    "---\npretty_name: tiny\nlicense: mit\nlanguage: [en, de]\nconfigs:\n- config_name: raw\n---\n"
)
PNG = b"\x89PNG\r\n\x1a\n"
DATA = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
FIGURES = {"figures/my tiny/lengths.png": PNG}


class Shown(HTMLParser):
    """What is between `<main>` and `</main>`: elements with their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        _, found, rest = html.partition("<main>\n")
        main, closed, after = rest.rpartition("</main>\n")
        assert found
        assert closed
        assert after == "</body>\n</html>\n"
        self.feed(main)
        self.close()

    def handle_starttag(self, tag, attrs):
        """Keep an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        """Keep text."""
        self.text += data


def _shown(markdown):
    return Shown(page(f"{FRONT}\n{markdown}\n", FIGURES))


def test_nothing_that_may_be_shown_runs_or_loads():
    """No element of the allow-list is a script, a frame or a form; no attribute a handler."""
    active = {"script", "style", "iframe", "object", "embed", "form", "input", "button", "svg"}
    active |= {"math", "base", "meta", "link", "video", "audio", "template", "textarea"}
    carried = set().union(*ATTRIBUTES.values())
    assert TAGS & active == set()
    assert set(ATTRIBUTES) <= TAGS
    assert {name for name in carried if name.startswith("on")} | carried & {"style"} == set()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("frame", ["{}", "<details>\n\n{}", "| a |\n| - |\n| {} |", "```\n{}\n```"])
def test_hostile_markdown_is_cut_down(text, frame):
    """Unescaped, wherever it stands, hostile text becomes allowed elements and harmless links."""
    for tag, attributes in _shown(frame.format(text)).elements:
        assert tag in TAGS
        assert attributes.keys() <= ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
        assert "src" not in attributes
        assert not (attributes.get("href") or "").startswith(("javascript:", "data:"))


def test_figures_travel_inside_the_page_and_other_images_do_not_load():
    """Only the card's own figures have an address, that of their bytes; the rest keep their alt."""
    shown = _shown(
        "![own](figures/my%20tiny/lengths.png) ![gone](figures/x.png) ![far](https://e.org/y.png)\n"
        '<picture><source srcset="https://e.org/z.png" media="(x)">'
        '<img src="figures/my tiny/lengths.png" alt="raw"></picture>'
    )
    images = [attributes for tag, attributes in shown.elements if tag in ("img", "source")]
    assert images == [
        {"src": DATA, "alt": "own"},
        {"alt": "gone"},
        {"alt": "far"},
        {"media": "(x)"},
        {"src": DATA, "alt": "raw"},
    ]


def test_markdown_reads_as_on_the_hub():
    """Tables keep their alignment, folds stay folds, marks vanish, `~~x~~` is struck out."""
    shown = _shown(
        "<!-- magpie-hub: tiny -->\n<details><summary>more</summary>\n\n~~x~~ <https://e.org/>\n\n"
        "</details>\n\n| a | b |\n| --- | ---: |\n| c | 1 |\n"
    )
    assert [tag for tag, _ in shown.elements[:5]] == ["details", "summary", "p", "s", "a"]
    cells = [attributes for tag, attributes in shown.elements if tag in ("th", "td")]
    assert cells == [{}, {"align": "right"}, {}, {"align": "right"}]
    assert "magpie-hub" not in shown.text


def test_headings_can_be_linked_to():
    """A heading's id is its text as the Hub writes it, numbered where it is not the first."""
    shown = _shown("# What's `in` it, *now*?\n\n## Load it\n\n## Load it\n\n## Zwölf Größen\n")
    ids = [attributes["id"] for _, attributes in shown.elements if "id" in attributes]
    assert ids == ["whats-in-it-now", "load-it", "load-it-1", "zwölf-größen"]


def test_front_matter_is_one_line():
    """The metadata is no part of the page; what the Hub shows of it stands above the card."""
    front = FRONT.replace("mit", "'<b>'").replace("tiny", "'</title>'")
    html = page(f"{front}\nText.\n", {})
    shown = "licence: &lt;b&gt; · languages: en, de · configs: raw"
    assert f"<header>{shown}</header>" in html
    assert "<title>&lt;/title&gt;</title>" in html
    assert html.count("config") == 1


def test_the_browser_is_told_to_load_nothing():
    """The policy stands before anything that could be loaded, and allows inline figures only."""
    head = page(f"{FRONT}\nText.\n", {}).partition("<title>")[0]
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in head


def test_a_card_has_one_preview():
    """Two processes that order sets differently make the same bytes."""
    code = (
        "import sys; from magpie_hub.card.preview import page; from tests.card import hostile\n"
        "card = '---\\npretty_name: x\\n---\\n' + '\\n\\n'.join(hostile.HOSTILE)\n"
        "sys.stdout.write(page(card, {}))"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert b"over all" in first

"""Previews of real cards in Chromium: figures load, nothing runs or is fetched, all of it fits."""

import html
import json
from pathlib import Path

import pytest

from magpie_hub.card.preview import page
from tests.browser.visiting import SCHEMES, VIEWS, Visit, visit
from tests.card.hostile import HOSTILE
from tests.run import importing
from tests.run.labelling import judge

DEMO = Path(__file__).resolve().parents[2] / "dist" / "org" / "magpie-smollm2"


def _preview(folder: Path) -> str:
    """Return the preview of a release that lies in a folder."""
    files = sorted((folder / "figures").rglob("*.png"))
    figures = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    return page((folder / "README.md").read_text(encoding="utf-8"), figures)


def _released(folder: Path, **spec: object) -> Path:
    """Release a spec into a folder and return where it lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        importing.release(**spec)
    return folder / "dist" / "org" / "t"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    """A release of 200 draws from a grid of two cells, with the labels of a judge and a guard."""
    folder = tmp_path_factory.mktemp("drawn")
    cells = [{"temperature": t, "top_p": 1.0, "weight": 1} for t in (0.8, 1.2)]
    tags = ("quality", "difficulty", "category", "lengths", "language")
    guard = {"model": "guard", "engine": "scripted"}
    return _released(
        folder,
        license="mit",
        generator=importing.SCRIPTED,
        instructions={"rows": 200, "sampling": cells},
        tags={**{tag: {} for tag in tags}, "safety": guard},
        judge=judge(folder),
        configs={"filtered": {"filter": "finished", "default": True}},
    )


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Path:
    """A release of five rows that others made, all hostile, all of them shown on the card."""
    folder = tmp_path_factory.mktemp("hostile")
    shares = ["\n\n".join(HOSTILE[n::10]) for n in range(10)]
    rows = [{"instruction": shares[n], "response": shares[n + 5]} for n in range(5)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return _released(
        folder, license="mit", source={"files": ["rows.jsonl"]}, card={"samples": "unscreened"}
    )


@pytest.fixture(scope="session")
def demo() -> Path:
    """The release that the README's first command makes."""
    if not (DEMO / "README.md").exists():
        pytest.skip("the demo's release is not here: `magpie-hub release smollm2` makes it")
    return DEMO


LOOKS = [
    f"{release}-{view}-{scheme}"
    for release in ("drawn", "hostile", "demo")
    for view in VIEWS
    for scheme in SCHEMES
]


@pytest.fixture(scope="session", params=LOOKS)
def visited(request, browser, screenshots) -> Visit:
    """The preview of a release, looked at in one size and one colour scheme."""
    release, view, scheme = request.param.split("-")
    file = screenshots / f"{release}.html"
    file.write_text(_preview(request.getfixturevalue(release)), encoding="utf-8")
    return visit(browser, file, view, scheme, screenshots / f"{request.param}.png")


def test_every_figure_loads(visited):
    """There are figures, and each has a description and is a picture to the browser."""
    assert visited.images
    assert [image for image in visited.images if not all(image)] == []


def test_nothing_runs_and_nothing_is_asked_for(visited):
    """No script, no dialog, no request, not a word on the console."""
    assert visited.tried == []


def test_nothing_scrolls_sideways(visited):
    """The page is as wide as the window; on a phone only tables of numbers scroll, in their box."""
    wide, phone = (VIEWS[view][0] for view in ("wide", "phone"))
    assert visited.width in (wide, phone)
    assert visited.beyond == []
    assert [box for box in visited.boxes if visited.width == wide or box[:5] != "table"] == []


def test_text_is_legible(visited):
    """Every text stands off its ground by the 4.5 that WCAG asks for, light and dark."""
    assert visited.faint == []


def test_links_within_the_card_lead_somewhere(visited):
    """Every `#link` of a card is a heading of it."""
    assert visited.broken == []


def test_hostile_rows_are_shown_as_they_are(hostile):
    """The card shows all the hostile rows, so they did no harm; a mark in them is taken apart."""
    shown = html.unescape(_preview(hostile))
    missing = [text for text in HOSTILE if text.strip("\n")[:1_000] not in shown]
    assert missing == [text for text in HOSTILE if "magpie-hub" in text]


def test_an_override_of_direction_ends_with_its_text(browser, tmp_path):
    """What follows code that turns the direction of writing around still runs left to right."""
    texts = ("Code `\u202eone` two three.", "| `\u202eone` two | three |\n| - | - |")
    for number, markdown in enumerate(texts):
        file = tmp_path / f"{number}.html"
        file.write_text(page(f"---\npretty_name: x\n---\n\n{markdown}\n", {}), encoding="utf-8")
        shown = browser.new_page()
        shown.goto(file.as_uri())
        code, two = (
            shown.evaluate(
                """(word) => {
                  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                  while (!walker.nextNode().data.includes(word));
                  const range = document.createRange();
                  const start = walker.currentNode.data.indexOf(word);
                  range.setStart(walker.currentNode, start);
                  range.setEnd(walker.currentNode, start + word.length);
                  return range.getBoundingClientRect().left;
                }""",
                word,
            )
            for word in ("one", "two")
        )
        assert code < two
        shown.close()


def test_what_is_wrong_with_a_page_is_seen(browser, tmp_path):
    """A page that has every one of the faults is found to have them."""
    file = tmp_path / "bad.html"
    file.write_text(
        "<body style='margin: 0'><script>window.ran = 1; console.log('said'); alert('hi')</script>"
        "<img src='gone.png' alt='gone'><a href='#nowhere'>x</a>"
        "<div style='width: 2000px'>wide</div><p style='color: #999'>faint</p>"
        "<div style='overflow-x: auto'><pre style='width: 3000px'>x</pre></div>"
    )
    seen = visit(browser, file, "phone", "light", tmp_path / "bad.png")
    asked = (tmp_path / "gone.png").as_uri()
    assert {"ran: 1", "log: said", "dialog: hi", f"asked: {asked}"} <= set(seen.tried)
    assert seen.images == [("gone", 0)]
    assert (seen.width, seen.beyond, seen.boxes) == (2000, ["div: wide"], ["div: x"])
    assert seen.faint == [("p", 2.8)]
    assert seen.broken == ["#nowhere"]

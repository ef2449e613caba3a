"""The figures of a config: what is on them, what they say, and that no fact can spoil them."""

import io
import struct

import matplotlib
import pytest
from matplotlib import colormaps
from PIL import Image

from magpie_hub.card.facts import Cell, ConfigFacts, Histogram, Turn
from magpie_hub.card.figures import draw
from magpie_hub.card.pictures import funnel as funnels
from magpie_hub.card.pictures import grid, lengths, sheet, tags
from magpie_hub.curate.funnel import Funnel, funnel

USER = Turn("user", 8, {"median": 61}, Histogram((32, 45, 64, 91), (1, 5, 2)))
ASSISTANT = Turn("assistant", 8, {"median": 1842}, Histogram((1448, 2048), (8,)))
COUNTS = {
    "task_category": {"Math": 6, "Editing": 2},
    "difficulty": {"hard": 5, "easy": 3},
    "language": {"EN": 7, "none": 1},
}
GRID = (Cell(0.8, 0.9, 5, 4.25, 2.0, None), Cell(1.0, 1.0, 3, 3.5, 2.5, None))
FUNNEL = funnel(
    1_300,
    [("instruction", "empty", 100), ("filter", "x >= 1", 0), ("filter", "reward > -12", 1_192)],
)
ODD_LABELS = [
    "$\\frac{1}$ a_b^c",
    "数学 🙂",
    "a\u202eb\u200dc\x07\nd",
    "<script>alert(1)</script> | `x` [y](z)",
    "w" * 10_000,
    "\u0645\u0631\u062d\u0628\u0627",
]


def facts(rows=8, turns=(USER, ASSISTANT), counts=COUNTS, cells=GRID, histograms=None):
    """Return the facts of a config as far as figures look at them."""
    rest = {"files": (), "bytes_memory": 0, "numbers": {}, "engines": (), "empty": ()}
    rest |= {"splits": {}, "system_prompts": (), "models": (), "sampling": ()}
    return ConfigFacts(
        rows=rows,
        turns=tuple(turns),
        counts=counts,
        histograms=histograms or {},
        grid=tuple(cells),
        samples=(),
        **rest,
    )


def drawn(draws, *arguments):
    """Return the axes of a picture."""
    with sheet.style():
        return draws("filtered", *arguments).canvas.axes


def chunks(png):
    """Return the names of a PNG's chunks."""
    names, place = [], 8
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        names.append(png[place + 4 : place + 8].decode())
        place += size + 12
    return names


def test_each_figure_says_what_its_facts_are():
    """Four figures in the card's order, whose alt texts have the numbers of facts and funnel."""
    figures = draw("filtered", facts(), FUNNEL)
    assert {figure.name: figure.alt for figure in figures} == {
        "lengths": "Histograms of the lengths of 8 rows of filtered. Medians in characters:"
        " instructions 61; responses 1,842.",
        "tags": "Bar charts of the tags of 8 rows of filtered. The most frequent values:"
        " task category Math (75.0%); language EN (87.5%); difficulty hard (62.5%).",
        "grid": "Heat maps of the 2 sampling settings of filtered. Means:"
        " quality from 3.50 (temperature 1, top_p 1) to 4.25 (temperature 0.8, top_p 0.9);"
        " difficulty from 2.00 (temperature 0.8, top_p 0.9) to 2.50 (temperature 1, top_p 1).",
        "funnel": "Funnel of filtered: of 1,300 rows 8 are left. Most are dropped by filter:"
        " reward > -12 (1,192 rows).",
    }


@pytest.mark.parametrize(
    ("given", "steps", "names"),
    [
        (facts(turns=(), counts={}, cells=()), Funnel(8, ()), []),
        (
            facts(turns=(), counts={"finish_reason": {"stop": 8}}, cells=GRID[:1]),
            FUNNEL,
            ["funnel"],
        ),
        (facts(turns=(), counts={"safety": {"none": 8}}), Funnel(8, ()), ["grid"]),
        (facts(turns=(ASSISTANT,), counts={}, cells=()), Funnel(8, ()), ["lengths"]),
        (facts(turns=(), cells=[Cell(t, 1, 4, None, None, None) for t in (0, 1)]), FUNNEL, None),
    ],
)
def test_only_what_there_is_to_show_is_drawn(given, steps, names):
    """No grid with one cell or without means, no tags without labels, no funnel without drops."""
    assert [f.name for f in draw("raw", given, steps)] == (names or []) + (
        [] if names is not None else ["tags", "funnel"]
    )


def test_the_same_facts_give_the_same_bytes(monkeypatch):
    """A second drawing is equal, also in a process that has other settings, which it keeps."""
    first = draw("filtered", facts(), FUNNEL)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30)
    monkeypatch.setitem(matplotlib.rcParams, "savefig.dpi", 50)
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")

    assert draw("filtered", facts(), FUNNEL) == first
    assert matplotlib.rcParams["font.size"] == 30


def test_a_png_is_small_and_on_light_ground():
    """1440 pixels wide, light and opaque but for its corners, and nothing in it but the picture."""
    for figure in draw("filtered", facts(), FUNNEL):
        image = Image.open(io.BytesIO(figure.png))
        pixels = image.convert("RGBA")

        assert image.width == 1440
        assert set(chunks(figure.png)) <= {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"}
        assert len(figure.png) < 60_000
        assert pixels.getpixel((0, 0))[3] == 0
        assert min(pixels.getpixel((720, 20))) >= 245


def test_histograms_are_those_of_the_turns():
    """Both histograms have the counts of their bins, and a line at each median."""
    (axes,) = drawn(lengths.drawn, facts())
    assert [list(outline.get_data().values) for outline in axes.patches[1::2]] == [[1, 5, 2], [8]]
    assert [line.get_xdata()[0] for line in axes.lines] == [61, 1842]


def test_turns_are_shown_by_exchange():
    """A system turn is none, a user's begins a new exchange, and one without rows is left out."""
    system, late = Turn("system", 8, {}, USER.histogram), Turn("user", 0, {}, Histogram((0,), ()))
    several = lengths.exchanges([system, USER, ASSISTANT, USER, late])
    assert several == [[USER, ASSISTANT], [USER]]
    assert lengths.exchanges([ASSISTANT, ASSISTANT]) == [[ASSISTANT], [ASSISTANT]]


def test_bars_are_as_long_as_their_rows():
    """A bar begins at zero and ends at its rows; beside it stands the share of all rows."""
    axes = drawn(tags.drawn, facts())[0]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 6), (0, 2)]
    assert [text.get_text() for text in axes.texts] == ["75.0%", "25.0%"]


@pytest.mark.parametrize(
    ("column", "counts", "shown"),
    [
        ("difficulty", {"hard": 5, "none": 9, "odd": 1},
         "very easy 0, easy 0, medium 0, hard 5, very hard 0, odd 1, none 9"),
        ("safety", {"safe": 1, "unsafe": 7}, "unsafe 7, safe 1"),
        ("safety", {"others": 2, "b": 1, "a": 1}, "a 1, b 1, all others 2"),
        ("language", {f"L{n}": n for n in range(1, 1001)}, ", ".join(
            [f"L{n} {n}" for n in range(1000, 990, -1)] + ["990 others 490545"])),
    ],
)  # fmt: skip
def test_bars_are_ordered(column, counts, shown):
    """A scale has its own order, others the most frequent first; what is no value comes last."""
    found = tags.bars(column, counts)
    assert ", ".join(f"{bar.label} {bar.rows}" for bar in found) == shown
    assert [bar.label for bar in found if bar.rest] == [
        bar.label for bar in found if "others" in bar.label or bar.label == "none"
    ]


def test_grades_and_own_tags_are_labels():
    """Grades are counted from their histogram, with the rows without one; own tags come last."""
    counts = {"mood": {"good": 8}, "finish_reason": {"stop": 8}, "safety": {"safe": 8}}
    grades = {"response_quality": Histogram((3, 4, 5), (2, 5))}
    assert tags.labels(facts(counts=counts, histograms=grades)) == {
        "response_quality": {"3": 2, "4": 5, "none": 1},
        "safety": {"safe": 8},
        "mood": {"good": 8},
    }


@pytest.mark.parametrize(
    ("rows", "shown"),
    [(0, "0%"), (1, "<0.1%"), (123_456, "12.3%"), (999_999, ">99.9%"), (1_000_000, "100%")],
)
def test_shares_are_not_rounded_to_none_or_all(rows, shown):
    """A single row of a million is not 0%, and all but one are not 100%."""
    assert tags.percent(rows, 1_000_000) == shown


def test_cells_show_their_means():
    """A setting with rows has its mean, one without is hatched, and low colours stand for low."""
    quality, _ = drawn(grid.drawn, GRID)
    assert [text.get_text() for text in quality.texts] == ["4.25", "3.50"]
    assert [bool(cell.get_hatch()) for cell in quality.patches] == [False, True, True, False]
    fills = [cell.get_facecolor() for cell in quality.patches]
    assert (fills[0], fills[3]) == (colormaps["viridis"](1.0), colormaps["viridis"](0.0))


def test_numbers_can_be_read_on_every_colour():
    """Black or white stands out from each colour of a cell by 4.5 to 1, as WCAG asks."""
    for step in range(256):
        fill = colormaps["viridis"](step)
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in fill[:3]]
        light = sum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))
        black = sheet.readable(fill) == "#000000"
        assert ((light + 0.05) / 0.05 if black else 1.05 / (light + 0.05)) >= 4.5


def test_the_funnel_is_drawn_to_scale():
    """Each bar is what is left and then what was dropped; a step that dropped nothing has none."""
    (axes,) = drawn(funnels.drawn, FUNNEL)
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [
        *((0, 1300), (1300, 0)),
        *((0, 1200), (1200, 100)),
        *((0, 8), (8, 1192)),
    ]
    assert axes.get_xlim() == (0, 1300)


def test_the_smallest_of_many_steps_are_one():
    """The largest keep their order, the others are one step at the end, and all of it adds up."""
    many = funnel(1000, [("filter", *drop) for drop in (("a", 2), ("b", 30), ("c", 1), ("d", 40))])
    shown = funnels.steps(many, most=3)
    assert [(step.reason, step.dropped, step.left) for step in shown] == [
        ("b", 30, 970),
        ("d", 40, 930),
        ("2 smaller steps", 3, 927),
    ]


@pytest.mark.parametrize("label", ODD_LABELS)
def test_no_label_can_spoil_a_figure(label):
    """Formulas, other scripts, control characters and markup are drawn without a warning."""
    hostile = facts(counts={"task_category": {label: 8}, "own": {label: 8}})
    for figure in draw(label[:99], hostile, funnel(9, [("filter", label, 1)])):
        assert figure.alt.isprintable()
        assert not set("[]<`|*\\\u202e") & set(figure.alt)
        assert len(figure.alt) < 400


@pytest.mark.parametrize(
    "turn",
    [
        Turn("user", 1, {"median": 0}, Histogram((0, 1), (1,))),
        Turn("user", 2, {"median": 3}, Histogram((0, 1, 2, 3, 4), (1, 0, 0, 1))),
        Turn("assistant", 10**9, {"median": 10**9}, Histogram((1, 2, 10**9 + 1), (1, 10**9 - 1))),
    ],
)
def test_odd_lengths_can_be_drawn(turn):
    """A single row, texts of no character and a thousand million rows are drawn."""
    (figure,) = draw("raw", facts(turn.rows, [turn], {}, ()), Funnel(1, ()))
    assert f"{turn.characters['median']:,}." in figure.alt


def test_a_label_fits_its_place():
    """A long label is cut to the width that it has, what the font lacks is a question mark."""
    assert sheet.fitted("short", 2.0) == "short"
    assert sheet.fitted("数a\u202e\n b", 2.0) == "?a b"
    cut = sheet.fitted("a long label " * 99, 2.0)
    assert cut.startswith("a long label a")
    assert cut.endswith("…")
    assert sheet.inches(cut) <= 2.0

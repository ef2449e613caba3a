"""The sheet that a figure is drawn on: its ground, type and colours, and the bytes of its PNG.

Places are in inches from the top left corner, sizes of type in points. A sheet is opaque with
rounded corners, so that it reads on a light page and on a dark one. Loads matplotlib at once, so
only `card.figures` imports it, which is loaded where a card is made. Knows no facts.
"""

import io
import unicodedata
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ft2font import FT2Font
from matplotlib.patches import FancyBboxPatch, Rectangle
from PIL import Image

WIDTH, DPI = 7.2, 200
MARGIN = 0.25
"""Inches that are left empty at each side."""
HEAD = 0.8
"""Inches that the title and the line beneath it take up."""
TEXT, TITLE = 11.0, 13.5
GROUND, BORDER, RULE = "#fbfaf7", "#d0cdc4", "#e3e0d8"
INK, MUTED, GREY = "#1f2328", "#59636e", "#b4b2aa"
BLUE, ORANGE = "#0072b2", "#e69f00"
"""Two of Okabe and Ito's colours, which all readers tell apart, also by how light they are."""

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "text.color": INK,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A sheet that is drawn, and what is to be seen on it."""

    canvas: Canvas
    alt: str


@contextmanager
def style() -> Iterator[None]:
    """Draw as this module says, whatever the settings of the user or of the process are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def blank(height: float, title: str, note: str) -> Canvas:
    """Return an empty sheet of that height: its title at the top, beneath it what it shows."""
    canvas = Canvas(figsize=(WIDTH, height), dpi=DPI, facecolor="none")
    ground = FancyBboxPatch(
        (0.02, 0.02),
        WIDTH - 0.04,
        height - 0.04,
        boxstyle="round,pad=0,rounding_size=0.1",
        transform=canvas.dpi_scale_trans,
        facecolor=GROUND,
        edgecolor=BORDER,
        linewidth=0.8,
        zorder=-1,
    )
    canvas.add_artist(ground)
    wide = WIDTH - 2 * MARGIN
    write(canvas, MARGIN, 0.2, fitted(title, wide, TITLE, bold=True), size=TITLE, bold=True)
    write(canvas, MARGIN, 0.47, fitted(note, wide), color=MUTED)
    return canvas


def write(
    canvas: Canvas,
    left: float,
    top: float,
    text: str,
    *,
    size: float = TEXT,
    bold: bool = False,
    color: str = INK,
    align: str = "left",
) -> None:
    """Write a line whose upper end is at `top`; `left` is its end where it is aligned right."""
    height = canvas.get_figheight()
    weight = "bold" if bold else "normal"
    canvas.text(
        *(left / WIDTH, 1 - top / height, text),
        fontsize=size,
        fontweight=weight,
        color=color,
        ha=align,
        va="top",
    )


def key(canvas: Canvas, left: float, top: float, color: str, text: str) -> None:
    """Write a line behind a patch of the colour that it explains."""
    square = Rectangle(
        (left, canvas.get_figheight() - top - 0.14),
        0.14,
        0.14,
        transform=canvas.dpi_scale_trans,
        color=color,
    )
    canvas.add_artist(square)
    write(canvas, left + 0.22, top, text)


def panel(canvas: Canvas, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes whose frame is at that place."""
    whole = canvas.get_figheight()
    return canvas.add_axes(
        (left / WIDTH, 1 - (top + height) / whole, width / WIDTH, height / whole)
    )


def readable(fill: tuple[float, float, float, float]) -> str:
    """Return black or white, whichever stands out from a colour: by 4.5 to 1 at least (WCAG)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in fill[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def png(canvas: Canvas) -> bytes:
    """Return the sheet as a PNG of at most 256 colours, which names no program and no time."""
    raw, buffer = io.BytesIO(), io.BytesIO()
    canvas.savefig(raw, format="rgba")
    image = Image.frombytes("RGBA", canvas.canvas.get_width_height(), raw.getvalue())
    few = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def fitted(text: str, width: float, size: float = TEXT, *, bold: bool = False) -> str:
    """Return text as one line of characters that the font has, cut to a width with an ellipsis."""
    line = "".join(c if ord(c) in _glyphs() else "?" for c in printable(text)[:200])
    if inches(line, size, bold=bold) <= width:
        return line
    ends = range(len(line))
    fit = bisect(ends, width, key=lambda end: inches(f"{line[:end]}…", size, bold=bold))
    return f"{line[: max(fit - 1, 0)].rstrip()}…"


def listed(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)


def shortened(text: str, most: int = 60) -> str:
    """Return text for an alt text, cut to a number of characters with an ellipsis."""
    line = printable(text)
    return line if len(line) <= most else f"{line[:most].rstrip()}…"


def printable(text: str) -> str:
    """Return text as one line, without characters that control how others are shown."""
    kept = (c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(kept).split())


def inches(line: str, size: float = TEXT, *, bold: bool = False) -> float:
    """Return how wide a line is."""
    font = _font("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    font.set_size(size, 72)
    font.set_text(line)
    return float(font.get_width_height()[0]) / 64 / 72


@cache
def _font(file: str) -> FT2Font:
    return FT2Font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", file)))


@cache
def _glyphs() -> frozenset[int]:
    plain, bold = (_font(file).get_charmap() for file in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"))
    return frozenset(plain) & frozenset(bold)

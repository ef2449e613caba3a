"""What the sampling does: heat maps of temperature by top_p, a panel for each mean there is.

A setting without rows, or without that tag, is hatched. The colours of a panel span its means, but
never so little that differences of no weight would stand out.
"""

import math
from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from magpie_hub.card.facts import Cell
from magpie_hub.card.pictures import sheet
from magpie_hub.card.pictures.sheet import Picture

MEANS = {
    "quality": ("Quality, 1 to 5", 2, 0.5),
    "difficulty": ("Difficulty, 1 to 5", 2, 0.5),
    "distance": ("Neighbour distance", 3, 0.1),
}
"""Of each mean its heading, its digits, and the least range that the colours span."""
_GAP = 0.03
"""Between cells, as a part of one."""
_AROUND = 0.9
"""Inches for the heading of a panel and what stands beneath it."""


def drawn(config: str, grid: Sequence[Cell]) -> Picture | None:
    """Return the heat maps of what the cells have, where there are two cells or more."""
    shown = [mean for mean in MEANS if any(getattr(cell, mean) is not None for cell in grid)]
    if len(grid) < 2 or not shown:
        return None
    rows, columns = len({cell.temperature for cell in grid}), len({cell.top_p for cell in grid})
    across = min(len(shown), 3 if columns <= 4 else 1)
    tall = max(0.9, min(0.4 * rows, 4.5))
    lines = math.ceil(len(shown) / across)
    canvas = sheet.blank(
        sheet.HEAD + lines * (tall + _AROUND),
        f"Sampling grid of {config}",
        "Mean over the rows of each setting that instructions were drawn with",
    )
    each = (sheet.WIDTH - 1.2) / across
    for number, mean in enumerate(shown):
        line, place = divmod(number, across)
        left, top = 0.95 + place * each, sheet.HEAD + line * (tall + _AROUND)
        sheet.write(canvas, left, top, MEANS[mean][0], bold=True)
        axes = sheet.panel(canvas, left, top + 0.28, each - (0.15 if across > 1 else 0), tall)
        _heat_map(axes, mean, grid)
        if place:
            axes.set_yticks([])
        else:
            axes.set_ylabel("temperature")
    said = "; ".join(_extremes(mean, grid) for mean in shown)
    alt = f"Heat maps of the {len(grid):,} sampling settings of {config}. Means: {said}."
    return Picture(canvas, alt)


def _heat_map(axes: Axes, mean: str, grid: Sequence[Cell]) -> None:
    temperatures = sorted({cell.temperature for cell in grid})
    top_ps = sorted({cell.top_p for cell in grid})
    means = {(cell.temperature, cell.top_p): getattr(cell, mean) for cell in grid}
    low, span = _colors([value for value in means.values() if value is not None], MEANS[mean][2])
    fits = len(top_ps) <= 12 and len(temperatures) <= 18
    for y, temperature in enumerate(temperatures):
        for x, top_p in enumerate(top_ps):
            value = means.get((temperature, top_p))
            share = None if value is None else (value - low) / span
            text = f"{value:.{MEANS[mean][1]}f}" if fits and value is not None else ""
            _cell(axes, x, y, share, text)
    middle = (1 - _GAP) / 2
    axes.set_xlim(0, len(top_ps) - _GAP)
    axes.set_ylim(0, len(temperatures) - _GAP)
    for axis, ticks in ((axes.xaxis, top_ps), (axes.yaxis, temperatures)):
        shown = range(0, len(ticks), math.ceil(len(ticks) / 14))
        axis.set_ticks([n + middle for n in shown], [f"{ticks[n]:g}" for n in shown])
    axes.set_xlabel("top_p", labelpad=1)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _cell(axes: Axes, x: int, y: int, share: float | None, text: str) -> None:
    size = 1 - _GAP
    if share is None:
        axes.add_patch(
            Rectangle((x, y), size, size, fill=False, linewidth=0, hatch="///", ec=sheet.GREY)
        )
        return
    fill = colormaps["viridis"](share)
    axes.add_patch(Rectangle((x, y), size, size, facecolor=fill, linewidth=0))
    middle = (x + size / 2, y + size / 2)
    ink = sheet.readable(fill)
    axes.text(*middle, text, color=ink, fontsize=10, ha="center", va="center_baseline")


def _colors(values: Sequence[float], least: float) -> tuple[float, float]:
    """Return the value that the lowest colour stands for, and how many the colours span."""
    low, high = min(values), max(values)
    span = max(high - low, least)
    return (low + high - span) / 2, span


def _extremes(mean: str, grid: Sequence[Cell]) -> str:
    cells = [cell for cell in grid if getattr(cell, mean) is not None]
    heading, digits, _ = MEANS[mean]
    low, high = (
        f"{getattr(cell, mean):.{digits}f} (temperature {cell.temperature:g}, top_p {cell.top_p:g})"
        for choose in (min, max)
        for cell in [choose(cells, key=lambda cell: float(getattr(cell, mean)))]
    )
    return f"{heading.partition(',')[0].lower()} from {low} to {high}"

"""How long the turns are: a histogram of characters for instructions and one for responses.

Of preferences one for prompts and one for each of the two responses, in one panel.

The axis is logarithmic, with a place of its own for turns of no character.
"""

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from magpie_hub.card.facts import ConfigFacts, Turn
from magpie_hub.card.pictures import sheet
from magpie_hub.card.pictures.sheet import Picture

COLORS = {
    "user": sheet.BLUE,
    "assistant": sheet.ORANGE,
    "prompt": sheet.BLUE,
    "chosen": sheet.ORANGE,
    "rejected": sheet.MUTED,
}
NAMES = {
    "user": "instructions",
    "assistant": "responses",
    "prompt": "prompts",
    "chosen": "chosen",
    "rejected": "rejected",
}
TALK = "messages"
"""The column of whole conversations."""
MOST = 6
"""The exchanges that are drawn."""
_ZERO, _NOTHING = 0.5, 0.7
"""Where the axis has the edge of the bin of no character, and its middle."""


def drawn(config: str, facts: ConfigFacts) -> Picture | None:
    """Return the histograms of the turns; those of a longer conversation beneath one another."""
    shown = exchanges(facts.turns)
    if not shown:
        return None
    tall = 2.2 if len(shown) == 1 else 1.2
    step = tall + 0.75
    canvas = sheet.blank(
        sheet.HEAD + len(shown) * step + 0.2,
        f"Lengths of {config}",
        "How many rows have how many characters, on a logarithmic scale",
    )
    low, high = _span([turn for turns in shown for turn in turns])
    for number, turns in enumerate(shown):
        top = sheet.HEAD + number * step
        if len(shown) > 1:
            sheet.write(canvas, sheet.MARGIN, top, f"Turn {number + 1}", bold=True)
        left, apart = (1.1, 2.9) if len(turns) < 3 else (0.4, 2.25)
        for place, turn in enumerate(turns):
            median = f"{NAMES[_part(turn)]}: median {turn.characters['median']:,.0f}"
            sheet.key(canvas, left + apart * place, top, COLORS[_part(turn)], median)
        axes = sheet.panel(canvas, 0.95, top + 0.32, sheet.WIDTH - 1.25, tall)
        _histograms(axes, turns, low, high)
    axes.set_xlabel("characters", labelpad=2)
    alt = f"Histograms of the lengths of {facts.rows:,} rows of {config}. Medians in characters: "
    return Picture(canvas, f"{alt}{'; '.join(_medians(shown))}.")


def exchanges(turns: Iterable[Turn]) -> list[list[Turn]]:
    """Return what users and assistants say, a list of one or two for each exchange of theirs."""
    found: list[list[Turn]] = []
    for turn in turns:
        if _part(turn) in COLORS and turn.rows:
            begins = turn.role == "user" or (found and found[-1][-1].role == turn.role)
            if not found or (begins and turn.column == TALK):
                found.append([])
            found[-1].append(turn)
    return found[:MOST]


def _part(turn: Turn) -> str:
    """Return what a turn is: of a conversation its role, else the column that it is."""
    return turn.role if turn.column == TALK else turn.column


def _medians(shown: Sequence[Sequence[Turn]]) -> Iterable[str]:
    for role, name in NAMES.items():
        of_role = [turn for turns in shown for turn in turns if _part(turn) == role]
        if of_role:
            medians = [f"{turn.characters['median']:,.0f}" for turn in of_role]
            yield f"{name} {sheet.listed(medians)}"


def _histograms(axes: Axes, turns: Sequence[Turn], low: float, high: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    for turn in turns:
        color = COLORS[_part(turn)]
        edges = [max(edge, _ZERO) for edge in turn.histogram.edges]
        axes.stairs(turn.histogram.rows, edges, fill=True, color=color, alpha=0.35)
        axes.stairs(turn.histogram.rows, edges, color=color, linewidth=1.4)
        axes.axvline(max(turn.characters["median"], _NOTHING), color=color, linewidth=2)
    most = max(max(turn.histogram.rows) for turn in turns)
    axes.set_ylim(0, 1.06 * most)
    _ticks(axes, most, low, high)


def _ticks(axes: Axes, most: float, low: float, high: float) -> None:
    digits = (1, 2, 5) if high / low < 1000 else (1,)
    powers = range(0, 19, 1 if high / low < 10**6 else 3)
    marks = [m for power in powers for digit in digits if low <= (m := digit * 10**power) <= high]
    zero = [_NOTHING] if low <= _ZERO else []
    axes.set_xticks([*zero, *marks], ["0"] * len(zero) + [_short(mark, 10**6) for mark in marks])
    axes.minorticks_off()
    rows = [y for y in MaxNLocator(3, integer=True).tick_values(0, most) if y <= most]
    axes.set_yticks(rows, [_short(y, 10**6 if most >= 10**7 else 10**9) for y in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=sheet.RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _short(number: float, millions: float) -> str:
    return f"{number:,.0f}" if number < millions else f"{number / 10**6:,g}M"


def _span(turns: Iterable[Turn]) -> tuple[float, float]:
    """Return the ends of the axis: those of the bins with rows, at least a factor of 30 apart."""
    filled = [
        edge
        for turn in turns
        for number, rows in enumerate(turn.histogram.rows)
        for edge in turn.histogram.edges[number : number + 2]
        if rows
    ]
    low, high = max(min(filled), _ZERO), max(filled)
    wider = max(1.0, math.sqrt(30 * low / high))
    return max(low / wider, _ZERO), high * wider

"""How the tags' values are spread: bars from zero, with the share of all rows beside each.

The task's category has the whole width, the others stand in two columns and share one scale. Tags
that a spec makes up itself come last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from magpie_hub.card.facts import ConfigFacts
from magpie_hub.card.pictures import sheet
from magpie_hub.card.pictures.sheet import Picture
from magpie_hub.columns import KINDS
from magpie_hub.curate.filters import ORDERED

WIDE, GRADED = "task_category", "response_quality"
SCALES = ORDERED | {GRADED: ("1", "2", "3", "4", "5")}
TAGS = (WIDE, "language", *SCALES, "safety", "turns", "turns_end")
OWN = 8
"""The tags of a spec's own that are drawn."""
REST = ("others", "none")
"""What the facts count of a tag besides its values."""
_BAR, _HEADING, _GAP = 0.26, 0.29, 0.28


@dataclass(frozen=True, slots=True)
class Bar:
    """A value and its rows. rest: stands for several values, or for none."""

    label: str
    rows: int
    rest: bool = False


def drawn(config: str, facts: ConfigFacts) -> Picture | None:
    """Return a panel of bars for each tag of words or grades that has values."""
    panels = {column: bars(column, counts) for column, counts in labels(facts).items()}
    if not panels:
        return None
    places, end = _layout(panels)
    canvas = sheet.blank(end + 0.05, f"Tags of {config}", f"Share of {facts.rows:,} rows")
    narrow = [bar.rows for column in panels if column != WIDE for bar in panels[column]]
    for column, (left, top) in places.items():
        scale = max(bar.rows for bar in panels[WIDE]) if column == WIDE else max(narrow)
        width = sheet.WIDTH - 2 * sheet.MARGIN if column == WIDE else sheet.WIDTH / 2 - 0.4
        heading = sheet.fitted(_words(column), width, bold=True)
        sheet.write(canvas, left, top, heading, bold=True)
        names = 2.0 if column == WIDE else 1.25
        size = (width - names - 0.68, _BAR * len(panels[column]))
        axes = sheet.panel(canvas, left + names, top + _HEADING, *size)
        _bar_chart(axes, panels[column], facts.rows, names - 0.1)
        axes.set_xlim(0, scale)
    alt = f"Bar charts of the tags of {facts.rows:,} rows of {config}. The most frequent values: "
    return Picture(canvas, f"{alt}{'; '.join(_first(panels, facts.rows))}.")


def labels(facts: ConfigFacts) -> dict[str, dict[str, int]]:
    """Return the rows of each value of the tags that are drawn; grades are counted as labels."""
    counts = dict(facts.counts)
    if grades := facts.histograms.get(GRADED):
        graded = {
            f"{edge:.0f}": rows for edge, rows in zip(grades.edges, grades.rows, strict=False)
        }
        none = facts.rows - sum(grades.rows)
        counts[GRADED] = graded | ({"none": none} if none else {})
    known = {field.name for kind in KINDS.values() for field in kind}
    own = [column for column in counts if column not in known]
    return {
        column: counts[column]
        for column in (*TAGS, *own[:OWN])
        if any(value not in REST for value in counts.get(column, ()))
    }


def bars(column: str, counts: Mapping[str, int]) -> list[Bar]:
    """Return the bars of a tag: in the order of its scale, else the most frequent first."""
    most = 12 if column == WIDE else 10
    scale = SCALES.get(column, ())
    values = [value for value in counts if value not in (*REST, *scale)]
    values.sort(key=lambda value: (-counts[value], value))
    if len(values) == most + 1 and "others" not in counts:
        most += 1
    shown = [Bar(value, counts.get(value, 0)) for value in (*scale, *values[:most])]
    if more := sum(counts[value] for value in values[most:]) + counts.get("others", 0):
        many = "all others" if "others" in counts else f"{len(values) - most:,} others"
        shown.append(Bar(many, more, rest=True))
    return shown + [Bar(value, counts[value], rest=True) for value in counts if value == "none"]


def percent(rows: int, of: int) -> str:
    """Return a share with one digit; none that is not whole is rounded to 0% or to 100%."""
    if rows in (0, of):
        return "100%" if rows else "0%"
    share = 100 * rows / of
    return "<0.1%" if share < 0.05 else ">99.9%" if share >= 99.95 else f"{share:.1f}%"


def _layout(panels: Mapping[str, Sequence[Bar]]) -> tuple[dict[str, tuple[float, float]], float]:
    """Return where each panel begins, the narrow ones in the shorter column, and the end."""
    places: dict[str, tuple[float, float]] = {}
    ends = [sheet.HEAD, sheet.HEAD]
    for column, shown in panels.items():
        side = 0 if ends[0] <= ends[1] else 1
        places[column] = (sheet.MARGIN + side * (sheet.WIDTH / 2 - 0.1), ends[side])
        ends[side] += _HEADING + _BAR * len(shown) + _GAP
        if column == WIDE:
            ends[1] = ends[0]
    return places, max(ends)


def _bar_chart(axes: Axes, shown: Sequence[Bar], rows: int, names: float) -> None:
    places = range(len(shown))
    colors = [sheet.GREY if bar.rest else sheet.BLUE for bar in shown]
    axes.barh(places, [bar.rows for bar in shown], height=0.7, color=colors)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(places, [sheet.fitted(bar.label, names) for bar in shown])
    axes.tick_params(axis="y", length=0, pad=4)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for place, bar in zip(places, shown, strict=True):
        axes.annotate(
            percent(bar.rows, rows),
            (bar.rows, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center_baseline",
        )


def _words(column: str) -> str:
    return column.replace("_", " ").capitalize()


def _first(panels: Mapping[str, Sequence[Bar]], rows: int) -> Iterable[str]:
    for column, shown in panels.items():
        first = max((bar for bar in shown if not bar.rest), key=lambda bar: bar.rows)
        label = sheet.shortened(first.label)
        yield f"{_words(column).lower()} {label} ({percent(first.rows, rows)})"

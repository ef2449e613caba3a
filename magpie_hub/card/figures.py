"""The figures of a config: lengths, tags, the sampling grid and the funnel, each with its alt text.

A function of the facts and the funnel alone: the same two give the same bytes. Imported where a
card is made, since it loads matplotlib. How each figure looks is up to the modules of `pictures`.
"""

from dataclasses import dataclass

from magpie_hub.card.facts import ConfigFacts
from magpie_hub.card.pictures import funnel as funnels
from magpie_hub.card.pictures import grid, lengths, sheet, tags
from magpie_hub.curate.funnel import Funnel

_NO_MARKUP = str.maketrans("[]<`*|\\", "()\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}'×//")


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, 1440 pixels wide, and what it says: one or two sentences without markup."""

    name: str
    png: bytes
    alt: str


FIGURES = ("lengths", "tags", "grid", "funnel")


def draw(config: str, facts: ConfigFacts, funnel: Funnel) -> tuple[Figure, ...]:
    """Return the figures that there is something to show for, in the order of the card."""
    with sheet.style():
        drawn = {
            "lengths": lengths.drawn(config, facts),
            "tags": tags.drawn(config, facts),
            "grid": grid.drawn(config, facts.grid),
            "funnel": funnels.drawn(config, funnel),
        }
        return tuple(
            Figure(name, sheet.png(picture.canvas), _plain(picture.alt))
            for name, picture in drawn.items()
            if picture is not None
        )


def _plain(alt: str) -> str:
    return sheet.printable(alt).translate(_NO_MARKUP)

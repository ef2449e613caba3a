"""What the tests of the page have a card state: a small release, and changes to it."""

from dataclasses import replace
from typing import Any

from magpie_hub.card.cost import Spent, cost
from magpie_hub.card.licences import family
from magpie_hub.card.render import ConfigCard, Stated
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import public, snapshot

PINS = {
    "revision": "5fcb290",
    "prefix": "<user>",
    "prefixes": {},
    "answers": [],
    "responses": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 64},
    "reasoning": [],
    "context_length": 2048,
    "neighbours": None,
}
TAGS = {
    "quality": {
        "model": "org/judge",
        "revision": "0e9e39f",
        "rows": 1000,
        "failed": {"not-json": 12, "wrong-form": 3},
        "retried": 40,
        "cut": 2,
    },
}


def spec(**changes: Any) -> dict[str, Any]:
    """Return the public snapshot of a spec."""
    given = {
        "repo": "org/tiny",
        "license": "apache-2.0",
        "generator": {"model": "scripted", "engine": "scripted", "price_per_hour": 2.0},
        "instructions": {"rows": 1200, "sampling": [{"temperature": 1.0, "top_p": 0.99}]},
        "card": {"samples": "unscreened"},
    }
    kept = {key: value for key, value in (given | changes).items() if value is not None}
    return public(snapshot(Spec.model_validate(kept)))


def stated(*configs: ConfigCard, **changes: Any) -> Stated:
    """Return all that a card states of these configs, but for what changes."""
    spent = {"instructions": Spent("scripted", 1200, 5000, 90.0, 2.0)}
    usual = Stated(
        name="tiny",
        spec=spec(),
        pins=PINS,
        configs=configs,
        tags=TAGS,
        curation={"backend": "text-dedup", "against": [], "overlaps": {}},
        cost=cost(spent, 1190, {config.name: config.facts.rows for config in configs}),
        overlaps={},
        licences={"scripted": family("scripted", {})},
        figures=(),
    )
    return replace(usual, **changes)

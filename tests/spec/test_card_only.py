"""Which keys of a spec the card alone depends on."""

from typing import Any

import pytest

from magpie_hub.spec.snapshot import card_only, population
from tests.spec.test_snapshot import taken

PRICED = {"model": "org/m", "price_per_hour": 2.5}
SCHEMA = {"properties": {"price_per_hour": {"enum": [1]}}}


@pytest.mark.parametrize(
    "keys",
    [
        {"license": "mit"},
        {"card": {"title": "A", "results": []}},
        {"configs": {"raw": {}, "v1.2": {"about": "everything"}}},
        {"generator": PRICED},
        {"judge": PRICED},
        {"responses": [{"name": "own"}, {"name": "other", **PRICED}]},
        {"tags": {"quality": {"judge": PRICED}}},
        {"tags": {"safety": {"price_per_hour": 1}}},
        {"tags": {"reward": {"price_per_hour": 1, "base": PRICED}}},
    ],
)
def test_what_the_card_alone_says(keys: dict[str, Any]) -> None:
    """Neither rows nor labels depend on it; any other key beside it is seen."""
    plain = {name: strip(value) for name, value in keys.items() if name not in ("license", "card")}
    before, after = taken(**plain), taken(**keys)

    assert before != after
    assert card_only(before, after)
    assert population(before) == population(after)
    assert not card_only(before, taken(**keys, seed=7))


def strip(value: Any) -> Any:
    """Return part of a spec without prices and purposes."""
    if isinstance(value, list):
        return [strip(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {k: strip(v) for k, v in value.items() if k not in ("price_per_hour", "about")}


@pytest.mark.parametrize(
    "keys",
    [
        {"tags": []},
        {"configs": {"a": {}}},
        {"configs": {"raw": {"where": "language == 'EN'"}}},
        {"generator": {"model": "org/m", "engine": {"name": "vllm", "price_per_hour": 1}}},
        {"tags": {"lengths": {}, "language": {}, "p": {"prompt": "x", "schema": SCHEMA}}},
    ],
)
def test_what_more_than_the_card_says(keys: dict[str, Any]) -> None:
    """A key that decides rows, labels or columns is never taken for one of the card's."""
    assert not card_only(taken(), taken(**keys))

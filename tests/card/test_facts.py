"""How `facts.json` writes what was measured."""

import json

import pytest

from magpie_hub.card.cost import Spent, cost
from magpie_hub.card.facts import Cell, ConfigFacts, Histogram, Prompted, Turn, as_json
from magpie_hub.curate.funnel import funnel

NUMBERS = {"total": 9, "mean": 3.0, "deviation": 0.8, "min": 2, "p25": 2, "median": 3, "p75": 3}
FACTS = ConfigFacts(
    rows=3,
    files=(("train-00000-of-00001.parquet", 700, 3),),
    bytes_memory=900,
    splits={"train": (3, 900)},
    turns=(Turn("user", 3, NUMBERS, Histogram((2, 3, 4, 5), (1, 1, 1))),),
    numbers={"response_tokens": NUMBERS, "points": NUMBERS},
    counts={"language": {"EN": 2, "none": 1}},
    histograms={"response_tokens": Histogram((2, 3, 4, 5), (1, 1, 1))},
    grid=(Cell(1.0, 0.99, 3, 4.5, None, 0.25),),
    system_prompts=(Prompted("chess", 3, None, 4.0, None),),
    models=("org/m",),
    sampling=(("responses", 0.0, 1.0, 64),),
    engines=(("scripted", "1", ""),),
    empty=("safety",),
    samples=({"uuid": "0", "messages": [{"role": "user", "content": "a secret"}]},),
)


@pytest.fixture
def shown():
    """The facts of a release of one config, and a second name that shares its rows."""
    return as_json(
        {"raw": FACTS},
        {"raw": funnel(5, [("instruction", "empty", 2)])},
        {"quality": {"rows": 3, "failed": {}}},
        {"backend": "rensa"},
        {("raw", "small"): 2},
        cost({"responses": Spent("org/m", 5, 9, 3.6, None)}, 4, {"raw": 3}),
    )


def test_facts_are_plain_data(shown):
    """All of it can be written as JSON with its version, and no row's text is in it."""
    written = json.dumps(shown, allow_nan=False)
    assert json.loads(written)["format"] == 1
    assert "a secret" not in written


def test_a_config_has_all_that_was_measured(shown):
    """A config's numbers and counts stand under the names that a later plan compares."""
    raw = json.loads(json.dumps(shown))["configs"]["raw"]
    assert (raw["rows"], raw["bytes"], raw["bytes_memory"]) == (3, 700, 900)
    assert raw["files"] == [["train-00000-of-00001.parquet", 700, 3]]
    assert raw["numbers"] == {"response_tokens": NUMBERS, "points": NUMBERS}
    assert raw["counts"] == {"language": {"EN": 2, "none": 1}}
    assert raw["turns"][0]["histogram"] == {"edges": [2, 3, 4, 5], "rows": [1, 1, 1]}
    assert raw["grid"][0]["quality"] == 4.5
    assert raw["funnel"] == {
        "drawn": 5,
        "steps": [{"stage": "instruction", "reason": "empty", "dropped": 2, "left": 3}],
    }


def test_the_release_has_what_its_configs_share_and_cost(shown):
    """Overlaps, cost, tags and curation are those that were given."""
    assert shown["overlaps"] == [{"configs": ["raw", "small"], "rows": 2}]
    assert shown["cost"]["total"] == {"tokens": 9, "engine_hours": 0.001, "dollars": None}
    assert shown["tags"] == {"quality": {"rows": 3, "failed": {}}}
    assert shown["curation"] == {"backend": "rensa"}


def test_everything_has_a_unit(shown):
    """Each column of numbers, a tag that a spec made up too, and each key of a config has one."""
    raw = shown["configs"]["raw"]
    assert set(shown["units"]) >= set(raw["numbers"]) | set(raw) - {"empty"}
    assert shown["units"]["points"] == "as the tag gives it"

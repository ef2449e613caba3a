"""The card of a real release: every number on it is found again by other means, or noticed."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.run.building import build
from magpie_hub.run.graph import SECOND_ROUND
from magpie_hub.spec.load import load
from tests.card.reading import fences
from tests.card.recounting import different, recounted, unexplained
from tests.card.saying import said
from tests.card.tables import Made
from tests.making import carry_out, finished_run, quiet

SCRIPTED = {"model": "scripted", "engine": "scripted", "price_per_hour": 0.5}
JUDGE = {"model": "judge", "engine": {"name": "scripted", "garbled": 0.3}, "price_per_hour": 2.5}
GUARD = {
    "model": "guard",
    "engine": {"name": "scripted", "empty": 0.2},
    "price_per_hour": 1.5,
    "adapter": {
        "safe": "(?s)You asked: .*",
        "unsafe": r"(?s)You asked: (?P<categories>W\w+).*",
        "categories": {"What": "questions"},
        "max_tokens": 1000,
    },
}
MOOD = {"prompt": "{{ instruction }}", "schema": {"properties": {"mood": {"enum": ["dry", "wry"]}}}}
TAGS = (
    *("lengths", "language", "personal_data", "neighbours"),
    *("quality", "difficulty", "category", "response_quality"),
)
SETTINGS = [
    {"temperature": 1.0, "top_p": 0.99, "weight": 3},
    {"temperature": 1.2, "top_p": 1.0, "weight": 1},
]
SHAPED = {
    "system_prompts": {"chess": {"text": "Your users play chess."}, "none": {"weight": 2}},
    "sanitise": ["labels", "answers", "unfinished"],
    "bad_first_tokens": [35],
}
SAMPLES = {"number": 3, "scored_by": "response_quality"}
CHECKOUT = Path(__file__).parents[2]
DEMO = Made(CHECKOUT / "dist" / "org" / "magpie-smollm2", CHECKOUT / "runs" / "smollm2")
CHANGES = 100


def spec(folder: Path) -> dict[str, Any]:
    """Return what a spec may ask for that the card has a number of."""
    benchmark = folder / "benchmark.jsonl"
    prompts = ("What is the capital of France?", "Tell me a joke about computers.", "Why?")
    benchmark.write_text("".join(json.dumps({"instruction": text}) + "\n" for text in prompts))
    return {
        "license": "mit",
        "seed": 7,
        "generator": SCRIPTED,
        "judge": JUDGE,
        "instructions": {"rows": 600, "sampling": SETTINGS, "max_tokens": 1500, **SHAPED},
        "tags": {**{name: {} for name in TAGS}, "safety": GUARD, "mood": MOOD},
        "dedup": {"near": {"words": 3, "threshold": 0.65}},
        "decontaminate": {"benchmarks": [str(benchmark)], "words": 12},
        "configs": {
            "whole": {"filter": "finished", "alias": "complete"},
            "long": {"where": "response_length >= 150", "default": True, "about": "long answers"},
            "english": {"where": "language == 'EN'", "size": 300},
            "private": {"filter": "no-personal-data", "size": {"at_most": 40}},
            "small": {"where": "difficulty == 'hard'", "size": {"at_most": 5000}},
            "talks": {"from": "raw", "size": 40, "turns": 3},
            "pairs": {"from": "raw", "size": 60, "samples": SAMPLES, "test": 0.3},
        },
        "card": {
            "results": [{"benchmark": "B", "model": "m", "score": 12.5, "measured_by": "them"}]
        },
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A release that was built of a run with all of that."""
    folder = tmp_path_factory.mktemp("run")
    loaded, run = finished_run(folder, **spec(folder))
    with run.lock():
        for stage in SECOND_ROUND:
            carry_out(stage, loaded, run)
        return Made(build(loaded, run, quiet, print).folder, run.path)


def card_of(made: Made) -> str:
    """Return the card of a release."""
    return (made.folder / "README.md").read_text()


def test_every_number_is_found_again(made: Made) -> None:
    """Of a release of nearly all that there is, pandas finds each number, and no other."""
    assert unexplained(card_of(made), made) == []
    assert len(recounted(made)) > 1000


def test_every_number_of_the_demo_is_found_again() -> None:
    """So it does of the demo's release, of a real model and as it was published."""
    if not DEMO.folder.exists():
        pytest.skip("the demo was not made here: `magpie-hub release smollm2` makes it")
    assert unexplained(card_of(DEMO), DEMO) == []


def test_every_other_digit_is_noticed(made: Made) -> None:
    """Wherever one digit of the card is another, in front, in a number or in a row, it is seen."""
    card, expected, draw = card_of(made), recounted(made), random.Random(7)
    places = [match.start() for match in re.finditer(r"\d", card)]
    for place in draw.sample(places, CHANGES):
        other = str((int(card[place]) + draw.randint(1, 9)) % 10)
        changed = card[:place] + other + card[place + 1 :]
        assert different(expected, said(changed, made.names)), card[place - 40 : place + 40]


def test_the_spec_on_the_card_is_a_spec(made: Made, tmp_path: Path) -> None:
    """What "Make it again" shows loads, and asks for the same release."""
    shown = next(block for block in fences(card_of(made)) if block.startswith("repo:"))
    (tmp_path / "spec.yaml").write_text(shown.replace("<private>", "benchmark.jsonl"))
    loaded = load(str(tmp_path / "spec.yaml"))

    assert (loaded.repo, loaded.instructions.rows, loaded.license) == ("org/tiny", 600, "mit")
    assert loaded.default_config == "long"

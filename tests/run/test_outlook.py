"""What a run will cost is what its parts took so far, carried on to what the spec asks for."""

from pathlib import Path
from typing import Any

import pytest

from magpie_hub.run import graph
from magpie_hub.run.extending import extend
from magpie_hub.run.outlook import Outlook, outlook
from magpie_hub.run.spending import spent
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import carry_out, finished_run, spec_file

PRICED: dict[str, Any] = {"model": "scripted", "engine": "scripted", "price_per_hour": 3600}
CONFIGS: dict[str, Any] = {
    "filtered": {"filter": "finished"},
    "mt": {"from": "filtered", "turns": 3, "size": {"at_most": 100}},
    "dpo": {"samples": {"number": 4, "scored_by": "response_quality"}},
}
ASKED: dict[str, Any] = {
    "generator": PRICED,
    "judge": {**PRICED, "model": "j", "price_per_hour": 7200},
    "tags": ["lengths", "response_quality"],
    "configs": CONFIGS,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a run of 80 draws lies, labelled and not yet extended."""
    folder = tmp_path_factory.mktemp("run")
    finished_run(folder, 80, **ASKED)
    return folder


def of(place: Path, rows: int, **changes: Any) -> Outlook:
    """Return where the run stands on its way to so many draws."""
    return outlook(
        load(str(spec_file(place, rows, **{**ASKED, **changes}))), RunFolder(place / "run")
    )


def test_ten_times_the_draws(place: Path) -> None:
    """Draws, answers and labels take ten times what they took; extensions come at their pace."""
    found = of(place, 800)
    now, end = found.so_far, found.at_end
    for name in ("instructions", "responses", "response_quality"):
        assert end[name].requests == pytest.approx(10 * now[name].requests)
        assert end[name].seconds == pytest.approx(10 * now[name].seconds)
    filtered = found.yields["filtered"].funnel.kept
    assert 10 * filtered > 100
    # 100 rows by the size, two further turns each, of two completions; raw rows times samples.
    assert end["turns of mt"].requests == 100 * 2 * 2
    pace = {name: now[name].seconds / now[name].requests for name in now}
    both = pace["instructions"] + pace["responses"]
    assert end["turns of mt"].seconds == pytest.approx(200 * both)
    assert end["samples of dpo"].requests == pytest.approx(4 * 10 * found.yields["raw"].funnel.kept)
    scores = end["response_quality of samples of dpo"]
    assert scores.requests == end["samples of dpo"].requests
    assert scores.seconds == pytest.approx(scores.requests * pace["response_quality"])
    assert found.lacking == ()


def test_money_and_time(place: Path) -> None:
    """A second costs a dollar, one of the judge two; what is left is the end without what was."""
    found = of(place, 800)
    judged = sum(stage.seconds for stage in found.at_end.values() if stage.model == "j")
    seconds = sum(stage.seconds for stage in found.at_end.values())
    assert found.projected.dollars == pytest.approx(seconds + judged)
    assert found.projected.engine_hours == pytest.approx(seconds / 3600)
    assert found.spent.engine_hours == pytest.approx(
        sum(stage.seconds for stage in found.so_far.values()) / 3600
    )
    assert found.seconds_left == pytest.approx(seconds - found.spent.engine_hours * 3600)
    assert found.tokens_per_second == pytest.approx(1000)
    kept = found.yields["raw"].funnel.kept
    assert found.rows_per_hour("raw") == pytest.approx(kept / found.spent.engine_hours)


def test_yields_are_those_of_the_funnel(place: Path) -> None:
    """Each rule's yield is the share of the rows that came to it and went on."""
    found = of(place, 80).yields["filtered"]
    left = found.funnel.drawn
    for step, rule in zip(found.funnel.steps, found.rules, strict=True):
        assert rule["yield"] == pytest.approx((left - step.dropped) / left)
        assert (rule["stage"], rule["reason"]) == (step.stage, step.reason)
        left -= step.dropped
    assert found.passed == left == found.funnel.kept


def test_until_enough_is_kept(place: Path) -> None:
    """Draws are the rows wanted by the yield so far, and no more than there may be."""
    until = {"config": "filtered", "rows": 500}
    found = of(place, 80, instructions={"until": until, "at_most": 100_000})
    known = found.yields["filtered"]
    assert found.draws == pytest.approx(500 * 80 / known.funnel.kept)
    assert of(place, 80, instructions={"until": until, "at_most": 90}).draws == 90


def test_what_nothing_tells_is_named(tmp_path: Path) -> None:
    """Before any label is made, yields and the pace of the judge are not known, and not guessed."""
    spec, run = load(str(spec_file(tmp_path, 40, **ASKED))), RunFolder(tmp_path / "run")
    carry_out(graph.rows, spec, run)
    found = outlook(spec, run)
    assert found.yields == {}
    assert "is unfinished" in found.unmeasured
    assert set(found.lacking) == {
        "response_quality",
        "turns of mt",
        "samples of dpo",
        "response_quality of samples of dpo",
    }
    assert set(found.at_end) == {"instructions", "responses"}


def test_at_the_end_nothing_is_left(tmp_path: Path) -> None:
    """Once all is extended and scored, what will be is what is, also where conversations ended."""
    spec, run = finished_run(tmp_path, 80, **ASKED)
    seen = []

    def report(stage: str, done: int, *_: object, **__: object) -> None:
        if stage.startswith("extend") and done % 20 == 7:
            seen.append(outlook(spec, run).seconds_left)

    carry_out(extend, spec, run, report)
    found = outlook(spec, run)
    assert found.seconds_left == 0
    assert found.at_end == found.so_far == spent(spec, run)
    assert found.so_far["turns of mt"].requests < 4 * found.yields["mt"].funnel.kept
    assert seen[0] > seen[len(seen) // 2] > seen[-1] > 0

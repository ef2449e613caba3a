"""`status` and `preview`: yields, pace, cost and what is to come, for a person and as JSON."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from magpie_hub.cli import main
from tests.making import spec_file
from tests.run.releasing import fingerprints, start

PRICED = {"model": "scripted", "engine": {"name": "scripted", "capacity": 4}, "price_per_hour": 36}
CONFIGS = {
    "filtered": {"filter": "finished", "default": True},
    "mt": {"from": "filtered", "turns": 2},
    "dpo": {"from": "filtered", "samples": {"number": 3, "scored_by": "response_quality"}},
}
ASKED: dict[str, Any] = {
    "generator": PRICED,
    "tags": ["lengths", "response_quality"],
    "configs": CONFIGS,
    "license": "mit",
}
UNTIL = {"until": {"config": "filtered", "rows": 40}, "at_most": 400}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own as the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def magpie_hub(*arguments: str) -> Result:
    """Run a command that must succeed."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    return result


def told(*arguments: str) -> dict[str, Any]:
    """Return what `status --json` says."""
    found: dict[str, Any] = json.loads(magpie_hub("status", *arguments, "--json").stdout)
    return found


def test_a_finished_run_until_enough(here: Path) -> None:
    """Of a finished run `status` has the yield of every rule, the end, the hours and the money."""
    spec_file(here, **{**ASKED, "instructions": UNTIL})
    magpie_hub("release", "tiny.yaml")
    found, lines = told("tiny.yaml"), magpie_hub("status", "tiny.yaml").stdout.splitlines()

    config = found["configs"]["filtered"]
    assert config["kept"] == config["passed"] == 40
    assert config["drawn"] == config["of"] == found["until"]["stop"]
    rules = {rule["reason"]: rule for rule in config["rules"]}
    rule, left = rules['finish_reason == "stop"'], config["drawn"]
    for earlier in config["rules"][: config["rules"].index(rule)]:
        left -= earlier["dropped"]
    assert rule["yield"] == pytest.approx(1 - rule["dropped"] / left)
    assert found["until"].keys() == {"config", "rows", "drawn", "kept", "stop"}
    assert found["engine_seconds_left"] == 0
    assert found["so_far"] == found["at_end"]
    assert found["so_far"]["dollars"] == pytest.approx(36 * found["so_far"]["engine_hours"])
    seconds = [found[name]["seconds"] for name in ("instructions", "responses")]
    seconds += [found["tags"]["response_quality"]["seconds"]]
    seconds += [each["seconds"] for each in found["extensions"].values()]
    assert set(found["extensions"]) == {"turns of mt", "samples of dpo"}
    assert found["so_far"]["engine_hours"] * 3600 > sum(seconds)
    drawn = found["until"]["drawn"]
    kept = f"{found['until']['kept']:,} of {drawn:,} draws that were counted"
    assert f"until `filtered` keeps 40 rows: {kept}; released are {config['drawn']} draws" in lines
    assert any(line.startswith("so far: ") and "engine-hours, $" in line for line in lines)
    assert not any(line.startswith("at the end") for line in lines)
    card = (here / "dist/org/tiny/README.md").read_text()
    assert "| `turns of mt` | `scripted` |" in card


def test_a_run_that_goes_on(here: Path) -> None:
    """While a process works, `status` answers, waits for no lock, and changes nothing."""
    slow = {"model": "scripted", "engine": {"name": "scripted", "latency": 0.004}}
    spec_file(here, **{**ASKED, "generator": slow, "instructions": UNTIL})
    process = start(here, "release", "tiny.yaml")
    found: list[dict[str, Any]] = []
    try:
        while process.poll() is None:
            if (here / "runs/tiny/run.json").exists():
                found.append(told("tiny.yaml"))
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert len(found) > 5
    drawn = [each["instructions"]["rows"] for each in found]
    assert drawn == sorted(drawn)
    assert any(each["configs"] for each in found[:-1])
    assert any(each["until"] and each["until"]["stop"] is None for each in found)
    left = [each["engine_seconds_left"] for each in found if not each["not_estimated"]]
    assert max(left) > 0


def test_a_run_that_was_only_drawn(here: Path) -> None:
    """Before rows are labelled, it is said that no yield is known, and what is not estimated."""
    spec_file(here, **{**ASKED, "instructions": UNTIL})
    made = magpie_hub("generate", "tiny.yaml")
    assert "what it keeps of 40 draws is counted by `magpie-hub tag SPEC`" in made.stderr
    shown = magpie_hub("status", "tiny.yaml").stdout
    assert "no rule's yield is known: " in shown
    assert "until `filtered` keeps 40 rows: not counted yet" in shown
    assert "not in it, as nothing tells how much it is: " in shown
    before = fingerprints(here)
    told("runs/tiny")
    assert fingerprints(here) == before


def test_preview_estimates_the_whole_spec(here: Path) -> None:
    """The estimate counts answers, labels, turns, samples and their scores, in time and money."""
    spec_file(here, 4000, **ASKED)
    shown = magpie_hub("preview", "tiny.yaml", "-n", "20").stdout.splitlines()
    [line] = [line for line in shown if line.startswith("4,000 draws would take about ")]
    assert " engine-hours, $" in line
    behind = shown[shown.index(line) + 1 :]
    stages = {each.split("  ")[1].strip() for each in behind if "requests" in each}
    assert stages == {
        *("instructions", "responses", "response_quality", "turns of mt", "samples of dpo"),
        "response_quality of samples of dpo",
    }
    assert any(
        each.startswith("  instructions ") and " 4,000 requests, " in each for each in behind
    )

    spec_file(here, **{**ASKED, "instructions": {**UNTIL, "at_most": 41}})
    shown = magpie_hub("preview", "tiny.yaml", "-n", "20").stdout.splitlines()
    assert any(each.startswith("41 draws would take about ") for each in shown)


def test_too_few_at_the_most(here: Path) -> None:
    """Where no more may be drawn the command ends with 1, the funnel, and what to change."""
    spec_file(here, **{**ASKED, "instructions": {**UNTIL, "at_most": 42}})
    failed = CliRunner().invoke(main, ["release", "tiny.yaml"])
    assert failed.exit_code == 1
    said = magpie_hub("status", "tiny.yaml").stdout
    assert re.search(
        r"; at this yield about \d+ draws are needed, and `at_most` is 42$", said, re.M
    )
    error, hint = failed.stderr.splitlines()[-2:]
    assert error.startswith("error: `instructions.at_most`: all 42 draws are made, and config")
    assert "drawn 42, " in error
    assert "raise `at_most` (at this yield about " in hint


def test_what_nothing_passed_tells_of(here: Path) -> None:
    """Where no row of the few passed the rules, what is made of such rows is not put at nothing."""
    configs = CONFIGS | {"filtered": {"where": "response_length > 100000", "default": True}}
    spec_file(here, 400, **{**ASKED, "configs": configs})
    shown = magpie_hub("preview", "tiny.yaml", "-n", "8").stdout
    unknown = shown.partition("nothing tells how much it is: ")[2].splitlines()[0].split(", ")
    assert {"turns of mt", "samples of dpo"} <= set(unknown)
    assert not re.search(r"turns of mt +0 requests", shown)

"""The second round on the scripted engine: only selected rows are asked for more, and only once."""

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from magpie_hub.errors import BuildError, SpecError
from magpie_hub.run.building import build
from magpie_hub.run.checking import check
from magpie_hub.run.extending import extend
from magpie_hub.run.graph import FIRST_ROUND
from magpie_hub.run.opened import Models
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.templates.system_prompts import FOLLOW_UP
from tests.making import carry_out, finished_run, quiet, released, spec_file
from tests.run.releasing import fingerprints, run, start

TRANSCRIPT = "transcript.jsonl"
SAMPLES = {"number": 4, "scored_by": "response_quality"}
CONFIGS: dict[str, Any] = {
    "raw": {},
    "best": {"filter": "finished", "size": 40, "default": True},
    "talks": {"from": "best", "turns": 3},
    "pairs": {"from": "raw", "size": 25, "samples": SAMPLES, "test": 0.3},
}


def spec_of(folder: Path, configs: dict[str, Any] = CONFIGS, **changes: Any) -> Path:
    """Write a spec whose engine writes down what it is asked."""
    engine = {"name": "scripted", "transcript": str(folder / TRANSCRIPT), "latency": 0.0002}
    given = {
        "generator": {"model": "scripted", "engine": engine},
        "tags": ["lengths", "response_quality"],
        "configs": configs,
        "card": {"samples": "unscreened"},
    }
    return spec_file(folder, 120, **(given | changes))


def asked(folder: Path) -> list[dict[str, Any]]:
    """Return the keys of the requests of extensions, in order."""
    lines = (folder / TRANSCRIPT).read_text().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    return [key for key in keys if "place" in key]


def rows(folder: Path, config: str) -> list[dict[str, Any]]:
    """Return the rows of a built config."""
    return pq.read_table(folder / "run" / "build" / config).to_pylist()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Return a folder with a release of all kinds."""
    released(load(str(spec_of(tmp_path))), RunFolder(tmp_path / "run"), tmp_path / "dist")
    return tmp_path


def test_only_selected_rows_are_extended(release: Path) -> None:
    """Every conversation is of the filtered rows, every sample of the picked ones, asked once."""
    keys = Counter(json.dumps(key, sort_keys=True) for key in asked(release))
    assert set(keys.values()) == {1}
    turns = [k for k in asked(release) if k["stage"].startswith("extensions/turns-")]
    assert sum(k["place"] == {"number": 2, "answers": False} for k in turns) == 40
    assert len(asked(release)) - len(turns) == 4 * 25


def test_what_is_released_loads_and_holds_what_it_says(release: Path) -> None:
    """The kinds open by name; conversations alternate, preferences are of samples of their row."""
    folder = str(release / "dist" / "org" / "tiny")
    best, talks, pairs = (load_dataset(folder, name) for name in ("best", "talks", "pairs"))
    first = {row["uuid"]: row["messages"] for row in best["train"]}
    assert len(talks["train"]) == len(first) == 40
    assert {row["turns"] for row in talks["train"]} == {1, 2, 3}
    for row in talks["train"]:
        assert row["messages"][:2] == first[row["uuid"]]
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * row["turns"]
        assert (row["turns_end"] is None) == (row["turns"] == 3)
        assert len(row["gen_turn_configs"]) == 2 * (row["turns"] - 1)
    sides = [{row["prompt"][0]["content"] for row in pairs[side]} for side in ("train", "test")]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]
    for row in (*pairs["train"], *pairs["test"]):
        assert row["margin"] == row["chosen_reward"] - row["rejected_reward"] > 0
        assert row["chosen"] != row["rejected"]
        assert row["gen_chosen_configs"]["seed"] != row["gen_rejected_configs"]["seed"]
        assert row["gen_chosen_configs"]["temperature"] == 0.8


def test_a_response_never_sees_what_the_user_was_told(tmp_path: Path) -> None:
    """Our system prompt stands in front of the user's later turns alone."""
    script = {"system_prompt": "Ask for recipes only.", "number": 2}
    configs = {"raw": {"default": True}, "talks": {"from": "raw", "turns": script}}
    prompts: dict[bool, set[bool]] = {True: set(), False: set()}

    class Reading(Models):
        def engine(self, section: Any, weights: Any) -> Any:
            opened = super().engine(section, weights)
            submit = opened.submit

            def reading(request: Any) -> None:
                if hasattr(request.key, "place"):
                    text = bytes(max(0, t - 3) for t in request.prompt).decode(errors="replace")
                    prompts[request.key.place.answers].add("Ask for recipes only." in text)
                submit(request)

            opened.submit = reading
            return opened

    spec, run_ = finished_run(tmp_path, 30, configs=configs)
    with run_.lock(), Reading() as models:
        extend(spec, run_, quiet, print, models)
    assert prompts == {True: {False}, False: {True}}
    assert FOLLOW_UP not in json.dumps(run_.state()["conversations"])


def test_more_turns_and_samples_go_on_from_those_that_are_there(release: Path) -> None:
    """Two turns more, or a sample more, ask for those alone; what was there stays as it was."""
    before = asked(release)
    old = {row["uuid"]: row["messages"] for row in rows(release, "talks")}
    more = CONFIGS | {
        "talks": {"from": "best", "turns": 4},
        "pairs": CONFIGS["pairs"] | {"samples": SAMPLES | {"number": 5}},
    }
    released(load(str(spec_of(release, more))), RunFolder(release / "run"), release / "dist")

    new = asked(release)[len(before) :]
    kinds = {(key["stage"].partition("-")[0], key["place"]["number"]) for key in new}
    assert kinds == {("extensions/turns", 4), ("extensions/samples", 5)}
    assert len([key for key in new if key["place"]["number"] == 5]) == 25
    for row in rows(release, "talks"):
        assert row["messages"][: len(old[row["uuid"]])] == old[row["uuid"]]


def test_a_larger_selection_extends_only_the_new_rows(release: Path) -> None:
    """Rows that were extended stay so, whatever is selected besides."""
    before = asked(release)
    more = CONFIGS | {"best": CONFIGS["best"] | {"size": 60}}
    released(load(str(spec_of(release, more))), RunFolder(release / "run"), release / "dist")

    new = asked(release)[len(before) :]
    assert len({key["index"] for key in new}) == 20
    talked = {k["index"] for k in before if k["stage"].startswith("extensions/turns-")}
    assert not {k["index"] for k in new} & talked
    assert len(rows(release, "talks")) == 60


def test_two_configs_share_what_they_ask_alike(tmp_path: Path) -> None:
    """The same turns of the same rows are asked for once, by whatever config."""
    configs = {
        "raw": {"default": True},
        "short": {"from": "raw", "turns": 2},
        "long": {"from": "raw", "turns": {"number": 3, "at_least": 2}},
    }
    spec = load(str(spec_of(tmp_path, configs)))
    released(spec, RunFolder(tmp_path / "run"), tmp_path / "dist")
    keys = Counter(json.dumps(key, sort_keys=True) for key in asked(tmp_path))
    assert set(keys.values()) == {1}
    assert all(row["turns"] >= 2 for row in rows(tmp_path, "long"))
    assert len(rows(tmp_path, "long")) < len(rows(tmp_path, "short"))


@pytest.mark.parametrize("kills", [1, pytest.param(6, marks=pytest.mark.slow)])
def test_a_kill_costs_nothing_that_was_finished(kills: int, tmp_path: Path) -> None:
    """Killed among the extensions, the same command gives the same bytes and repeats nothing."""
    folders = [tmp_path / name for name in ("whole", *map(str, range(kills)))]
    for folder in folders:
        folder.mkdir()
        engine = {"name": "scripted", "transcript": TRANSCRIPT, "latency": 0.002}
        spec_of(folder, generator={"model": "scripted", "engine": engine})
    assert run(folders[0], "release", "tiny.yaml").returncode == 0
    expected, everything = fingerprints(folders[0] / "dist"), len(asked(folders[0]))
    moments = random.Random(8)
    for folder in folders[1:]:
        process = start(folder, "release", "tiny.yaml")
        moment, end = moments.randrange(1, everything), time.monotonic() + 60
        while not (folder / TRANSCRIPT).exists() or len(asked(folder)) < moment:
            assert time.monotonic() < end, "the engine was not asked so much"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        again = run(folder, "release", "tiny.yaml")
        assert again.returncode == 0, again.stderr
        assert fingerprints(folder / "dist") == expected
        # What was in flight is asked again; that is at most the engine's 32, and one in writing.
        assert len(asked(folder)) <= everything + 33


def test_a_build_before_the_extension_says_what_is_missing(tmp_path: Path) -> None:
    """What is not there is not made up: the error names the config and the command."""
    spec, run_ = finished_run(
        tmp_path, 40, configs=CONFIGS | {"best": {}}, tags=["lengths", "response_quality"]
    )
    with pytest.raises(BuildError, match=r"config `(talks|pairs)`") as caught, run_.lock():
        build(spec, run_, quiet, print)
    assert "magpie-hub extend SPEC" in caught.value.hint


@pytest.mark.parametrize(
    ("config", "change"),
    [
        ("talks", {"turns": {"number": 3, "temperature": 0.3}}),
        ("talks", {"turns": {"number": 3, "system_prompt": "none"}}),
        ("pairs", {"samples": SAMPLES | {"temperature": 0.4}}),
    ],
)
def test_what_was_asked_otherwise_is_not_taken(
    config: str, change: dict[str, Any], release: Path
) -> None:
    """After an edit, rows that were extended by other settings are missing ones, not these."""
    edited = CONFIGS | {config: CONFIGS[config] | change}
    spec, run_ = load(str(spec_of(release, edited))), RunFolder(release / "run")
    with pytest.raises(BuildError, match=f"config `{config}`") as caught, run_.lock():
        build(spec, run_, quiet, print)
    assert "magpie-hub extend SPEC" in caught.value.hint


def test_another_judge_scores_the_samples_anew(release: Path) -> None:
    """Scores of a judge that the spec no longer names are not built into a release."""
    spec = load(str(spec_of(release, judge={"model": "org/other", "engine": "scripted"})))
    run_ = RunFolder(release / "run")
    with run_.lock():
        for stage in FIRST_ROUND:
            carry_out(stage, spec, run_)
        with pytest.raises(BuildError, match="config `pairs`: its samples are not scored"):
            build(spec, run_, quiet, print)
        carry_out(extend, spec, run_)
        build(spec, run_, quiet, print)
    assert {row["scorer"] for row in rows(release, "pairs")} == {"org/other"}


def test_the_same_samples_scored_by_two(tmp_path: Path) -> None:
    """A reward model and a judge may score the same samples, which are asked for once."""
    configs: dict[str, Any] = {
        "raw": {},
        "judged": {"from": "raw", "size": 20, "samples": SAMPLES, "default": True},
        "rewarded": {"from": "raw", "size": 20, "samples": SAMPLES | {"scored_by": "reward"}},
    }
    reward = {"model": "org/reward", "engine": "scripted"}
    tags: dict[str, Any] = {"lengths": {}, "response_quality": {}, "reward": reward}
    spec = load(str(spec_of(tmp_path, configs, tags=tags)))
    released(spec, RunFolder(tmp_path / "run"), tmp_path / "dist")
    assert len(asked(tmp_path)) == 4 * 20
    for name, scorer in {"judged": "scripted", "rewarded": "org/reward"}.items():
        assert {row["scorer"] for row in rows(tmp_path, name)} == {scorer}


def test_a_split_without_rows(release: Path) -> None:
    """A split that a spec asks for is there: where no row falls to it, the error says so."""
    rare = CONFIGS | {"pairs": CONFIGS["pairs"] | {"test": 0.0001}}
    before = fingerprints(release / "dist")
    with pytest.raises(BuildError, match=r"split `test`: `test: 0\.0001` shares out 2\d rows"):
        released(load(str(spec_of(release, rare))), RunFolder(release / "run"), release / "dist")
    assert fingerprints(release / "dist") == before


def test_samples_without_what_scores_them(tmp_path: Path) -> None:
    """The tag that scores samples has to be among the tags of the spec."""
    spec = load(str(spec_of(tmp_path, tags=["lengths"])))
    with pytest.raises(SpecError, match=r"configs\.pairs\.samples.*response_quality"):
        check(spec)


def test_an_unextended_run_opens_no_engine(tmp_path: Path) -> None:
    """A spec without turns and samples has no second round."""
    spec, run_ = finished_run(tmp_path, 20)
    with run_.lock():
        carry_out(extend, spec, run_)
    assert not (run_.path / "extensions").exists()

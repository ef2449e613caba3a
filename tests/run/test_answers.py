"""Several answer sets: other models answer the same instructions, each in shards of its own."""

import random
import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.errors import RunError, SpecError
from magpie_hub.records import Draw
from magpie_hub.run import begin
from magpie_hub.run.checking import check
from magpie_hub.run.graph import rows as drawn_and_answered
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from magpie_hub.spec.load import load
from tests.making import carry_out, finished_run, spec_file
from tests.run.answering import OWN, again, asked, keys, other, shards, stages
from tests.run.folders import CHATML, save_gguf
from tests.run.releasing import fingerprints, run, start


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run of a few rows have several units."""
    monkeypatch.setattr(begin, "UNIT_ROWS", 25)


def test_two_models_answer_the_same_draws(tmp_path: Path) -> None:
    """Each row says which model answered, and how; its uuid is of the draw and of the set."""
    _, run_ = finished_run(tmp_path, 60, **keys(tmp_path, OWN, other(tmp_path)))
    own, theirs = shards(run_, "responses/default"), shards(run_, "responses/other")

    kept = [row["index"] for row in shards(run_, "instructions") if row["rejection"] is None]
    assert [row["index"] for row in own] == [row["index"] for row in theirs] == kept
    draw = Draw("org/tiny", "org/own", "scripted", seed=0)
    for rows, name, model, heat in (
        (own, "own", "org/own", 0.0),
        (theirs, "other", "org/other", 0.7),
    ):
        assert [row["uuid"] for row in rows] == [draw.uuid(index, name) for index in kept]
        assert {row["model"] for row in rows} == {model}
        seeds = [row["gen_response_configs"]["seed"] for row in rows]
        assert seeds == [draw.seed_of(index, f"responses/{name}") for index in kept]
        assert {row["gen_response_configs"]["temperature"] for row in rows} == {heat}
    assert stages(tmp_path, "own") == {"instructions": 60, "responses/default": len(kept)}
    assert stages(tmp_path, "other") == {"responses/other": len(kept)}


def test_another_model_answers_first(tmp_path: Path) -> None:
    """The generator draws only; the first set lies in `responses/default` whatever its name."""
    spec, run_ = finished_run(tmp_path, 60, **keys(tmp_path, other(tmp_path), OWN))
    kept = len(shards(run_, "responses/default"))

    assert stages(tmp_path, "own") == {"instructions": 60, "responses/own": kept}
    assert stages(tmp_path, "other") == {"responses/default": kept}
    with run_.lock():
        carry_out(drawn_and_answered, spec, run_)
    assert (len(asked(tmp_path, "own")), len(asked(tmp_path, "other"))) == (60 + kept, kept)


def test_a_set_that_is_added_later_only_grows_the_run(tmp_path: Path) -> None:
    """Nothing that was there is asked for or written again; rows that come later get both sets."""
    _, run_ = finished_run(tmp_path, 50, **keys(tmp_path, {}, configs={}))
    before = fingerprints(run_.path / "responses")
    first = asked(tmp_path, "own")
    again(tmp_path, 50, **keys(tmp_path, {}, other(tmp_path)))

    assert fingerprints(run_.path / "responses").items() >= before.items()
    assert asked(tmp_path, "own") == first
    assert len(asked(tmp_path, "other")) == len(shards(run_, "responses/default"))
    again(tmp_path, 75, **keys(tmp_path, {}, other(tmp_path)))
    assert fingerprints(run_.path / "responses").items() >= before.items()
    lengths = [len(shards(run_, f"responses/{name}")) for name in ("default", "other")]
    assert lengths[0] == lengths[1] == len(asked(tmp_path, "other")) > 50


def test_answer_sets_are_never_mixed(tmp_path: Path) -> None:
    """A set that changed is refused by its key and both values; a set that is left out stays."""
    finished_run(tmp_path, 20, **keys(tmp_path, {}, other(tmp_path)))
    before = fingerprints(tmp_path / "run" / "responses")
    for changed, key, values in (
        (other(tmp_path, temperature=1.0), "responses.other.temperature", ("0.7", "1.0")),
        (other(tmp_path, model="org/third"), "responses.other.model", ("org/other", "org/third")),
    ):
        with pytest.raises(RunError, match=f"^`{key}`: .*`{values[0]}`.*`{values[1]}`"):
            again(tmp_path, 20, **keys(tmp_path, {}, changed))
    with pytest.raises(RunError, match=r"^`responses`: the first .* are `default`, .* are `other`"):
        again(tmp_path, 20, **keys(tmp_path, other(tmp_path)))

    again(tmp_path, 20, **keys(tmp_path, {}, configs={}))
    assert fingerprints(tmp_path / "run" / "responses") == before
    with pytest.raises(RunError, match=r"^`responses.other.temperature`"):
        again(tmp_path, 20, **keys(tmp_path, {}, other(tmp_path, temperature=1.0)))


def test_all_models_are_looked_at_at_once(tmp_path: Path) -> None:
    """Of two models that are missing both are named, before anything is asked."""
    gone = {"model": str(tmp_path / "gone.gguf"), "engine": "llama_cpp"}
    theirs = {"name": "other", "model": str(tmp_path / "lost.gguf"), "engine": "llama_cpp"}
    with pytest.raises(RunError, match=r"(?s)^2 things .*gone\.gguf.*lost\.gguf"):
        finished_run(tmp_path, 20, **keys(tmp_path, OWN, theirs, generator=gone))
    assert not (tmp_path / "run" / "run.json").exists()


def test_another_model_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    """The weights of an answer set are those that it began with; the key in the spec is named."""
    place = save_gguf(tmp_path / "m.gguf", CHATML, "llama", 2048)
    theirs = {"name": "other", "model": str(place), "engine": "llama_cpp"}
    given = keys(tmp_path, OWN, theirs, instructions={"rows": 9, "max_tokens": 512})
    spec, run_ = load(str(spec_file(tmp_path, **given))), RunFolder(tmp_path / "run")
    with run_.lock():
        begin.begin(spec, run_, print, draws=True)
        pinned = run_.state()["answers"]["other"]
        save_gguf(place, CHATML, "llama", 4096)
        with pytest.raises(RunError, match=f"^`responses.1.model`: .*`{pinned['revision']}`, now"):
            carry_out(drawn_and_answered, spec, run_)


def test_an_engine_that_is_unknown_is_named_by_its_place(tmp_path: Path) -> None:
    """The spec's fault is told with the line and the key of the set."""
    path = spec_file(tmp_path, **keys(tmp_path, OWN, other(tmp_path, engine="steam")))
    with pytest.raises(SpecError, match=r"`responses\.1\.engine`: .*`steam`"):
        check(load(str(path)))


@pytest.mark.parametrize("kills", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_kills_leave_the_same_answers_and_repeat_nothing(kills: int, tmp_path: Path) -> None:
    """After kill -9 at a random moment the same command ends in the same shards."""
    whole = _folder(tmp_path, "whole")
    assert run(whole, "generate", "tiny.yaml").returncode == 0
    stages_ = ("responses/default", "responses/other")
    expected = [shards(RunFolder(whole / "runs/tiny"), stage) for stage in stages_]
    everything = [_lines(whole / f"{name}.jsonl") for name in ("own", "other")]

    moments = random.Random(20261123)
    for number in range(kills):
        folder = _folder(tmp_path, f"killed-{number}")
        name = ("other", "own")[number % 2]
        process = start(folder, "generate", "tiny.yaml")
        _wait_for(folder / f"{name}.jsonl", moments.randrange(1, everything[name == "other"]))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        run_ = RunFolder(folder / "runs" / "tiny")
        done, before = _finished(run_), _lines(folder / "other.jsonl")
        assert run(folder, "generate", "tiny.yaml").returncode == 0
        assert [shards(run_, stage) for stage in stages_] == expected, f"kill {number}"
        repeated = done & {key["index"] for key in asked(folder, "other")[before:]}
        assert not repeated, f"kill {number}: asked again for {repeated}"


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    engines = {
        each: {"name": "scripted", "latency": 0.0005, "transcript": f"{each}.jsonl"}
        for each in ("own", "other")
    }
    answers = {"name": "other", "model": "org/other", "engine": engines["other"]}
    generator = {"model": "org/own", "engine": engines["own"]}
    spec_file(folder, 1200, generator=generator, responses=[{}, answers])
    return folder


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _wait_for(path: Path, requests: int) -> None:
    end = time.monotonic() + 60
    while _lines(path) < requests:
        assert time.monotonic() < end, "the engine was not asked so much"
        time.sleep(0.005)


def _finished(run_: RunFolder) -> set[int]:
    """Return the indices whose answers of the second set a killed run left in files."""
    found: set[int] = set()
    for unit in run_.units() if run_.started else ():
        if run_.finished("responses/other", unit):
            found |= set(pq.read_table(run_.shard("responses/other", unit))["index"].to_pylist())
        else:
            entries, _ = read(run_.journal("responses/other", unit))
            found |= {entry["index"] for entry in entries[1:]}
    return found

"""No row is lost, whatever a judge writes: it has its label, or a counted failure with a reason."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.engines.base import Completion
from magpie_hub.engines.scripted import Scripted
from magpie_hub.errors import Interrupted
from magpie_hub.records import MODEL_TAG_SHARD
from magpie_hub.run.asking import Asked, Made, ask
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from magpie_hub.shards.progress import tags
from magpie_hub.tag import TAGS
from magpie_hub.tag.base_response import BaseResponse
from magpie_hub.tag.judge import Judge, question
from tests.run.labelling import MOOD, TRANSCRIPT, answers, asked, judge, labels, quiet, tagged

REASONS = {"cut-off", "no-json", "wrong-form"}
ROWS = 400
SPOILT = 0.3


class Troubled(Scripted):
    """The scripted engine, but each answer is an error, with half a surrogate pair in it."""

    def take(self) -> Completion:
        """Return an error in place of what would have been written."""
        done = super().take()
        return Completion(
            done.key, "", "error", done.prompt_tokens, 0, 0.0, "scripted", "1", "no \ud83d memory"
        )


class Halting(Scripted):
    """The scripted engine, but its process is told to stop after 25 answers."""

    left = 25

    def take(self) -> Completion:
        """Return an answer, or be interrupted."""
        if not self.left:
            raise Interrupted("SIGTERM")
        self.left -= 1
        return super().take()


def quality(engine: Scripted) -> Asked:
    """Return what asks an engine for the tag `quality`."""
    asker = Judge(
        question("quality"), (0,), (1, 0), (1,), lambda text: engine.encode(text, special=False),
        engine.context_length,
    )  # fmt: skip
    return Asked(Made(TAGS["quality"], "tags/quality/1", "judge"), asker)


@pytest.fixture(scope="module")
def garbled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunFolder]:
    """A run of 400 draws whose judge garbles three answers of ten; and a tag that it must fail."""
    folder = tmp_path_factory.mktemp("garbled")
    names: dict[str, Any] = {"quality": {}, "category": {}, "response_quality": {}}
    hopeless = {"mood": MOOD | {"judge": judge(folder, garbled=1.0)}}
    _, run = tagged(folder, ROWS, tags=names | hopeless, judge=judge(folder, garbled=0.3))
    return folder, run


@pytest.mark.parametrize("name", ["quality", "category", "response_quality"])
def test_of_garbled_answers_no_row_is_lost(garbled: tuple[Path, RunFolder], name: str) -> None:
    """Every answered row is in the shard, with all its labels or with a reason and the raw text."""
    _, run = garbled
    made, rows = labels(run, name), answers(run)
    assert [row["uuid"] for row in made] == [row["uuid"] for row in rows]
    columns = [column for column in TAGS[name].columns if not column.endswith("_generator")]
    for row, answer in zip(made, rows, strict=True):
        empty = [row[column] is None for column in columns]
        if answer["rejection"] is not None:
            assert all(empty)
            assert (row["attempts"], row["failure"], row["raw"]) == (0, None, None)
        elif row["failure"] is None:
            assert not any(empty)
            assert row["raw"] is None
        else:
            assert all(empty)
            assert row["failure"] in REASONS
            assert isinstance(row["raw"], str)
            assert row["attempts"] == 3


@pytest.mark.parametrize("name", ["quality", "category", "response_quality", "mood"])
def test_the_counts_are_those_of_the_shards(garbled: tuple[Path, RunFolder], name: str) -> None:
    """What is told of a tag equals a count of its rows, one by one."""
    _, run = garbled
    rows = [row for row in labels(run, name) if row["attempts"]]
    told = tags(run)[name]
    assert told.rows == len(rows) == sum(row["rejection"] is None for row in answers(run)) > 300
    assert told.failed == dict(Counter(row["failure"] for row in rows if row["failure"]))
    assert told.failures == sum(row["failure"] is not None for row in rows)
    assert told.retried == sum(row["attempts"] > 1 for row in rows)
    assert told.cut == 0
    assert told.completion_tokens == sum(row["completion_tokens"] for row in rows)
    assert told.model == "judge"


def test_three_attempts_leave_the_third_power(garbled: tuple[Path, RunFolder]) -> None:
    """Three in ten first answers are of no use, and about one in forty rows after three."""
    told = [tags(garbled[1])[name] for name in ("quality", "category", "response_quality")]
    rows = sum(tag.rows for tag in told)
    assert sum(tag.retried for tag in told) / rows == pytest.approx(SPOILT, rel=0.15)
    assert 0 < sum(tag.failures for tag in told) / rows < 2 * SPOILT**3


def test_a_judge_that_always_fails(garbled: tuple[Path, RunFolder]) -> None:
    """All rows failing is a fact like any other: 100 %, each asked three times, none lost."""
    told = tags(garbled[1])["mood"]
    assert told.failures == told.retried == told.rows > 300
    assert set(told.failed) == REASONS


def test_rows_that_were_dropped_are_not_asked(garbled: tuple[Path, RunFolder]) -> None:
    """The judge was asked for the kept rows alone, as often as the shards say."""
    folder, run = garbled
    rejected = {n for n, row in enumerate(answers(run)) if row["rejection"] is not None}
    counted = Counter(asked(folder))
    assert rejected
    for name in ("quality", "category", "response_quality", "mood"):
        told = {(name, 0, n): row["attempts"] for n, row in enumerate(labels(run, name))}
        assert {key: counted[key] for key in told} == told
        assert all(told[name, 0, n] == 0 for n in rejected)


def test_every_request_has_a_seed_of_its_own(garbled: tuple[Path, RunFolder]) -> None:
    """No two rows, tags or attempts are drawn from one seed: a retry is not the same again."""
    lines = (garbled[0] / TRANSCRIPT).read_text().splitlines()
    seeds = [json.loads(line)["seed"] for line in lines]
    assert len(set(seeds)) == len(seeds) > 1_500


def test_labels_do_not_depend_on_order(tmp_path: Path) -> None:
    """One request at a time, 32, or shuffled answers: the shards hold the same."""
    found: list[Any] = []
    for options in ({"capacity": 1}, {"capacity": 32, "shuffle": False}, {"capacity": 32}):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        judged = judge(folder, garbled=0.3, **options)
        _, run = tagged(folder, 60, tags=["quality", "category"], judge=judged)
        found.append([labels(run, name) for name in ("quality", "category")])
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) > 40


def test_an_engine_that_fails_each_request(tmp_path: Path) -> None:
    """Errors of the engine are failures with its own words, half a character in them or not."""
    _, run = tagged(tmp_path, 20, tags=["lengths"])
    engine = Troubled(None, {})
    ask([quality(engine)], engine, run, quiet)
    [unit] = run.units()
    rows = run.read("tags/quality/1", unit, TAGS["quality"].shard).to_pylist()
    rows = [row for row in rows if row["attempts"]]
    assert {(row["failure"], row["raw"]) for row in rows} == {("engine-error", "no ? memory")}


def test_an_interrupted_unit_goes_on(tmp_path: Path) -> None:
    """What was answered before a signal is in the journal, and is not asked for again."""
    _, run = tagged(tmp_path, 60, tags=["lengths"])
    [unit] = run.units()
    halting = Halting(None, {"capacity": 4})
    with pytest.raises(Interrupted):
        ask([quality(halting)], halting, run, quiet)
    known = read(run.journal("tags/quality/1", unit))[0][1:]
    assert len(known) == 25
    engine = Scripted(None, {"transcript": str(tmp_path / "judged.jsonl")})
    told: list[tuple[int, int]] = []
    ask([quality(engine)], engine, run, lambda *said: told.append((said[1], said[2])))
    rows = run.read("tags/quality/1", unit, TAGS["quality"].shard).to_pylist()
    finished = {entry["index"] for entry in known}
    again = {index for _, _, index in asked(tmp_path)}
    assert finished | again == {n for n, row in enumerate(rows) if row["attempts"]}
    assert not finished & again
    assert not run.journal("tags/quality/1", unit).exists()
    assert told[-1] == (len(rows), len(rows))


def test_what_a_base_model_answers(tmp_path: Path) -> None:
    """A base model's answers are labels like a judge's, asked for once, with no model's name."""
    _, run = tagged(tmp_path, 20, tags=["lengths"])
    engine = Scripted(None, {"empty": 0.5})
    asker = BaseResponse((2,), (2,), lambda text: engine.encode(text, special=False), 10_000)
    ask([Asked(Made(TAGS["base_response"], "tags/base/1", "base"), asker)], engine, run, quiet)
    [unit] = run.units()
    rows = run.read("tags/base/1", unit, TAGS["base_response"].shard).to_pylist()
    assert set(rows[0]) == {"uuid", "base_output", *MODEL_TAG_SHARD}
    rows = [row for row in rows if row["attempts"]]
    assert {row["failure"] for row in rows if row["base_output"] is None} == {"empty"}
    assert 3 < sum(row["base_output"] is not None for row in rows) < 17

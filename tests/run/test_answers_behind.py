"""What comes behind several answer sets: labels, configs, extensions, the card."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.errors import BuildError, RunError
from magpie_hub.hub import SMOLLM2
from magpie_hub.run import begin
from magpie_hub.run.extending import extend
from magpie_hub.run.graph import rows as drawn_and_answered
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import carry_out, finished_run, released, spec_file
from tests.run.answering import CONFIGS, OWN, asked, built, keys, other, shards, stages


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run of a few rows have several units."""
    monkeypatch.setattr(begin, "UNIT_ROWS", 25)


def test_the_builder_takes_each_config_of_its_own_answers(tmp_path: Path) -> None:
    """What was dropped of one set is dropped there alone; instruction labels go with both."""
    tags = ["lengths", "language"]
    finished_run(tmp_path, 60, **keys(tmp_path, OWN, other(tmp_path), tags=tags))
    own, theirs = built(tmp_path, "raw"), built(tmp_path, "theirs")

    assert 0 < len(theirs) < len(own)
    assert not {row["uuid"] for row in own} & {row["uuid"] for row in theirs}
    languages = {row["messages"][0]["content"]: row["language"] for row in own}
    for row in theirs:
        assert row["model"] == "org/other"
        assert row["response_length"] == len(row["messages"][1]["content"])
        assert row["language"] == languages.get(row["messages"][0]["content"], row["language"])


def test_a_release_names_every_model(tmp_path: Path) -> None:
    """Both configs are published, and the card names who wrote them, at which revision and heat."""
    licences = {name: {"license": "mit"} for name in ("org/own", "org/other")}
    given = keys(tmp_path, OWN, other(tmp_path), card={"licences": licences})
    spec = load(str(spec_file(tmp_path, 40, **given)))
    released(spec, RunFolder(tmp_path / "run"), tmp_path / "dist")
    place = tmp_path / "dist" / "org" / "tiny"

    published = {name: pq.read_table(place / name).to_pylist() for name in CONFIGS}
    assert {row["model"] for row in published["theirs"]} == {"org/other"}
    card = (place / "README.md").read_text()
    assert "| answers `own` | `org/own` at `scripted`, temperature 0.0, top_p 1.0, at most" in card
    assert "| answers `other` | `org/other` at `scripted`, temperature 0.7, top_p 1.0, at" in card
    assert str(tmp_path) not in card + (place / "release.json").read_text()


def test_the_first_answers_may_be_of_no_config(tmp_path: Path) -> None:
    """Then only labels of instructions are made beside them; the card tells of the used ones."""
    configs = {"raw": False, "theirs": {"answers": "other"}}
    tags = ["quality", "response_quality", "neighbours"]
    licences = {name: {"license": "mit"} for name in ("org/own", "org/other")}
    given = keys(tmp_path, OWN, other(tmp_path), configs=configs, tags=tags)
    spec = load(str(spec_file(tmp_path, 40, **given, card={"licences": licences})))
    run_ = RunFolder(tmp_path / "run")
    released(spec, run_, tmp_path / "dist")

    made = {path.name for path in (run_.path / "tags").iterdir()}
    theirs = {path.name for path in (run_.path / "beside/responses/other/tags").iterdir()}
    assert (made, theirs) == ({"quality", "embedding"}, {"response_quality", "neighbours"})
    card = (tmp_path / "dist/org/tiny/README.md").read_text()
    assert "tag `quality`" in card
    assert "tag `response_quality`" in card


def test_labels_of_instructions_are_made_once(tmp_path: Path) -> None:
    """A judge is shown an instruction once for all sets, and each response that a config uses."""
    judge = {"name": "scripted", "transcript": str(tmp_path / "judge.jsonl")}
    unused = {"name": "unused", "temperature": 1.0}
    given = keys(
        tmp_path,
        OWN,
        other(tmp_path),
        unused,
        tags=["quality", "response_quality", "neighbours"],
        judge={"model": "judge", "engine": judge},
    )
    said: list[str] = []
    spec, run_ = load(str(spec_file(tmp_path, 60, **given))), RunFolder(tmp_path / "run")
    with run_.lock():
        carry_out(drawn_and_answered, spec, run_)
        carry_out(tag, spec, run_, warn=said.append)

    own, theirs = shards(run_, "responses/default"), shards(run_, "responses/other")
    kept = [[row["rejection"] is None for row in rows] for rows in (own, theirs)]
    judged = Counter(stage.split("/")[1] for stage in stages(tmp_path, "judge").elements())
    assert judged == {"quality": sum(kept[0]), "response_quality": sum(kept[0]) + sum(kept[1])}
    alone = sum(b and not a for a, b in zip(*kept, strict=True))
    assert len(said) == 1
    assert said[0].startswith(f"{alone} rows of `responses/other` get no label of their instruct")
    rows = {name: built(tmp_path, name) for name in CONFIGS}
    quality = {row["messages"][0]["content"]: row["input_quality"] for row in rows["raw"]}
    labelled = [row for row in rows["theirs"] if row["input_quality"] is not None]
    assert len(labelled) == len(rows["theirs"]) - alone > 0
    for row in labelled:
        assert row["input_quality"] == quality[row["messages"][0]["content"]]
    assert not (run_.path / "beside" / "responses" / "unused").exists()


def test_neighbours_are_rows_of_the_same_answers(tmp_path: Path) -> None:
    """A filter compares the earliest neighbour's uuid with the row's own: both are of one set."""
    given = keys(tmp_path, OWN, other(tmp_path), tags=["neighbours"], dedup={"near": False})
    finished_run(tmp_path, 400, **given)
    for name in CONFIGS:
        rows = {row["uuid"]: row for row in built(tmp_path, name)}
        near = [row for row in rows.values() if row["min_similar_uuid"] is not None]
        assert len(near) > 4
        assert all(row["min_similar_uuid"] in rows for row in near)
        assert {row["min_similar_uuid"] == row["uuid"] for row in near} == {True, False}


def test_extensions_are_asked_of_the_model_that_answered(tmp_path: Path) -> None:
    """Turns and samples of a config go to its set's model, behind its own responses."""
    configs = {
        **CONFIGS,
        "talks": {"from": "theirs", "answers": "other", "turns": 2},
        "pairs": {"answers": "other", "samples": {"number": 2, "scored_by": "response_quality"}},
    }
    given = keys(tmp_path, OWN, other(tmp_path), configs=configs, tags=["response_quality"])
    spec, run_ = finished_run(tmp_path, 30, **given)
    before = len(asked(tmp_path, "other"))
    with run_.lock():
        carry_out(extend, spec, run_)

    further = asked(tmp_path, "other")[before:]
    rows = built(tmp_path, "theirs")
    assert sum("place" in key for key in asked(tmp_path, "own")) == 0
    assert Counter(key["place"]["answers"] for key in further)[False] == len(rows)
    said = {row["uuid"]: row["messages"] for row in rows}
    talks = built(tmp_path, "talks")
    assert {row["uuid"] for row in talks} == set(said)
    assert all(row["messages"][:2] == said[row["uuid"]] for row in talks)
    assert {len(row["messages"]) for row in talks} == {2, 4}
    assert all(row["uuid"] in said for row in built(tmp_path, "pairs"))


def test_a_set_that_is_to_come_is_told(tmp_path: Path) -> None:
    """To build a config of answers that are not there names the command that makes them."""
    finished_run(tmp_path, 20, **keys(tmp_path, OWN, configs={}))
    spec_file(tmp_path, 20, **keys(tmp_path, OWN, other(tmp_path)))
    run_ = RunFolder(tmp_path / "run")
    with run_.lock(), pytest.raises(RunError, match="its rows are not all there yet"):
        carry_out(tag, load(str(tmp_path / "tiny.yaml")), run_)
    with pytest.raises(BuildError, match="`responses/other`"):
        built(tmp_path, "theirs")


@pytest.mark.slow
def test_smollm2_answers_at_two_temperatures(tmp_path: Path) -> None:
    """Of the real model two sets answer the same instructions, each as it was asked to."""
    engine = {"name": "llama_cpp", "parallel": 8}
    sets = [{"name": "cold", "temperature": 0}, {"name": "warm", "temperature": 1.0}]
    given = {
        "generator": {"model": SMOLLM2, "engine": engine},
        "instructions": {"rows": 16, "max_tokens": 64},
        "responses": [{**each, "max_tokens": 32} for each in sets],
        "configs": {"raw": {}, "warm": {"answers": "warm"}},
    }
    spec, run_ = load(str(spec_file(tmp_path, **given))), RunFolder(tmp_path / "run")
    released(spec, run_, tmp_path / "dist")

    cold, warm = (
        pq.read_table(tmp_path / "dist/org/tiny" / n).to_pylist() for n in ("raw", "warm")
    )
    asked_ = [{row["messages"][0]["content"] for row in rows} for rows in (cold, warm)]
    assert len(asked_[0] & asked_[1]) >= 4
    heats = [{row["gen_response_configs"]["temperature"] for row in rows} for rows in (cold, warm)]
    assert heats == [{0.0}, {1.0}]
    answers = [{row["messages"][1]["content"] for row in rows} for rows in (cold, warm)]
    assert not answers[0] & answers[1]
    assert not {row["uuid"] for row in cold} & {row["uuid"] for row in warm}

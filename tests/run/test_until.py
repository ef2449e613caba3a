"""A run goes on until enough is kept: no more is drawn than that takes, whatever comes between."""

import random
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest

from magpie_hub.engines import open_engine
from magpie_hub.errors import BuildError, Interrupted, RunError, SpecError
from magpie_hub.run import graph
from magpie_hub.run.checking import check
from magpie_hub.run.generation import generate
from magpie_hub.run.until import growth, next_round
from magpie_hub.shards.folder import RunFolder
from tests.making import carry_out, quiet, released
from tests.run.enough import asked, draws, funnel, kept, parquet, published, release, spec
from tests.run.releasing import fingerprints


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.95, 1.0])
@pytest.mark.parametrize(("rows", "in_flight"), [(50, 32), (2000, 8), (2000, 512), (9000, 64)])
def test_no_round_asks_for_much_more_than_it_takes(rows: int, in_flight: int, share: float) -> None:
    """Of rows kept by chance, the draws stay within the bound, and the rounds are few."""
    spare = max(in_flight, rows // 50)
    for seed in range(3):
        chance, drawn, found, rounds, needed = random.Random(seed), 0, 0, 0, 0
        while found < rows:
            more, rounds = next_round(rows - found, drawn, found, spare), rounds + 1
            for number in range(drawn + 1, drawn + more + 1):
                found += chance.random() < share
                needed = number if found == rows and not needed else needed
            drawn += more
        assert drawn - needed <= spare
        assert rounds <= (40 if share < 0.1 else 10)


@pytest.mark.parametrize(
    ("rows", "seed", "options"),
    [
        (40, 0, {"capacity": 4}),
        (40, 1, {"capacity": 4, "empty": 0.5, "loops": 0.2}),
        (60, 2, {"capacity": 100, "cut": 0.3}),
        (500, 3, {"capacity": 8, "empty": 0.3}),
        (2000, 4, {"capacity": 16}),
        (1500, 5, {"capacity": 16, "empty": 0, "cut": 0, "loops": 0, "leaks": 0, "colons": 0}),
    ],
)
def test_the_release_is_the_first_that_were_kept(
    tmp_path: Path, rows: int, seed: int, options: dict[str, Any]
) -> None:
    """Exactly the first N of a plain count are released; few more were asked for, none twice."""
    run = release(tmp_path, rows, seed=seed, options=options)

    passing = kept(run)
    stop = passing[rows - 1] + 1
    assert run.state()["until"]["stop"] == stop
    uuids = {row["uuid"] for row in published(tmp_path, "filtered")}
    answered = [row for unit in run.units() for row in run.answered(unit).to_pylist()]
    assert uuids == {row["uuid"] for row in answered if row["index"] in passing[:rows]}
    assert len(uuids) == rows
    assert 0 <= draws(tmp_path) - stop <= max(options["capacity"], rows // 50)
    assert set(asked(tmp_path).values()) == {1}
    # No unit reaches over the end of a round.
    assert {unit.stop for unit in run.units()} >= set(run.state()["growth"])


def test_every_config_sees_the_released_draws_alone(tmp_path: Path) -> None:
    """Parquet and funnels of all configs are those of a run of as many draws as are released."""
    near = {"dedup": {}}
    run = release(tmp_path / "until", 60, **near)
    stop = run.state()["until"]["stop"]
    assert stop < run.state()["growth"][-1]
    release(tmp_path / "rows", 60, instructions={"rows": stop}, **near)

    files = [parquet(tmp_path / name / "dist") for name in ("until", "rows")]
    assert files[0] == files[1]
    assert {name.split("/")[2] for name in files[0]} >= {"raw", "filtered", "few"}
    for name in ("raw", "filtered", "few"):
        first, second = (funnel(tmp_path / place, name) for place in ("until", "rows"))
        assert first == second
        assert first["drawn"] == stop


def test_interrupted_at_any_moment_it_comes_to_the_same(tmp_path: Path) -> None:
    """Stopped again and again, in every stage, it ends in the same bytes and asks nothing twice."""
    changes: dict[str, Any] = {"tags": ["lengths", "quality"]}
    release(tmp_path / "whole", 60, **changes)
    given, run = spec(tmp_path / "cut", 60, **changes), RunFolder(tmp_path / "cut" / "run")
    moments, stopped = random.Random(3), Counter[str]()

    for _ in range(200):
        left = moments.randrange(1, 90)

        def report(stage: str, *_: object, **__: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                stopped[stage] += 1
                raise Interrupted("SIGINT")

        try:
            target = str(tmp_path / "cut" / "dist")
            graph.release(given, run, graph.Wanted(target), report, print, print)
            break
        except Interrupted:
            continue
    assert {"instructions", "responses", "tag quality"} <= stopped.keys()
    assert fingerprints(tmp_path / "cut" / "dist") == fingerprints(tmp_path / "whole" / "dist")
    assert run.state()["growth"] == RunFolder(tmp_path / "whole" / "run").state()["growth"]


def test_more_rows_later(tmp_path: Path) -> None:
    """30 rows and then 80 are the 80 of one go, and nothing is asked for twice."""
    release(tmp_path / "grown", 30)
    release(tmp_path / "grown", 80)
    release(tmp_path / "once", 80)
    assert parquet(tmp_path / "grown" / "dist") == parquet(tmp_path / "once" / "dist")
    assert set(asked(tmp_path / "grown").values()) == {1}
    fewer = release(tmp_path / "grown", 50)
    assert fewer.state()["until"]["stop"] == kept(fewer)[49] + 1
    assert len(published(tmp_path / "grown", "filtered")) == 50


def test_the_most_draws(tmp_path: Path) -> None:
    """Where they do not suffice, the error shows what was kept; with more of them it goes on."""
    with pytest.raises(RunError, match=r"`instructions\.at_most`: all 60 draws are made") as caught:
        release(tmp_path, 55, at_most=60)
    run = RunFolder(tmp_path / "run")
    passing = len(kept(run))
    assert f"keeps {passing} ({passing / 60:.1%}) of them, expected 55: drawn 60," in str(
        caught.value
    )
    assert f"(at this yield about {-(-55 * 60 // passing)})" in caught.value.hint
    assert draws(tmp_path) == 60
    release(tmp_path, 55, at_most=500)
    assert len(published(tmp_path, "filtered")) == 55
    assert set(asked(tmp_path).values()) == {1}


def test_stage_by_stage(tmp_path: Path) -> None:
    """Each `generate` draws the round that is known; `tag` counts; an early build says so."""
    given, run, said = spec(tmp_path, 40), RunFolder(tmp_path / "run"), list[str]()
    stages = {"generate": graph.round_of_rows, "tag": graph.tags}
    rounds = []
    for _ in range(20):
        for name in ("generate", "generate", "tag"):
            carry_out(stages[name], given, run, quiet, said.append)
        rounds.append(draws(tmp_path))
        if run.state()["until"]["stop"] is not None:
            break
        with pytest.raises(BuildError, match="`until` asks for 40 rows: drawn ") as caught:
            carry_out(lambda *given: graph.build(*given[:4]), given, run)
        assert "`magpie-hub generate SPEC`" in caught.value.hint
    assert rounds == run.state()["growth"]
    assert len(rounds) > 1
    assert "is counted by `magpie-hub tag SPEC`; then `generate` draws more" in said[0]
    carry_out(generate, given, run)
    assert draws(tmp_path) == rounds[-1]
    with pytest.raises(BuildError, match="the rows that it keeps of") as caught:
        _asking_for(run, "filtered", 41)
    assert "`magpie-hub tag SPEC`" in caught.value.hint


def test_a_round_that_was_planned_and_not_begun_is_planned_anew(tmp_path: Path) -> None:
    """With fewer rows wanted, a round of which no file is there is taken back."""
    given, run = spec(tmp_path, 40), RunFolder(tmp_path / "run")
    for stage in graph.FIRST_ROUND:
        carry_out(stage, given, run)
    state = run.state()
    run.save(state | {"growth": [40, 5000]})
    carry_out(generate, given, run)
    assert run.state()["growth"] == growth(given, state, [40])
    assert draws(tmp_path) < 150


def test_neighbours_are_those_among_all_draws(tmp_path: Path) -> None:
    """A rule on repeats counts those behind the end too; the release has what was asked for."""
    configs = {"filtered": {"where": "repeat_count == 0", "default": True}}
    tags, dedup = ["lengths", "neighbours"], {"exact": False, "near": False}
    run = release(tmp_path, 60, tags=tags, configs=configs, dedup=dedup)
    released_rows, stage = (
        published(tmp_path, "filtered"),
        run.state()["tags"]["neighbours"]["stage"],
    )
    labels = [
        row for unit in run.units() for row in pq.read_table(run.shard(stage, unit)).to_pylist()
    ]
    alone = [row["uuid"] for row in labels if row["repeat_count"] == 0]
    assert {row["uuid"] for row in released_rows} == set(alone[:60])
    assert len(alone) > 60
    assert len(released_rows) == 60


@pytest.mark.parametrize("size", [{"size": 5}, {"filter": "pro-filter6"}])
def test_what_has_a_size_is_not_counted_through(tmp_path: Path, size: dict[str, Any]) -> None:
    """A config made of one that takes some of its rows cannot say how long to go on."""
    tags = ["lengths", "quality", "difficulty", "neighbours", "reward"]
    configs = {"some": size, "filtered": {"from": "some"}}
    reward = {"reward": {"model": "org/r", "engine": "transformers"}}
    given = spec(tmp_path, 5, tags={**dict.fromkeys(tags), **reward}, configs=configs)
    with pytest.raises(SpecError, match="made of `some`, which takes some of its rows by size"):
        check(given)


def test_more_rows_than_draws(tmp_path: Path) -> None:
    """What no yield could reach is refused before anything is drawn."""
    with pytest.raises(SpecError, match=r"`instructions\.at_most`: `9`, and each draw keeps one"):
        check(spec(tmp_path, 10, at_most=9))


def test_a_config_of_another_answer_set(tmp_path: Path) -> None:
    """What the second set keeps is counted where its config is named."""
    configs = {"filtered": {"filter": "finished", "answers": "b", "default": True}}
    sets = [{"name": "a"}, {"name": "b", "max_tokens": 60}]
    run = release(tmp_path, 30, responses=sets, configs=configs).of_answers("b")
    passing = kept(run)
    assert run.state()["until"]["stop"] == passing[29] + 1
    assert len(published(tmp_path, "filtered")) == 30


def test_models_that_take_turns_are_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another judge each round opens both again, which is said once; one model stays open."""
    opened = Mock(side_effect=open_engine)
    monkeypatch.setattr("magpie_hub.run.opened.open_engine", opened)
    for place, judge in (("one", {}), ("two", {"judge": {"model": "j", "engine": "scripted"}})):
        said: list[str] = []
        options = {"cut": 0.5, "capacity": 4}
        given = spec(tmp_path / place, 60, tags=["lengths", "quality"], options=options, **judge)
        run = RunFolder(tmp_path / place / "run")
        released(given, run, tmp_path / place / "dist", said.append)
        found = [line for line in said if "opens" in line]
        assert len(run.state()["growth"]) > 2
        assert len(found) == (place == "two")
        assert opened.call_count == (1 if place == "one" else 2 * len(run.state()["growth"]))
        opened.reset_mock()
        assert not found or "opens `scripted`, `j` anew" in found[0]


def _asking_for(run: RunFolder, config: str, rows: int) -> None:
    """Open a config of a run whose spec asks for other rows than were counted."""
    from builders.magpie import Magpie

    state = run.state()
    state["spec"]["instructions"]["until"]["rows"] = rows
    run.save(state)
    Magpie(config_name=config, data_dir=run.path)

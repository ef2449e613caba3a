"""Releases on the scripted engine: the same bytes anywhere, growth, interruption, one owner."""

import os
import re
import signal
import time
from pathlib import Path

import pyarrow as pa
import pytest

from magpie_hub.errors import BuildError, RunError, ShardError
from magpie_hub.records import RESPONSES
from magpie_hub.run.begin import begin
from magpie_hub.run.building import build
from magpie_hub.run.generation import generate
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.tag import TAGS
from tests.making import carry_out, finished_run, quiet, released, spec_file
from tests.run.releasing import fingerprints, run, start


def test_place_time_zone_and_locale_leave_no_trace(tmp_path: Path) -> None:
    """Two runs in other folders, time zones and locales give byte-identical release folders."""
    environments = (
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "America/Anchorage", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"},
    )
    releases = []
    for name, environment in zip(("a", "b/c"), environments, strict=True):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        spec_file(folder, 120)
        done = run(folder, "release", "tiny.yaml", **environment)
        assert done.returncode == 0, done.stderr
        releases.append(fingerprints(folder / "dist"))
    assert len(releases[0]) == 8
    assert releases[0] == releases[1]


def test_a_grown_run_is_the_run_that_was_long_from_the_start(tmp_path: Path) -> None:
    """40 rows grown to 100 give the release of 100 rows, and earlier rows are not asked again."""
    grown, long = tmp_path / "grown", tmp_path / "long"
    for folder, sizes in ((grown, (40, 100)), (long, (100,))):
        folder.mkdir()
        for rows in sizes:
            done = run(folder, "release", str(spec_file(folder, rows)), "--to", f"of-{rows}")
            assert done.returncode == 0, done.stderr
    assert fingerprints(grown / "of-100") == fingerprints(long / "of-100")
    assert [unit.stop for unit in RunFolder(grown / "runs" / "tiny").units()] == [40, 100]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"repo": "org/other"}, "repo"),
        ({"seed": 1}, "seed"),
        ({"responses": {"max_tokens": 7}}, "responses.max_tokens"),
        ({"instructions": {"rows": 20, "max_tokens": 7}}, "instructions.max_tokens"),
        (
            {"instructions": {"rows": 20, "sampling": [{"top_p": 0.5}]}},
            "instructions.sampling.0.top_p",
        ),
        ({"instructions": {"rows": 10}}, "instructions.rows"),
    ],
)
def test_two_populations_are_never_mixed(
    tmp_path: Path, change: dict[str, object], key: str
) -> None:
    """A change that would mix populations is refused; the message names the key and its values."""
    finished_run(tmp_path, 20)
    before = fingerprints(tmp_path / "run")
    changed = load(str(spec_file(tmp_path, 20, **change)))
    with pytest.raises(RunError, match=f"^`{re.escape(key)}`: the run in") as caught:
        released(changed, RunFolder(tmp_path / "run"), tmp_path / "dist")
    assert "--run DIR" in caught.value.hint
    assert fingerprints(tmp_path / "run") == before


def test_what_only_adds_goes_on(tmp_path: Path) -> None:
    """Another config and another engine option need no new run; only the build differs."""
    spec, folder = finished_run(tmp_path, 30)
    shards = fingerprints(tmp_path / "run" / "instructions")
    engine = {"name": "scripted", "capacity": 4}
    configs = {"raw": False, "all": {}, "short": {"filter": "finished", "default": True}}
    more = load(
        str(
            spec_file(
                tmp_path, 30, generator={"model": "scripted", "engine": engine}, configs=configs
            )
        )
    )
    made = released(more, folder, tmp_path / "dist")
    assert list(made.built.funnels) == ["all", "short"]
    assert {path.name for path in made.put.place.iterdir() if path.is_dir()} == {
        *("all", "short", "figures"),
    }
    assert fingerprints(tmp_path / "run" / "instructions") == shards
    assert spec.instructions == more.instructions


def test_an_unchanged_release_is_left_alone(tmp_path: Path) -> None:
    """Releasing twice changes nothing the second time."""
    spec, folder = finished_run(tmp_path, 30)
    first = released(spec, folder, tmp_path / "dist")
    times = {path: path.stat().st_mtime_ns for path in first.put.place.rglob("*")}
    second = released(spec, folder, tmp_path / "dist")
    assert (first.put.plan.changes, second.put.plan.changes) == (True, False)
    assert {path: path.stat().st_mtime_ns for path in second.put.place.rglob("*")} == times


def test_an_empty_config_fails_with_its_funnel_and_the_last_build_stays(tmp_path: Path) -> None:
    """Where every response was cut, `filtered` cannot be built; what was built before stays."""
    spec, folder = finished_run(tmp_path, 30, responses={"max_tokens": 2})
    with pytest.raises(BuildError, match=r"`filtered` ends empty: drawn 30, .*left 0"):
        build(spec, folder, quiet, print)
    assert not (folder.path / "build").exists()


@pytest.mark.parametrize("lost", ["instructions", "instructions and responses"])
def test_a_removed_shard_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """A shard that was removed from the middle of a run comes back, and the release is the same."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 20)
    spec, folder = finished_run(tmp_path, 80)
    first = released(spec, folder, tmp_path / "dist")
    unit = folder.units()[1]
    folder.shard("instructions", unit).unlink()
    if lost == "instructions and responses":
        folder.shard("responses/default", unit).unlink()
    again = released(spec, folder, tmp_path / "dist")
    assert (first.put.plan.changes, again.put.plan.changes) == (True, False)


def test_answers_to_other_instructions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where instructions are drawn anew and come out otherwise, journalled answers do not fit."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 20)
    _, folder = finished_run(tmp_path, 40)
    unit = folder.units()[0]
    folder.shard(RESPONSES, unit).unlink()
    folder.open_journal(RESPONSES, unit).close()
    folder.shard("instructions", unit).unlink()
    engine = {"name": "scripted", "empty": 0.5}
    other = load(str(spec_file(tmp_path, 40, generator={"model": "scripted", "engine": engine})))
    with pytest.raises(ShardError, match=r"responses/default/00000\.journal` belongs elsewhere"):
        released(other, folder, tmp_path / "dist")


def test_tags_of_answers_that_were_made_again_are_made_again(tmp_path: Path) -> None:
    """A tag shard whose response shard is another one by now is replaced without a word."""
    spec, folder = finished_run(tmp_path, 30)
    unit = folder.units()[0]
    stage = folder.state()["tags"]["lengths"]["stage"]
    table = folder.responses(unit)
    longer = [text + "!" for text in table["response"].to_pylist()]
    column = table.column_names.index("response")
    folder.write(RESPONSES, unit, table.set_column(column, "response", pa.array(longer)))
    assert not folder.tagged(stage, unit)
    carry_out(tag, spec, folder)
    assert folder.tagged(stage, unit)
    lengths = folder.read(stage, unit, TAGS["lengths"].shard)["response_length"].to_pylist()
    assert lengths == [len(text) for text in longer]


def test_rows_that_were_never_begun_can_be_taken_back(tmp_path: Path) -> None:
    """A slip in `rows` does no harm: `build` does not grow a run, and a growth can shrink again."""
    spec, folder = finished_run(tmp_path, 20)
    slip = load(str(spec_file(tmp_path, 900_000)))
    with pytest.raises(BuildError, match="20 of 900000 rows were begun"):
        build(slip, folder, quiet, print)
    assert begin(slip, folder, print, draws=True)
    assert folder.state()["growth"] == [20, 900_000]
    carry_out(generate, spec, folder)
    assert folder.state()["growth"] == [20]
    assert build(spec, folder, quiet, print).funnels["raw"].drawn == 20


def test_a_context_that_ends_responses_first_is_said(tmp_path: Path) -> None:
    """Where the engine's context is smaller than the limit, a warning and the card say so."""
    said: list[str] = []
    spec = load(str(spec_file(tmp_path, 20, responses={"max_tokens": 1_000_000})))
    made = released(spec, RunFolder(tmp_path / "run"), tmp_path, said.append)
    assert said == [
        (
            "responses may have 1,000,000 tokens, but the engine's context of 1,000,000 holds"
            " prompt and response together: it ends them first"
        )
    ]
    card = (made.put.place / "README.md").read_text()
    assert "| context of the engine | 1,000,000 tokens for prompt and completion together |" in card


@pytest.mark.parametrize(
    "name", ["SIGTERM", *(pytest.param(n, marks=pytest.mark.slow) for n in ("SIGINT", "SIGUSR1"))]
)
def test_a_signal_keeps_everything_and_exits_75(tmp_path: Path, name: str) -> None:
    """A signal ends a release at once with 75 and says how to go on; the same command does."""
    engine = {"name": "scripted", "latency": 0.02}
    spec_file(tmp_path, 200, generator={"model": "scripted", "engine": engine})
    process = start(tmp_path, "release", "tiny.yaml")
    journal = tmp_path / "runs" / "tiny" / "instructions" / "00000.journal"
    _wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 20)
    process.send_signal(signal.Signals[name])
    _, err = process.communicate(timeout=10)
    assert process.returncode == 75
    assert f"interrupted by {name}: everything finished is kept" in err
    assert "hint: go on with `magpie-hub release tiny.yaml`" in err
    assert "Traceback" not in err
    spec_file(tmp_path, 200)
    assert run(tmp_path, "release", "tiny.yaml").returncode == 0


def test_a_second_process_is_told_who_has_the_run(tmp_path: Path) -> None:
    """While one process works on a run, another one is refused and told the owner's number."""
    engine = {"name": "scripted", "latency": 0.02}
    spec_file(tmp_path, 200, generator={"model": "scripted", "engine": engine})
    first = start(tmp_path, "generate", "tiny.yaml")
    journal = tmp_path / "runs" / "tiny" / "instructions" / "00000.journal"
    _wait_for(journal.exists)
    second = run(tmp_path, "generate", "tiny.yaml")
    first.kill()
    first.communicate()
    assert second.returncode == 1
    assert f"is in use by process {first.pid} on {os.uname().nodename}" in second.stderr


def _wait_for(condition: "object", seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)

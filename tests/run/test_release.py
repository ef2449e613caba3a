"""Releases on the scripted engine: the same bytes anywhere, growth, interruption, one owner."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from magpie_hub.errors import BuildError, RunError
from magpie_hub.run import graph
from magpie_hub.run.building import build
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import finished_run, quiet, spec_file
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
    assert len(releases[0]) == 4
    assert releases[0] == releases[1]


def test_a_grown_run_is_the_run_that_was_long_from_the_start(tmp_path: Path) -> None:
    """40 rows grown to 100 give the release of 100 rows, and earlier rows are not asked again."""
    grown, long = tmp_path / "grown", tmp_path / "long"
    for folder, sizes in ((grown, (40, 100)), (long, (100,))):
        folder.mkdir()
        for rows in sizes:
            done = run(folder, "release", str(spec_file(folder, rows)))
            assert done.returncode == 0, done.stderr
    assert fingerprints(grown / "dist") == fingerprints(long / "dist")
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
        graph.release(changed, RunFolder(tmp_path / "run"), tmp_path / "dist", quiet, print)
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
    released = graph.release(more, folder, tmp_path / "dist", quiet, print)
    assert list(released.built.funnels) == ["all", "short"]
    assert sorted(path.name for path in released.place.iterdir() if path.is_dir()) == [
        "all",
        "short",
    ]
    assert fingerprints(tmp_path / "run" / "instructions") == shards
    assert spec.instructions == more.instructions


def test_an_unchanged_release_is_left_alone(tmp_path: Path) -> None:
    """Releasing twice changes nothing the second time."""
    spec, folder = finished_run(tmp_path, 30)
    first = graph.release(spec, folder, tmp_path / "dist", quiet, print)
    times = {path: path.stat().st_mtime_ns for path in first.place.rglob("*")}
    second = graph.release(spec, folder, tmp_path / "dist", quiet, print)
    assert (first.changed, second.changed) == (True, False)
    assert {path: path.stat().st_mtime_ns for path in second.place.rglob("*")} == times


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
    first = graph.release(spec, folder, tmp_path / "dist", quiet, print)
    unit = folder.units()[1]
    folder.shard("instructions", unit).unlink()
    if lost == "instructions and responses":
        folder.shard("responses/default", unit).unlink()
    again = graph.release(spec, folder, tmp_path / "dist", quiet, print)
    assert (first.changed, again.changed) == (True, False)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
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

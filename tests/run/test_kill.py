"""A release that is killed goes on, asks for nothing twice, and ends in the same bytes."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from tests.making import spec_file
from tests.run.releasing import fingerprints, run, start

ROWS = 2200
SEED = 20261122


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_leave_the_same_release_and_repeat_nothing(kills: int, tmp_path: Path) -> None:
    """After kill -9 at a random moment the same command gives the bytes of an uninterrupted run."""
    whole = _folder(tmp_path, "whole")
    done = run(whole, "release", "tiny.yaml")
    assert done.returncode == 0, done.stderr
    expected = fingerprints(whole / "dist")
    assert set(expected) >= {"org/tiny/README.md", "org/tiny/filtered/train-00000-of-00001.parquet"}
    everything = len(_asked(whole))

    moments = random.Random(SEED)
    caught = []
    for number in range(kills):
        folder = _folder(tmp_path, f"killed-{number}")
        process = start(folder, "release", "tiny.yaml")
        # Three in four while the model works, the others behind it: tags, build, the swap.
        behind = number % 4 == 3
        _wait_for(folder, everything if behind else moments.randrange(1, everything))
        time.sleep(moments.uniform(0, 1.5 if behind else 0.01))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finished = _finished(folder)
        asked = _asked(folder)
        again = run(folder, "release", "tiny.yaml")
        assert again.returncode == 0, again.stderr
        assert fingerprints(folder / "dist") == expected, f"kill {number}"
        repeated = finished & _asked(folder, skip=len(asked))
        assert not repeated, f"kill {number} at {len(finished)}: asked again for {repeated}"
        caught.append(len(finished))
    # That the moments were spread over the run, and not all before or behind the work.
    assert len({count for count in caught if 0 < count < everything}) >= kills // 2, caught


def _wait_for(folder: Path, requests: int) -> None:
    """Wait until the engine was asked so many requests."""
    transcript = folder / "transcript.jsonl"
    end = time.monotonic() + 60
    while not transcript.exists() or transcript.read_bytes().count(b"\n") < requests:
        assert time.monotonic() < end, "the engine was not asked so much"
        time.sleep(0.01)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    engine = {"name": "scripted", "latency": 0.0005, "transcript": "transcript.jsonl"}
    spec_file(folder, ROWS, generator={"model": "scripted", "engine": engine})
    return folder


def _asked(folder: Path, skip: int = 0) -> set[tuple[str, int]]:
    """Return the (stage, index) of the requests that the engine was asked, but for the first."""
    try:
        lines = (folder / "transcript.jsonl").read_text().splitlines()[skip:]
    except FileNotFoundError:
        return set()
    keys = [json.loads(line)["key"] for line in lines]
    asked = {(key["stage"], key["index"]) for key in keys}
    assert len(asked) == len(lines), "one process asked twice for the same"
    return asked


def _finished(folder: Path) -> set[tuple[str, int]]:
    """Return the (stage, index) of the completions that a killed run left in files."""
    run_folder = RunFolder(folder / "runs" / "tiny")
    if not run_folder.started:
        return set()
    found: set[tuple[str, int]] = set()
    for unit in run_folder.units():
        for stage, rows in (
            ("instructions", run_folder.instructions),
            ("responses/default", run_folder.responses),
        ):
            if run_folder.finished(stage, unit):
                indices = rows(unit)["index"].to_pylist()
            else:
                entries, _ = read(run_folder.journal(stage, unit))
                indices = [entry["index"] for entry in entries[1:]]
            found |= {(stage, index) for index in indices}
    return found

"""The stage that labels: each model opened once, no row asked about twice, a kill costs nothing."""

import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from magpie_hub.engines.base import Engine
from magpie_hub.engines.scoring import Scorer
from magpie_hub.run.building import build
from magpie_hub.run.opened import Models
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from magpie_hub.spec.load import load
from magpie_hub.spec.sections import Model
from tests.making import released, spec_file
from tests.run.labelling import MOOD, asked, judge, labels, quiet, stage_of, tagged
from tests.run.releasing import fingerprints, run, start

ALL = {
    **{name: {} for name in ("quality", "difficulty", "category", "response_quality")},
    "mood": MOOD,
}
VERDICTS = {"safe": "(?s)You asked: .*", "unsafe": "(?s)You asked: W.*(?P<categories>)"}


class Counting(Models):
    """Counts what it opens."""

    def __init__(self) -> None:
        """Open nothing yet."""
        super().__init__()
        self.opened: list[str] = []

    def _keep(self, opened: Engine | Scorer, section: Model, weights: Path | None) -> None:
        self.opened.append(section.model)
        super()._keep(opened, section, weights)


def guard(**options: object) -> dict[str, object]:
    """Return a guard of which the scripted engine's answers are verdicts."""
    adapter = VERDICTS | {"max_tokens": 1_000}
    return {"model": "guard", "engine": {"name": "scripted", **options}, "adapter": adapter}


def test_one_model_for_generation_and_every_tag(tmp_path: Path) -> None:
    """Five judges and a guard, all the generator: it is opened once for everything."""
    models = Counting()
    tagged(tmp_path, 40, models, tags=ALL | {"safety": guard()})
    assert models.opened == ["scripted"]


def test_the_open_model_goes_first(tmp_path: Path) -> None:
    """Of two judges the generator's tags come first, whatever their order; none is opened twice."""
    models = Counting()
    tags = {"quality": {"judge": judge(tmp_path)}, "category": {}, "mood": MOOD}
    tags["mood"] = MOOD | {"judge": judge(tmp_path)}
    tagged(tmp_path, 40, models, tags=tags)
    assert models.opened == ["scripted", "judge"]
    assert {name for name, _, _ in asked(tmp_path)} == {"quality", "mood"}


def test_a_finished_run_opens_nothing(tmp_path: Path) -> None:
    """Nothing is missing, so no engine is opened and nobody is asked; nor after another filter."""
    changes: dict[str, Any] = {"tags": {"lengths": {}, "quality": {}}, "judge": judge(tmp_path)}
    tagged(tmp_path, 40, **changes)
    before = len(asked(tmp_path))
    for configs in ({}, {"filtered": {"filter": "finished"}}, {"raw": False, "all": {}}):
        models = Counting()
        tagged(tmp_path, 40, models, configs=configs, **changes)
        assert models.opened == []
    assert len(asked(tmp_path)) == before > 30


def test_rows_that_are_added_are_asked_about_alone(tmp_path: Path) -> None:
    """Growth asks for the new rows of each tag, and the shards of the old ones stay as they are."""
    changes: dict[str, Any] = {"tags": ALL, "judge": judge(tmp_path, garbled=0.3)}
    _, grown = tagged(tmp_path, 40, **changes)
    before = len(asked(tmp_path))
    shards = {name: grown.shard(stage_of(grown, name), grown.units()[0]) for name in ALL}
    bytes_ = {name: path.read_bytes() for name, path in shards.items()}
    tagged(tmp_path, 70, **changes)
    again = asked(tmp_path, skip=before)
    assert {unit for _, unit, _ in again} == {1}
    assert {name for name, _, _ in again} == set(ALL)
    assert {name: path.read_bytes() for name, path in shards.items()} == bytes_


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        ({"mood": MOOD | {"prompt": "Once more: {{ instruction }}"}}, {"mood"}),
        ({"quality": {"judge": "another"}}, {"quality"}),
        ({"difficulty": {}}, {"difficulty"}),
    ],
    ids=["prompt", "judge", "new tag"],
)
def test_a_change_asks_for_its_own_tag_alone(
    tmp_path: Path, change: dict[str, Any], moved: set[str]
) -> None:
    """Another prompt, another judge, a tag more: the labels of every other tag stay."""
    tags = {"quality": {}, "category": {}, "mood": MOOD}
    tagged(tmp_path, 30, tags=tags, judge=judge(tmp_path))
    before = len(asked(tmp_path))
    if change.get("quality"):
        change = {"quality": {"judge": judge(tmp_path) | {"model": "another"}}}
    _, changed = tagged(tmp_path, 30, tags=tags | change, judge=judge(tmp_path))
    assert {name for name, _, _ in asked(tmp_path, skip=before)} == moved
    named = {row["quality_generator"] for row in labels(changed, "quality") if row["attempts"]}
    assert named == {"another" if "quality" in moved else "judge"}


def test_the_card_says_what_the_shards_hold(tmp_path: Path) -> None:
    """Rows, failures, share, retries and reasons on the card are a count of the shards' rows."""
    hopeless = MOOD | {"judge": judge(tmp_path, garbled=1.0)}
    tags = {"lengths": {}, "quality": {}, "category": {}, "mood": hopeless}
    spec = load(
        str(spec_file(tmp_path, 150, configs={}, tags=tags, judge=judge(tmp_path, garbled=0.5)))
    )
    folder = RunFolder(tmp_path / "run")
    made = released(spec, folder, tmp_path / "dist")
    card = (made.put.place / "README.md").read_text()
    for name in ("quality", "category", "mood"):
        rows = [row for row in labels(folder, name) if row["attempts"]]
        failed = Counter(row["failure"] for row in rows if row["failure"])
        retried = sum(row["attempts"] > 1 for row in rows)
        table = card.partition("\n## Tags\n")[2].partition("\n## ")[0]
        [cells] = [
            [cell.strip(" `") for cell in line.strip("|").split("|")]
            for line in table.splitlines()
            if line.startswith(f"| `{name}` | `judge` |")
        ]
        assert cells[2:4] == [str(len(rows)), str(failed.total())]
        assert float(cells[4].rstrip(" %")) == pytest.approx(
            100 * failed.total() / len(rows), abs=0.06
        )
        assert cells[5:] == [str(retried), "0"]
        reasons = ", ".join(f"`{reason}` {n}" for reason, n in sorted(failed.items()))
        assert f"Why `{name}` failed: {reasons}." in card
    assert 0 < sum(row["mood"] is None for row in labels(folder, "mood")) >= len(rows)
    published = pq.read_table(next(made.put.place.glob("raw/*.parquet"))).to_pylist()
    assert {row["mood"] for row in published} == {None}
    assert sum(row["input_quality"] is None for row in published) == sum(
        row["failure"] is not None for row in labels(folder, "quality")
    )


def test_what_a_guard_does_not_say_is_never_safe(tmp_path: Path) -> None:
    """Rows without a verdict are null and counted; the card names the guard and the share."""
    tags = {"lengths": {}, "safety": guard(empty=0.3)}
    spec, folder = tagged(tmp_path, 100, tags=tags)
    rows = [row for row in labels(folder, "safety") if row["attempts"]]
    assert {(row["safety"], row["failure"]) for row in rows} == {
        ("safe", None), ("unsafe", None), (None, "no-verdict"),
    }  # fmt: skip
    assert {row["attempts"] for row in rows} == {1}
    failed = sum(row["failure"] is not None for row in rows)
    build(spec, folder, quiet, print)
    published = pq.read_table(next((folder.path / "build").glob("raw/*.parquet"))).to_pylist()
    card = (folder.path / "build" / "README.md").read_text()
    assert f"| `safety` | `guard` | {len(rows)} | {failed} |" in card
    assert f"`guard` calls {_share(published, 'safe')} of the rows safe" in card
    assert f"{_share(published, None)} have no verdict" in card
    assert "Nothing has screened" not in card


def _share(rows: list[dict[str, Any]], verdict: str | None) -> str:
    return f"{sum(row['safety'] == verdict for row in rows) / len(rows):.1%}".replace("%", " %")


KILLS = (20, 180)


@pytest.mark.slow
def test_a_killed_run_repeats_no_finished_tag(tmp_path: Path) -> None:
    """After SIGKILL the same command asks for nothing that was finished, and ends the same."""
    whole = _killable(tmp_path / "whole")
    assert run(whole, "release", "tiny.yaml").returncode == 0
    expected, everything = fingerprints(whole / "dist"), len(asked(whole))
    assert everything > max(KILLS)
    for moment in KILLS:
        folder = _killable(tmp_path / str(moment))
        process = start(folder, "release", "tiny.yaml")
        _wait_for(folder / "judged.jsonl", moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        finished, before = _finished(folder), len(asked(folder))
        done = run(folder, "release", "tiny.yaml")
        assert done.returncode == 0, done.stderr
        assert fingerprints(folder / "dist") == expected
        assert not finished & set(asked(folder, skip=before))
        assert len(finished) > moment // 3


def _killable(folder: Path) -> Path:
    """Write a spec of a slow judge that fails now and then, and return its folder."""
    folder.mkdir()
    engine = {
        "name": "scripted", "transcript": "judged.jsonl", "garbled": 0.3, "latency": 0.002,
        "capacity": 4,
    }  # fmt: skip
    tags: dict[str, Any] = {"quality": {}, "category": {}, "response_quality": {}}
    spec_file(folder, 80, configs={}, tags=tags, judge={"model": "judge", "engine": engine})
    return folder


def _wait_for(transcript: Path, requests: int) -> None:
    end = time.monotonic() + 60
    while not transcript.exists() or transcript.read_bytes().count(b"\n") < requests:
        assert time.monotonic() < end, "the judge was not asked so much"
        time.sleep(0.005)


def _finished(folder: Path) -> set[tuple[str, int, int]]:
    """Return the (tag, unit, index) that a killed run left in shards and journals."""
    killed = RunFolder(folder / "runs" / "tiny")
    found = set()
    for name in killed.state()["tags"]:
        for unit in killed.units():
            stage = stage_of(killed, name)
            if killed.finished(stage, unit):
                rows = pq.read_table(killed.shard(stage, unit), columns=["attempts"]).to_pylist()
                indices = [n for n, row in enumerate(rows) if row["attempts"]]
            else:
                indices = [entry["index"] for entry in read(killed.journal(stage, unit))[0][1:]]
            found |= {(name, unit.number, index) for index in indices}
    return found

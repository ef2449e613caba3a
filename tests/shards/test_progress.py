"""The progress of a run is what its files hold, whatever moment they are asked at."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.errors import RunError
from magpie_hub.records import INSTRUCTIONS, RESPONSES, Unit
from magpie_hub.run.extending import extend
from magpie_hub.run.generation import generate
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import Progress, extension, progress, rate
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import carry_out, finished_run, spec_file

STAGES = {
    "instructions": Progress(rows=10, of=100, rejected={"empty": 2}, tokens=300, seconds=20.0),
    "responses": Progress(rows=4, of=5, rejected={}, tokens=700, seconds=40.0),
}


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units have 10 rows."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 10)


def test_a_finished_run(tmp_path: Path) -> None:
    """Rows, reasons, tokens and seconds are those that plain counting finds in the shards."""
    _, run = finished_run(tmp_path, 45)
    drawn = [row for unit in run.units() for row in run.instructions(unit).to_pylist()]
    answers = [row for unit in run.units() for row in run.responses(unit).to_pylist()]
    kept = [row for row in drawn if row["rejection"] is None]
    assert 0 < len(kept) < 45

    found = progress(run)

    for stage, rows, of in (("instructions", drawn, 45), ("responses", answers, len(kept))):
        assert (found[stage].rows, found[stage].of) == (of, of)
        reasons = Counter(row["rejection"] for row in rows if row["rejection"])
        assert found[stage].rejected == reasons
        assert found[stage].tokens == sum(row["completion_tokens"] for row in rows)
        assert found[stage].seconds == pytest.approx(sum(row["seconds"] for row in rows))


def test_a_run_that_goes_on(tmp_path: Path) -> None:
    """At every completion, half-way through journals, the count is what the run itself reports."""
    spec, run = load(str(spec_file(tmp_path, 25))), RunFolder(tmp_path / "run")
    seen = []

    def report(stage: str, done: int, *_: int) -> None:
        seen.append((progress(run)[stage].rows, done))

    carry_out(generate, spec, run, report)

    assert len(seen) > 25
    assert all(found == done for found, done in seen)


def test_a_journal_left_behind(tmp_path: Path) -> None:
    """A kill between a shard and the end of its journal counts no row twice."""
    _, run = finished_run(tmp_path, 20)
    before = progress(run)
    for stage in (INSTRUCTIONS, RESPONSES):
        journal = run.open_journal(stage, run.units()[0])
        journal.append({"index": 0, "completion_tokens": 5, "seconds": 1.0})
        journal.close()

    assert progress(run) == before


def test_no_run(tmp_path: Path) -> None:
    """Where there is no run there is no progress."""
    with pytest.raises(RunError, match="there is no run"):
        progress(RunFolder(tmp_path))


def test_rate() -> None:
    """1,000 tokens in 60 engine seconds; nothing is in at the start, and nothing is divided."""
    assert rate(STAGES) == pytest.approx(1000 / 60)
    assert rate({"instructions": Progress(0, 100, {}, 0, 0.0)}) == 0


def test_an_extension(tmp_path: Path) -> None:
    """Completions, rows and tokens of further turns are those of the shard, and of a journal."""
    _, run = finished_run(tmp_path, 20, configs={"mt": {"turns": 2}})
    carry_out(extend, *_loaded(tmp_path))
    folder = ExtensionFolder(run, run.state()["extensions"]["mt"])
    rows = pq.read_table(folder.shard(folder.stage, Unit(0, 0, 0))).to_pylist()
    found = extension(folder)
    assert (found.completions, found.rows) == (len(rows), len({row["index"] for row in rows}))
    assert found.rejected == Counter(row["rejection"] for row in rows if row["rejection"])
    assert found.tokens == sum(row["completion_tokens"] for row in rows)
    assert found.seconds == pytest.approx(sum(row["seconds"] for row in rows))

    journal = folder.open_unit(1, [99])
    journal.append({"index": 99, "completion_tokens": 5, "seconds": 1.0})
    journal.close()
    more = extension(folder)
    assert (more.completions, more.rows) == (found.completions + 1, found.rows + 1)
    assert more.tokens == found.tokens + 5


def test_answer_sets_are_told_apart(tmp_path: Path) -> None:
    """The second set has a progress of its own, under its name."""
    sets = [{"name": "a"}, {"name": "b", "max_tokens": 9}]
    _, run = finished_run(tmp_path, 20, responses=sets, configs={"raw": {}})
    found = progress(run)
    assert list(found) == ["instructions", "responses", "responses b"]
    assert found["responses"].rows == found["responses b"].rows == found["responses"].of
    assert found["responses b"].tokens < found["responses"].tokens


def _loaded(folder: Path) -> tuple[Spec, RunFolder]:
    run = RunFolder(folder / "run")
    return Spec.model_validate(run.state()["spec"]), run

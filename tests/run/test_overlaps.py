"""Rows that overlap a benchmark: dropped, or marked; whole runs, through the command line."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.run.curated import kept, rows, steps
from tests.run.importing import published, release


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


BENCHMARK = [
    "A train leaves the station at noon and drives at eighty miles an hour. Where is it?",
    "Why is the sky blue?",
]
SEEN = [
    "Tell me: a train leaves the station at noon and drives at ninety. How far does it get?",
    "why is the sky BLUE",
    "A train leaves the station at noon. Where to?",
    "Which train is the fastest?",
]
"""The first has 11 words of BENCHMARK in a row, the second all of a short one, the third 7."""


@pytest.mark.parametrize(
    ("words", "keep", "overlaps"),
    [(13, False, [1]), (8, False, [0, 1]), (8, True, [0, 1]), (7, False, [0, 1, 2])],
)
def test_rows_that_overlap_a_benchmark(words: int, keep: bool, overlaps: list[int]) -> None:
    """They are dropped, or kept and marked; the funnel, or the column, names the benchmark."""
    asked = {"benchmarks": [rows("exam.jsonl", BENCHMARK)], "words": words, "keep": keep}
    release(source=rows("ours.jsonl", SEEN), tags=[], decontaminate=asked)

    marks = [row["benchmark_overlap"] for row in published()]
    card = Path("dist/org/t/README.md").read_text()
    assert f"{len(overlaps)} of the answered rows share {words} words in a row" in card
    if keep:
        assert kept() == SEEN
        assert marks == ["exam.jsonl" if n in overlaps else None for n in range(4)]
        assert steps() == []
    else:
        assert kept() == [text for n, text in enumerate(SEEN) if n not in overlaps]
        assert set(marks) == {None}
        assert steps() == [("benchmark", "exam.jsonl", len(overlaps))]


def test_benchmarks_of_every_kind() -> None:
    """A list of files and folders, one with a column of its own; each row goes to the first."""
    Path("exam").mkdir()
    pq.write_table(pa.table({"question": BENCHMARK[1:]}), "exam/train.parquet")
    files = [rows("maths.jsonl", BENCHMARK[:1], "problem"), rows("2/maths.jsonl", SEEN[2:3])]
    benchmarks = [str(Path(name).absolute()) for name in (*files, "exam")]
    renamed = {"files": [benchmarks[0]], "columns": {"instruction": "problem"}}
    asked = {"benchmarks": [renamed, *benchmarks[1:]], "words": 8}

    release(source=rows("ours.jsonl", SEEN), tags=[], decontaminate=asked)

    assert kept() == SEEN[3:]
    found = {("benchmark", name, 1) for name in ("exam", "maths.jsonl", "maths.jsonl (2)")}
    assert set(steps()) == found

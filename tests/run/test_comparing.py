"""The neighbour columns of a run are those of the published datasets, made for all of its rows."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from builders.magpie import Magpie
from magpie_hub.errors import RunError
from magpie_hub.records import RESPONSES
from magpie_hub.run.importing import take_in
from magpie_hub.run.opened import Models
from magpie_hub.run.tagging import tag
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.tag.embedders import open_embedder
from tests.run.labelling import answers, labels, quiet, stage_of, tagged

ROWS = 2_000
WORDS = (
    "river bridge garden winter letter engine violin market shadow copper planet kettle "
    "harvest signal carpet window doctor island pepper rocket puzzle basket tunnel mirror"
)


def texts() -> list[str]:
    """Return 2,000 instructions; one in four is another's words in another order, or with more."""
    draw, words = Random(4), WORDS.split()
    made: list[str] = []
    for number in range(ROWS):
        if number % 4 == 3:
            earlier = draw.choice(made[-200:]).split()
            draw.shuffle(earlier)
            made.append(" ".join([*earlier, *["please"] * (number // 4 % 3)]))
        else:
            made.append(" ".join([*draw.choices(words, k=12), str(number)]))
    return made


def imported(folder: Path, instructions: list[str]) -> RunFolder:
    """Return a run of rows that others made, with its neighbours; every tenth has no answer."""
    rows = [
        {"uuid": f"u{n}", "instruction": text, "response": "" if n % 10 == 9 else "Yes."}
        for n, text in enumerate(instructions)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    spec = folder / "tiny.yaml"
    spec.write_text(f"{{repo: org/t, source: {folder / 'rows.jsonl'}, tags: [neighbours]}}")
    run, loaded = RunFolder(folder / "run"), load(str(spec))
    with run.lock(), Models() as models:
        take_in(loaded, run, quiet, print, models)
        tag(loaded, run, quiet, print, models)
    return run


def brute_force(uuids: list[str], instructions: list[str]) -> list[tuple[float, int, str | None]]:
    """Return distance, count and earliest of each row, by comparing each with each."""
    vectors = open_embedder("static", {}).embed(uuids, instructions).astype(np.float64)
    squares = (vectors**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * vectors @ vectors.T
    np.fill_diagonal(distances, np.inf)
    near = distances < 0.05
    earliest = np.minimum(near.argmax(axis=1), np.arange(len(uuids)))
    return [
        (distances[n].min(), int(near[n].sum()), uuids[earliest[n]] if near[n].any() else None)
        for n in range(len(uuids))
    ]


def told(run: RunFolder) -> list[tuple[str, float, int, str | None]]:
    """Return uuid, distance, count and earliest of the rows of a run that have them."""
    names = ("uuid", "min_neighbor_distance", "repeat_count", "min_similar_uuid")
    rows = [tuple(row[name] for name in names) for row in labels(run, "neighbours")]
    return [row for row in rows if row[2] is not None]


def check(run: RunFolder, instructions: dict[str, str]) -> None:
    """Compare the columns of a run with brute force over the instructions of its kept rows."""
    found = told(run)
    assert [row[0] for row in found] == list(instructions)
    expected = brute_force(list(instructions), list(instructions.values()))
    assert [row[2:] for row in found] == [row[1:] for row in expected]
    distances = [row[1] for row in found]
    assert distances == pytest.approx([row[0] for row in expected], abs=1e-12)


def test_two_thousand_rows(tmp_path: Path) -> None:
    """Distance, count and earliest equal brute force in NumPy; rows without an answer have none."""
    instructions = texts()
    run = imported(tmp_path, instructions)
    kept = {f"u{n}": text for n, text in enumerate(instructions) if n % 10 != 9}
    found = told(run)
    check(run, kept)
    repeats = sum(row[2] > 0 for row in found)
    assert 400 < repeats < 1_400
    assert {row[3] is None for row in found if row[2]} == {False}
    assert len(run.units()) == 2
    assert [len(labels(run, name)) for name in ("neighbours", "embedding")] == [ROWS, ROWS]


def _kept(run: RunFolder) -> dict[str, str]:
    """Return the instructions of the rows that the release has, by uuid."""
    tables = Magpie(config_name="raw", data_dir=run.path).tables()
    rows = [row for table in tables for row in table.to_pylist()]
    return {row["uuid"]: row["messages"][0]["content"] for row in rows}


def test_a_grown_run_is_compared_anew(tmp_path: Path) -> None:
    """Rows that come later are compared with all, and the vectors of earlier ones stay."""
    tags = {"neighbours": None}
    _, run = tagged(tmp_path, 40, tags=tags)
    first = run.shard(stage_of(run, "embedding"), run.units()[0])
    old, made = stage_of(run, "neighbours"), first.stat().st_mtime_ns
    check(run, _kept(run))
    tagged(tmp_path, 90, tags=tags)
    assert len(run.units()) == 2
    check(run, kept := _kept(run))
    answered = sum(run.answered(unit)["rejection"].null_count for unit in run.units())
    assert len(kept) < answered
    assert first.stat().st_mtime_ns == made
    assert first == run.shard(stage_of(run, "embedding"), run.units()[0])
    assert stage_of(run, "neighbours") != old
    tagged(tmp_path, 90, tags=tags)
    assert first.stat().st_mtime_ns == made


def test_units_of_which_nothing_is_kept(tmp_path: Path) -> None:
    """A unit, or a whole run, whose rows were all dropped has no vectors and stops nobody."""
    nothing = {"name": "scripted", "empty": 1.0}
    nothing |= dict.fromkeys(("duplicates", "cut", "loops", "leaks", "colons"), 0.0)
    generator = {"model": "scripted", "engine": nothing}
    (tmp_path / "empty").mkdir()
    _, run = tagged(tmp_path / "empty", 5, tags=["neighbours"], generator=generator)
    assert labels(run, "neighbours") == []
    _, run = tagged(tmp_path, 40, tags=["neighbours"])
    _, run = tagged(tmp_path, 45, tags=["neighbours"], generator=generator)
    assert len(run.units()) == 2
    check(run, _kept(run))


def test_vectors_of_two_files_are_never_compared(tmp_path: Path) -> None:
    """A run that grew, with another file of vectors: all rows get theirs from that one."""
    file = tmp_path / "vectors.parquet"
    tags = {"neighbours": {"embedder": {"name": "vectors", "file": str(file)}}}
    for count, dimensions in ((30, 4), (60, 8)):
        _, run = tagged(tmp_path, count, tags=[])
        uuids = [row["uuid"] for row in answers(run)]
        vectors = np.random.default_rng(dimensions).normal(size=(len(uuids), dimensions))
        pq.write_table(pa.table({"uuid": uuids, "vector": vectors.tolist()}), file)
        _, run = tagged(tmp_path, count, tags=tags)
        stored = [row["vector"] for row in labels(run, "embedding") if row["vector"]]
        assert {len(vector) for vector in stored} == {dimensions}
    assert len(run.units()) == 2


def test_an_unfinished_run_is_not_tagged(tmp_path: Path) -> None:
    """With a unit of answers missing, tagging says what is to be done first."""
    spec, run = tagged(tmp_path, 30, tags=[])
    run.shard(RESPONSES, run.units()[0]).unlink()
    with run.lock(), Models() as models, pytest.raises(RunError, match="is unfinished"):
        tag(spec, run, quiet, print, models)

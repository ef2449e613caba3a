"""What an index holds of rows, when it is made, and when it is made anew."""

from hashlib import blake2b
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.curate import index, signatures
from magpie_hub.curate.duplicates import parts
from magpie_hub.curate.exact import normal_form
from magpie_hub.curate.signatures import backend, band_keys, signer
from magpie_hub.errors import BuildError
from magpie_hub.spec.curation import Dedup, Near
from tests.curate.runs import indexed, run_of
from tests.run.labelling import tagged

FAST = Near(backend="rensa")
DEDUP = Dedup(near=FAST)
TEXTS = ["Why is the sky blue?", "?!", "", "WHY is the sky... blue", "天空为什么是蓝色"]
ROWS = [(f"row-{i}", text) for i, text in enumerate(TEXTS)]


def test_what_it_holds(tmp_path: Path) -> None:
    """Of a row its uuid, text, 128 bits of its normal form, and bands where it has a word."""
    [file] = index.of_rows(tmp_path / "rows", ROWS, FAST)

    rows = pq.read_table(file).to_pylist()
    assert [(row["uuid"], row["instruction"]) for row in rows] == ROWS
    for row in rows:
        digest = blake2b(normal_form(row["instruction"]).encode(), digest_size=16).hexdigest()
        assert f"{row['high']:016x}{row['low']:016x}" == digest
    assert rows[1]["bands"] is rows[2]["bands"] is None
    assert rows[0]["bands"] == rows[3]["bands"]
    signed = signer(FAST)([["天空为什", "空为什么", "为什么是", "什么是蓝", "么是蓝色"]])
    assert rows[4]["bands"] == band_keys(signed, FAST)[0].tolist()


def test_without_near_duplicates(tmp_path: Path) -> None:
    """Where only exact duplicates are looked for, nothing is signed."""
    [file] = index.of_rows(tmp_path / "rows", ROWS, None)

    assert pq.read_table(file)["bands"].null_count == 5


def test_its_name() -> None:
    """All that decides what it holds decides its name; what only compares rows does not."""
    changes = {"words": 3, "characters": 6, "bands": 8, "hashes": 64}
    names = [index.name(FAST.model_copy(update={key: changes[key]})) for key in changes]

    assert len({index.name(None), index.name(FAST), *names}) == 6
    assert index.name(Near(backend="rensa", threshold=0.9)) == index.name(FAST)
    assert index.name(Near()) == index.name(Near(backend=backend(Near())))


def test_a_backend_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that cannot be made has no name either, and the error says why."""
    monkeypatch.setattr(signatures, "find_spec", lambda library: library == "rensa" or None)

    with pytest.raises(BuildError, match="`text-dedup` is not installed"):
        index.name(Near(backend="text-dedup"))


def test_rows_that_were_dropped(tmp_path: Path) -> None:
    """Neither draws nor answers that were dropped have a place in it."""
    folder = run_of(tmp_path, ["One.", "", "Three.", "Four.", "Five.", ""], refused=[3])

    files = indexed(folder, DEDUP)

    assert [pq.read_table(file)["uuid"].to_pylist() for file in files] == [
        ["row-0", "row-2"],
        ["row-4"],
    ]


def test_a_run_that_grows(tmp_path: Path) -> None:
    """Rows that come later cost only theirs: what was written before is not touched."""
    first = ["One.", "Two.", "Three.", "Four.", "Five."]
    before = {file: file.stat().st_mtime_ns for file in indexed(run_of(tmp_path, first), DEDUP)}

    grown = indexed(run_of(tmp_path, first, ["Six.", "Seven."]), DEDUP)

    assert len(before) == 2
    assert len(grown) == 3
    assert {file: file.stat().st_mtime_ns for file in grown[:2]} == before


def test_a_generated_run_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is with a run of the scripted engine, which is searched as a whole each time."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 20)

    def files(rows: int) -> dict[str, dict[str, int]]:
        tagged(tmp_path, rows)
        found: dict[str, dict[str, int]] = {}
        for kind in ("index", "duplicates"):
            paths = sorted((tmp_path / "run" / kind).glob("*/*.parquet"))
            found[kind] = {str(path): path.stat().st_mtime_ns for path in paths}
        return found

    before, after = files(40), files(60)

    assert len(before["index"]) == len(before["duplicates"]) == 2
    assert before["index"].items() < after["index"].items()
    assert len(after["index"]) == 3
    assert len(after["duplicates"]) == 5
    assert files(60) == after


@pytest.mark.parametrize("count", [0, 1, 1000, 2001])
def test_rows_elsewhere(tmp_path: Path, count: int) -> None:
    """Rows come in files of a thousand, in their order, and are read but once."""
    rows = [(f"row-{i}" if i % 2 else None, f"Text {i}") for i in range(count)]

    files = index.of_rows(tmp_path / "rows", iter(rows), None)

    assert len(files) == -(-count // 1000)
    tables = [pq.read_table(file, columns=["uuid", "instruction"]) for file in files]
    assert [tuple(row.values()) for table in tables for row in table.to_pylist()] == rows
    assert index.of_rows(tmp_path / "rows", iter([]), None) == files
    line = parts({"old": files}, [])
    assert [(part.start, part.stop) for part in line] == [
        (start, min(start + 1000, count)) for start in range(0, count, 1000)
    ]


@pytest.mark.parametrize("damage", ["removed", "cut short", "all removed"])
def test_a_file_that_is_not_whole(tmp_path: Path, damage: str) -> None:
    """An index of rows elsewhere that lacks a file, or has a broken one, is made anew."""
    rows = [(f"row-{i}", f"Text {i}") for i in range(2001)]
    files = index.of_rows(tmp_path / "rows", rows, None)
    whole = [file.read_bytes() for file in files]
    if damage == "cut short":
        files[1].write_bytes(whole[1][:-9])
    for file in {"removed": files[2:], "all removed": files}.get(damage, []):
        file.unlink()

    assert index.of_rows(tmp_path / "rows", rows, None) == files
    assert [file.read_bytes() for file in files] == whole

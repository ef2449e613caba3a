"""Rows that others made become a release: each of them once, or dropped with a reason."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from magpie_hub.shards.folder import RunFolder
from tests.run.importing import (
    SCRIPTED,
    magpie_hub,
    pairs,
    published,
    refused,
    release,
    spec,
    texts,
    write,
)
from tests.run.labelling import duplicates
from tests.run.releasing import run

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared_data = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="the folder `shared/data` with rows of others does not lie beside the checkout",
)
MIXED = """\
{"uuid": "one", "instruction": "What is the tallest mountain?", "response": "Everest."}
{"uuid": "one", "instruction": "What is  the TALLEST mountain?", "response": "Mont Blanc."}
{"instruction": "A line that is bro
{"uuid": "two", "instruction": "Name a river that is long.", "response": ""}
{"uuid": "one", "instruction": "Name a lake that is deep.", "response": "Baikal."}
7
{"uuid": "six", "instruction": "Name a sea that is warm.", "response": "Mail jo@example.org."}
"""


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


@needs_shared_data
def test_real_rows_by_a_spec_of_four_lines(tmp_path: Path) -> None:
    """2,500 real rows are imported, tagged and released, and `load_dataset` reads them."""
    file = SHARED / "real_instructions.jsonl"
    lines = [
        "repo: org/real",
        "license: other",
        f"source: {file}",
        "tags: [lengths, language, personal_data, neighbours]",
    ]
    Path("real.yaml").write_text("\n".join(lines))
    done = run(tmp_path, "release", "real.yaml")
    assert done.returncode == 0, done.stderr

    rows = load_dataset("./dist/org/real", "raw", split="train")

    given = [json.loads(line) for line in file.read_text().splitlines()]
    expected = [[r["instruction"].strip(), r["response"].strip()] for r in given if r["response"]]
    assert len(given) == 2500
    assert len(expected) == 2292
    found = duplicates(RunFolder(Path("runs/real")))
    repeats = [row["reason"] is not None for row in found if row["rejection"] is None]
    assert len(repeats) == len(expected)
    assert 20 < sum(repeats) < 60
    expected = [row for row, repeat in zip(expected, repeats, strict=True) if not repeat]
    assert [texts(row) for row in rows] == expected
    assert rows["instruction_length"] == [len(instruction) for instruction, _ in expected]
    assert len(set(rows["uuid"])) == len(expected)
    assert {"EN", "ZH", "RU", "FR", "JA"} <= set(rows["language"])
    assert all(isinstance(kinds, list) for kinds in rows["personal_data"])
    assert all(0 <= distance <= 4.001 for distance in rows["min_neighbor_distance"])
    card = Path("dist/org/real/README.md").read_text()
    assert "`real_instructions.jsonl`" in card
    assert str(SHARED) not in card


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("demo_notebook_conversation.json", 1),
        ("example_instructions_5res.json", 5),
        ("example_instructions_5res_armorm.json", 5),
        ("process_po_notebook_output_row.json", 1),
    ],
)
def test_files_of_the_reference_implementation(name: str, count: int) -> None:
    """Texts and labels arrive in the Parquet; of several responses the best is taken."""
    release(source=str(SHARED / "magpie" / name), tags=["lengths"])

    content = json.loads((SHARED / "magpie" / name).read_text())
    given = content if isinstance(content, list) else [content]
    rows = published()
    assert len(rows) == len(given) == count
    for row, made in zip(rows, given, strict=True):
        if "conversations" in made:
            assert texts(row) == [turn["value"].strip() for turn in made["conversations"][:2]]
            continue
        scores = [reward["score"] for reward in made.get("rewards_armorm", [])]
        best = made["responses"][scores.index(max(scores)) if scores else 0]
        assert texts(row) == [made["instruction"].strip(), best.strip()]
        labels = ("uuid", "intent", "knowledge", "difficulty", "input_quality", "task_category")
        assert {label: row[label] for label in labels} == {label: made[label] for label in labels}
        assert row["model"] == "meta-llama/Meta-Llama-3-8B-Instruct"


@needs_shared_data
def test_instructions_alone_are_no_release() -> None:
    """A file without responses ends in the funnel that says so, not in an empty dataset."""
    spec(source=str(SHARED / "magpie" / "example_instructions.jsonl"))

    told = refused("release", "t.yaml")

    assert "config `raw` ends empty: drawn 5, response: no-response -5, left 0" in told
    assert "hint: take rows from more files, or" in told


def test_no_row_is_lost_unsaid() -> None:
    """Unreadable rows are named with file and line, and stay as dropped rows with a reason."""
    Path("rows.jsonl").write_text(MIXED)

    said = release(source="rows.jsonl")

    assert (
        "warning: 2 of 7 rows cannot be read, and are dropped: rows.jsonl:3: it is no JSON:"
        " Invalid control character at (column 36); rows.jsonl:6: it is a number, expected an"
        " object\n"
    ) in said.stderr
    funnel = [line.split() for line in said.stdout.splitlines()[1:5]]
    assert funnel == [
        ["drawn", "7"],
        ["instruction:", "unreadable", "-2", "5"],
        ["response:", "no-response", "-1", "4"],
        ["duplicate:", "exact-duplicate", "-1", "3"],
    ]
    folder = RunFolder(Path("runs/t"))
    [unit] = folder.units()
    dropped = [
        [row["index"], row["rejection"], (row["error"] or "")[:13]]
        for row in folder.instructions(unit).to_pylist()
        if row["rejection"]
    ]
    assert dropped == [
        [2, "unreadable", "rows.jsonl:3:"],
        [5, "unreadable", "rows.jsonl:6:"],
    ]
    first, repeat = duplicates(folder)[:2]
    assert first["reason"] is None
    assert (repeat["reason"], repeat["lost_to"]) == ("exact-duplicate", first["uuid"])


def test_a_uuid_is_kept_where_it_is_unique() -> None:
    """The first row keeps the uuid that two have, the other gets one of ours."""
    Path("rows.jsonl").write_text(MIXED)
    release(source="rows.jsonl")

    first, other, last = (row["uuid"] for row in published())

    assert (first, last) == ("one", "six")
    assert len(other) == 36
    assert other != "one"


def test_many_unreadable_rows_are_counted_and_some_named() -> None:
    """Of seven broken lines five are named, and a row that was cut short is said to be."""
    turns = [{"role": role, "content": "Hi"} for role in ("user", "assistant", "user")]
    Path("rows.jsonl").write_text("{\n" * 7 + json.dumps({"messages": turns}))

    said = release(source="rows.jsonl").stderr

    assert "warning: 7 of 8 rows cannot be read" in said
    assert "rows.jsonl:5: " in said
    assert "rows.jsonl:6: " not in said
    assert "; and 2 more\n" in said
    assert "warning: 1 of 8 rows hold more than an instruction and its response" in said


def test_labels_are_kept_and_filtered_by() -> None:
    """A filter goes by labels that the rows brought; a row without the label does not pass."""
    kinds: list[Any] = [{"personal_data": []}, {"personal_data": ["email"]}, {}]
    rows = [row | kind for row, kind in zip(pairs(3), kinds, strict=True)]
    clean = {"filter": "no-personal-data"}

    release(source=write("rows.jsonl", *rows), tags=[], configs={"clean": clean})

    assert [row["personal_data"] for row in published()] == [[], ["email"], None]
    assert [texts(row)[0] for row in published("clean")] == ["Count up to 0."]


def test_a_release_of_ours_is_a_source() -> None:
    """What a release holds comes back out of it: texts, uuids, and labels that no tag makes."""
    rows = write("rows.jsonl", *pairs(20))
    release(source=rows, tags=["language", "personal_data", "response_quality"], judge=SCRIPTED)
    before = published()
    for name in ("dist", "runs"):
        Path(name).rename(f"first-{name}")

    release(source={"dataset": "./first-dist/org/t", "config": "raw"}, tags=[])

    assert published() == before
    assert all(row["response_quality"] for row in before)
    card = Path("dist/org/t/README.md").read_text()
    assert "from the dataset `<private>`" in card
    assert "first-dist" not in card


def test_a_judge_tags_imported_rows() -> None:
    """A judge labels rows that it did not write; it is not asked of those that cannot be read."""
    Path("rows.jsonl").write_text(MIXED)

    said = release(source="rows.jsonl", tags=["difficulty", "response_quality"], judge=SCRIPTED)

    assert "difficulty                4 rows by scripted, 0.0% without a label" in said.stdout
    for row in published():
        assert row["difficulty_generator"] == row["response_quality_generator"] == "scripted"
        assert row["difficulty"]
        assert 1 <= row["response_quality"] <= 5
        assert row["model"] is None


def test_a_unit_of_nothing_but_duplicates() -> None:
    """A shard in which no row is answered is tagged like any other."""
    rows = [*pairs(1000), *pairs(5)]
    release(
        source=write("rows.jsonl", *rows),
        tags=["language", "neighbours", "quality"],
        judge=SCRIPTED,
    )

    assert len(RunFolder(Path("runs/t")).units()) == 2
    assert len(published()) == 1000


def test_each_command_takes_a_source() -> None:
    """preview shows the first rows and keeps nothing; stage by stage is the same as a release."""
    tags = ["lengths", "neighbours", "quality"]
    release(source=write("rows.jsonl", *pairs(30)), tags=tags, judge=SCRIPTED)
    before = published()

    shown = magpie_hub("preview", "t.yaml", "-n", "2")
    assert shown.exit_code == 0, shown.stderr
    assert ">>> 1 it is." in shown.stdout
    assert ">>> 2 it is." not in shown.stdout
    assert "would take" not in shown.stdout
    assert "nothing was written" in shown.stdout

    said = {}
    for command in ("generate", "status", "tag", "build"):
        done = magpie_hub(command, "t.yaml", "--run", "runs/other")
        assert done.exit_code == 0, (command, done.stderr)
        said[command] = done.stdout
    assert "instructions        30 of 30" in said["status"]
    assert "quality                  30 rows by scripted" in said["tag"]
    assert pq.read_table("runs/other/build/raw").to_pylist() == before


def test_nothing_private_is_published(tmp_path: Path) -> None:
    """No path of this machine stands in any file of a release, nor in any row."""
    secret = tmp_path / "secret"
    rows = [row | {"uuid": f"row-{n}"} for n, row in enumerate(pairs(5))]
    write(str(secret / "rows.jsonl"), *rows)
    vectors = [{"uuid": row["uuid"], "vector": [1.0, float(n)]} for n, row in enumerate(rows)]
    write(str(secret / "vectors.jsonl"), *vectors)
    table = load_dataset("json", data_files=str(secret / "vectors.jsonl"), split="train")
    table.to_parquet(str(secret / "vectors.parquet"))
    (secret / "mood.jinja").write_text("Name the mood of {{ instruction }}")
    engine = {"name": "scripted", "transcript": str(secret / "asked.jsonl")}
    mood = {
        "prompt": str(secret / "mood.jinja"),
        "schema": {"properties": {"mood": {"enum": ["good", "bad"]}}},
        "judge": {"model": str(secret / "judge.gguf"), "engine": engine},
    }
    embedder = {"name": "vectors", "file": "secret/vectors.parquet"}

    release(
        source=str(secret / "rows.*"),
        tags={"mood": mood, "neighbours": {"embedder": embedder}},
    )

    assert (secret / "asked.jsonl").read_text().count("\n") == 5
    assert {row["mood_generator"] for row in published()} == {"<private>"}
    files = [path for path in Path("dist").rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        said = str(published()) if path.suffix == ".parquet" else path.read_bytes().decode("latin1")
        assert "secret" not in said, path
        assert str(tmp_path) not in said, path
    assert "Name the mood of" in Path("dist/org/t/README.md").read_text()

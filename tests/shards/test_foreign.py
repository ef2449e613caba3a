"""Files of others come in row by row, and none of their rows is lost unsaid."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie_hub.errors import ShardError
from magpie_hub.shards.foreign import LABELS, Foreign, checksums, read
from magpie_hub.spec.source import Source

ROW = '{"id": 1, "instruction": "Hi", "response": "Hello"}'
ROWS = [
    {
        "uuid": "a",
        "instruction": "Hi",
        "response": "Hello",
        "difficulty": "easy",
        "repeat_count": 0,
    },
    {"uuid": "b", "instruction": "Two\nlines, “here”", "response": None, "repeat_count": 2},
]
CSV = """\
uuid,instruction,response,difficulty,repeat_count
a,Hi,Hello,easy,0

b,"Two
lines, “here”",,,2
"""

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared_data = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="the folder `shared/data` with rows of others does not lie beside the checkout",
)


def rows(*files: Path | str, **columns: str) -> list[Foreign]:
    """Return the rows of files."""
    return list(read(Source(files=[str(file) for file in files], columns=columns)))


def write(path: Path, text: str | bytes) -> Path:
    """Write a file, gzipped where its name says so."""
    content = text.encode() if isinstance(text, str) else text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_rows(path: Path) -> Path:
    """Write `ROWS` in the format that the name's ending says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
        return path
    lines = "\n".join(json.dumps(row) for row in ROWS)
    return write(path, {".jsonl": lines, ".json": json.dumps(ROWS), ".csv": CSV}[path.suffixes[0]])


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("x.jsonl", ["x.jsonl:1", "x.jsonl:2"]),
        ("x.jsonl.gz", ["x.jsonl.gz:1", "x.jsonl.gz:2"]),
        ("x.json", ["x.json: item 1", "x.json: item 2"]),
        ("x.json.gz", ["x.json.gz: item 1", "x.json.gz: item 2"]),
        ("x.csv", ["x.csv:2", "x.csv:4"]),
        ("x.csv.gz", ["x.csv.gz:2", "x.csv.gz:4"]),
        ("x.parquet", ["x.parquet: row 1", "x.parquet: row 2"]),
    ],
)
def test_formats(tmp_path, name, places):
    """The same rows come out of every format, with the places that a person would look at."""
    found = rows(write_rows(tmp_path / name))
    assert found == [
        Foreign(
            *(places[0], "a", "Hi", "Hello", None, None),
            {"difficulty": "easy", "repeat_count": 0},
            fault=None,
            note=None,
        ),
        Foreign(
            *(places[1], "b", "Two\nlines, “here”", None, None, None),
            {"repeat_count": 2},
            fault=None,
            note=None,
        ),
    ]


def test_one_object_is_a_file_of_one_row(tmp_path):
    """A `.json` file need not be an array."""
    [row] = rows(write(tmp_path / "x.json", ROW))
    assert (row.place, row.uuid, row.response) == ("x.json: item 1", "1", "Hello")


def test_lines_that_cannot_be_read_are_faults(tmp_path):
    """Broken lines stand among the others, each with its line; empty lines are no rows."""
    huge = f'{{"id": {"1" * 5000}}}'
    deep = "[" * 100_000
    lines = [
        ROW,
        '{"instruction": "H',
        "",
        "7",
        huge,
        deep,
        '{"instruction": "\\ud800"}',
        ROW + " ",
    ]
    found = rows(write(tmp_path / "x.jsonl", "\ufeff" + "\r\n".join(lines)))
    assert [(row.place, row.fault) for row in found] == [
        ("x.jsonl:1", None),
        ("x.jsonl:2", "it is no JSON: Invalid control character at (column 19)"),
        ("x.jsonl:4", "it is a number, expected an object"),
        ("x.jsonl:5", "it is no JSON that can be read: a number has too many digits"),
        ("x.jsonl:6", "it is no JSON that can be read: it is nested too deeply"),
        ("x.jsonl:7", "its `instruction` holds half a character (a lone surrogate)"),
        ("x.jsonl:8", None),
    ]


def test_csv_that_cannot_be_read_is_a_fault(tmp_path):
    """A cell too many, a stray quote and a quote that is never closed are said with their line."""
    text = f'prompt,answer\nHi,Hello,you\nHi,"Hello"?\n{"x" * 200_000},y\nHi,"Hello\nHi,Hello\n'
    found = rows(write(tmp_path / "x.csv", text))
    assert [(row.place, row.fault) for row in found] == [
        ("x.csv:2", "it has 3 cells, expected 2"),
        ("x.csv:3", "it is no CSV: ',' expected after '\"'"),
        ("x.csv:4", None),
        ("x.csv:5", "it is no CSV: unexpected end of data"),
    ]


def test_a_mapping_for_every_format(tmp_path):
    """Columns of unknown names are read once the spec says what they are."""
    row = {"key": "k", "QUESTION": "Hi", "ANSWER": "Hello", "level": "hard", "vector": [0.5]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "x.parquet")
    write(tmp_path / "x.jsonl", json.dumps(row))
    write(tmp_path / "x.csv", "key,QUESTION,ANSWER,level\nk,Hi,Hello,hard\n")
    mapping = {
        "instruction": "QUESTION",
        "response": "ANSWER",
        "uuid": "key",
        "difficulty": "level",
    }
    for found in rows(*(tmp_path / f"x.{kind}" for kind in ("parquet", "jsonl", "csv")), **mapping):
        assert (found.uuid, found.instruction, found.response) == ("k", "Hi", "Hello")
        assert found.labels == {"difficulty": "hard"}


def test_globs_and_names(tmp_path):
    """Files come in the order of the spec, those of a glob sorted, each once and told apart."""
    for name in ("b/2.jsonl", "b/1.jsonl", "a/1.jsonl", "b/[3].jsonl"):
        write(tmp_path / name, ROW)
    (tmp_path / "b" / "folder.jsonl").mkdir()
    below = f"{tmp_path}/b/*.jsonl"
    assert [row.place for row in rows(below, tmp_path / "b" / "[3].jsonl")] == [
        *("1.jsonl:1", "2.jsonl:1", "[3].jsonl:1")
    ]
    places = [row.place for row in rows(below, tmp_path / "a" / "1.jsonl")]
    assert places == ["b/1.jsonl:1", "b/2.jsonl:1", "b/[3].jsonl:1", "a/1.jsonl:1"]


def test_checksums_of_files(tmp_path):
    """Files are known by name and SHA-256, which is FIPS 180-2's for its example."""
    path = write(tmp_path / "abc.jsonl", "abc")
    assert checksums(Source(files=[str(path)])) == {
        "abc.jsonl": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("x.txt", ROW, "`x.txt` ends in none of `.jsonl`, `.json`, `.csv`, `.parquet`", "rename"),
        ("x.parquet.gz", ROW, "`x.parquet.gz` ends in none of", "rename"),
        ("x.jsonl", '{"text": "a"}\n{"label": 1}', "it has `text`, `label`", "columns:"),
        ("x.csv", "text,label\na,1\n", "it has `text`, `label`", "columns:"),
        ("x.csv", "", "no column that is known to hold an instruction; it has none", "columns:"),
        ("x.json", f"{ROW}\n{ROW}", "cannot be read: it is no JSON: Extra data", ".jsonl"),
        (
            "x.jsonl",
            f"{ROW}\n".encode() + b"\xe9",
            "not UTF-8: unexpected end of data in its",
            "conv",
        ),
        ("x.parquet", "PAR1", "is no Parquet file that can be read", "whole"),
        ("x.jsonl.gz", None, "cannot be read: ", "whole"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message, hint):
    """A file that is none of ours is an error that names it, what is in it, and what to do."""
    path = tmp_path / name
    if content is None:
        path.write_bytes(gzip.compress(ROW.encode() * 99)[:-20])
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ShardError) as caught:
        rows(path)
    assert name in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_unknown_columns_of_parquet(tmp_path):
    """The columns of a Parquet file are told although they are not read."""
    pq.write_table(pa.table({"text": ["Hi"]}), tmp_path / "x.parquet")
    with pytest.raises(ShardError, match="it has `text`"):
        rows(tmp_path / "x.parquet")


def test_no_such_file(tmp_path):
    """A glob without a match, and a folder, are errors as soon as they are named."""
    for name in (f"{tmp_path}/*.jsonl", str(tmp_path)):
        with pytest.raises(ShardError, match="names no file"):
            read(Source(files=[name]))


def test_a_mapping_that_fits_nothing(tmp_path):
    """A mapped column must be there, and one of ours must be meant."""
    path = write(tmp_path / "x.jsonl", ROW)
    with pytest.raises(ShardError, match=r"no column `Q`.*`id`, `instruction`, `response`"):
        rows(path, instruction="Q")
    with pytest.raises(ShardError, match=r"`columns: \{reply: ...\}` names no column of ours"):
        rows(path, reply="response")


def test_a_row_of_another_shape_among_others(tmp_path):
    """One row without known columns is a fault of that row, not of the file."""
    found = rows(write(tmp_path / "x.jsonl", f'{{"text": "a"}}\n{ROW}'))
    assert [row.fault for row in found] == ["it has no column that is known", None]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "from", "content", "value", "score"]), inner)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        *("messages", "conversations", "instruction", "response", "input", "output", "prompt"),
        *("chosen", "responses", "rewards_armorm", "uuid", "id", "gen_input_configs"),
        *("llama_guard_2", "other", *sorted(LABELS)),
    ]
)
LINES = st.dictionaries(NAMES, VALUES, max_size=6).map(json.dumps) | VALUES.map(json.dumps)
JUNK = st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20)


@settings(max_examples=300, deadline=None)
@given(lines=st.lists(LINES | JUNK, max_size=8))
def test_no_line_is_lost(tmp_path_factory, lines):
    """Whatever stands in a file, every line that is not empty comes out, or the file is refused."""
    path = write(tmp_path_factory.getbasetemp() / "fuzz.jsonl", "\n".join(lines))
    try:
        found = rows(path)
    except ShardError:
        return
    assert len(found) == sum(bool(line.removeprefix("\ufeff").strip()) for line in lines)
    for row in found:
        assert bool(row.instruction) == (row.fault is None)
        json.dumps([row.instruction, row.response, row.labels]).encode()


@needs_shared_data
def test_real_instructions():
    """All of 2,500 real instructions come through, and the 208 without a response have none."""
    found = rows(SHARED / "real_instructions.jsonl")
    assert len(found) == 2500
    assert sum(row.response is None for row in found) == 208
    assert [row for row in found if row.fault or row.note] == []


@needs_shared_data
@pytest.mark.parametrize(
    ("name", "count", "note", "labels"),
    [
        ("demo_notebook_conversation.json", 1, None, 0),
        ("example_instructions.jsonl", 5, None, 6),
        ("example_instructions_5res.json", 5, "4 further responses", 6),
        ("example_instructions_5res_armorm.json", 5, "4 further responses", 6),
        ("process_po_notebook_output_row.json", 1, "4 further responses", 6),
    ],
)
def test_the_reference_implementations_files(name, count, note, labels):
    """Every example file of the reference implementation comes through with its labels."""
    found = rows(SHARED / "magpie" / name)
    assert len(found) == count
    for row in found:
        assert (row.fault, row.note, len(row.labels)) == (None, note, labels)


@needs_shared_data
def test_the_best_response_is_the_chosen_one():
    """Of five responses the one is taken that the reference implementation chose."""
    path = SHARED / "magpie" / "process_po_notebook_output_row.json"
    [found] = rows(path)
    chosen = json.loads(path.read_text(encoding="utf-8"))["chosen"]
    assert [found.instruction, found.response] == [message["content"] for message in chosen]
    assert found.model == "meta-llama/Meta-Llama-3-8B-Instruct"

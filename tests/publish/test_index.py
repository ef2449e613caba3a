"""The index says of every row whether it is the same, however the row lies in memory or on disk."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from magpie_hub.errors import TargetError
from magpie_hub.publish import index
from magpie_hub.publish.index import Difference, compare, digest, hash_files, row_hashes
from magpie_hub.records import MESSAGES, arrow_schema
from magpie_hub.shards.parquet import write_release
from magpie_hub.shards.splits import release_files

SCHEMA = arrow_schema(
    {
        "messages": MESSAGES,
        "language": "string",
        "reward": "float64",
        "quality": "int64",
        "codes": ["string"],
        "uuid": "string",
        "drawn": {"seed": "int64", "engine": "string"},
    }
)
FULL = {
    "messages": [{"role": "user", "content": "Grüße?"}, {"role": "assistant", "content": "Hi."}],
    "language": "DE",
    "reward": -3.25,
    "quality": 5,
    "codes": ["S1", "S2"],
    "uuid": "a",
    "drawn": {"seed": 2**40, "engine": "scripted"},
}
ROWS = [
    FULL,
    {**dict.fromkeys(FULL), "uuid": "b"},
    {**FULL, "uuid": "c", "codes": [], "drawn": {"seed": None, "engine": None}},
    {**FULL, "uuid": "d", "reward": float("nan"), "messages": [None, {"role": "", "content": ""}]},
]
TABLE = pa.Table.from_pylist(ROWS, schema=SCHEMA)


def table(lines: list[tuple[str, str]]) -> pa.Table:
    """Return the index of a config, from pairs of uuid and hash."""
    uuids, hashes = zip(*lines, strict=True) if lines else ((), ())
    return pa.table([uuids, hashes], schema=index.ROWS)


def many(rows: int) -> pa.Table:
    """Return rows of which no two are equal."""
    return pa.Table.from_pylist(
        [{**ROWS[i % 4], "uuid": str(i), "quality": i} for i in range(rows)], schema=SCHEMA
    )


def test_the_form_of_a_hash_is_pinned():
    """These hashes are published: another form of them would make every row a changed one."""
    hashes = row_hashes(TABLE)
    messages = "2;{4;user8;Grüße?{9;assistant3;Hi."
    labels = "2;DE-4608871268660281344;5;2;2;S12;S21;a"
    drawn = "{1099511627776;8;scripted"
    assert hashes[0].as_py() == xxh3_128_hexdigest(f"{messages}{labels}{drawn}".encode())
    assert hashes[1].as_py() == xxh3_128_hexdigest(b"~~~~~1;b~")
    assert digest(hashes) == "6660dca5e27a138acae4c28e0c41b729"


@pytest.mark.parametrize(
    ("one", "other", "type_"),
    [
        (["a", "bc"], ["ab", "c"], ["string"]),
        ([], None, ["string"]),
        ([None], [], ["string"]),
        ("", None, "string"),
        ("~", None, "string"),
        ({"seed": None}, None, {"seed": "int64"}),
        ([["a"], ["b"]], [["a", "b"]], [["string"]]),
        (0, None, "int64"),
        (1, 10, "int64"),
        (0.1, 0.1 + 2**-56, "float64"),
        (True, False, "bool"),
    ],
)
def test_other_values_have_other_hashes(one, other, type_):
    """Values that look alike when they are joined are told apart, also beside equal neighbours."""
    schema = arrow_schema({"before": "string", "value": type_, "after": "string"})
    rows = [{"before": "1", "value": value, "after": "2"} for value in (one, other)]
    first, second = row_hashes(pa.Table.from_pylist(rows, schema=schema)).to_pylist()
    assert first != second


def test_text_does_not_move_between_columns():
    """A row is more than its text on end."""
    rows = pa.table({"a": ["x", "", None], "b": ["", "x", "x"]})
    assert len(set(row_hashes(rows).to_pylist())) == 3


def test_every_nan_is_the_same():
    """The sign and the payload of a NaN are no content."""
    bits = pa.array([0x7FF8000000000000, -0x8000000000000, 0x7FF8000000000001], pa.int64())
    assert len(set(row_hashes(pa.table([bits.view(pa.float64())], ["a"])).to_pylist())) == 1


def test_the_layout_does_not_matter():
    """Large and dictionary types, chunks, slices and what lies under a null change no hash."""
    rows = many(2_500)
    expected = row_hashes(rows)
    message = pa.struct({"role": pa.large_string(), "content": pa.large_string()})
    large = {"messages": pa.large_list(message), "codes": pa.large_list(pa.large_string())}
    large["language"] = pa.dictionary(pa.int8(), pa.string())
    layout = pa.schema([(field.name, large.get(field.name, field.type)) for field in SCHEMA])
    uneven = pa.concat_tables([rows.slice(0, 7), rows.slice(7, 1_500), rows.slice(1_507)])

    assert row_hashes(rows.cast(layout)).equals(expected)
    assert row_hashes(uneven).equals(expected)
    assert row_hashes(rows.slice(1_003, 900)).equals(expected.slice(1_003, 900))


def test_what_lies_under_a_null_is_no_content():
    """A list or struct that is null may still have items and fields in its buffers."""
    hidden = pa.array([True, False])
    lists = pa.ListArray.from_arrays([0, 1, 3], pa.array(["a", "b", "c"]), mask=hidden)
    structs = pa.StructArray.from_arrays([pa.array(["a", "b"])], ["x"], mask=hidden)
    plain = pa.table([pa.array([None, ["b", "c"]]), pa.array([None, {"x": "b"}])], ["l", "s"])
    assert row_hashes(pa.table([lists, structs], ["l", "s"])).equals(row_hashes(plain))


@pytest.mark.parametrize("streaming", [False, True])
def test_rows_that_datasets_loaded(tmp_path, streaming):
    """What a reader loads hashes to what was built: so a publication is verified."""
    from datasets import Features, load_dataset

    write_release(tmp_path, "train", [many(1_200)], SCHEMA)
    files = sorted(map(str, tmp_path.glob("*.parquet")))
    loaded = load_dataset(
        "parquet",
        data_files=files,
        features=Features.from_arrow_schema(SCHEMA),
        split="train",
        streaming=streaming,
        cache_dir=str(tmp_path / "cache"),
    )
    found = [row_hashes(part) for part in loaded.with_format("arrow").iter(batch_size=500)]

    assert digest(pa.chunked_array(found)) == digest(row_hashes(many(1_200)))


def test_the_files_of_a_config(tmp_path, monkeypatch):
    """Files give one line a row, in order, over row groups and files."""
    monkeypatch.setattr("magpie_hub.shards.parquet.ROW_GROUP_BYTES", 1)
    monkeypatch.setattr("magpie_hub.shards.parquet.FILE_BYTES", 100_000)
    rows = many(3_000)
    write_release(tmp_path, "train", [rows], SCHEMA)
    files = sorted(tmp_path.glob("*.parquet"))
    assert [pq.read_metadata(file).num_row_groups for file in files] == [2, 1]

    found = hash_files(files)

    assert found["uuid"].to_pylist() == rows["uuid"].to_pylist()
    assert found["content_hash"].combine_chunks().equals(row_hashes(rows))


def test_the_splits_of_a_config(tmp_path):
    """Rows of `train` come first, and a row has another hash in `test` than it has there."""
    rows = many(3)
    write_release(tmp_path, "train", [rows], SCHEMA)
    write_release(tmp_path, "test", [rows], SCHEMA)
    files = release_files(tmp_path)
    assert [path.name.partition("-")[0] for path in files] == ["train", "test"]

    found = hash_files(files)

    assert found["content_hash"].to_pylist()[:3] == row_hashes(rows).to_pylist()
    assert found["content_hash"].to_pylist()[3:] == row_hashes(rows, "test").to_pylist()
    assert len(set(found["content_hash"].to_pylist())) == 6


def test_the_file_comes_back(tmp_path):
    """Each config has its rows again, in row groups of its own, and the same bytes each time."""
    configs = {"raw": table([("b", "1"), ("a", "2"), ("c", "3")]), "air": table([("a", "2")])}
    for name in ("one", "two"):
        index.write(tmp_path / name, configs)

    found = index.read(tmp_path / "one")

    assert list(found) == ["raw", "air"]
    assert all(found[name].equals(configs[name]) for name in configs)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    footer = pq.read_metadata(tmp_path / "one")
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [3, 1]


def test_a_damaged_file(tmp_path):
    """A file that is cut short, empty or no Parquet is an error in one line with a next step."""
    path = tmp_path / "index.parquet"
    index.write(path, {"raw": table([("a", "1")])})
    whole = path.read_bytes()
    for content in (whole[:-1], whole[4:], b"", b"<html>"):
        path.write_bytes(content)
        with pytest.raises(TargetError, match="is not a whole Parquet file") as caught:
            index.read(path)
        assert "\n" not in caught.value.message


def test_a_file_with_other_columns(tmp_path):
    """An `index.parquet` that somebody made for another purpose is not taken for ours."""
    path = tmp_path / "index.parquet"
    pq.write_table(pa.table({"config": ["a"], "row": [1]}), path)
    with pytest.raises(TargetError) as caught:
        index.read(path)
    assert caught.value.message == (
        f"`{path}` holds the columns `config, row`, expected `config, uuid, content_hash`"
    )


def test_no_file(tmp_path: Path):
    """Whether there is an index at all is for the caller to say."""
    with pytest.raises(FileNotFoundError):
        index.read(tmp_path / "index.parquet")


OLD = [("a", "1"), ("b", "2"), ("c", "3")]


@pytest.mark.parametrize(
    ("new", "difference"),
    [
        (OLD, Difference(0, 0, 0)),
        (OLD[::-1], Difference(0, 0, 0)),
        ([*OLD, ("d", "4")], Difference(1, 0, 0)),
        (OLD[1:], Difference(0, 1, 0)),
        ([("a", "x"), *OLD[1:]], Difference(0, 0, 1)),
        ([("a", "1"), *OLD], Difference(1, 0, 0)),
        ([("a", "x"), ("b", "2"), ("d", "3")], Difference(1, 1, 1)),
        ([], Difference(0, 3, 0)),
    ],
)
def test_what_became_of_the_rows(new, difference):
    """Rows are the same by uuid and hash, changed by uuid alone; their order is no difference."""
    assert compare(table(OLD), table(new)) == difference


def test_the_digest_tells_the_order():
    """What `compare` leaves out, the order, the digest has."""
    hashes = table(OLD)["content_hash"]
    assert digest(hashes) == digest(hashes.combine_chunks())
    assert digest(hashes) != digest(table(OLD[::-1])["content_hash"])


LINES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("123")), max_size=12)


@given(LINES, LINES)
def test_against_plain_python(old, new):
    """Also with repeated uuids, it is what pairing row by row gives, equal rows first."""
    gone, come = list((Counter(old) - Counter(new)).elements()), []
    for row in (Counter(new) - Counter(old)).elements():
        pair = next((other for other in gone if other[0] == row[0]), None)
        if pair is None:
            come.append(row)
        else:
            gone.remove(pair)
    changed = (Counter(new) - Counter(old)).total() - len(come)
    assert compare(table(old), table(new)) == Difference(len(come), len(gone), changed)

"""Shards are whole or an error; a release is the same bytes however its rows came in."""

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie_hub.errors import ShardError
from magpie_hub.records import MESSAGES, arrow_schema
from magpie_hub.shards import parquet
from magpie_hub.shards.parquet import read_shard, write_release, write_shard

LABELS = {"run": "0c5e", "stage": "instructions", "unit": 1}
SCHEMA = arrow_schema(
    {"index": "int64", "language": "string", "drawn": {"seed": "int64"}, "messages": MESSAGES}
)


def table(rows: int) -> pa.Table:
    """Return rows of every type that a shard or a release has, with nulls and wide characters."""
    return pa.Table.from_pylist(
        [
            {
                "index": 2**40 + i,
                "language": None if i % 3 == 0 else "DE",
                "drawn": None if i % 5 == 0 else {"seed": i},
                "messages": [{"role": "user", "content": f"{i} \N{GRINNING FACE}é" * (i % 7)}],
            }
            for i in range(rows)
        ],
        schema=SCHEMA,
    )


ROWS = table(40)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A shard of forty rows."""
    write_shard(tmp_path / "s" / "00001.parquet", ROWS, LABELS)
    return tmp_path / "s" / "00001.parquet"


def test_a_shard_comes_back(shard: Path) -> None:
    """A shard gives the rows that were written, without metadata, and nothing lies beside it."""
    found = read_shard(shard, SCHEMA, LABELS)

    assert found.equals(ROWS)
    assert found.schema.metadata is None
    assert list(shard.parent.iterdir()) == [shard]


def test_a_shard_of_no_rows(tmp_path: Path) -> None:
    """A unit of which nothing was kept is a shard too."""
    write_shard(tmp_path / "0", SCHEMA.empty_table(), LABELS)
    assert read_shard(tmp_path / "0", SCHEMA, LABELS).equals(SCHEMA.empty_table())


def test_a_truncated_shard(shard: Path) -> None:
    """Cut anywhere, the file is refused in one line that names it."""
    whole = shard.read_bytes()
    for end in (*range(0, len(whole), 29), len(whole) - 1):
        shard.write_bytes(whole[:end])

        with pytest.raises(ShardError) as caught:
            read_shard(shard, SCHEMA, LABELS)

        assert caught.value.message.startswith(f"`{shard}` is not a whole Parquet file: ")
        assert "\n" not in caught.value.message


def test_a_flipped_bit_in_a_page(shard: Path) -> None:
    """One wrong bit in any byte of a page's values is found by the page's checksum."""
    whole = shard.read_bytes()
    chunk = pq.read_metadata(shard).row_group(0).column(0)
    end = chunk.dictionary_page_offset + chunk.total_compressed_size
    for place in range(end - 32, end):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        shard.write_bytes(damaged)

        with pytest.raises(ShardError, match=r"is not a whole Parquet file: .*checksum"):
            read_shard(shard, SCHEMA, LABELS)


def test_a_flipped_bit_anywhere(shard: Path) -> None:
    """One wrong bit, also in the footer, is an error or makes no difference, never other rows."""
    whole = shard.read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        shard.write_bytes(damaged)
        try:
            assert read_shard(shard, SCHEMA, LABELS).equals(ROWS)
        except ShardError:
            refused += 1
    # The rest are statistics and headers that a reader of whole columns does not use.
    assert refused > len(whole) / 2


@pytest.mark.parametrize("key", list(LABELS))
def test_foreign_labels(shard: Path, key: str) -> None:
    """A file of another run, stage or unit says which label differs, found and expected."""
    with pytest.raises(ShardError) as caught:
        read_shard(shard, SCHEMA, LABELS | {key: "other"})
    assert caught.value.message == (
        f"`{shard}` belongs elsewhere: it says `{ {key: LABELS[key]} }`,"
        f" expected `{ {key: 'other'} }`"
    )


def test_a_file_of_others(tmp_path: Path) -> None:
    """A Parquet file without labels of ours is refused."""
    pq.write_table(ROWS, tmp_path / "x.parquet")
    with pytest.raises(ShardError, match=r"belongs elsewhere: it says .*None"):
        read_shard(tmp_path / "x.parquet", SCHEMA, LABELS)


@pytest.mark.parametrize(
    "columns", [["index"], ["language", "index", "drawn", "messages"]], ids=["fewer", "in disorder"]
)
def test_other_columns(tmp_path: Path, columns: list[str]) -> None:
    """A shard with fewer columns, or in another order, is refused with both lists."""
    path = tmp_path / "x.parquet"
    write_shard(path, ROWS.select(columns), LABELS)

    with pytest.raises(ShardError) as caught:
        read_shard(path, SCHEMA, LABELS)

    assert caught.value.message == (
        f"`{path}` holds the columns `{', '.join(columns)}`, expected"
        " `index, language, drawn, messages`"
    )


def test_a_missing_shard(tmp_path: Path) -> None:
    """A file that is not there is an error that names it."""
    with pytest.raises(ShardError, match=r"none\.parquet` is missing"):
        read_shard(tmp_path / "none.parquet", SCHEMA, LABELS)


def test_what_the_system_refuses_is_no_damage(tmp_path: Path) -> None:
    """A file that cannot be opened, here a link to itself, is never said to be damaged."""
    path = tmp_path / "x.parquet"
    path.symlink_to(path)

    with pytest.raises(OSError, match="Too many levels") as caught:
        read_shard(path, SCHEMA, LABELS)

    assert caught.value.filename == str(path)


def released(folder: Path, portions: list[pa.Table]) -> dict[str, bytes]:
    """Write a release from portions and return its files by name."""
    rows = write_release(folder, "train", portions, SCHEMA)
    assert rows == sum(portion.num_rows for portion in portions)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 3 rows, row groups of about 300 bytes, files of about 700."""
    monkeypatch.setattr(parquet, "BLOCK_ROWS", 3)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 300)
    monkeypatch.setattr(parquet, "FILE_BYTES", 700)


@pytest.mark.usefixtures("small")
def test_several_files(tmp_path: Path) -> None:
    """Files are numbered out of their count, hold the rows in order, and end at their sizes."""
    files = released(tmp_path / "raw", [ROWS])

    count = len(files)
    assert count > 1
    assert list(files) == [f"train-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
    parts = [pq.read_table(tmp_path / "raw" / name) for name in files]
    assert pa.concat_tables(parts).equals(ROWS)
    assert all(part.num_rows % 3 == 0 for part in parts[:-1])
    assert pq.read_metadata(tmp_path / "raw" / next(iter(files))).num_row_groups > 1


@pytest.mark.usefixtures("small")
def test_the_same_bytes_however_portioned(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Cut the rows anywhere, into slices or copies, chunks or empty tables: the same files."""
    expected = released(tmp_path_factory.mktemp("whole"), [ROWS])

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.integers(0, 40)), st.booleans(), st.booleans())
    def cut(cuts: list[int], copied: bool, chunked: bool) -> None:
        edges = [0, *sorted(cuts), 40]
        portions = [ROWS.slice(start, stop - start) for start, stop in pairwise(edges)]
        if copied:
            portions = [pa.Table.from_pylist(p.to_pylist(), schema=SCHEMA) for p in portions]
        if chunked:
            portions = [pa.concat_tables(portions)]
        assert released(tmp_path_factory.mktemp("cut"), portions) == expected

    cut()


def test_at_full_size(tmp_path: Path) -> None:
    """With the sizes as they are, 2,345 rows are one file, read back alike by pyarrow, pandas.

    They are long enough for several pages, whose ends must not depend on the portions either.
    """
    rows = table(2345).drop_columns("messages")
    texts = [[{"role": "user", "content": f"{i} " * 200}] for i in range(2345)]
    rows = rows.append_column(SCHEMA.field("messages"), [texts])

    files = released(tmp_path / "raw", [rows.slice(i, 7) for i in range(0, 2345, 7)])

    assert files == released(tmp_path / "again", [rows])
    path = tmp_path / "raw" / "train-00000-of-00001.parquet"
    assert list(files) == [path.name]
    assert pq.read_table(path).equals(rows)
    pd.testing.assert_frame_equal(pd.read_parquet(path), rows.to_pandas())


def test_a_release_file_says_nothing_of_its_maker(tmp_path: Path) -> None:
    """No schema metadata, neither of Arrow nor of datasets, which older readers trip over."""
    released(tmp_path, [ROWS])
    metadata = pq.read_metadata(tmp_path / "train-00000-of-00001.parquet")

    assert metadata.metadata is None
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert metadata.row_group(0).column(0).has_offset_index
    assert metadata.row_group(0).column(0).has_column_index


def test_a_release_of_nothing(tmp_path: Path) -> None:
    """Without rows there is no file."""
    assert released(tmp_path / "raw", [SCHEMA.empty_table()]) == {}

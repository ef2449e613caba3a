"""Datasets on the hub, as `datasets`, pandas, polars and duckdb write and read them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub.clients import without_waits

URL = "hf://datasets/org/magpie/first/train-00000-of-00001.parquet"
ROWS = [{"instruction": f"question {n}", "length": n} for n in range(3)]


@pytest.fixture
def pushed(api, monkeypatch):
    """Publish two configs of one repository by `push_to_hub`, and tag them."""
    from datasets import Dataset

    without_waits(monkeypatch)
    Dataset.from_list(ROWS).push_to_hub("org/magpie", "first", set_default=True)
    Dataset.from_list(ROWS[:2]).push_to_hub("org/magpie", "second")
    api.create_tag("org/magpie", tag="v1.0.0", repo_type="dataset")
    return api


@pytest.mark.usefixtures("pushed")
def test_both_configs_load():
    """Each config has its rows, by name or as the default, and features as they were."""
    from datasets import get_dataset_config_names, load_dataset

    assert get_dataset_config_names("org/magpie") == ["first", "second"]
    assert load_dataset("org/magpie", split="train").to_list() == ROWS
    second = load_dataset("org/magpie", "second", split="train")
    assert second.to_list() == ROWS[:2]
    assert second.features["length"].dtype == "int64"


@pytest.mark.usefixtures("pushed")
def test_a_version_stays_what_it_was():
    """A tag names the rows of its time, whatever is pushed later."""
    from datasets import Dataset, load_dataset

    Dataset.from_list(ROWS[:1]).push_to_hub("org/magpie", "second")
    assert load_dataset("org/magpie", "second", split="train").num_rows == 1
    old = load_dataset("org/magpie", "second", split="train", revision="v1.0.0")
    assert old.to_list() == ROWS[:2]


@pytest.mark.usefixtures("pushed")
def test_rows_stream(hub):
    """A stream reads parts of the files, and no file is downloaded."""
    from datasets import load_dataset

    before = len(hub.requests)
    stream = load_dataset("org/magpie", "first", split="train", streaming=True)
    assert [*stream] == ROWS
    read = [seen for seen in hub.requests[before:] if seen.path.endswith(".parquet")]
    assert {seen.status for seen in read if seen.method == "GET"} == {206}


@pytest.mark.usefixtures("pushed")
def test_of_pushes_at_once_each_is_made_or_refused():
    """A push whose parent has gone stale is refused; what was pushed is whole, and all there is."""
    from datasets import Dataset, get_dataset_config_names, load_dataset
    from huggingface_hub.errors import HfHubHTTPError

    def push(name):
        # datasets 5.2 means to try a refused push again, but does not know the error of hub 2.4.
        try:
            Dataset.from_list(ROWS).push_to_hub("org/magpie", name)
        except HfHubHTTPError as refused:
            return name, refused.response.status_code
        return name, 200

    with ThreadPoolExecutor(3) as threads:
        answers = dict(threads.map(push, ("third", "fourth", "fifth")))
    done = [name for name, status in answers.items() if status == 200]
    assert {200} <= {*answers.values()} <= {200, 412}
    assert {*get_dataset_config_names("org/magpie")} == {"first", "second", *done}
    for name in done:
        assert load_dataset("org/magpie", name, split="train").to_list() == ROWS


@pytest.mark.usefixtures("pushed")
def test_pandas_reads_and_writes():
    """Pandas finds the hub through fsspec, in both directions."""
    import pandas

    frame = pandas.read_parquet(URL)
    assert frame.to_dict("records") == ROWS
    frame.to_csv("hf://datasets/org/magpie/length.csv", columns=["length"], index=False)
    assert pandas.read_csv("hf://datasets/org/magpie/length.csv")["length"].tolist() == [0, 1, 2]


@pytest.mark.usefixtures("pushed")
def test_polars_scans(hub):
    """Polars reads ranges over HTTP, or a file of fsspec; its own `hf://` knows one hub only."""
    import polars
    from huggingface_hub import HfFileSystem

    path = URL.removeprefix("hf://datasets/org/magpie/")
    scan = polars.scan_parquet(f"{hub.endpoint}/datasets/org/magpie/resolve/v1.0.0/{path}")
    assert scan.filter(polars.col("length") > 1).collect().to_dicts() == ROWS[2:]
    with HfFileSystem().open(URL) as file:
        assert polars.read_parquet(file).to_dicts() == ROWS


@pytest.mark.usefixtures("pushed")
def test_duckdb_queries():
    """Duckdb reads all files that a pattern finds, through fsspec."""
    import duckdb
    from huggingface_hub import HfFileSystem

    with duckdb.connect() as connection:
        connection.register_filesystem(HfFileSystem())
        query = (
            "select count(*), max(length) from read_parquet('hf://datasets/org/magpie/*/*.parquet')"
        )
        assert connection.execute(query).fetchall() == [(5, 2)]

"""Readers of all generations get exactly the rows that were built, from a hub and from a folder.

What was built is read back by pyarrow alone, and compared as Python values. The older readers are
installed into environments of their own, which are gone afterwards.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from magpie_hub.run.publishing import Wanted, publish
from tests.hub.clients import environment
from tests.publish.released import REPO, Run, put, serving_clients

READERS = {
    "datasets 3.6": ["datasets==3.6.*", "huggingface_hub<1"],
    "datasets 4.8": ["datasets==4.8.*"],
    "datasets 5": ["datasets==5.*"],
}
READ = """
import json, sys
from datasets import __version__, load_dataset

asked = json.load(sys.stdin)
rows = [load_dataset(*names, split="train", **options).to_list() for names, options in asked]
json.dump([__version__, rows], sys.stdout)
"""


Row = dict[str, Any]
Request = tuple[list[str], dict[str, Any]]
"""The names and the options that `load_dataset` is given."""


def rows(run: Run, config: str) -> list[Row]:
    """Return the rows of a config as they were built."""
    files = sorted((run[1].path / "build" / config).iterdir())
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.fixture
def dist(tmp_path: Path, new_run: Run) -> Path:
    """Return the folder target that holds the newer release."""
    publish(*new_run, Wanted(str(tmp_path / "dist")), print)
    return tmp_path / "dist" / REPO


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Install a reader under this Python; return its name and its Python.

    Away from the checkout, whose constraints would hold there. Where the packages cannot be had,
    the test fails.
    """
    uv, place = os.environ.get("UV", "uv"), tmp_path / "reader"
    python = place / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, place],
        [uv, "pip", "install", "--quiet", "--python", python, *READERS[request.param]],
    ):
        subprocess.run(command, check=True, cwd=tmp_path)
    yield request.param, python
    shutil.rmtree(place)


@pytest.mark.slow
def test_every_generation_of_datasets(
    reader: tuple[str, Path], tmp_path: Path, old_run: Run, new_run: Run, dist: Path
) -> None:
    """By repository, by an older version, by folder and as bare Parquet, all rows are as built."""
    name, python = reader
    with serving_clients(tmp_path) as hub:
        put(old_run, create=True)
        put(new_run)
        short = rows(new_run, "short")
        asked: list[tuple[Request, list[Row]]] = [(([REPO], {}), short), (([str(dist)], {}), short)]
        for config in ("raw", "short"):
            new, old = rows(new_run, config), rows(old_run, config)
            files = [str(path) for path in sorted((dist / config).iterdir())]
            asked += [
                (([REPO, config], {}), new),
                (([REPO, config], {"revision": "v1.1.0"}), new),
                (([REPO, config], {"revision": "v1.0.0"}), old),
                (([str(dist), config], {}), new),
                ((["parquet"], {"data_files": files}), new),
            ]
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-c", READ],
            input=json.dumps([request for request, _ in asked]),
            env=kept | environment(hub, tmp_path / "reader's home"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    version, found = json.loads(done.stdout)
    assert f"datasets {version}".startswith(f"{name}.")
    for (request, expected), read in zip(asked, found, strict=True):
        assert read == expected, f"{request} gives other rows"
    assert len({len(expected) for _, expected in asked}) == 4


def test_other_readers_of_parquet(dist: Path, new_run: Run) -> None:
    """pandas, polars and duckdb read the files of a folder, and find the same rows."""
    import duckdb
    import pandas
    import polars

    for config in ("raw", "short"):
        expected = rows(new_run, config)
        pattern = str(dist / config / "*.parquet")
        assert polars.read_parquet(pattern).to_dicts() == expected
        with duckdb.connect() as connection:
            query = connection.execute("select * from read_parquet(?)", [pattern])
            names = [column[0] for column in query.description]
            assert [dict(zip(names, row, strict=True)) for row in query.fetchall()] == expected
        frame = pandas.read_parquet(dist / config)
        assert frame["uuid"].tolist() == [row["uuid"] for row in expected]
        messages = [[*map(dict, turns)] for turns in frame["messages"]]
        assert messages == [row["messages"] for row in expected]
        assert list(frame.columns) == list(expected[0])

"""Datasets that `load_dataset` opens come in row by row, from a folder and from the Hub."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.errors import ShardError
from magpie_hub.shards.foreign import checksums, read
from magpie_hub.spec.source import Source
from tests import small_hub
from tests.small_hub import FIRST, SECOND, Repo, serving

ROW = '{"instruction": "Hi", "response": "Hello"}'


def test_a_dataset_in_a_folder(tmp_path):
    """A folder that `load_dataset` opens is read by config and split, pictures and all."""
    folder = tmp_path / "dist" / "mine"
    folder.mkdir(parents=True)
    picture = {"difficulty": "easy", "picture": {"bytes": b"?", "path": None}}
    table = pa.Table.from_pylist([{"uuid": uuid, "instruction": "Hi", **picture} for uuid in "ab"])
    pq.write_table(table, folder / "held.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: raw\n  data_files:\n  - {split: test, path: held.parquet}\n"
        "dataset_info:\n- config_name: raw\n  features:\n  - {name: uuid, dtype: string}\n"
        "  - {name: instruction, dtype: string}\n"
        "  - {name: difficulty, dtype: string}\n"
        "  - {name: picture, dtype: image}\n---\n",
    )
    source = Source(dataset=str(folder), config="raw", split="test")

    found = list(read(source))

    assert [(row.place, row.uuid) for row in found] == [
        ("mine test row 1", "a"),
        ("mine test row 2", "b"),
    ]
    assert found[0].labels == {"difficulty": "easy"}
    assert checksums(source) == checksums(source)
    assert [*checksums(source)] == ["mine"]
    for wrong in ({"split": "train"}, {"config": "none"}, {"dataset": f"{tmp_path}/none"}):
        with pytest.raises(ShardError, match="cannot be loaded: "):
            list(read(source.model_copy(update=wrong)))


ASK = """
import json, sys
from magpie_hub.errors import ShardError
from magpie_hub.shards.foreign import checksums, read
from magpie_hub.spec.source import Source
source = Source(dataset="org/data", revision=sys.argv[1] or None)
try:
    print(json.dumps([[row.place for row in read(source)], checksums(source)]))
except ShardError as error:
    print(json.dumps(error.message))
"""


def ask(revision: str, **environ: str) -> list[object] | str:
    """Return the places and checksums of `org/data` in a process of its own, or the error."""
    command = [sys.executable, "-W", "ignore", "-c", ASK, revision]
    environ = {**os.environ, "NO_PROXY": "127.0.0.1", **environ}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_dataset_on_the_hub(tmp_path, monkeypatch):
    """A commit is read as that commit and known by it; another one in the cache is no stand-in."""
    answer = small_hub._find

    def answer_for_datasets(repos, address):
        return answer(repos, address.replace("/datasets/", "/models/" if "api" in address else "/"))

    monkeypatch.setattr(small_hub, "_find", answer_for_datasets)
    commits = {
        FIRST: {"data.jsonl": ROW.encode()},
        SECOND: {"data.jsonl": f"{ROW}\n{ROW}".encode()},
    }
    places = ["org/data train row 1", "org/data train row 2"]
    with serving({"org/data": Repo(commits)}) as served:
        online = {
            "HF_ENDPOINT": served.endpoint,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path / "home"),
        }
        assert ask("", **online) == [places, {"org/data": SECOND}]
        assert ask("c" * 40, **online) == (
            "the dataset `org/data` cannot be loaded: Revision"
            f" '{'c' * 40}' doesn't exist for dataset 'org/data' on the Hub."
        )
        offline = online | {"HF_HUB_OFFLINE": "1"}
        assert ask("", **offline) == [places, {"org/data": SECOND}]
        assert ask(FIRST, **offline) == (
            f"the dataset `org/data` was asked for at `{FIRST}`, and only `{SECOND}` is in the"
            " cache"
        )
        assert ask(FIRST, **online) == [places[:1], {"org/data": FIRST}]

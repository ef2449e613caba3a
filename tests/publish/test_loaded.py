"""The reader: a process of its own, with empty caches, that gives what any reader would get."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.publish.index import hash_files
from magpie_hub.publish.loaded import Loaded, load
from tests.hub.clients import NO_WAITS
from tests.hub.hub import READ, Hub
from tests.publish import handed, small
from tests.publish.handed import LAST, RAW

COLUMNS = {"raw": small.FEATURES, "last": small.FEATURES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that holds the store of a hub, the client's home and the built files."""
    return tmp_path_factory.mktemp("hub")


@pytest.fixture(scope="module")
def hub(folder: Path) -> Iterator[Hub]:
    """Serve a hub that holds a release as v1.0.0."""
    with handed.serving_release(folder) as served:
        yield served


@pytest.fixture(autouse=True)
def _without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(NO_WAITS))


def built(folder: Path, results: list[Loaded]) -> bool:
    """Return whether the readers of `raw` and `last` found what was built, row by row."""
    expected = [hash_files([folder / "built" / path]) for path in (RAW, LAST)]
    return [pq.read_table(result.rows) for result in results] == expected


def test_the_hub_gives_what_was_built(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """Of a repository at a commit, uuids and hashes of each config come in order."""
    commit = handed.store(hub).at("main").sha
    results = load(small.REPO, commit, COLUMNS, tmp_path)
    assert [(r.config, r.problem, r.unreachable) for r in results] == [
        ("raw", "", False),
        ("last", "", False),
    ]
    assert built(folder, results)


def test_a_folder_gives_what_was_built(hub: Hub, folder: Path, tmp_path: Path) -> None:
    """The same of a folder, for which no hub is asked."""
    place = handed.written(tmp_path / "dist", handed.files_of(hub, "main"))
    (tmp_path / "caches").mkdir()
    before = len(hub.requests)
    assert built(folder, load(str(place), None, COLUMNS, tmp_path / "caches"))
    assert len(hub.requests) == before


@pytest.mark.usefixtures("hub")
def test_what_is_wrong_is_told_of_each_config(tmp_path: Path) -> None:
    """A config that there is not, columns too many, too few, of another type; the rest loads."""
    columns = {
        "none": small.FEATURES,
        "raw": {"quality": "string", "uuid": "string", "model": "string"},
        "last": small.FEATURES,
    }
    none, raw, last = load(small.REPO, "v1.0.0", columns, tmp_path)
    assert none.problem.startswith("ValueError: BuilderConfig 'none' not found. Available: ['raw'")
    assert raw.problem == "its columns `quality`, `model`, `messages` are not as published"
    assert last.problem == ""
    assert {each.unreachable for each in (none, raw, last)} == {False}


def test_damaged_rows_are_told(hub: Hub, tmp_path: Path) -> None:
    """A file that ends in the middle is the data's fault, not the connection's."""
    files = handed.files_of(hub, "main")
    commit = handed.committed(hub, files | {RAW: files[RAW][:700]})
    [raw] = load(small.REPO, commit, {"raw": small.FEATURES}, tmp_path)
    assert "Parquet magic bytes not found in footer" in raw.problem
    assert not raw.unreachable


@pytest.mark.usefixtures("hub")
def test_the_users_caches_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written where the user has the caches, in whichever way that is said."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "users" / name))
    (tmp_path / "ours").mkdir()
    [raw] = load(small.REPO, "v1.0.0", {"raw": small.FEATURES}, tmp_path / "ours")
    assert raw.problem == ""
    assert [path.name for path in tmp_path.iterdir()] == ["ours"]


def test_the_account_stays_the_same(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private dataset is read with the token that `hf auth login` left in HF_HOME."""
    monkeypatch.delenv("HF_TOKEN")
    token = folder / "home" / "token"
    token.parent.mkdir(exist_ok=True)
    with handed.store(hub).changing() as state:
        state["private"] = True
    try:
        for number, problem in enumerate(("DatasetNotFoundError", "")):
            (tmp_path / str(number)).mkdir()
            [raw] = load(small.REPO, "v1.0.0", {"raw": small.FEATURES}, tmp_path / str(number))
            assert raw.problem.partition(":")[0] == problem
            token.write_text(READ)
    finally:
        token.unlink(missing_ok=True)
        with handed.store(hub).changing() as state:
            state["private"] = False


def test_a_failing_hub_is_unreachable(hub: Hub, tmp_path: Path) -> None:
    """A hub that is out of order says nothing of the data, and a warm cache stands in for none."""
    from datasets import load_dataset

    for config in COLUMNS:
        load_dataset(small.REPO, config, split="train")
    hub.break_at(0, "500", times=1000)
    try:
        results = load(small.REPO, "v1.0.0", COLUMNS, tmp_path)
    finally:
        hub.break_at(0, "500", times=0)
    assert [result.unreachable for result in results] == [True, True]


@pytest.mark.usefixtures("hub")
def test_no_hub_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers, the connection is to blame."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        [raw] = load(small.REPO, "v1.0.0", {"raw": small.FEATURES}, tmp_path)
    assert raw.unreachable
    assert raw.problem.startswith("ConnectionError: Couldn't reach 'org/tiny' on the Hub")


def test_a_reader_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends in the middle, for want of memory say, tells nothing of the data."""
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('out of memory')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    results = load(small.REPO, "v1.0.0", COLUMNS, tmp_path)
    assert [(r.config, r.unreachable) for r in results] == [("raw", True), ("last", True)]
    assert results[0].problem == "the reader ended: SystemExit: out of memory"


def test_what_this_machine_refuses_is_no_fault_of_the_data(hub: Hub, tmp_path: Path) -> None:
    """Where the reader cannot write its results, as on a full disk, the data is not to blame."""
    place, caches = handed.written(tmp_path / "dist", handed.files_of(hub, "main")), tmp_path / "c"
    (caches / "0.parquet").mkdir(parents=True)
    [result] = load(str(place), None, {"raw": small.FEATURES}, caches)
    assert "0.parquet" in result.problem
    assert result.unreachable

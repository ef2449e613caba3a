"""A config in two splits, from its files to what readers load: on the Hub, and in a folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from magpie_hub.errors import VerifyError
from magpie_hub.publish import commit
from magpie_hub.publish.folder import Folder
from magpie_hub.publish.plan import plan
from magpie_hub.publish.release import Release
from magpie_hub.publish.repository import Repository
from magpie_hub.publish.verify import Place, verify
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.hub.hub import Hub
from tests.making import released, spec_file
from tests.publish import handed, small
from tests.publish.handed import Files, card, parquet, sealed, table
from tests.publish.released import serving_clients

TRAIN, TEST = (f"dpo/{split}-00000-of-00001.parquet" for split in ("train", "test"))
ROWS = small.rows(10)


def release(folder: Path, test: int = 2) -> Release:
    """Return a release of ten rows, of which the last `test` are a split of their own."""
    train = {"raw": small.rows(3), "dpo": ROWS[: 10 - test]}
    tests = {"dpo": ROWS[10 - test :]} if test else {}
    return small.release(folder / str(test), train, tests=tests, aliases={"best": "dpo"})


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Serve a hub on which that release was published as v1.0.0."""
    folder = tmp_path_factory.mktemp("hub")
    with serving_clients(folder) as served:
        repository = Repository(small.REPO)
        repository.create(private=False)
        commit.publish(release(folder), repository, print)
        yield served


@pytest.fixture
def files(hub: Hub) -> Files:
    """Return the files of v1.0.0."""
    return handed.files_of(hub, "v1.0.0")


def test_readers_get_both_splits(files: Files) -> None:
    """The Hub holds a file of each split, verified when it was published, and loads as two."""
    from datasets import load_dataset

    assert {TRAIN, TEST} < files.keys()
    for name in ("dpo", "best"):
        loaded = load_dataset(small.REPO, name, revision="v1.0.0")
        assert {split: rows.to_list() for split, rows in loaded.items()} == {
            "train": ROWS[:8],
            "test": ROWS[8:],
        }
    assert [*load_dataset(small.REPO, "raw")] == ["train"]
    manifest = Repository(small.REPO).read("v1.0.0").manifest
    assert manifest.splits("dpo") == {"train": 8, "test": 2}
    assert manifest.splits("raw") == {"train": 3}
    assert "splits" not in manifest.configs["raw"]


def test_a_folder_of_two_splits(tmp_path: Path) -> None:
    """A folder holds the same, and passes; the second time there is nothing to do."""
    folder = Folder(small.REPO, tmp_path / "dist")
    with folder.owned():
        folder.put(plan(release(tmp_path), folder.read()))
    assert verify(folder, "").configs == {"raw": 3, "dpo": 10}
    assert not plan(release(tmp_path), folder.read()).to_do


def test_a_run_to_a_release_of_two_splits(tmp_path: Path) -> None:
    """What is built of a spec with `test` holds both splits, and shares no instruction."""
    from datasets import load_dataset

    samples = {"number": 2, "scored_by": "response_quality"}
    configs = {"dpo": {"samples": samples, "test": 0.5, "default": True}}
    path = spec_file(tmp_path, 40, tags=["response_quality"], configs=configs)
    done = released(load(str(path)), RunFolder(tmp_path / "run"), tmp_path / "dist")

    place = tmp_path / "dist" / "org" / "tiny"
    manifest = done.put.plan.manifest
    assert verify(Folder(small.REPO, place), "").configs["dpo"] == manifest.configs["dpo"]["rows"]
    loaded = load_dataset(str(place), "dpo", cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == manifest.splits("dpo")
    train, test = ({row[0]["content"] for row in loaded[s]["prompt"]} for s in ("train", "test"))
    assert train
    assert test
    assert not train & test


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("test", "moved"), [(3, 1), (1, 1), (0, 2)])
def test_a_row_that_moves_to_another_split_is_changed(
    tmp_path: Path, test: int, moved: int
) -> None:
    """It is the same rows in the same order, and yet a new minor version; a lost file goes."""
    planned = plan(release(tmp_path, test), Repository(small.REPO).read())
    [raw, dpo] = planned.configs
    assert (raw.state, dpo.state, planned.version) == ("same", "changed", "1.1.0")
    assert (dpo.rows, dpo.added, dpo.removed, dpo.changed) == (10, 0, 0, moved)
    assert planned.delete == (() if test else (TEST,))


@pytest.mark.usefixtures("empty")
def test_an_old_version_again(tmp_path: Path) -> None:
    """Rows that left a split come back to it with the version that had them there."""
    repository = Repository(small.REPO)
    repository.create(private=False)
    for test in (2, 0):
        commit.publish(release(tmp_path, test), repository, print)
    assert TEST not in repository.read().files

    done = commit.publish(commit.as_of(repository, "tiny", "1.0.0"), repository, print)
    assert done.plan.version == "1.2.0"
    assert repository.read().manifest.splits("dpo") == {"train": 8, "test": 2}


def _moved(files: Files) -> Files:
    """Put the last row of `train` in front of `test`, and tell so everywhere but in the index."""
    train, test = (table(files[path]) for path in (TRAIN, TEST))
    parts = {TRAIN: parquet(train.slice(0, 7))}
    parts[TEST] = parquet(pa.concat_tables([train.slice(7), test]))
    told = card({**files, **parts}, "num_examples: 8", "num_examples: 7")
    told = card(told, "num_examples: 8", "num_examples: 7")
    told = card(card(told, *_THREE), *_THREE)
    return sealed(told, dpo={"splits": {"train": 7, "test": 3}})


_THREE = ("num_examples: 2", "num_examples: 3")
_LISTED = "\n  - split: test\n    path: dpo/test-*"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda f: {k: v for k, v in f.items() if k != TEST}, f"`{TEST}` is missing"),
        (
            lambda f: sealed({**f, TEST: parquet(table(f[TEST]).slice(1))}),
            "`dpo` has 8 (train), 1 (test) rows, expected 8 (train), 2 (test)",
        ),
        (
            lambda f: sealed({**f, TRAIN: f[TEST], TEST: f[TRAIN]}),
            "`dpo` has 2 (train), 8 (test) rows, expected 8 (train), 2 (test)",
        ),
        (lambda f: sealed(card(f, _LISTED, "")), "`dpo` is in `[{'split': 'train', 'path'"),
        (
            lambda f: sealed(card(f, *_THREE)),
            "'num_examples': 3}], expected 8 (train), 2 (test) rows",
        ),
        (_moved, "loading `dpo` gives 10 rows, expected 10: 0 missing, 0 strange, 1 with another"),
    ],
)
def test_a_fault_of_a_split_is_named(
    hub: Hub, files: Files, tmp_path: Path, change: Callable[[Files], Files], named: str
) -> None:
    """A split that is lost, short, exchanged or not told, and a row in the other one."""
    wrong = change(files)
    places: list[tuple[Place, str]] = [
        (Repository(small.REPO), handed.committed(hub, wrong)),
        (Folder(small.REPO, handed.written(tmp_path, wrong)), ""),
    ]
    for place, revision in places:
        with pytest.raises(VerifyError) as caught:
            verify(place, revision)
        assert named in caught.value.message

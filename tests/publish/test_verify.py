"""A right release passes; what is wrong with one is found and named, on the Hub as in a folder.

Most faults are put into releases whose release.json was written anew to match: the checksums are
right, and only a look at what they are the checksums of can tell.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from magpie_hub.errors import VerifyError
from magpie_hub.publish.folder import Folder
from magpie_hub.publish.repository import Repository
from magpie_hub.publish.verify import Place, Verified, verify
from tests.hub.hub import Hub
from tests.publish import handed, small
from tests.publish.handed import FIGURE, LAST, RAW, SHORT, Files, card, parquet, sealed, table


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Serve a hub that holds a release as v1.0.0."""
    with handed.serving_release(tmp_path_factory.mktemp("hub")) as served:
        yield served


@pytest.fixture
def files(hub: Hub) -> Files:
    """Return the files of v1.0.0."""
    return handed.files_of(hub, "v1.0.0")


Held = Callable[[Files], tuple[Place, str]]


@pytest.fixture(params=["hub", "folder"])
def held(request: pytest.FixtureRequest, hub: Hub, tmp_path: Path) -> Held:
    """Return what puts files into a target, and tells the target and the revision."""
    if request.param == "folder":
        return lambda files: (Folder(small.REPO, handed.written(tmp_path, files)), "")
    return lambda files: (Repository(small.REPO), handed.committed(hub, files))


def test_a_right_release_passes(held: Held, files: Files) -> None:
    """Everything is counted, and the commit named where there is one."""
    place, revision = held(files)
    size = sum(map(len, files.values())) - len(files["release.json"])
    assert verify(place, revision, version="1.0.0") == Verified(
        small.REPO, "1.0.0", revision or None, {"raw": 20, "short": 5, "last": 3}, 6, size
    )


def _without(path: str) -> Callable[[Files], Files]:
    return lambda files: {name: content for name, content in files.items() if name != path}


def _with(path: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Files], Files]:
    return lambda files: sealed({**files, path: parquet(change(table(files[path])))})


def _carded(old: str, new: str) -> Callable[[Files], Files]:
    return lambda files: sealed(card(files, old, new))


def _recounted(files: Files) -> Files:
    """Leave a row out, and say so everywhere but in the index."""
    fewer = {**files, RAW: parquet(table(files[RAW]).slice(0, 19))}
    return sealed(card(fewer, "num_examples: 20", "num_examples: 19"), raw={"rows": 19})


def _cast(name: str, type_: pa.DataType) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index(name)
        return rows.set_column(place, name, rows[name].cast(type_))

    return change


def _of_another_hash(rows: pa.Table) -> pa.Table:
    hashes = ["0" * 32, *rows["content_hash"].to_pylist()[1:]]
    return rows.set_column(2, "content_hash", pa.array(hashes, pa.string()))


RAW_FILES = "path: raw/train-*\n  version"
FAULTS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "a lost file": (_without(RAW), f"`{RAW}` is missing"),
    "a lost figure": (_without(FIGURE), f"`{FIGURE}` is missing"),
    "another figure": (lambda f: {**f, FIGURE: f[FIGURE] * 2}, f"`{FIGURE}` has 32 bytes, expec"),
    "a figure of the same size": (
        lambda f: {**f, FIGURE: f[FIGURE][::-1]},
        f"`{FIGURE}` has the SHA-256",
    ),
    "a lost card": (_without("README.md"), "`README.md` is missing"),
    "other bytes": (lambda f: {**f, SHORT: f[RAW]}, f"`{SHORT}` has 1,"),
    "one byte": (lambda f: {**f, RAW: f[RAW][:-5] + b"!" + f[RAW][-4:]}, f"`{RAW}` has the SHA"),
    "half a file": (lambda f: sealed({**f, RAW: f[RAW][:600]}), f"`{RAW}` is no whole Parquet"),
    "a row less": (_with(RAW, lambda t: t.slice(0, 19)), "`raw` has 19 rows, expected 20"),
    "a row less, told": (_recounted, "`index.parquet` has 20 rows of `raw`, expected 19"),
    "a type": (
        _with(RAW, _cast("quality", pa.string())),
        f"`{RAW}`: its columns `quality` are not",
    ),
    "a narrower type": (
        _with(RAW, _cast("quality", pa.int32())),
        f"`{RAW}`: its columns `quality` are not",
    ),
    "a column less": (
        _with(RAW, lambda t: t.drop(["quality"])),
        f"`{RAW}`: its columns `quality` are not",
    ),
    "a column more": (
        _with(RAW, lambda t: t.append_column("x", t["uuid"])),
        f"`{RAW}`: its columns `x` are not as",
    ),
    "the index": (
        lambda f: {**f, "index.parquet": parquet(table(f["index.parquet"]).slice(1))},
        "`index.parquet` has ",
    ),
    "half an index": (
        lambda f: sealed({**f, "index.parquet": f["index.parquet"][:500]}),
        "index.parquet` is not a whole Parquet file",
    ),
    "a hash in the index": (
        _with("index.parquet", _of_another_hash),
        "` than release.json says",
    ),
    "a config less in the index": (
        _with("index.parquet", lambda t: t.filter(pc.field("config") != "short")),
        "`index.parquet` has 0 rows of `short`, expected 5",
    ),
    "a count": (
        _carded("num_examples: 20", "num_examples: 21"),
        "`raw` is of [{'name': 'train', 'num_b",
    ),
    "a count, unsealed": (
        lambda f: card(f, "num_examples: 20", "num_examples: 21"),
        "'num_examples': 21}], expected 20 rows",
    ),
    "no splits": (
        _carded("splits:\n  - name: train", "splits: 3\n  x:\n  - y: 3"),
        "`raw` is of 3, expected 20 rows",
    ),
    "splits as text": (
        _carded("splits:\n", "splits: train\n  x:\n"),
        "`raw` is of train, expected 20",
    ),
    "a version": (_carded('version: "1.0.0"', 'version: "1.0.1"'), "`raw` is 1.0.1, expected 1.0"),
    "no version": (_carded('version: "1.0.0"', "v: 1"), "`raw` is None, expected 1.0.0"),
    "files": (_carded("path: raw/train-*", "path: raw/*"), "`raw` is in `[{'split': 'train', 'pa"),
    "a split": (_carded("- split: train", "- split: test"), "`raw` is in `[{'split': 'test', 'p"),
    "files as text": (
        _carded("data_files:\n  - split: train\n    path: raw/train-*", "data_files: raw/*"),
        "`raw` is in `raw/*`, expected",
    ),
    "a type in the card": (
        _carded("dtype: int64", "dtype: string"),
        "loading `raw`: its columns `quality` are not as published",
    ),
    "a column less in the card": (
        _carded("  - name: quality\n    dtype: int64\n", ""),
        "loading `raw`: CastError: Couldn't cast",
    ),
    "no config": (
        _carded("config_name: raw", "config_name: roh"),
        "does not list the config `raw`",
    ),
    "no alias": (_carded("config_name: kurz", "config_name: kur"), "not list the config `kurz`"),
    "no YAML": (_carded("pretty_name:", "pretty: name:"), "README.md cannot be read: mapping val"),
    "no front matter": (_carded("---\n", "--\n"), "does not list the config `raw`"),
    "a text of the card": (lambda f: card(f, "# What", "# That"), "`README.md` has the SHA-256"),
}


@pytest.mark.parametrize(("change", "named"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named(
    held: Held, files: Files, change: Callable[[Files], Files], named: str
) -> None:
    """What is wrong fails the verification, whose message says what and where."""
    place, revision = held(change(files))
    with pytest.raises(VerifyError, match=re.escape(named)) as caught:
        verify(place, revision)
    assert caught.value.message.startswith(f"`{small.REPO}`")


def test_other_rows_in_the_same_number_are_found(held: Held, files: Files) -> None:
    """A row twice, a row changed and rows in another order: each config is named with its own."""
    changed = table(files[SHORT]).to_pylist()
    changed[2]["quality"] = 99
    first, *others = table(files[RAW]).to_pylist()
    place, revision = held(
        sealed(
            files
            | {
                RAW: parquet(small.table([first, *others[:-1], first])),
                SHORT: parquet(small.table(changed)),
                LAST: parquet(table(files[LAST]).take([1, 0, 2])),
            }
        )
    )
    with pytest.raises(VerifyError) as caught:
        verify(place, revision)
    of_raw = "`raw` gives 20 rows, expected 20: 1 missing, 1 strange, 0 with another content"
    of_short = "gives 5 rows, expected 5: 0 missing, 0 strange, 1 with another content"
    for named in (
        *(of_raw, f"`short` {of_short}", f"`kurz` {of_short}"),
        "`last` gives its rows in another order",
    ):
        assert f"loading {named}" in caught.value.message


def test_no_release(hub: Hub, files: Files, tmp_path: Path) -> None:
    """Where there is no release.json, there is nothing to verify."""
    del files["release.json"]
    with pytest.raises(VerifyError, match=r"^`org/tiny` at `\w{40}` has no release.json, expected"):
        verify(Repository(small.REPO), handed.committed(hub, files))
    with pytest.raises(VerifyError, match=r"^`org/tiny` has no release.json, exp"):
        verify(Folder(small.REPO, tmp_path), "")


def test_many_faults_are_counted(held: Held, files: Files) -> None:
    """The message shows five and says how many there are besides."""
    wrong = files["README.md"].replace(b"1.0.0", b"9.9.9").replace(b"num_examples", b"rows")
    place, revision = held(files | {"README.md": wrong})
    with pytest.raises(VerifyError, match=r"; and 4 more$"):
        verify(place, revision)


def test_a_stray_file_in_a_configs_folder(held: Held, files: Files) -> None:
    """What readers would read with the config is named."""
    stray = "raw/train-00001-of-00002.parquet"
    found = f"`{stray}` is read with its config and is no part of the release"
    place, revision = held(files | {stray: files[RAW]})
    with pytest.raises(VerifyError, match=found):
        verify(place, revision)


def test_what_others_have_put_beside_it_is_no_fault(hub: Hub, files: Files) -> None:
    """A repository may hold configs and files that are of no release."""
    others = {"by_hand/a.parquet": files[RAW], "notes.txt": b"mine", ".gitattributes": b""}
    assert verify(Repository(small.REPO), handed.committed(hub, files | others)).files == 6


def test_a_copy_as_git_and_the_client_make_it(files: Files, tmp_path: Path) -> None:
    """A folder that was cloned or downloaded is verified in spite of what they keep beside it."""
    beside = dict.fromkeys((".git/HEAD", ".cache/huggingface/x", ".gitattributes", "notes"), b"")
    copy = handed.written(tmp_path, files | beside)
    assert verify(Folder(small.REPO, copy), "").files == 6

"""What only a Hub can do to a release: blobs, tags, lag, readers' caches, and room on the disk."""

import random
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from magpie_hub.errors import HubError, VerifyError
from magpie_hub.publish.repository import Repository
from magpie_hub.publish.verify import verify
from tests.hub.hub import Hub
from tests.publish import handed, small
from tests.publish.handed import RAW


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """Serve a hub that holds a release as v1.0.0, and one of 25 rows as v1.1.0."""
    with handed.serving_release(tmp_path_factory.mktemp("hub")) as served:
        handed.publish(tmp_path_factory.mktemp("newer"), "1.1.0", raw=small.rows(25))
        yield served


def check(version: str) -> None:
    """Verify what a tag points at."""
    verify(Repository(small.REPO), f"v{version}", version=version)


@pytest.mark.parametrize("path", [RAW, "index.parquet", "README.md", "release.json"])
def test_a_byte_changed_in_the_store(hub: Hub, path: str) -> None:
    """Where the hub hands out other bytes than it lists, the file is named."""
    held = handed.store(hub)
    blob = held.blob(held.at("v1.0.0").files[path].blob)
    right = blob.read_bytes()
    place = len(right) // 2
    try:
        blob.write_bytes(right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :])
        with pytest.raises(VerifyError, match=f"`{path}`"):
            check("1.0.0")
    finally:
        blob.write_bytes(right)


@pytest.fixture
def tag(hub: Hub) -> Iterator[str]:
    """Put the tag v1.0.0 back where it was."""
    place = handed.store(hub).at("v1.0.0").sha
    yield place
    moved(hub, place)


def moved(hub: Hub, commit: str) -> None:
    """Let the tag v1.0.0 point at another commit."""
    with handed.store(hub).changing() as state:
        state["refs"]["refs/tags/v1.0.0"] = commit


@pytest.mark.usefixtures("tag")
def test_a_tag_moved_to_another_release(hub: Hub) -> None:
    """The tag is named with the commit, and with the version that is there."""
    newer = handed.store(hub).at("v1.1.0").sha
    moved(hub, newer)
    with pytest.raises(
        VerifyError, match=f"tag `v1.0.0` points at the commit `{newer}`, whose rel"
    ):
        check("1.0.0")
    check("1.1.0")


def test_a_tag_moved_to_a_commit_by_hand(hub: Hub, tag: str) -> None:
    """Rows or texts that somebody put in the place of ours are no longer what was published."""
    newer = handed.files_of(hub, "v1.1.0")
    moved(hub, handed.committed(hub, handed.files_of(hub, "v1.0.0") | {RAW: newer[RAW]}))
    with pytest.raises(VerifyError, match=f"`{RAW}` has"):
        check("1.0.0")
    files = handed.files_of(hub, tag)
    moved(hub, handed.committed(hub, handed.card(files, "# What", "# Was")))
    with pytest.raises(VerifyError, match=r"`README.md` has the SHA-256"):
        check("1.0.0")


def test_a_stale_cache_of_a_reader(hub: Hub) -> None:
    """While the Hub fails, `load_dataset` gives the rows of another version without a word."""
    from datasets import load_dataset

    old = load_dataset(small.REPO, "raw", split="train", revision="v1.0.0")
    hub.break_at(0, "500", times=1000)
    stale = load_dataset(small.REPO, "raw", split="train", revision="v1.1.0")
    assert stale.to_list() == old.to_list() == small.rows(20)
    with pytest.raises(HubError, match="500"):
        check("1.1.0")
    hub.break_at(0, "500", times=0)
    check("1.1.0")


def test_a_warm_cache_hides_nothing(hub: Hub) -> None:
    """Where a reader still has the right bytes and the hub no longer, verification fails."""
    from datasets import load_dataset

    load_dataset(small.REPO, "raw", split="train", revision="v1.1.0")
    held = handed.store(hub)
    blob = held.blob(held.at("v1.1.0").files[RAW].blob)
    right = blob.read_bytes()
    try:
        blob.write_bytes(right[:-5] + b"!" + right[-4:])
        warm = load_dataset(small.REPO, "raw", split="train", revision="v1.1.0")
        assert warm.to_list() == small.rows(25)
        with pytest.raises(VerifyError, match=f"`{RAW}` has the SHA-256"):
            check("1.1.0")
    finally:
        blob.write_bytes(right)


def test_lag_is_waited_out(hub: Hub) -> None:
    """A commit that cannot be read yet is waited for; without patience, the connection is named."""
    fresh = handed.committed(hub, handed.files_of(hub, "v1.0.0"))
    hub.lag = 1.5
    try:
        with pytest.raises(HubError, match=f"has no revision `{fresh}`"):
            verify(Repository(small.REPO), fresh)
        assert verify(Repository(small.REPO), fresh, patience=20).commit == fresh
    finally:
        hub.lag = 0


def noise(count: int, seed: int) -> list[small.Row]:
    """Return rows of 10 kB which no compression makes smaller."""
    rows, random_ = small.rows(count), random.Random(seed)
    for row in rows:
        row["messages"][0]["content"] = random_.randbytes(5000).hex()
    return rows


class _Watch(threading.Thread):
    """Notes the largest sum of the sizes of the files under a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.peak, self.ended = folder, 0, threading.Event()

    def run(self) -> None:
        """Look every two milliseconds until told to end."""
        while not self.ended.wait(0.002):
            self.peak = max(self.peak, sum(map(self._size, self.folder.rglob("*"))))

    @staticmethod
    def _size(path: Path) -> int:
        try:
            return path.lstat().st_size
        except FileNotFoundError:
            return 0


def test_the_disk_holds_at_most_twice_the_largest_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All configs together are larger than that; caches and index count as well."""
    disk = tmp_path / "home"
    disk.mkdir()
    monkeypatch.setenv("TMPDIR", str(disk))
    with handed.serving_release(tmp_path) as hub:
        rows = {"raw": noise(500, 1), "short": noise(400, 2), "last": noise(400, 3)}
        commit = handed.publish(tmp_path / "large", "1.1.0", **rows)
        sizes = [entry.size for entry in handed.store(hub).at(commit).files.values()]
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        watch = _Watch(disk)
        watch.start()
        verify(Repository(small.REPO), commit)
        watch.ended.set()
        watch.join()
    largest = max(sizes)
    assert 2_500_000 < largest < sum(sizes) / 2.5
    assert largest <= watch.peak <= 2 * largest

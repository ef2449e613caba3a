"""Releases that somebody has laid hands on: files put onto a test hub or into a folder as they are.

What is committed here was planned and checked by nobody. It knows nothing of verification.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.publish.repository import Repository
from tests.hub.clients import in_process, without_waits
from tests.hub.hub import Hub
from tests.hub.serving import serving
from tests.hub.store import LFS_SUFFIXES, Entry, Repo
from tests.publish import small

RAW, SHORT, LAST = (f"{name}/train-00000-of-00001.parquet" for name in ("raw", "short", "last"))
FIGURE = "figures/tiny/lengths.png"
CONFIGS = {"raw": small.rows(20), "short": small.rows(5), "last": small.rows(3, first=17)}
Files = dict[str, bytes]


@contextmanager
def serving_release(folder: Path) -> Iterator[Hub]:
    """Serve a hub that holds a release as v1.0.0, and lead the clients of this process there."""
    with pytest.MonkeyPatch.context() as patch, serving(folder / "store") as hub:
        in_process(patch, hub, folder / "home")
        without_waits(patch)
        Repository(small.REPO).create(private=False)
        publish(folder / "built", "1.0.0")
        yield hub


def publish(folder: Path, version: str, **changed: list[small.Row]) -> str:
    """Commit the release, some of its configs with other rows, under a version; return the sha."""
    figures = {"lengths": b"\x89PNG, of lengths"}
    release = small.release(folder, CONFIGS | changed, aliases={"kurz": "short"}, figures=figures)
    commit = small.commit(Repository(small.REPO), release)
    Repository(small.REPO).tag(version, commit)
    return commit


def store(hub: Hub) -> Repo:
    """Return what the hub holds of the repository."""
    found = hub.store.repo(f"datasets/{small.REPO}")
    assert found is not None
    return found


def files_of(hub: Hub, revision: str) -> Files:
    """Return the files of a release."""
    names = [path for path in store(hub).at(revision).files if path != ".gitattributes"]
    return {path: store(hub).read(path, revision) for path in names}


def committed(hub: Hub, files: Files) -> str:
    """Write a commit of these files, on no branch, and return its sha."""
    held = store(hub)
    entries = {name: _entry(held, name, content) for name, content in files.items()}
    return held.record(held.at("main").sha, entries, "by hand", "", "somebody")


def _entry(held: Repo, name: str, content: bytes) -> Entry:
    if not name.endswith(LFS_SUFFIXES):
        return held.keep(content)
    checksum = sha256(content).hexdigest()
    held.blob(checksum).write_bytes(content)
    entry = held.stored(checksum)
    assert entry is not None
    return entry


def written(folder: Path, files: Files) -> Path:
    """Write these files into a folder and return it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def sealed(files: Files, **configs: dict[str, Any]) -> Files:
    """Return files whose release.json has the checksums of what they are; it says `configs`."""
    said = json.loads(files["release.json"])
    for name, content in files.items():
        if name in said["files"]:
            said["files"][name] |= {
                "sha256": sha256(content).hexdigest(),
                "bytes": len(content),
            }
    for name, entry in configs.items():
        said["configs"][name] |= entry
    return {**files, "release.json": json.dumps(said).encode()}


def table(content: bytes) -> pa.Table:
    """Return the table of a Parquet file."""
    return pq.read_table(pa.BufferReader(content))


def parquet(table: pa.Table) -> bytes:
    """Return a Parquet file of a table."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, store_schema=False)
    return bytes(sink.getvalue())


def card(files: Files, old: str, new: str) -> Files:
    """Return files with a text of the card replaced, once."""
    text = files["README.md"].decode()
    assert old in text
    return {**files, "README.md": text.replace(old, new, 1).encode()}

"""Repositories on disk: blobs by their content, commits as JSON, references that move at once.

    datasets/org/magpie/blobs/<name>        a file; `<name>` is its sha256 (LFS) or git's sha1
    datasets/org/magpie/commits/<sha>.json  {"parent", "files", "title", "message", ...}
    datasets/org/magpie/state.json          {"private", "created", "refs", "discussions"}

Blobs are written first, then the commit, then the state, each beside its place and renamed, so
that a reader sees a commit whole or not at all. It knows nothing of HTTP, nor of who may do what.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

LFS_SUFFIXES = (
    *(".7z", ".arrow", ".bin", ".gguf", ".gz", ".jpg", ".jpeg", ".npy", ".npz", ".parquet"),
    *(".png", ".safetensors", ".tar", ".webp", ".zip", ".zst"),
)
ATTRIBUTES = "".join(f"*{end} filter=lfs diff=lfs merge=lfs -text\n" for end in LFS_SUFFIXES)
MAIN = "refs/heads/main"


class StoreError(Exception):
    """Something that is refused: an HTTP status, the Hub's word for it, a sentence, the commit."""

    def __init__(self, status: int, code: str, message: str, commit: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.commit = status, code, message, commit


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: git's id of what git holds, bytes, and the sha256 of an LFS file."""

    oid: str
    size: int
    lfs: str | None = None

    @property
    def blob(self) -> str:
        """What the file's content is called in `blobs/`, and in an ETag."""
        return self.lfs or self.oid

    @property
    def pointer_size(self) -> int:
        """Bytes of the pointer that git holds in place of an LFS file."""
        return len(_pointer(self.lfs or "", self.size))


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of a repository; `date` is when it was received, in ISO 8601."""

    sha: str
    parent: str | None
    files: Mapping[str, Entry]
    title: str
    message: str
    author: str
    date: str

    @property
    def age(self) -> float:
        """Seconds since it was received."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.date)).total_seconds()


def git_oid(content: bytes) -> str:
    """Return git's name of a blob with this content."""
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()


def _pointer(sha256: str, size: int) -> bytes:
    version = "https://git-lfs.github.com/spec/v1"
    return f"version {version}\noid sha256:{sha256}\nsize {size}\n".encode()


def now() -> str:
    """Return the time in ISO 8601, as the Hub writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Repo:
    """One repository; `key` is `datasets/org/name`, or `models/org/name`."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self.id = key.partition("/")[2]

    def state(self) -> dict[str, Any]:
        """Return what may change: private, created, refs, discussions."""
        state: dict[str, Any] = json.loads((self.folder / "state.json").read_bytes())
        return state

    @contextmanager
    def changing(self) -> Iterator[dict[str, Any]]:
        """Give the state to change, alone with it; it is kept unless an error is raised."""
        with (self.folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.state()
            yield state
            self._write("state.json", json.dumps(state).encode())

    def find(self, revision: str) -> str | None:
        """Return the commit that a branch, a tag, `refs/...` or a commit itself stands for."""
        refs = self.state()["refs"]
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in refs:
                return str(refs[name])
        return revision if (self.folder / "commits" / f"{revision}.json").is_file() else None

    def commit(self, sha: str) -> Commit:
        """Return a commit."""
        said = json.loads((self.folder / "commits" / f"{sha}.json").read_bytes())
        files = {path: Entry(**entry) for path, entry in said.pop("files").items()}
        return Commit(sha=sha, files=files, **said)

    def at(self, revision: str) -> Commit:
        """Return the commit of a revision; raises StoreError where there is none."""
        if sha := self.find(revision):
            return self.commit(sha)
        raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {revision}")

    def history(self, sha: str) -> Iterator[Commit]:
        """Yield a commit and those that it came from, newest first."""
        at: str | None = sha
        while at:
            commit = self.commit(at)
            yield commit
            at = commit.parent

    def blob(self, name: str) -> Path:
        """Return where the content called so lies, or would."""
        return self.folder / "blobs" / name

    def read(self, path: str, revision: str = "main") -> bytes:
        """Return a file's content."""
        return self.blob(self.at(revision).files[path].blob).read_bytes()

    def keep(self, content: bytes) -> Entry:
        """Store a regular file's content."""
        entry = Entry(git_oid(content), len(content))
        if not self.blob(entry.blob).exists():
            self._write(f"blobs/{entry.blob}", content)
        return entry

    def stored(self, sha256: str) -> Entry | None:
        """Return the entry of an LFS file that was uploaded."""
        blob = self.blob(sha256)
        if len(sha256) != 64 or not blob.is_file():
            return None
        size = blob.stat().st_size
        return Entry(git_oid(_pointer(sha256, size)), size, sha256)

    def record(
        self, parent: str | None, files: Mapping[str, Entry], title: str, message: str, author: str
    ) -> str:
        """Write a commit, which no reference names yet, and return its sha."""
        said = {
            "parent": parent,
            "files": {path: asdict(files[path]) for path in sorted(files)},
            "title": title,
            "message": message,
            "author": author,
            "date": now(),
        }
        text = json.dumps(said).encode()
        sha = hashlib.sha1(text).hexdigest()
        self._write(f"commits/{sha}.json", text)
        return sha

    def _write(self, name: str, content: bytes) -> None:
        beside = self.folder / f"{name}.{uuid4().hex}"
        beside.write_bytes(content)
        beside.replace(self.folder / name)


class Store:
    """All repositories under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def repo(self, key: str) -> Repo | None:
        """Return a repository by `datasets/org/name`."""
        folder = self.folder / key
        return Repo(folder, key) if (folder / "state.json").is_file() else None

    def create(self, key: str, *, private: bool = False, author: str = "hub") -> Repo | None:
        """Make a repository that holds `.gitattributes` alone; None where there is one already."""
        folder = self.folder / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Repo(folder.with_name(f".{uuid4().hex}"), key)
        for name in ("blobs", "commits"):
            (made.folder / name).mkdir(parents=True)
        files = {".gitattributes": made.keep(ATTRIBUTES.encode())}
        sha = made.record(None, files, "initial commit", "", author)
        state = {"private": private, "created": now(), "refs": {MAIN: sha}, "discussions": []}
        (made.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")
        try:
            os.rename(made.folder, folder)  # noqa: PTH104 - fails where the place is taken
        except OSError:
            return None
        return Repo(folder, key)

"""A commit as the client sends it, carried out on a repository.

    {"key": "header", "value": {"summary": "Release", "description": "", "parentCommit": "ab12"}}
    {"key": "file", "value": {"path": "README.md", "content": "IyBIaQ==", "encoding": "base64"}}
    {"key": "lfsFile", "value": {"path": "a.parquet", "algo": "sha256", "oid": "...", "size": 4}}
    {"key": "deletedFile", "value": {"path": "old.parquet"}}

It knows nothing of HTTP; what it refuses is a StoreError.
"""

import base64
import json
from collections.abc import Sequence
from typing import Any

from tests.hub.store import MAIN, Commit, Entry, Repo, StoreError, now

Line = dict[str, Any]


def parse(body: bytes) -> tuple[dict[str, str], list[Line]]:
    """Return the header of a commit, and its operations."""
    header, *operations = (json.loads(line) for line in body.splitlines() if line.strip())
    return header["value"], operations


def apply(repo: Repo, files: dict[str, Entry], operations: Sequence[Line]) -> dict[str, Entry]:
    """Return the files after the operations, whose contents are stored; nothing names them yet."""
    files = dict(files)
    for operation in operations:
        value = operation["value"]
        path = value["path"]
        if path.startswith("/") or {"", ".", "..", ".git"} & {*path.rstrip("/").split("/")}:
            raise StoreError(400, "", f"Invalid path: {path}")
        if operation["key"] == "file":
            files[path] = repo.keep(base64.b64decode(value["content"]))
        elif operation["key"] == "lfsFile":
            files[path] = _uploaded(repo, path, value)
        elif operation["key"] == "deletedFile":
            if files.pop(path, None) is None:
                raise StoreError(
                    404, "EntryNotFound", f"A file with this name doesn't exist: {path}"
                )
        else:
            files = _without_folder(files, path.rstrip("/"))
    return files


def _uploaded(repo: Repo, path: str, value: dict[str, Any]) -> Entry:
    entry = repo.stored(value["oid"])
    if entry is None or value.get("size", entry.size) != entry.size:
        raise StoreError(400, "", f"LFS pointer pointed to a file that does not exist: {path}")
    return entry


def _without_folder(files: dict[str, Entry], folder: str) -> dict[str, Entry]:
    kept = {path: entry for path, entry in files.items() if not path.startswith(f"{folder}/")}
    if len(kept) == len(files):
        raise StoreError(404, "EntryNotFound", f"A folder with this name doesn't exist: {folder}")
    return kept


def reference(state: dict[str, Any], revision: str) -> str:
    """Return the reference that a commit to a revision moves."""
    for name in (f"refs/heads/{revision}", revision):
        if name in state["refs"] and not name.startswith("refs/tags/"):
            return name
    raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def commit(repo: Repo, revision: str, body: bytes, author: str) -> str:
    """Add a commit to a branch or a pull request, and return its sha."""
    header, operations = parse(body)
    with repo.changing() as state:
        ref = reference(state, revision)
        head = state["refs"][ref]
        if not head.startswith(header.get("parentCommit", "").lower()):
            message = "A commit has happened since. Please refresh and try again."
            raise StoreError(412, "", message, head)
        files = apply(repo, dict(repo.commit(head).files), operations)
        texts = (header["summary"], header.get("description", ""))
        state["refs"][ref] = repo.record(head, files, *texts, author)
    return str(state["refs"][ref])


def propose(repo: Repo, revision: str, body: bytes, author: str) -> tuple[int, str]:
    """Open a pull request that holds a commit, and return its number and the commit's sha.

    It starts from `parentCommit` where that is given, whatever has happened to the branch since.
    """
    header, operations = parse(body)
    base = repo.at(header.get("parentCommit", revision)).sha
    with repo.changing() as state:
        files = apply(repo, dict(repo.commit(base).files), operations)
        texts = (header["summary"], header.get("description", ""))
        sha = repo.record(base, files, *texts, author)
        number = discuss(state, header["summary"], author, base)
        state["refs"][f"refs/pr/{number}"] = sha
    return number, sha


def discuss(state: dict[str, Any], title: str, author: str, base: str | None) -> int:
    """Open a discussion, or with the commit that it starts from a pull request."""
    number = len(state["discussions"]) + 1
    made = {"num": number, "title": title, "author": author, "status": "open", "createdAt": now()}
    state["discussions"].append(made | {"base": base, "merged": None, "events": []})
    return number


def conflicts(base: Commit, ours: Commit, theirs: Commit) -> list[str]:
    """Return the files that both sides changed since `base`, and not to the same."""
    sides = (base.files, ours.files, theirs.files)
    return [
        path
        for path in sorted({*base.files, *ours.files, *theirs.files})
        if len({files.get(path) for files in sides}) == 3
    ]


def merge(repo: Repo, number: int, author: str) -> str:
    """Put what a pull request changes onto `main`, as one commit, and return its sha."""
    with repo.changing() as state:
        request = state["discussions"][number - 1]
        base, ours = repo.commit(request["base"]), repo.commit(state["refs"][MAIN])
        theirs = repo.commit(state["refs"][f"refs/pr/{number}"])
        if request["status"] != "open" or conflicts(base, ours, theirs):
            raise StoreError(409, "", "This pull request cannot be merged")
        changed = {
            p for p in {*base.files, *theirs.files} if base.files.get(p) != theirs.files.get(p)
        }
        files = {path: entry for path, entry in ours.files.items() if path not in changed}
        files |= {path: theirs.files[path] for path in changed if path in theirs.files}
        title = f"{request['title']} (#{number})"
        sha = repo.record(ours.sha, files, title, "", author)
        state["refs"][MAIN] = sha
        request |= {"status": "merged", "merged": sha}
    return sha

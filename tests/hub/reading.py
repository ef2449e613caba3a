"""What the Hub tells of a repository: its state, its files and folders, its history, its refs.

It changes nothing. While `hub.lag` lasts, `main` is what it was and a fresh commit is unknown.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from tests.hub.access import hub_of, reading
from tests.hub.store import Commit, Entry, Repo, StoreError


class _Blob(FileResponse):
    chunk_size = 2**20


def seen(request: Request, repo: Repo) -> Commit:
    """Return the commit of the request's revision, as a reader sees it."""
    revision = unquote(request.path_params.get("rev", "main"))
    commit, lag = repo.at(revision), hub_of(request).lag
    if commit.parent is None or commit.age >= lag:
        return commit
    refs = repo.state()["refs"]
    if f"refs/heads/{revision}" not in refs and revision not in refs:
        raise StoreError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return next(c for c in repo.history(commit.sha) if c.parent is None or c.age >= lag)


async def info(request: Request) -> Response:
    """Answer with a repository's state at a revision."""
    repo = reading(request)
    commit, state = seen(request, repo), repo.state()
    blobs = _true(request.query_params.get("blobs"))
    said = {
        "_id": hashlib.sha1(repo.key.encode()).hexdigest()[:24],
        "id": repo.id,
        "author": repo.id.partition("/")[0],
        "sha": commit.sha,
        "private": state["private"],
        "gated": False,
        "disabled": False,
        "createdAt": state["created"],
        "lastModified": commit.date,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "siblings": [_sibling(path, entry, blobs) for path, entry in commit.files.items()],
    }
    return JSONResponse(said)


def _sibling(path: str, entry: Entry, blobs: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"rfilename": path}
    if blobs:
        said |= {"size": entry.size, "blobId": entry.oid}
    if blobs and entry.lfs:
        sizes = {"size": entry.size, "pointerSize": entry.pointer_size}
        said["lfs"] = {"sha256": entry.lfs, **sizes}
    return said


def _file(path: str, entry: Entry) -> dict[str, Any]:
    said = {"type": "file", "oid": entry.oid, "size": entry.size, "path": path}
    if entry.lfs:
        sizes = {"size": entry.size, "pointerSize": entry.pointer_size}
        said["lfs"] = {"oid": entry.lfs, **sizes}
    return said


def _folder(path: str, commit: Commit) -> dict[str, Any]:
    inside = [f"{p} {e.oid}" for p, e in sorted(commit.files.items()) if p.startswith(f"{path}/")]
    oid = hashlib.sha1("\n".join(inside).encode()).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def _folders(commit: Commit) -> set[str]:
    parts = [path.split("/") for path in commit.files]
    return {"/".join(names[:depth]) for names in parts for depth in range(1, len(names))}


def _expanded(repo: Repo, commit: Commit, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to each entry the commit that changed it last."""
    for entry in entries:
        path = str(entry["path"])
        last = next(past for past in repo.history(commit.sha) if _changed(repo, path, past))
        entry["lastCommit"] = {"id": last.sha, "title": last.title, "date": last.date}
    return entries


def _changed(repo: Repo, path: str, commit: Commit) -> bool:
    before = repo.commit(commit.parent).files if commit.parent else {}

    def under(files: Mapping[str, Entry]) -> dict[str, Entry]:
        return {p: e for p, e in files.items() if p == path or p.startswith(f"{path}/")}

    return under(commit.files) != under(before)


async def tree(request: Request) -> Response:
    """Answer with the files and folders under a path, a page at a time."""
    repo = reading(request)
    commit = seen(request, repo)
    root = unquote(request.path_params.get("path", "")).strip("/")
    recursive = _true(request.query_params.get("recursive"))
    prefix = f"{root}/" if root else ""

    def inside(path: str) -> bool:
        return path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])

    folders = _folders(commit)
    if root and root not in folders and root not in commit.files:
        raise StoreError(404, "EntryNotFound", f"{root} does not exist", commit.sha)
    entries = [_folder(path, commit) for path in folders if path != root and inside(path)]
    entries += [_file(p, e) for p, e in commit.files.items() if p == root or inside(p)]
    entries.sort(key=lambda entry: str(entry["path"]))
    if _true(request.query_params.get("expand")):
        entries = _expanded(repo, commit, entries)
    return _page(request, entries)


def _true(value: str | None) -> bool:
    return (value or "").lower() in ("true", "1")


def _page(request: Request, entries: Sequence[dict[str, Any]]) -> Response:
    """Answer with one page, and where there are more with the address of the next."""
    hub = hub_of(request)
    start = int(request.query_params.get("cursor", 0))
    end = start + hub.page_size
    headers = {}
    if end < len(entries):
        given = {**request.query_params, "cursor": str(end)}
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in given.items())
        headers["Link"] = f'<{hub.endpoint}{request.url.path}?{query}>; rel="next"'
    return JSONResponse(entries[start:end], headers=headers)


async def paths_info(request: Request) -> Response:
    """Answer with the files and folders that were asked for, leaving out those there are not."""
    repo = reading(request)
    commit = seen(request, repo)
    asked = parse_qs((await request.body()).decode())
    folders = _folders(commit)
    found = [_file(path, commit.files[path]) for path in asked["paths"] if path in commit.files]
    found += [_folder(path, commit) for path in asked["paths"] if path in folders]
    if _true(asked.get("expand", [""])[0]):
        found = _expanded(repo, commit, found)
    return JSONResponse(found)


async def commits(request: Request) -> Response:
    """Answer with the commits up to a revision, newest first."""
    repo = reading(request)
    said = [
        {
            "id": commit.sha,
            "title": commit.title,
            "message": commit.message,
            "authors": [{"user": commit.author}],
            "date": commit.date,
        }
        for commit in repo.history(repo.at(unquote(request.path_params["rev"])).sha)
    ]
    return _page(request, said)


async def refs(request: Request) -> Response:
    """Answer with the branches, the tags and, if wanted, the pull requests."""
    found = reading(request).state()["refs"]

    def under(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": sha}
            for ref, sha in found.items()
            if ref.startswith(prefix)
        ]

    said = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": []}
    if request.query_params.get("include_prs"):
        said["pullRequests"] = under("refs/pr/")
    return JSONResponse(said)


async def resolve(request: Request) -> Response:
    """Answer with a file, or with the part of it that was asked for."""
    repo = reading(request)
    commit, path = seen(request, repo), unquote(request.path_params["path"])
    if (entry := commit.files.get(path)) is None:
        raise StoreError(404, "EntryNotFound", f"{path} does not exist", commit.sha)
    headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{entry.blob}"'}
    if entry.lfs:
        headers |= {"X-Linked-Etag": f'"{entry.lfs}"', "X-Linked-Size": str(entry.size)}
    blob = repo.blob(entry.blob)
    kind = "application/octet-stream" if entry.lfs else "text/plain"
    return _Blob(blob, headers=headers, media_type=kind, stat_result=blob.stat())

"""A small Hub on this machine that answers as the real one does when it is read from.

Knows models by their id, with commits, gated ones and pretended sizes; `main` is the last commit.
The client is the real one.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

FIRST, SECOND = 40 * "a", 40 * "b"


@dataclass
class Repo:
    """A model: its files by commit; `sizes` are what is said of files instead of their own."""

    commits: dict[str, dict[str, bytes]]
    gated: bool = False
    sizes: dict[str, int] = field(default_factory=dict)


@dataclass
class SmallHub:
    """What is served, where, and the names of the files that were sent."""

    endpoint: str
    repos: dict[str, Repo]
    sent: list[str]


@contextmanager
def serving(repos: dict[str, Repo]) -> Iterator[SmallHub]:
    """Serve models on a loopback port; those under `org/broken` answer with nonsense."""
    sent: list[str] = []

    handler = type("Handler", (_Handler,), {"repos": repos, "sent": sent})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield SmallHub(f"http://127.0.0.1:{server.server_port}", repos, sent)
        server.shutdown()


def _find(repos: dict[str, Repo], address: str) -> tuple[int, str, bytes, str]:
    """Return status, what the real Hub calls the fault, the content, and the commit."""
    path = unquote(urlsplit(address).path)
    owner, name, *rest = path.removeprefix("/api/models").strip("/").split("/")
    if name == "broken":
        return 418, "Teapot", b"", ""
    if (repo := repos.get(f"{owner}/{name}")) is None:
        return 401, "RepoNotFound", b"", ""
    kind, revision, *place = rest or ["revision", "main"]
    commit = [*repo.commits][-1] if revision == "main" else revision
    if (files := repo.commits.get(commit)) is None:
        return 404, "RevisionNotFound", b"", ""
    sizes = {name: len(content) for name, content in files.items()} | repo.sizes
    if kind == "revision":
        siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
        info = {"id": f"{owner}/{name}", "sha": commit, "siblings": siblings}
        return 200, "", json.dumps(info).encode(), commit
    if kind == "tree":
        entries = [{"type": "file", "path": n, "size": s, "oid": n} for n, s in sizes.items()]
        return 200, "", json.dumps(entries).encode(), commit
    if repo.gated:
        return 403, "GatedRepo", b"", commit
    if (content := files.get("/".join(place))) is None:
        return 404, "EntryNotFound", b"", commit
    return 200, "", content, commit


class _Handler(BaseHTTPRequestHandler):
    repos: dict[str, Repo]
    sent: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        content = self._answer()
        if not self.path.startswith("/api/"):
            self.sent.append(self.path.rpartition("/")[2])
        self.wfile.write(content)

    def _answer(self) -> bytes:
        status, fault, content, commit = _find(self.repos, self.path)
        if status == 200 and (span := self.headers.get("Range")):
            first, _, last = span.removeprefix("bytes=").partition("-")
            status, content = 206, content[int(first) : int(last) + 1]
        self.send_response(status)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        if fault:
            self.send_header("X-Error-Code", fault)
        self.end_headers()
        return content

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

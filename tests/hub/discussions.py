"""Pull requests and discussions: listed, told of, opened, closed, merged.

A merge is one commit on `main`, as the Hub makes it. What a pull request holds stands under
`refs/pr/N`, to which one commits as to a branch.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub import changes
from tests.hub.access import hub_of, reading, writing
from tests.hub.store import MAIN, Repo, StoreError, now


def _said(repo: Repo, found: dict[str, Any]) -> dict[str, Any]:
    kind = repo.key.partition("s/")[0]
    said = {key: found[key] for key in ("num", "title", "status", "createdAt")}
    said |= {"author": {"name": found["author"]}, "repo": {"name": repo.id, "type": kind}}
    return said | {"isPullRequest": found["base"] is not None}


def _number(request: Request, state: dict[str, Any]) -> int:
    number = int(request.path_params["num"])
    if not 0 < number <= len(state["discussions"]):
        raise StoreError(404, "", f"no discussion has the number {number}")
    return number


async def listed(request: Request) -> Response:
    """Answer with discussions, newest first, of one type, status or author if that is wanted."""
    repo, wanted, size = reading(request), request.query_params, hub_of(request).page_size
    kinds = {"pull_request": True, "discussion": False}
    found = [
        said
        for said in (_said(repo, one) for one in reversed(repo.state()["discussions"]))
        if said["isPullRequest"] == kinds.get(wanted.get("type", ""), said["isPullRequest"])
        and said["status"] == wanted.get("status", said["status"])
        and said["author"]["name"] == wanted.get("author", said["author"]["name"])
    ]
    start = int(wanted.get("p", 0)) * size
    page = {"discussions": found[start : start + size], "count": len(found), "start": start}
    return JSONResponse(page)


async def details(request: Request) -> Response:
    """Answer with one discussion, and what happened in it."""
    repo = reading(request)
    state = repo.state()
    number = _number(request, state)
    found = state["discussions"][number - 1]
    said = _said(repo, found) | {"events": found["events"]}
    if found["base"] and found["status"] == "open":
        sides = (found["base"], state["refs"][MAIN], state["refs"][f"refs/pr/{number}"])
        said["filesWithConflicts"] = changes.conflicts(*map(repo.commit, sides))
    elif found["base"]:
        said["filesWithConflicts"] = []
    merged = {"mergeCommitId": found["merged"]} if found["merged"] else {}
    return JSONResponse(said | {"changes": {"base": MAIN, **merged}})


async def create(request: Request) -> Response:
    """Open a discussion, or a pull request that changes nothing yet."""
    repo, token = writing(request)
    asked = await request.json()
    with repo.changing() as state:
        base = state["refs"][MAIN] if asked["pullRequest"] else None
        number = changes.discuss(state, asked["title"], token.user, base)
        if base:
            state["refs"][f"refs/pr/{number}"] = base
    return JSONResponse({"num": number})


async def status(request: Request) -> Response:
    """Close a discussion, or open it again."""
    repo, token = writing(request)
    asked = await request.json()
    with repo.changing() as state:
        found = state["discussions"][_number(request, state) - 1]
        found["status"] = asked["status"]
        event = {
            "id": f"{len(found['events']):024x}",
            "type": "status-change",
            "createdAt": now(),
            "author": {"name": token.user},
            "data": {"status": asked["status"]},
        }
        found["events"].append(event)
    return JSONResponse({"newStatus": event})


async def merge(request: Request) -> Response:
    """Merge a pull request."""
    repo, token = writing(request)
    sha = changes.merge(repo, _number(request, repo.state()), token.user)
    return JSONResponse({"mergeCommitId": sha})

"""What changes a repository: making it, asking how to upload, commits, tags and branches.

Every request needs a token that may write. What a commit does stands in `changes`, uploads of
large files in `lfs`.
"""

from typing import Any
from urllib.parse import unquote

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub import changes
from tests.hub.access import hub_of, who, writer, writing
from tests.hub.store import LFS_SUFFIXES, MAIN, Entry, Repo, StoreError

REGULAR = 10_000_000
"""A file of more bytes than this is always an LFS file."""


def address(request: Request, repo: Repo) -> str:
    """Return the address of a repository's page."""
    return f"{hub_of(request).endpoint}/{repo.key.removeprefix('models/')}"


async def create(request: Request) -> Response:
    """Make a repository; one that is there already is left as it is."""
    asked, hub = await request.json(), hub_of(request)
    token = writer(request)
    key = f"{asked.get('type') or 'model'}s/{asked['organization'] or token.user}/{asked['name']}"
    private = asked.get("visibility") == "private"
    repo = hub.store.create(key, private=private, author=token.user)
    if repo is None:
        taken = {
            "error": "You already created this repo",
            "url": address(request, Repo(hub.store.folder, key)),
        }
        return JSONResponse(taken, 409)
    return JSONResponse({"url": address(request, repo), "name": repo.id})


async def preupload(request: Request) -> Response:
    """Answer how each file is to be uploaded, and what the branch holds in its place."""
    repo, _ = writing(request)
    files = repo.at(unquote(request.path_params["rev"])).files
    asked = (await request.json())["files"]
    return JSONResponse({"files": [_mode(file, files.get(file["path"])) for file in asked]})


def _mode(file: dict[str, Any], current: Entry | None) -> dict[str, Any]:
    large = file["size"] > REGULAR or file["path"].endswith(LFS_SUFFIXES)
    said = {
        "path": file["path"],
        "uploadMode": "lfs" if large else "regular",
        "shouldIgnore": False,
    }
    return said | ({"oid": current.blob} if current else {})


async def commit(request: Request) -> Response:
    """Carry a commit out, on a branch or as a new pull request."""
    repo, token = writing(request)
    revision, body = unquote(request.path_params["rev"]), await request.body()
    said: dict[str, Any] = {"success": True}
    if request.query_params.get("create_pr") == "1":
        number, sha = changes.propose(repo, revision, body, token.user)
        said["pullRequestUrl"] = f"{address(request, repo)}/discussions/{number}"
    else:
        sha = changes.commit(repo, revision, body, token.user)
    said |= {"commitOid": sha, "commitUrl": f"{address(request, repo)}/commit/{sha}"}
    return JSONResponse(said)


async def validate_yaml(request: Request) -> Response:
    """Answer whether the metadata above a card can be read, as far as the Hub is known to look."""
    who(request)
    text = (await request.json())["content"]
    _, rule, rest = text.lstrip().partition("---\n")
    head, closing, _ = rest.partition("\n---")
    if not (rule and closing and head.strip()):
        absent = {"message": "empty or missing yaml metadata in repo card"}
        return JSONResponse({"errors": [], "warnings": [absent]})
    errors = [{"message": message} for message in _mistakes(head)]
    return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)


def _mistakes(text: str) -> list[str]:
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"Invalid YAML: {error}"]
    if not isinstance(said, dict):
        return ["The metadata must be an object"]
    configs = said.get("configs", [])
    if not isinstance(configs, list):
        return ['"configs" must be an array']
    return [
        f'"configs[{index}].config_name" is required'
        for index, config in enumerate(configs)
        if not isinstance(config, dict) or not isinstance(config.get("config_name"), str)
    ]


async def tag(request: Request) -> Response:
    """Give a revision a name that stays."""
    repo, _ = writing(request)
    sha = repo.at(unquote(request.path_params["rev"])).sha
    _add(repo, f"refs/tags/{(await request.json())['tag']}", sha)
    return JSONResponse({"success": True})


async def branch(request: Request) -> Response:
    """Start a branch."""
    repo, _ = writing(request)
    start = (await request.json()).get("startingPoint", "main")
    _add(repo, f"refs/heads/{unquote(request.path_params['rev'])}", repo.at(start).sha)
    return JSONResponse({"success": True})


def _add(repo: Repo, ref: str, sha: str) -> None:
    with repo.changing() as state:
        if ref in state["refs"]:
            raise StoreError(409, "", f"Reference already exists: {ref}")
        state["refs"][ref] = sha


async def untag(request: Request) -> Response:
    """Take a tag away."""
    return _remove(request, "refs/tags/")


async def unbranch(request: Request) -> Response:
    """Take a branch away, which must not be `main`."""
    return _remove(request, "refs/heads/")


def _remove(request: Request, prefix: str) -> Response:
    repo, _ = writing(request)
    ref = prefix + unquote(request.path_params["rev"])
    if ref == MAIN:
        raise StoreError(403, "", "main cannot be deleted")
    with repo.changing() as state:
        if state["refs"].pop(ref, None) is None:
            raise StoreError(404, "RevisionNotFound", f"Reference not found: {ref}")
    return JSONResponse({"success": True})

"""Uploads of large files, by the LFS protocol: whole, or in numbered parts.

Content goes to disk as it comes in and is hashed on the way; it counts once its sha256 is the one
that was announced. Addresses of uploads carry no token, as on the real Hub.
"""

import hashlib
import json
from math import ceil
from pathlib import Path
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub.access import hub_of, writing
from tests.hub.hub import Hub
from tests.hub.store import Repo, StoreError


async def batch(request: Request) -> Response:
    """Answer where each object is to be sent; one that is stored already needs nothing."""
    (repo, _), hub = writing(request), hub_of(request)
    asked = (await request.json())["objects"]
    parts = any(item["size"] > hub.multipart_over for item in asked)
    said = {"transfer": "multipart" if parts else "basic", "hash_algo": "sha256"}
    return JSONResponse(said | {"objects": [_object(hub, repo, item) for item in asked]})


def _object(hub: Hub, repo: Repo, item: dict[str, Any]) -> dict[str, Any]:
    oid, size = item["oid"], item["size"]
    said = {"oid": oid, "size": size}
    if repo.stored(oid):
        return said
    upload: dict[str, Any] = {"href": f"{hub.endpoint}/_lfs/{repo.key}/{oid}"}
    if size > hub.multipart_over:
        numbers = range(1, ceil(size / hub.chunk_size) + 1)
        urls = {str(number): f"{upload['href']}/{number}" for number in numbers}
        upload["header"] = {"chunk_size": str(hub.chunk_size), **urls}
    page = repo.key.removeprefix("models/")
    verify = {"href": f"{hub.endpoint}/{page}.git/info/lfs/objects/verify"}
    return said | {"actions": {"upload": upload, "verify": verify}}


def _repo(request: Request) -> Repo:
    given = request.path_params
    repo = hub_of(request).store.repo(f"{given['kind']}/{given['owner']}/{given['name']}")
    if repo is None:
        raise StoreError(403, "", "the address has expired")
    return repo


async def _receive(request: Request, place: Path, digest: Any) -> None:
    """Write a body to a place; a body that breaks off leaves nothing there."""
    beside = place.with_name(f"{place.name}.{uuid4().hex}")
    try:
        with beside.open("wb") as file:
            async for chunk in request.stream():
                digest.update(chunk)
                file.write(chunk)
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)


async def put(request: Request) -> Response:
    """Take a whole file."""
    repo, oid = _repo(request), request.path_params["oid"]
    arrived, digest = repo.folder / f"{oid}.{uuid4().hex}", hashlib.sha256()
    await _receive(request, arrived, digest)
    return _admit(repo, oid, arrived, digest.hexdigest())


def _admit(repo: Repo, oid: str, arrived: Path, sha256: str) -> Response:
    if sha256 != oid:
        arrived.unlink()
        raise StoreError(400, "", f"the content's sha256 is not {oid}")
    arrived.replace(repo.blob(oid))
    return Response(headers={"ETag": f'"{oid}"'})


async def put_part(request: Request) -> Response:
    """Take one part of a file."""
    repo, given, digest = _repo(request), request.path_params, hashlib.md5()
    await _receive(request, repo.folder / f"{given['oid']}.part{given['part']}", digest)
    return Response(headers={"ETag": f'"{digest.hexdigest()}"'})


async def complete(request: Request) -> Response:
    """Join the parts of a file, each of which the client names by the ETag that it was given."""
    repo, oid, asked = _repo(request), request.path_params["oid"], json.loads(await request.body())
    joined, digest = repo.folder / f"{oid}.{uuid4().hex}", hashlib.sha256()
    parts = [repo.folder / f"{oid}.part{part['partNumber']}" for part in asked["parts"]]
    with joined.open("wb") as file:
        for part, said in zip(parts, asked["parts"], strict=True):
            content = part.read_bytes() if part.exists() else b""
            if said["etag"] != f'"{hashlib.md5(content).hexdigest()}"':
                joined.unlink()
                raise StoreError(400, "", f"part {said['partNumber']} is not what was uploaded")
            digest.update(content)
            file.write(content)
    answer = _admit(repo, oid, joined, digest.hexdigest())
    for part in parts:
        part.unlink()
    return answer


async def verify(request: Request) -> Response:
    """Answer whether an upload has arrived."""
    repo, _ = writing(request)
    asked = await request.json()
    entry = repo.stored(asked["oid"])
    if entry is None or entry.size != asked["size"]:
        raise StoreError(404, "", f"the object {asked['oid']} was not uploaded")
    return Response()

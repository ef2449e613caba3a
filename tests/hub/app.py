"""The Hub's addresses, and what answers at each.

A revision or a path comes percent-encoded in one segment, so addresses are told apart before they
are decoded. There is nothing of Xet: a client that asks for it is told 404, as by a hub without.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.hub import access, discussions, lfs, reading, writing
from tests.hub.hub import Hub
from tests.hub.store import StoreError

Answer = Callable[[Request], Awaitable[Response]]

ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("GET", "/api/whoami-v2", access.whoami),
    ("GET", "/_github/id-token", access.id_token),
    ("POST", "/oauth/token", access.exchange),
    ("POST", "/api/repos/create", writing.create),
    ("POST", "/api/validate-yaml", writing.validate_yaml),
    ("GET", "/api/{kind}/{owner}/{name}", reading.info),
    ("GET", "/api/{kind}/{owner}/{name}/revision/{rev}", reading.info),
    ("GET", "/api/{kind}/{owner}/{name}/refs", reading.refs),
    ("GET", "/api/{kind}/{owner}/{name}/commits/{rev}", reading.commits),
    ("GET", "/api/{kind}/{owner}/{name}/tree/{rev}", reading.tree),
    ("GET", "/api/{kind}/{owner}/{name}/tree/{rev}/{path:path}", reading.tree),
    ("POST", "/api/{kind}/{owner}/{name}/paths-info/{rev}", reading.paths_info),
    ("POST", "/api/{kind}/{owner}/{name}/preupload/{rev}", writing.preupload),
    ("POST", "/api/{kind}/{owner}/{name}/commit/{rev}", writing.commit),
    ("POST", "/api/{kind}/{owner}/{name}/tag/{rev}", writing.tag),
    ("DELETE", "/api/{kind}/{owner}/{name}/tag/{rev}", writing.untag),
    ("POST", "/api/{kind}/{owner}/{name}/branch/{rev}", writing.branch),
    ("DELETE", "/api/{kind}/{owner}/{name}/branch/{rev}", writing.unbranch),
    ("GET", "/api/{kind}/{owner}/{name}/discussions", discussions.listed),
    ("POST", "/api/{kind}/{owner}/{name}/discussions", discussions.create),
    ("GET", "/api/{kind}/{owner}/{name}/discussions/{num}", discussions.details),
    ("POST", "/api/{kind}/{owner}/{name}/discussions/{num}/status", discussions.status),
    ("POST", "/api/{kind}/{owner}/{name}/discussions/{num}/merge", discussions.merge),
    ("PUT", "/_lfs/{kind}/{owner}/{name}/{oid}", lfs.put),
    ("POST", "/_lfs/{kind}/{owner}/{name}/{oid}", lfs.complete),
    ("PUT", "/_lfs/{kind}/{owner}/{name}/{oid}/{part}", lfs.put_part),
    ("POST", "/{kind}/{owner}/{name}.git/info/lfs/objects/batch", lfs.batch),
    ("POST", "/{kind}/{owner}/{name}.git/info/lfs/objects/verify", lfs.verify),
    ("POST", "/{owner}/{name}.git/info/lfs/objects/batch", lfs.batch),
    ("POST", "/{owner}/{name}.git/info/lfs/objects/verify", lfs.verify),
    ("GET", "/{kind}/{owner}/{name}/resolve/{rev}/{path:path}", reading.resolve),
    ("GET", "/{owner}/{name}/resolve/{rev}/{path:path}", reading.resolve),
)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)
    headers = {"X-Error-Message": error.message}
    if error.code:
        headers["X-Error-Code"] = error.code
    if error.commit:
        headers["X-Repo-Commit"] = error.commit
    return JSONResponse({"error": error.message}, error.status, headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


def application(hub: Hub) -> ASGIApp:
    """Return what answers for a hub."""
    app = Starlette(
        routes=[Route(path, answer, methods=[method]) for method, path, answer in ROUTES],
        exception_handlers={StoreError: _refused, ClientDisconnect: _gone},
    )
    app.state.hub = hub

    async def undecoded(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": scope["raw_path"].decode()}, receive, send)

    return undecoded

"""Who may do what: tokens, private repositories, and the exchange that CI publishes with.

It reads the request's headers and knows the hub's tokens; nothing of what a request does.
"""

import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.hub.hub import Hub, Token
from tests.hub.store import Repo, StoreError

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


def hub_of(request: Request) -> Hub:
    """Return the hub that a request came to."""
    hub: Hub = request.app.state.hub
    return hub


def who(request: Request) -> Token | None:
    """Return whose token a request carries; raises StoreError where the hub does not know it."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    if token := hub_of(request).tokens.get(secret):
        return token
    raise StoreError(401, "", "Invalid credentials in Authorization header")


def writer(request: Request, key: str | None = None) -> Token:
    """Return whose token may write to a repository, or with None create one."""
    if (token := who(request)) is None:
        raise StoreError(401, "", "Invalid username or password.")
    if key is None and token.repo:
        raise StoreError(401, "", "This token may not create a repository.")
    if token.role != "write" or (token.repo and token.repo != key):
        raise StoreError(403, "", "You don't have the rights to write to this repository")
    return token


def reading(request: Request) -> Repo:
    """Return the repository that a request reads from; what is private looks absent."""
    given = request.path_params
    key = f"{given.get('kind', 'models')}/{given['owner']}/{given['name']}"
    token = who(request)
    repo = hub_of(request).store.repo(key)
    allowed = token is not None and token.repo in (None, key)
    if repo is None or (repo.state()["private"] and not allowed):
        raise StoreError(404, "RepoNotFound", "Repository not found")
    return repo


def writing(request: Request) -> tuple[Repo, Token]:
    """Return the repository that a request writes to, and whose token lets it."""
    repo = reading(request)
    return repo, writer(request, repo.key)


async def whoami(request: Request) -> Response:
    """Answer whose token it is."""
    if (token := who(request)) is None:
        raise StoreError(401, "", "Invalid username or password.")
    access = {"displayName": token.user, "role": token.role}
    auth = {"type": "access_token", "accessToken": access}
    named = {"type": "user", "name": token.user, "fullname": token.user, "orgs": [{"name": "org"}]}
    return JSONResponse(named | {"auth": auth})


async def id_token(request: Request) -> Response:
    """Stand in for GitHub, which hands an id token to a job that may ask for one."""
    hub = hub_of(request)
    if request.headers.get("authorization") != f"Bearer {hub.request_token}":
        raise StoreError(401, "", "the job may not request an id token")
    minted = f"id-{secrets.token_hex(8)}"
    hub.minted[minted] = request.query_params.get("audience", "")
    return JSONResponse({"value": minted})


async def exchange(request: Request) -> Response:
    """Exchange an id token made for this hub for a write token of a repository (RFC 8693)."""
    hub, asked = hub_of(request), await request.json()
    if (asked.get("grant_type"), asked.get("subject_token_type")) != (EXCHANGE, ID_TOKEN):
        return JSONResponse({"error": "unsupported_grant_type"}, 400)
    resource = asked["resource"]
    key = resource if resource.count("/") == 2 else f"models/{resource}"
    if hub.minted.get(asked["subject_token"]) != hub.endpoint or key not in hub.trusted:
        return JSONResponse({"error": "invalid_grant"}, 400)
    secret = f"hf_jwt_{secrets.token_hex(8)}"
    hub.tokens[secret] = Token("ci", "write", key)
    return JSONResponse({"access_token": secret, "token_type": "bearer", "expires_in": 3600})

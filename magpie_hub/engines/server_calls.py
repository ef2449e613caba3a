"""One question to one completion server: its answer, or which kind of fault there was instead.

Faults are of two kinds, since they call for two things: a `Fault` may pass, and the same is asked
again; a `Refusal` will not, and is the question's own. A wrong key ends the run at once. Knows no
dialect, no load and no other server; the key stands in no message.
"""

import asyncio
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from magpie_hub.errors import EngineError

T = TypeVar("T")

# Seconds to wait for a connection; a server that listens takes one at once, however busy it is.
CONNECT = 10.0
LONGEST_REST = 60.0
WORDS = 300
_MISSING = (404, 405, 501)
"""What a server answers that has no such address, or no such model."""


class Fault(Exception):
    """A server did not answer as it should, this time; the same may be asked again.

    kind: "busy" (it said so), "slow" (the time is over), "failed" (it answered that it failed),
    "broken" (no answer, or none that can be read).
    after: seconds for which the server wants to be left alone; 0 where it did not say.
    """

    def __init__(
        self,
        words: str,
        kind: Literal["busy", "slow", "failed", "broken"] = "broken",
        after: float = 0.0,
    ) -> None:
        super().__init__(words)
        self.kind = kind
        self.after = after


class Refusal(Exception):
    """A server will not answer this question, however often it is asked.

    missing: it has no such address, or no such model.
    """

    def __init__(self, words: str, *, missing: bool = False) -> None:
        super().__init__(words)
        self.missing = missing


class Line:
    """The way to one server, by HTTP.

    url: without a path. key: sent as a bearer token, None for none.
    timeout: seconds for one question and its answer.
    """

    def __init__(self, url: str, key: str | None, timeout: float) -> None:
        import httpx2

        self.url = url
        self._key = key
        self._timeout = timeout
        self._known: dict[str, Any] = {}
        self._client = httpx2.AsyncClient(
            base_url=url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=httpx2.Timeout(None, connect=CONNECT),
            # Servers close a connection that was idle for 5 seconds; we are done with it before.
            limits=httpx2.Limits(keepalive_expiry=2.0),
        )

    async def ask(self, path: str, body: object = None) -> Any:
        """Return the JSON that the server answers: to a GET, or to a POST of `body`.

        Raises Fault, Refusal, and EngineError where the key is wrong.
        """
        import httpx2

        method = "GET" if body is None else "POST"
        try:
            async with asyncio.timeout(self._timeout):
                reply = await self._client.request(method, path, json=body)
        except TimeoutError as error:
            raise Fault(f"no answer within {self._timeout:g} seconds", "slow") from error
        except httpx2.RequestError as error:
            raise Fault(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        if not reply.is_success:
            raise self._fault(path, reply)
        try:
            return reply.json()
        except ValueError as error:
            raise Fault(f"its answer is not JSON: {error}") from error

    async def ask_once(self, path: str, body: object) -> Any:
        """Return what `ask` returns; the same question is asked of the server only once."""
        question = f"{path} {body}"
        if question not in self._known:
            self._known[question] = await self.ask(path, body)
        return self._known[question]

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    def _fault(self, path: str, reply: Any) -> Exception:
        status = reply.status_code
        if status in (401, 403):
            return EngineError(
                f"the server `{self.url}` refuses the key: HTTP {status} on `{path}`",
                hint="set `api_key` to the name of the environment variable that holds its key",
            )
        said = _words(reply)
        if self._key is not None:
            said = said.replace(self._key, "<private>")
        words = f"HTTP {status}: {said[:WORDS]}"
        if status in (429, 503):
            return Fault(words, "busy", _rest(reply.headers.get("Retry-After", "")))
        if status in (400, 413, 422) or status in _MISSING:
            return Refusal(words, missing=status in _MISSING)
        return Fault(words, "failed")


def is_address(url: str) -> bool:
    """Return whether a server can be asked at `url`."""
    import httpx2

    try:
        httpx2.URL(url)  # is pickier about letters
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (httpx2.InvalidURL, ValueError):
        return False


def part(reply: object, kind: type[T], *path: str | int) -> T:
    """Return what lies at `path` in an answer; Fault where nothing of that kind does."""
    found: Any = reply
    for step in path:
        try:
            found = found[step]
        except (LookupError, TypeError) as error:
            raise Fault(f"its answer has no `{_dotted(path)}`") from error
    if not isinstance(found, kind):
        raise Fault(f"`{_dotted(path)}` of its answer is {type(found).__name__}")
    return found


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path)) or "all"


def _words(reply: Any) -> str:
    """Return what a server says is wrong; each kind has its own place for it."""
    try:
        said = reply.json()
    except ValueError:
        said = reply.text
    for name in ("error", "message", "detail"):
        if isinstance(said, dict) and name in said:
            said = said[name]
    return str(said).strip()


def _rest(header: str) -> float:
    """Return the seconds of a Retry-After; 0 for a date, or for nothing."""
    return min(float(header), LONGEST_REST) if header.isdecimal() else 0.0

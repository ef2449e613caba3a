"""Notes every request, and spoils those that a test wants spoilt.

It stands between the connection and what answers, and knows nothing of either's meaning.
"""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.hub.hub import Hub, Seen

NOTED = 64 * 1024
"""Bytes of a request's body that are kept."""
REFUSALS = {"500": (500, []), "429": (429, [(b"retry-after", b"0")])}


def watched(app: ASGIApp, hub: Hub) -> ASGIApp:
    """Return an application that answers as `app` does, unless the hub has a fault due."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode()
        path = scope["raw_path"].decode() + (f"?{query}" if query else "")
        seen, fault = Seen(scope["method"], path), hub.due()
        hub.requests.append(seen)

        async def noting() -> Message:
            message = await receive()
            room = NOTED - len(seen.body)
            seen.body += message.get("body", b"")[: max(room, 0)]
            return message

        async def telling(message: Message) -> None:
            seen.status = message.get("status", seen.status)
            await send(message)

        if fault is None:
            await app(scope, noting, telling)
        elif fault in REFUSALS:
            await _drain(noting)
            await _refuse(telling, *REFUSALS[fault])
        elif fault == "truncated":
            cut = _Cut(telling, seen, _transport(send), get=scope["method"] == "GET")
            await app(scope, noting, cut.send)
            await _hang_up(receive, send)
        else:
            if fault == "timeout":
                await _stall(receive, hub.stall)
            await _hang_up(receive, send)

    return answer


class _Cut:
    """Lets half of a GET's body through and then closes; of any other answer, nothing."""

    def __init__(self, send: Send, seen: Seen, transport: Any, *, get: bool) -> None:
        self.passing, self.seen, self.transport, self.get = send, seen, transport, get
        self.left = 0

    async def send(self, message: Message) -> None:
        """Pass a message on as far as it may go."""
        self.seen.status = message.get("status", self.seen.status)
        if message["type"] == "http.response.start":
            length = int(dict(message["headers"]).get(b"content-length", b"0"))
            self.left = length // 2 if self.get else 0
            if self.left:
                await self.passing(message)
        elif self.left:
            part = message["body"][: self.left]
            self.left -= len(part)
            await self.passing({"type": "http.response.body", "body": part, "more_body": True})
            if not self.left:
                self.transport.close()


async def _refuse(send: Send, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _stall(receive: Receive, seconds: float) -> None:
    """Wait until the client gives up, at most so long."""
    try:
        await asyncio.wait_for(_disconnected(receive), seconds)
    except TimeoutError:
        return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(send: Send) -> Any:
    # An application cannot close its connection; uvicorn's `send` belongs to what holds it.
    return send.__self__.transport  # type: ignore[attr-defined]


async def _hang_up(receive: Receive, send: Send) -> None:
    _transport(send).close()
    await _disconnected(receive)

"""Serving a test hub on a loopback port, from a thread of the test's own process."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server

from tests.hub.app import application
from tests.hub.faults import watched
from tests.hub.hub import Hub
from tests.hub.store import Store


@contextmanager
def serving(folder: Path, port: int = 0, **options: Any) -> Iterator[Hub]:
    """Serve the repositories under a folder; options are fields of Hub.

    The port is a free one unless it is given.
    """
    # asyncio sends without delay only where TCP is named; every answer would take 40 ms longer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
    hub = Hub(endpoint, Store(folder), **options)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    serve = _serve(watched(application(hub), hub), listening, stop)
    thread = Thread(target=loop.run_until_complete, args=(serve,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(app: ASGIApp, listening: socket.socket, stop: asyncio.Event) -> None:
    """Answer until told to stop; `Server.run` looks for that ten times a second, which adds up."""
    quiet: dict[str, Any] = {
        "access_log": False,
        "log_config": None,
        "date_header": False,
        "server_header": False,
    }
    config = Config(app, http="h11", ws="none", lifespan="off", proxy_headers=False, **quiet)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    await stop.wait()
    for served in server.servers:
        served.close()
    for connection in [*server.server_state.connections]:
        connection.transport.abort()
    tasks = [*server.server_state.tasks]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)

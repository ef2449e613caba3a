"""Fixtures of the server engine's tests: a server of ours, and an engine that is connected to it.

A plugin of the test modules that name it; knows nothing of what they test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magpie_hub.engines import open_engine, server_pool
from magpie_hub.engines.base import Engine
from tests.engines.completion_server import CompletionServer, tokenizer_folder

Connect = Callable[..., Engine]


@pytest.fixture(scope="session")
def scripted_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripted engine's tokenizer, as transformers would save it."""
    return tokenizer_folder(tmp_path_factory.mktemp("scripted"))


@pytest.fixture
def server() -> Iterator[CompletionServer]:
    """A server that behaves, until a test tells it otherwise."""
    with CompletionServer() as started:
        yield started


@pytest.fixture
def connect(scripted_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Open the engine on some servers; it is closed after the test, and in a hurry till then."""
    monkeypatch.setattr(server_pool, "BACK_OFF", 0.005)
    monkeypatch.setattr(server_pool, "LOOK_AGAIN", 0.05)
    opened = []

    def connect(*servers: CompletionServer, **options: object) -> Engine:
        urls = [server.url for server in servers]
        engine = open_engine("server", scripted_folder, {"url": urls, "wait": 20} | options)
        for server in servers:
            server.asked.clear()
            server.bodies.clear()
        opened.append(engine)
        return engine

    yield connect
    for engine in opened:
        engine.close()

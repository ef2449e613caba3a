"""Two releases that are built once: v1.0.0, which a hub's store holds, and what follows it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.hub import Hub
from tests.publish.released import Run, built_run, put, serving_clients


@pytest.fixture(scope="session")
def old_run(tmp_path_factory) -> Run:
    """Build what becomes v1.0.0: 25 rows, of which 12 are short."""
    return built_run(tmp_path_factory.mktemp("runs") / "old", 30)


@pytest.fixture(scope="session")
def new_run(tmp_path_factory) -> Run:
    """Build what becomes v1.1.0: 37 rows, of which 17 are short."""
    return built_run(tmp_path_factory.mktemp("runs") / "new", 45)


@pytest.fixture(scope="session")
def ground(tmp_path_factory, old_run) -> Path:
    """Publish v1.0.0, and return the folder with the hub's store."""
    folder = tmp_path_factory.mktemp("ground")
    with serving_clients(folder):
        put(old_run, create=True)
    return folder


@pytest.fixture
def published(tmp_path, ground) -> Iterator[Hub]:
    """Serve a hub that holds v1.0.0, with the clients of this process led to it."""
    shutil.copytree(ground / "store", tmp_path / "store")
    with serving_clients(tmp_path) as hub:
        yield hub


@pytest.fixture
def empty(tmp_path) -> Iterator[Hub]:
    """Serve a hub that holds nothing, with the clients of this process led to it."""
    with serving_clients(tmp_path) as hub:
        yield hub

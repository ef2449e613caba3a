"""A hub of its own for every test, and the real client led to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.clients import forget, in_process
from tests.hub.hub import Hub
from tests.hub.serving import serving


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Serve an empty store."""
    with serving(tmp_path / "store") as served:
        yield served


@pytest.fixture
def api(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Give huggingface_hub's client, which may write, and its caches to this test alone."""
    in_process(monkeypatch, hub, tmp_path / "home")
    from huggingface_hub import HfApi

    yield HfApi()
    forget()

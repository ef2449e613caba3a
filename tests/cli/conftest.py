"""A hub to publish to, with a spec at hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.publishing import CONFIGS, LICENCE
from tests.hub.hub import Hub
from tests.making import spec_file
from tests.publish.released import serving_clients


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and a folder of its own with a tiny spec as the current one."""
    monkeypatch.chdir(tmp_path)
    spec_file(tmp_path, 40, configs=CONFIGS, license=LICENCE)
    with serving_clients(tmp_path) as served:
        yield served

"""What the tests in a real browser share: the system's Chromium, and where their pictures lie.

`.ci/run` runs them with `-m browser`; the everyday suite leaves them out.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = pytest.StashKey[Path]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `browser`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without its sandbox: so Playwright starts it unless asked."""
    found = [path for name in CHROMIUM if (path := shutil.which(name))]
    if not found:
        pytest.fail(f"none of {', '.join(CHROMIUM)} is installed; `apt-get install chromium`")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found[0])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def screenshots(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that keeps the pictures: `$MAGPIE_SCREENSHOTS`, or one of pytest's own."""
    given = os.environ.get("MAGPIE_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    pytestconfig.stash[SCREENSHOTS] = folder
    return folder


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say where the pictures lie."""
    if folder := config.stash.get(SCREENSHOTS, None):
        terminalreporter.write_line(f"screenshots: {folder}")

"""What every test starts with: no account, no reach to the Hub, no colour, one width.

It knows nothing of any room. The variables are set when this file is imported, because `datasets`
and `huggingface_hub` read theirs once, at import; child processes inherit them.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A test is not about time: a busy machine is no fault.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

HF_HOME = tempfile.mkdtemp(prefix="magpie-hub-tests-")
atexit.register(shutil.rmtree, HF_HOME, ignore_errors=True)

# Tokens, endpoints and cache folders of whoever runs the tests.
for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING", "MAGPIE_HUB_"))]:
    del os.environ[name]

os.environ.update(
    HF_HOME=HF_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    NO_COLOR="1",
    COLUMNS="100",
)
# Without compiled modules every child process would take seconds longer to start.
for name in ("FORCE_COLOR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def clean_environ() -> Iterator[None]:
    """Give the next test the environment that this one was given."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)

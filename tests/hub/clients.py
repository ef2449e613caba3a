"""Bringing the real clients to a test hub: child processes, and those in the test's own process.

`huggingface_hub` and `datasets` read their settings once, when they are imported.
"""

import warnings
from importlib import import_module
from pathlib import Path

import pytest

from tests.hub.hub import WRITE, Hub
from tests.hub.no_waits import sitecustomize

NO_WAITS = Path(__file__).with_name("no_waits")
"""For a child's PYTHONPATH: its clients wait for nothing."""


def environment(hub: Hub, home: Path, token: str | None = WRITE) -> dict[str, str]:
    """Return the variables that lead a child process to a hub, with its caches under `home`."""
    secret = {} if token is None else {"HF_TOKEN": token}
    return secret | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        "NO_PROXY": "127.0.0.1",
    }


def on_github(hub: Hub, resource: str) -> dict[str, str]:
    """Return the variables of a GitHub job that publishes to a repository without a stored token.

    resource: such as `datasets/org/name`; `hub.trusted` must hold it.
    """
    return {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{hub.endpoint}/_github/id-token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": hub.request_token,
        "HF_OIDC_RESOURCE": resource,
    }


def in_process(
    monkeypatch: pytest.MonkeyPatch, hub: Hub, home: Path, token: str | None = WRITE
) -> None:
    """Lead the clients of this process to a hub for one test, with fresh caches under `home`."""
    for name in ("HF_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(hub, home, token).items():
        monkeypatch.setenv(name, value)
    for module, settings in _settings(hub, home).items():
        for name, setting in settings.items():
            monkeypatch.setattr(import_module(module), name, setting)
    api = import_module("huggingface_hub.hf_api").api
    monkeypatch.setattr(api, "endpoint", hub.endpoint)
    # The client's own way of sending a file; pytest forgets the filter after the test.
    warnings.filterwarnings("ignore", "Use 'content=", DeprecationWarning)
    forget()


def forget() -> None:
    """Drop the clients' open connections, and what they remember of files."""
    from huggingface_hub import HfFileSystem, close_session

    HfFileSystem.clear_instance_cache()
    close_session()


def _settings(hub: Hub, home: Path) -> dict[str, dict[str, object]]:
    """Return by module what the variables would have set at its import."""
    resolve = "/{repo_id}/resolve/{revision}/{filename}"
    return {
        "huggingface_hub.constants": {
            "ENDPOINT": hub.endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": hub.endpoint + resolve,
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(home / "hub"),
            "HF_TOKEN_PATH": str(home / "token"),
            "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        },
        "huggingface_hub.utils._auth": {"_OIDC_TOKEN_CACHE": None},
        "datasets.config": {
            "HF_ENDPOINT": hub.endpoint,
            "HUB_DATASETS_URL": hub.endpoint + "/datasets/{repo_id}/resolve/{revision}/{path}",
            "HF_HUB_OFFLINE": False,
            "HF_DATASETS_OFFLINE": False,
            "HF_UPDATE_DOWNLOAD_COUNTS": False,
            "USE_PARQUET_EXPORT": False,
            "HF_CACHE_HOME": str(home),
            "HF_DATASETS_CACHE": home / "datasets",
            "HF_MODULES_CACHE": home / "modules",
            "DOWNLOADED_DATASETS_PATH": home / "datasets" / "downloads",
            "EXTRACTED_DATASETS_PATH": home / "datasets" / "downloads" / "extracted",
        },
    }


def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clients of this process wait for nothing, and for no answer over a second."""
    for name in sitecustomize.WAITING:
        module = import_module(name)
        for attribute, value in sitecustomize.changes(module).items():
            monkeypatch.setattr(module, attribute, value)
    forget()

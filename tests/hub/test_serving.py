"""Starting and ending a hub, in the test's process and from a shell."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.hub.serving import serving
from tests.hub.store import Store

ROOT = Path(__file__).resolve().parents[2]


def test_hubs_are_apart_and_end(tmp_path):
    """Two hubs have two ports, and a port is free after its hub."""
    with serving(tmp_path / "a") as one, serving(tmp_path / "b", lag=1.5) as two:
        assert (one.endpoint != two.endpoint, one.lag, two.lag) == (True, 0, 1.5)
        port = int(one.endpoint.rpartition(":")[2])
    with serving(tmp_path / "a", port) as again:
        assert again.endpoint == one.endpoint


def test_a_hub_ends_with_a_connection_open(tmp_path):
    """Clients keep their connections; the hub does not wait for them."""
    with serving(tmp_path) as hub:
        hub.store.create("models/org/model")
        open_still = urllib.request.urlopen(f"{hub.endpoint}/org/model/resolve/main/.gitattributes")
    open_still.close()
    assert [(seen.path, seen.status) for seen in hub.requests] == [
        ("/org/model/resolve/main/.gitattributes", 200)
    ]


def test_a_person_can_start_one(tmp_path):
    """The command says how to reach it, serves what the folder holds, and ends by Ctrl-C."""
    Store(tmp_path).create("datasets/org/data")
    command = [sys.executable, "-m", "tests.hub", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as hub:
        try:
            exports = [hub.stdout.readline() for _ in range(10)]
            (endpoint,) = (line for line in exports if line.startswith("export HF_ENDPOINT="))
            url = f"{endpoint.strip().partition('=')[2]}/api/datasets/org/data"
            with urllib.request.urlopen(url) as answer:
                assert answer.status == 200
        finally:
            hub.send_signal(signal.SIGINT)
    assert hub.returncode == os.EX_OK

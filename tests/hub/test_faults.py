"""What a spoilt request looks like to the client, and what it leaves on the hub."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hub.clients import NO_WAITS, environment, without_waits

REPO = {"repo_id": "org/data", "repo_type": "dataset"}
PUBLISH = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("org/data", repo_type="dataset", exist_ok=True)
api.upload_file(path_or_fileobj=b"x", path_in_repo="x.bin", repo_id="org/data", repo_type="dataset")
"""


@pytest.fixture
def made(api, monkeypatch):
    """Give the client without its waits, and an empty dataset."""
    api.create_repo(**REPO)
    without_waits(monkeypatch)
    return api


def commit(api, content=b"x"):
    """Make one commit of a regular file: validate nothing, preupload, commit."""
    return api.upload_file(path_or_fileobj=content, path_in_repo="x.txt", **REPO)


@pytest.mark.parametrize("fault", ["close", "500", "429", "timeout"])
def test_a_spoilt_commit_was_not_made(made, hub, fault):
    """The client does not try a commit again; the next one is carried out."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    head = made.repo_info(**REPO).sha
    hub.break_at(1, fault)
    before = time.monotonic()
    with pytest.raises((httpx2.TransportError, HfHubHTTPError)):
        commit(made)
    assert time.monotonic() - before < 2.5
    answered = {"500": 500, "429": 429}.get(fault, 0)
    assert (hub.requests[-1].path, hub.requests[-1].status, hub.broken) == (
        "/api/datasets/org/data/commit/main",
        answered,
        True,
    )
    assert made.repo_info(**REPO).sha == head
    commit(made)
    assert made.repo_info(**REPO).sha != head


def test_a_truncated_commit_was_made(made, hub):
    """The client only does not know of it."""
    import httpx2

    hub.break_at(1, "truncated")
    with pytest.raises(httpx2.TransportError):
        commit(made)
    assert hub.store.repo("datasets/org/data").read("x.txt") == b"x"
    assert hub.requests[-1].status == 200


@pytest.mark.parametrize("fault", ["close", "500", "429", "timeout", "truncated"])
def test_the_client_asks_again_where_it_may(made, hub, fault):
    """Every other request of an upload is made twice, and the upload succeeds."""
    hub.stall = 0.2
    for index in range(4):  # preupload, batch, the content, verify
        hub.break_at(index, fault)
        content = f"{fault} {index}".encode()
        made.upload_file(path_or_fileobj=content, path_in_repo="x.bin", **REPO)
        assert hub.broken
        assert hub.store.repo("datasets/org/data").read("x.bin") == content


def test_half_of_a_file_is_no_file(made, hub):
    """A truncated download is told from a whole one by its length, and asked for again."""
    made.upload_file(path_or_fileobj=100 * b"0123456789", path_in_repo="x.bin", **REPO)
    hub.break_at(1, "truncated")
    path = made.hf_hub_download(**REPO, filename="x.bin")
    assert Path(path).read_bytes() == 100 * b"0123456789"
    assert [seen.method for seen in hub.requests[-3:]] == ["HEAD", "GET", "GET"]


def test_half_of_a_listing_is_an_error(made, hub):
    """A truncated answer in JSON is never taken for a shorter one."""
    import httpx2

    hub.break_at(0, "truncated")
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending complete message"):
        made.repo_info(**REPO)


def test_a_fault_happens_once_and_later(made, hub):
    """Requests before and after the chosen one are answered."""
    hub.break_at(1, "500")
    assert made.repo_info(**REPO).sha
    assert not hub.broken
    with pytest.raises(Exception, match="500 Internal Server Error"):
        made.repo_info(**REPO)
    assert hub.broken
    assert made.repo_info(**REPO).sha


@pytest.mark.usefixtures("made")
def test_a_stalled_request_ends(hub, monkeypatch):
    """A client that waits for ever is hung up on after `hub.stall` seconds."""
    import httpx2
    from huggingface_hub.utils import get_session

    hub.stall = 0.2
    hub.break_at(0, "timeout")
    monkeypatch.setitem(get_session().event_hooks, "request", [])
    before = time.monotonic()
    with pytest.raises(httpx2.RemoteProtocolError):
        get_session().get(f"{hub.endpoint}/api/whoami-v2", timeout=None)
    assert 0.2 <= time.monotonic() - before < 2


@pytest.mark.parametrize("fault", ["429", "timeout"])
def test_a_child_waits_for_nothing_either(hub, tmp_path, fault):
    """With the folder on its PYTHONPATH a process retries at once; without, it takes seconds."""
    hub.break_at(1, fault)
    quick = {**os.environ, **environment(hub, tmp_path / "home"), "PYTHONPATH": str(NO_WAITS)}
    before = time.monotonic()
    subprocess.run([sys.executable, "-c", PUBLISH], env=quick, check=True, capture_output=True)
    assert hub.broken
    assert time.monotonic() - before < 3

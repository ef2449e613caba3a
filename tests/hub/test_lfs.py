"""Uploads of large files, as huggingface_hub makes them and as they go wrong."""

import hashlib

import pytest

REPO = {"repo_id": "org/data", "repo_type": "dataset"}
CONTENT = bytes(range(250)) * 10


@pytest.fixture
def made(api):
    """Give the client, and an empty dataset."""
    api.create_repo(**REPO)
    return api


def upload(api, content=CONTENT, path="a.parquet"):
    """Upload one file."""
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, **REPO)


def stored(hub):
    """Return the file as the hub holds it."""
    return hub.store.repo("datasets/org/data").read("a.parquet")


def uploads(hub):
    """Return methods and last parts of the addresses that contents went to."""
    lfs = [seen for seen in hub.requests if seen.path.startswith("/_lfs/")]
    return [(seen.method, seen.path.rpartition("/")[2]) for seen in lfs]


def test_a_small_file_goes_whole(made, hub):
    """One request carries the content, the next asks whether it came."""
    upload(made)
    assert stored(hub) == CONTENT
    assert uploads(hub) == [("PUT", hashlib.sha256(CONTENT).hexdigest())]


def test_a_large_file_goes_in_parts(made, hub):
    """Parts are of the size that the hub wants, and no piece of them stays behind."""
    hub.multipart_over, hub.chunk_size = 2000, 1000
    upload(made)
    assert stored(hub) == CONTENT
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    assert uploads(hub) == [("PUT", "1"), ("PUT", "2"), ("PUT", "3"), ("POST", sha256)]
    names = sorted(path.name for path in hub.store.repo("datasets/org/data").folder.iterdir())
    assert names == ["blobs", "commits", "lock", "state.json"]


def test_what_is_stored_is_not_sent_again(made, hub):
    """The same content under another name is named, not sent."""
    upload(made)
    upload(made, path="b.parquet")
    assert len(uploads(hub)) == 1
    files = hub.store.repo("datasets/org/data").at("main").files
    assert files["a.parquet"] == files["b.parquet"]


def test_uploading_ahead_shows_nothing(made, hub):
    """Contents sent before the commit are seen by nobody until it is made."""
    from huggingface_hub import CommitOperationAdd

    head = made.repo_info(**REPO).sha
    add = CommitOperationAdd("a.parquet", CONTENT)
    made.preupload_lfs_files(additions=[add], **REPO)
    assert made.repo_info(**REPO).sha == head
    made.create_commit(operations=[add], commit_message="m", **REPO)
    assert stored(hub) == CONTENT
    assert len(uploads(hub)) == 1


@pytest.mark.usefixtures("made")
def test_other_content_than_announced_is_refused(hub):
    """What is sent must hash to its name; neither whole nor in parts does other content stay."""
    from huggingface_hub.utils import get_session

    url = f"{hub.endpoint}/_lfs/datasets/org/data/{hashlib.sha256(CONTENT).hexdigest()}"
    assert get_session().put(url, content=b"other").status_code == 400
    etag = get_session().put(f"{url}/1", content=b"other").headers["etag"]
    joined = {"oid": url[-64:], "parts": [{"partNumber": 1, "etag": etag}]}
    assert get_session().post(url, json=joined).status_code == 400
    joined["parts"][0]["etag"] = '"wrong"'
    assert get_session().post(url, json=joined).status_code == 400
    assert hub.store.repo("datasets/org/data").stored(url[-64:]) is None


def test_bodies_are_kept_in_part(made, hub):
    """Of what was sent a test sees at most 64 kB; all of it is stored."""
    large = CONTENT * 40
    upload(made, large)
    (sent,) = (seen for seen in hub.requests if seen.path.startswith("/_lfs/"))
    assert (sent.body, stored(hub)) == (large[: 64 * 1024], large)


@pytest.mark.usefixtures("made")
def test_there_is_no_xet(hub):
    """A client that wants to upload by Xet is told that there is none."""
    from huggingface_hub.utils import get_session

    url = f"{hub.endpoint}/api/datasets/org/data/xet-write-token/main"
    answer = get_session().get(url)
    assert (answer.status_code, answer.headers.get("x-error-code")) == (404, None)

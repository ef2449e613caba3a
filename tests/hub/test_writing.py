"""Repositories, commits, tags and branches, as huggingface_hub makes them."""

import pytest

REPO = {"repo_id": "org/data", "repo_type": "dataset"}
CARD = b"---\nlicense: mit\n---\n# Data\n"


@pytest.fixture
def made(api):
    """Give the client, and a dataset with a card and one Parquet file."""
    api.create_repo(**REPO)
    commit(api, add={"README.md": CARD, "a/one.parquet": b"one"})
    return api


def commit(api, add=None, delete=(), copy=(), **given):
    """Commit contents by path, deletions and copies, with as little else as the client allows."""
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete

    operations = [CommitOperationAdd(path, content) for path, content in (add or {}).items()]
    operations += [CommitOperationDelete(path) for path in delete]
    operations += [CommitOperationCopy(source, target) for source, target in copy]
    message = given.pop("commit_message", "change")
    return api.create_commit(operations=operations, commit_message=message, **REPO, **given)


def refusal(call, *arguments, **given):
    """Return the status and the message that the client reports."""
    from huggingface_hub.errors import HfHubHTTPError

    with pytest.raises(HfHubHTTPError) as refused:
        call(*arguments, **given)
    answer = refused.value.response
    return answer.status_code, answer.headers.get("X-Error-Message", "")


def test_a_repository_is_made_once(api, hub):
    """The second time is a conflict, and harmless where the client allows for it."""
    assert api.create_repo(**REPO) == f"{hub.endpoint}/datasets/org/data"
    assert api.create_repo(**REPO, exist_ok=True) == f"{hub.endpoint}/datasets/org/data"
    assert refusal(api.create_repo, **REPO) == (409, "")


def test_a_model_and_a_dataset_may_share_a_name(api, hub):
    """The kinds are apart, and a model's page has no prefix."""
    api.create_repo(**REPO)
    assert api.create_repo("org/data") == f"{hub.endpoint}/org/data"
    api.upload_file(path_or_fileobj=b"w", path_in_repo="m.safetensors", repo_id="org/data")
    assert api.list_repo_files("org/data") == [".gitattributes", "m.safetensors"]
    assert api.list_repo_files(**REPO) == [".gitattributes"]


def test_a_commit_is_all_of_its_operations(made, hub):
    """Additions, both kinds of deletion and a copy make one state, under one title."""
    commit(made, add={"b/two.txt": b"2", "b/three.txt": b"3"})
    done = commit(
        made,
        add={"new.txt": b"new"},
        delete=["README.md", "b/"],
        copy=[("a/one.parquet", "c/one.parquet")],
        commit_message="Release",
        commit_description="All at once.",
    )
    files = [".gitattributes", "a/one.parquet", "c/one.parquet", "new.txt"]
    assert made.list_repo_files(**REPO, revision=done.oid) == files
    assert hub.store.repo("datasets/org/data").read("c/one.parquet") == b"one"
    newest = made.list_repo_commits(**REPO)[0]
    assert (newest.commit_id, newest.title) == (done.oid, "Release")
    assert newest.message == "All at once."


def test_a_copy_of_a_regular_file_is_sent_again(made, hub):
    """The client downloads the file and adds it."""
    commit(made, copy=[("README.md", "OLD.md")])
    assert hub.store.repo("datasets/org/data").read("OLD.md") == CARD


def test_a_file_that_is_there_already_makes_no_commit(made, hub):
    """The client learns from `preupload` that nothing would change, for both kinds of file."""
    head = made.repo_info(**REPO).sha
    before = len(hub.requests)
    same = commit(made, add={"README.md": CARD, "a/one.parquet": b"one"})
    assert same.oid == head
    assert not [seen for seen in hub.requests[before:] if "/commit/" in seen.path]


def test_a_stale_parent_is_refused(made, hub):
    """A commit that was made for another state changes nothing."""
    head = made.repo_info(**REPO).sha
    done = commit(made, add={"x": b"1"}, parent_commit=head)
    status, message = refusal(commit, made, add={"x": b"2"}, parent_commit=head)
    assert (status, message[:28]) == (412, "A commit has happened since.")
    assert commit(made, add={"x": b"3"}, parent_commit=done.oid[:7]).oid != done.oid
    assert hub.store.repo("datasets/org/data").read("x") == b"3"


def test_deleting_what_is_not_there_is_refused(made):
    """A missing file or folder undoes the whole commit."""
    from huggingface_hub.errors import EntryNotFoundError

    for path in ("none.txt", "none/"):
        with pytest.raises(EntryNotFoundError):
            commit(made, add={"x": b"1"}, delete=[path])
    assert not made.file_exists("org/data", "x", repo_type="dataset")


def test_a_large_file_that_never_came_is_refused(made):
    """A commit cannot name content that the hub has not got."""
    from huggingface_hub import CommitOperationAdd

    add = CommitOperationAdd("b.parquet", b"never sent")
    add._upload_mode, add._is_uploaded = "lfs", True
    sent = {"operations": [add], "commit_message": "m"}
    status, message = refusal(made.create_commit, **REPO, **sent)
    assert (status, "does not exist: b.parquet" in message) == (400, True)


def test_an_empty_commit_is_one(made, hub):
    """The client never sends one; the hub takes it."""
    from huggingface_hub.utils import build_hf_headers, get_session

    head = made.repo_info(**REPO).sha
    line = b'{"key": "header", "value": {"summary": "nothing", "description": ""}}\n'
    url = f"{hub.endpoint}/api/datasets/org/data/commit/main"
    answer = get_session().post(url, content=line, headers=build_hf_headers())
    newest = hub.store.repo("datasets/org/data").at("main")
    assert (answer.json()["commitOid"], head) == (newest.sha, newest.parent)


def test_a_tag_stays(made):
    """A tag is made once, on any revision, and goes only by name."""
    from huggingface_hub.errors import RevisionNotFoundError

    head = made.repo_info(**REPO).sha
    made.create_tag(**REPO, tag="v1.0.0")
    commit(made, add={"x": b"1"})
    assert made.repo_info(**REPO, revision="v1.0.0").sha == head
    assert refusal(made.create_tag, **REPO, tag="v1.0.0")[0] == 409
    with pytest.raises(RevisionNotFoundError):
        made.create_tag(**REPO, tag="v2", revision="nowhere")
    made.delete_tag(**REPO, tag="v1.0.0")
    with pytest.raises(RevisionNotFoundError):
        made.delete_tag(**REPO, tag="v1.0.0")


def test_a_branch_is_apart(made):
    """A commit on a branch, whose name may hold a slash, leaves `main` as it is."""
    made.create_branch(**REPO, branch="release/v1")
    assert refusal(made.create_branch, **REPO, branch="release/v1")[0] == 409
    done = commit(made, add={"x": b"1"}, revision="release/v1")
    assert made.file_exists("org/data", "x", repo_type="dataset", revision="release/v1")
    assert not made.file_exists("org/data", "x", repo_type="dataset")
    refs = {ref.name: ref.target_commit for ref in made.list_repo_refs(**REPO).branches}
    assert refs == {"main": made.repo_info(**REPO).sha, "release/v1": done.oid}
    made.delete_branch(**REPO, branch="release/v1")
    assert refusal(made.delete_branch, **REPO, branch="main")[0] == 403
    assert refusal(commit, made, add={"x": b"1"}, revision="release/v1")[0] == 404


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("a: [", "Invalid YAML"),
        ("- a list", "must be an object"),
        ("configs: {a: b}", '"configs" must be an array'),
        ("configs:\n- data_files: x", r'"configs\[0\].config_name" is required'),
    ],
)
def test_a_card_that_cannot_be_read_is_refused(made, metadata, said):
    """The client asks before it uploads anything."""
    with pytest.raises(ValueError, match=said):
        commit(made, add={"README.md": f"---\n{metadata}\n---\n# Data\n".encode()})


def test_a_card_without_metadata_is_a_warning(api):
    """The client passes the hub's warning on."""
    api.create_repo(**REPO)
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        commit(api, add={"README.md": b"# Data\n"})

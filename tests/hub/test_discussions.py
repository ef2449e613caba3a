"""Pull requests and discussions, as huggingface_hub opens, reads, merges and closes them."""

import pytest

REPO = {"repo_id": "org/data", "repo_type": "dataset"}


@pytest.fixture
def made(api):
    """Give the client, and a dataset with one file."""
    api.create_repo(**REPO)
    upload(api, b"old")
    return api


def upload(api, content, path="a.txt", **given):
    """Commit one file."""
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, **REPO, **given)


def test_a_pull_request_is_apart_until_it_is_merged(made, hub):
    """It has its own reference; merged, it is one commit that keeps what came between."""
    repo = hub.store.repo("datasets/org/data")
    asked = upload(made, b"new", create_pr=True, commit_message="Release v2")
    assert asked.pr_url == f"{hub.endpoint}/datasets/org/data/discussions/1"
    assert (repo.read("a.txt"), repo.read("a.txt", "refs/pr/1")) == (b"old", b"new")
    refs = made.list_repo_refs(**REPO, include_pull_requests=True)
    assert [(ref.ref, ref.target_commit) for ref in refs.pull_requests] == [
        ("refs/pr/1", asked.oid)
    ]
    upload(made, b"more", "b.txt", revision="refs/pr/1")
    upload(made, b"between", "c.txt")
    made.merge_pull_request("org/data", 1, repo_type="dataset")
    assert [repo.read(path) for path in ("a.txt", "b.txt", "c.txt")] == [
        b"new",
        b"more",
        b"between",
    ]
    newest, between, *_ = made.list_repo_commits(**REPO)
    assert newest.title == "Release v2 (#1)"
    said = made.get_discussion_details("org/data", 1, repo_type="dataset")
    assert (said.status, said.merge_commit_oid) == ("merged", newest.commit_id)
    assert repo.at("main").parent == between.commit_id


def test_a_pull_request_starts_where_it_says(made, hub):
    """With a parent that is no longer the head it is opened all the same, from that parent."""
    head = made.repo_info(**REPO).sha
    upload(made, b"other", "b.txt")
    asked = upload(made, b"new", create_pr=True, parent_commit=head)
    assert hub.store.repo("datasets/org/data").at(asked.oid).parent == head


def test_a_conflict_is_named_and_not_merged(made):
    """A file that both sides changed keeps a pull request from being merged."""
    from huggingface_hub.errors import HfHubHTTPError

    upload(made, b"theirs", create_pr=True)
    upload(made, b"ours")
    said = made.get_discussion_details("org/data", 1, repo_type="dataset")
    assert (said.conflicting_files, said.target_branch) == (["a.txt"], "refs/heads/main")
    with pytest.raises(HfHubHTTPError, match="409"):
        made.merge_pull_request("org/data", 1, repo_type="dataset")


def test_discussions_are_found_by_kind_and_status(made, hub):
    """Pull requests and discussions are numbered together and listed newest first, in pages."""
    for number in (1, 2):
        upload(made, b"%d" % number, create_pr=True, commit_message=f"change {number}")
    made.create_discussion("org/data", "a question", repo_type="dataset")
    made.create_pull_request("org/data", "a draft", repo_type="dataset")
    event = made.change_discussion_status("org/data", 1, "closed", repo_type="dataset")
    assert event.new_status == "closed"
    hub.page_size = 1
    found = {
        (kind, status): [
            one.title
            for one in made.get_repo_discussions(
                "org/data", repo_type="dataset", discussion_type=kind, discussion_status=status
            )
        ]
        for kind, status in (("pull_request", "open"), ("pull_request", "closed"), (None, None))
    }
    assert found["pull_request", "open"] == ["a draft", "change 2"]
    assert found["pull_request", "closed"] == ["change 1"]
    assert found[None, None] == ["a draft", "a question", "change 2", "change 1"]
    said = made.get_discussion_details("org/data", 1, repo_type="dataset")
    assert [(one.type, one.new_status) for one in said.events] == [("status-change", "closed")]

"""The store without HTTP: what makes a commit whole, and what two writers do to each other."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hub import changes
from tests.hub.store import MAIN, Entry, Store, StoreError, git_oid


def body(parent=None, **files):
    """Return a commit's body that adds texts in base64 by name."""
    header = {"summary": "change", "description": ""} | ({"parentCommit": parent} if parent else {})
    lines = [{"key": "header", "value": header}]
    lines += [{"key": "file", "value": {"path": p, "content": c}} for p, c in files.items()]
    return "\n".join(json.dumps(line) for line in lines).encode()


def test_git_names_blobs():
    """The name of an empty blob is the one that every git repository knows."""
    assert git_oid(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def test_a_pointer_is_what_git_would_hold():
    """The file of 12345 bytes in the specification of LFS has a pointer of 130."""
    assert Entry("", 12345, 64 * "4").pointer_size == 130


def test_a_place_is_taken_once(tmp_path):
    """Of several that make a repository at once, one does."""
    with ThreadPoolExecutor(8) as threads:
        made = [*threads.map(lambda _: Store(tmp_path).create("datasets/org/data"), range(8))]
    assert len([repo for repo in made if repo]) == 1
    assert Store(tmp_path).repo("datasets/org/data").at("main").title == "initial commit"


def test_one_of_many_writers_wins(tmp_path):
    """Of commits with the same parent one is made; without a parent all are, one after another."""
    repo = Store(tmp_path).create("datasets/org/data")
    head = repo.find("main")

    def write(number, parent):
        try:
            changes.commit(repo, "main", body(parent, **{f"{number}": "eA=="}), "writer")
        except StoreError as refused:
            return refused.status
        return 200

    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda number: write(number, head), range(8))]
        assert sorted(answers) == [200, *(7 * [412])]
        assert {*threads.map(lambda number: write(number, None), range(8))} == {200}
    assert {*map(str, range(8))} <= {*repo.at("main").files}
    assert len([*repo.history(repo.find("main"))]) == 10


def test_an_error_changes_nothing(tmp_path):
    """Where a commit is refused half way, the references are what they were."""
    repo = Store(tmp_path).create("datasets/org/data")
    before = repo.state()
    with pytest.raises(StoreError, match="Invalid path"):
        changes.commit(repo, "main", body(**{"a": "eA==", "../b": "eA=="}), "writer")
    assert repo.state() == before


def test_a_test_may_move_what_it_likes(tmp_path):
    """A branch or tag is a line of the state, for tests of readers that notice."""
    repo = Store(tmp_path).create("datasets/org/data")
    first = repo.find("main")
    changes.commit(repo, "main", body(a="eA=="), "writer")
    with repo.changing() as state:
        state["refs"]["refs/tags/v1"] = state["refs"][MAIN] = first
    assert (repo.find("v1"), repo.find("main")) == (first, first)

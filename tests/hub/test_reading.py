"""Listings, files and parts of files, as huggingface_hub reads them."""

import hashlib
import time
from pathlib import Path

import pytest

REPO = {"repo_id": "org/data", "repo_type": "dataset"}
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def made(api):
    """Give the client, and a dataset with two Parquet files in folders, and a card."""
    from huggingface_hub import CommitOperationAdd

    files = {
        "README.md": b"---\nlicense: mit\n---\n",
        "a/b/one.parquet": CONTENT,
        "a/two.txt": b"2",
    }
    api.create_repo(**REPO)
    add = [CommitOperationAdd(path, content) for path, content in files.items()]
    api.create_commit(operations=add, commit_message="Release", **REPO)
    return api


def test_what_is_said_of_files(made):
    """Sizes and names of contents are git's, and those of a large file LFS's too."""
    info = made.repo_info(**REPO, files_metadata=True)
    said = {file.rfilename: file for file in info.siblings}
    large, small = said["a/b/one.parquet"], said["a/two.txt"]
    assert (info.private, info.gated, large.size) == (False, False, 10240)
    assert large.lfs.sha256 == hashlib.sha256(CONTENT).hexdigest()
    # `git hash-object` of the file "2", and of the pointer that git would hold.
    assert small.blob_id == "d8263ee9860594d2806b0dfd1bfd17528b0ba2a4"
    pointer = f"oid sha256:{large.lfs.sha256}\nsize 10240\n"
    pointer = f"version https://git-lfs.github.com/spec/v1\n{pointer}"
    assert large.blob_id == hashlib.sha1(f"blob {len(pointer)}\0{pointer}".encode()).hexdigest()
    assert (large.lfs.pointer_size, small.lfs) == (len(pointer), None)


def test_a_tree_is_a_folder_or_all(made):
    """Folders are listed with their files only where that is wanted."""

    def tree(path=None, **given):
        return [entry.path for entry in made.list_repo_tree(**REPO, path_in_repo=path, **given)]

    assert tree() == [".gitattributes", "README.md", "a"]
    assert tree("a") == ["a/b", "a/two.txt"]
    assert tree("a", recursive=True) == ["a/b", "a/b/one.parquet", "a/two.txt"]


def test_a_long_listing_comes_in_pages(made, hub):
    """The client follows the pages to the end, of trees and of commits."""
    hub.page_size = 2
    paths = [entry.path for entry in made.list_repo_tree(**REPO, recursive=True)]
    every = [".gitattributes", "README.md", "a", "a/b", "a/b/one.parquet", "a/two.txt"]
    assert paths == every
    assert len([seen for seen in hub.requests if "/tree/" in seen.path]) == 3
    hub.page_size = 1
    titles = [commit.title for commit in made.list_repo_commits(**REPO)]
    assert titles == ["Release", "initial commit"]


def test_only_paths_that_exist_are_told_of(made):
    """Files and folders are found, others are left out."""
    found = made.get_paths_info(**REPO, paths=["a/two.txt", "none", "a/b"])
    assert [entry.path for entry in found] == ["a/two.txt", "a/b"]


def test_who_changed_a_file_last(made):
    """A file or folder is dated by the last commit that touched it, where that is wanted."""
    new = made.upload_file(path_or_fileobj=b"3", path_in_repo="a/three.txt", **REPO).oid
    found = made.get_paths_info(**REPO, paths=["a/two.txt", "a"], expand=True)
    assert (found[0].last_commit.title, found[1].last_commit.oid) == ("Release", new)
    listed = made.list_repo_tree(**REPO, expand=True)
    titles = {entry.path: entry.last_commit.title for entry in listed}
    assert titles[".gitattributes"] == "initial commit"
    assert titles["README.md"] == "Release"


def test_what_is_not_there_is_named(made):
    """The client tells a missing repository, revision and file apart."""
    from huggingface_hub.errors import (
        EntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    with pytest.raises(RepositoryNotFoundError):
        made.repo_info("org/none", repo_type="dataset")
    with pytest.raises(RevisionNotFoundError):
        made.repo_info(**REPO, revision=40 * "0")
    with pytest.raises(EntryNotFoundError):
        made.hf_hub_download(**REPO, filename="none.txt")
    with pytest.raises(EntryNotFoundError):
        list(made.list_repo_tree(**REPO, path_in_repo="none"))


def test_a_download_is_what_was_uploaded(made, hub):
    """Files come whole, under the names of their contents, and once."""
    paths = [Path(made.hf_hub_download(**REPO, filename="a/b/one.parquet")) for _ in range(2)]
    assert paths[0].read_bytes() == CONTENT
    assert paths[0].resolve().name == hashlib.sha256(CONTENT).hexdigest()
    assert (
        len([seen for seen in hub.requests if seen.method == "GET" if "resolve" in seen.path]) == 1
    )
    folder = Path(made.snapshot_download(**REPO, allow_patterns="a/*"))
    assert folder.name == made.repo_info(**REPO).sha
    assert (folder / "a" / "two.txt").read_bytes() == b"2"
    assert made.verify_repo_checksums(**REPO).mismatches == []


def test_a_changed_blob_is_noticed(made, hub):
    """What is served is what lies on the disk, so that a test can damage it."""
    repo = hub.store.repo("datasets/org/data")
    repo.blob(repo.at("main").files["a/b/one.parquet"].blob).write_bytes(CONTENT[:-1] + b"\0")
    made.snapshot_download(**REPO)
    assert [bad["path"] for bad in made.verify_repo_checksums(**REPO).mismatches] == [
        "a/b/one.parquet"
    ]


@pytest.mark.usefixtures("made")
def test_a_part_of_a_file():
    """A range is answered by that range."""
    from huggingface_hub import HfFileSystem

    files = HfFileSystem()
    assert files.cat_file("datasets/org/data/a/b/one.parquet", start=300, end=303) == b",-."
    with files.open("datasets/org/data/a/b/one.parquet", block_size=16) as file:
        file.seek(-2, 2)
        assert file.read() == b"\xfe\xff"
    assert files.glob("datasets/org/data/**/*.parquet") == ["datasets/org/data/a/b/one.parquet"]


def test_a_fresh_commit_is_seen_late(made, hub):
    """For as long as the hub lags, `main` is what it was and the commit is unknown."""
    from huggingface_hub.errors import RevisionNotFoundError

    hub.lag = 0.3
    time.sleep(0.3)
    before = made.repo_info(**REPO).sha
    fresh = made.upload_file(path_or_fileobj=b"x", path_in_repo="x", **REPO).oid
    assert made.repo_info(**REPO).sha == before
    assert not made.file_exists("org/data", "x", repo_type="dataset")
    for read in (made.repo_info, made.list_repo_files):
        with pytest.raises(RevisionNotFoundError):
            read(**REPO, revision=fresh)
    time.sleep(0.3)
    assert made.repo_info(**REPO).sha == fresh
    assert made.file_exists("org/data", "x", repo_type="dataset", revision=fresh)

"""Tokens, private repositories and publishing from CI without a stored token."""

import pytest

from tests.hub.clients import on_github
from tests.hub.hub import READ, WRITE, Token

REPO = {"repo_id": "org/data", "repo_type": "dataset"}


def status(call, *arguments, **given):
    """Return the status with which a call is refused."""
    from huggingface_hub.errors import HfHubHTTPError

    with pytest.raises(HfHubHTTPError) as refused:
        call(*arguments, **given)
    return refused.value.response.status_code


def test_whose_token_it_is(api):
    """A token stands for a user and a role; a wrong one for nobody."""
    said = api.whoami(token=READ)
    assert (said["name"], said["auth"]["accessToken"]["role"]) == ("reader", "read")
    assert api.whoami(token=WRITE)["auth"]["accessToken"]["role"] == "write"
    assert status(api.whoami, token="hf_wrong") == 401


def test_a_private_repository_looks_absent(api):
    """Only who has a token that is good for it sees it."""
    from huggingface_hub.errors import RepositoryNotFoundError

    api.create_repo(**REPO, private=True)
    assert api.repo_info(**REPO, token=READ).private
    with pytest.raises(RepositoryNotFoundError):
        api.repo_info(**REPO, token=False)
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download(**REPO, filename=".gitattributes", token=False)


def test_a_public_repository_is_read_by_anyone(api):
    """No token is needed; a wrong one is refused all the same."""
    api.create_repo(**REPO)
    assert api.list_repo_files(**REPO, token=False) == [".gitattributes"]
    assert status(api.list_repo_files, **REPO, token="hf_wrong") == 401


def test_writing_needs_a_write_token(api):
    """A token to read may not, no token may not, and nothing is changed."""
    api.create_repo(**REPO)
    head = api.repo_info(**REPO).sha
    change = {"path_or_fileobj": b"x", "path_in_repo": "x", **REPO}
    assert status(api.upload_file, **change, token=READ) == 403
    assert status(api.create_repo, "org/other", token=READ) == 403
    assert status(api.create_tag, **REPO, tag="v1", token=READ) == 403
    assert status(api.create_tag, **REPO, tag="v1", token=False) == 401
    assert api.repo_info(**REPO).sha == head


def test_a_token_may_be_good_for_one_repository(api, hub):
    """It writes there and nowhere else, and makes none."""
    api.create_repo(**REPO)
    api.create_repo("org/other", repo_type="dataset", private=True)
    hub.tokens["hf_one"] = Token("ci", "write", "datasets/org/data")
    api.create_tag(**REPO, tag="v1", token="hf_one")
    assert status(api.create_tag, "org/other", tag="v1", repo_type="dataset", token="hf_one") == 404
    assert status(api.create_repo, "org/third", token="hf_one") == 401
    assert api.create_repo(**REPO, exist_ok=True, token="hf_one").repo_id == "org/data"


def test_github_may_publish_without_a_stored_token(api, hub, monkeypatch):
    """The job's id token is exchanged for a token of the repository that trusts it."""
    api.create_repo(**REPO)
    hub.trusted.add("datasets/org/data")
    monkeypatch.delenv("HF_TOKEN")
    for name, value in on_github(hub, "datasets/org/data").items():
        monkeypatch.setenv(name, value)
    done = api.upload_file(path_or_fileobj=b"x", path_in_repo="x", **REPO)
    assert api.list_repo_commits(**REPO)[0].authors == ["ci"]
    assert api.repo_info(**REPO).sha == done.oid
    asked = [seen.path for seen in hub.requests if seen.path == "/oauth/token"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("trusted", "audience"), [(set(), None), ({"datasets/org/data"}, "https://elsewhere.example")]
)
def test_a_stranger_is_given_no_token(api, hub, monkeypatch, trusted, audience):
    """A repository must trust the job, and the id token must be meant for this hub."""
    from huggingface_hub.utils import get_session

    api.create_repo(**REPO)
    hub.trusted |= trusted
    url, bearer = f"{hub.endpoint}/_github/id-token", {"Authorization": "Bearer runner"}
    asked = get_session().get(url, params={"audience": audience or hub.endpoint}, headers=bearer)
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", asked.json()["value"])
    monkeypatch.setenv("HF_OIDC_RESOURCE", "datasets/org/data")
    assert status(api.repo_info, **REPO) == 400
    assert get_session().get(url).status_code == 401

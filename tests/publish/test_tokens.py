"""Who may publish, as whom, and that a token is nowhere to be found afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from magpie_hub.cli import main
from magpie_hub.errors import HubError
from magpie_hub.publish.repository import Repository
from magpie_hub.publish.verify import verify
from tests.hub.hub import READ, WRITE, Token
from tests.publish.released import REPO, history, put, repo, tags, versions

CANARY = "hf_canary" + 25 * "y"


def command(run):
    """Return the arguments of the command that publishes a run."""
    spec, folder = run
    file = folder.path.with_name(f"{spec.name}.yaml")
    return ["publish", str(file), "--run", str(folder.path), "--create"]


def holding(folder: Path, secret: str) -> list[str]:
    """Return the files below a folder that hold a secret, in their names or as they are."""
    return [
        str(path)
        for path in folder.rglob("*")
        if secret in path.name or (path.is_file() and secret.encode() in path.read_bytes())
    ]


@pytest.mark.parametrize("token", [None, READ, "hf_wrong", "hf_wröng", CANARY])
@pytest.mark.parametrize("place", ["published", "empty"])
def test_who_may_not(request, monkeypatch, new_run, place, token):
    """Without a token to write there is one error with a hint, and nothing is changed or said."""
    hub = request.getfixturevalue(place)
    before = sorted(hub.store.folder.rglob("*"))
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    done = CliRunner().invoke(main, command(new_run))
    assert (done.exit_code, done.stdout) == (1, "")
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: `org/tiny` may not be read or written with the token in use")
    assert hint.startswith("hint: set HF_TOKEN to a token with the right to write there")
    assert str(token) not in done.stderr
    assert sorted(hub.store.folder.rglob("*")) == before


def test_the_token_is_nowhere(empty, monkeypatch, new_run, tmp_path):
    """Not in what is said, also of a failure and of every request, nor in the store or the run."""
    empty.tokens[CANARY] = Token("maintainer", "write")
    monkeypatch.setenv("HF_TOKEN", CANARY)
    monkeypatch.setenv("HF_DEBUG", "1")
    publish = [sys.executable, "-m", "magpie_hub", *command(new_run)]
    empty.break_at(2, "500")
    done = [subprocess.run(publish, check=False, capture_output=True, text=True) for _ in range(2)]
    assert [each.returncode for each in done] == [1, 0]
    assert "authorization: <TOKEN>" in done[0].stderr
    assert CANARY not in "".join(each.stdout + each.stderr for each in done)
    assert [*tags(empty)] == ["v1.0.0"]
    assert holding(tmp_path, CANARY) == []
    assert holding(new_run[1].path, CANARY) == []


def test_a_private_dataset(empty, monkeypatch, old_run):
    """It is checked with the token that published it; without one it looks absent."""
    put(old_run, create=True, private=True)
    assert verify(Repository(REPO), "v1.0.0").configs == {"raw": 25, "short": 12}
    monkeypatch.setenv("HF_TOKEN", READ)
    assert verify(Repository(REPO), "v1.0.0").commit == history(empty)[0].sha
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match=r"does not exist on .*, or is private"):
        verify(Repository(REPO), "v1.0.0")


def test_trusted_publishing(published, monkeypatch, new_run, tmp_path, capfd):
    """A workflow publishes with no stored token; those that it is lent are nowhere, either."""
    published.trusted.add(f"datasets/{REPO}")
    monkeypatch.delenv("HF_TOKEN")
    for name, value in {
        "GITHUB_ACTIONS": "true",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{published.endpoint}/_github/id-token",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": published.request_token,
        "HF_OIDC_RESOURCE": f"datasets/{REPO}",
    }.items():
        monkeypatch.setenv(name, value)
    assert put(new_run).commit == tags(published)["v1.1.0"]
    assert versions(published) == ["v1.1.0", "v1.0.0", None]
    assert history(published)[0].author == "ci"
    lent = [*published.minted, *(token for token in published.tokens if token not in (READ, WRITE))]
    said = "".join(capfd.readouterr())
    assert len(lent) >= 2
    for secret in lent:
        assert secret not in said
        assert holding(tmp_path, secret) + holding(new_run[1].path, secret) == []


@pytest.mark.parametrize("lacking", ["trust", "a workflow"])
def test_no_trusted_publishing(published, monkeypatch, new_run, lacking):
    """A repository that does not trust the job, and a job that is none, are told apart from it."""
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_OIDC_RESOURCE", f"datasets/{REPO}")
    if lacking == "trust":
        monkeypatch.setenv("HF_OIDC_ID_TOKEN", "id-stranger")
    before = repo(published).state()
    with pytest.raises(HubError, match="no token from trusted publishing for `org/tiny`") as caught:
        put(new_run)
    assert "`id-token: write`" in caught.value.hint
    assert repo(published).state() == before

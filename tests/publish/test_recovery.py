"""What can come between a publish and its end: a kill, a lag, damage, another one.

Whatever it is, each state of `main` is a whole release, and the same command goes on from it.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from magpie_hub.errors import HubError, MagpieError, VerifyError
from magpie_hub.publish import client, commit
from tests.hub import reading
from tests.publish.released import (
    built_run,
    history,
    put,
    repo,
    tags,
    tree,
    version,
    versions,
)

pytestmark = pytest.mark.slow

# Ends without any clean-up, as a kill does, before a request is sent or when its answer comes.
KILLED = """
import os, sys
from huggingface_hub import get_session
from magpie_hub.cli import main

when, path = sys.argv[1:3]

def die(message):
    if path in str(getattr(message, "request", message).url):
        os._exit(9)

hooks = get_session().event_hooks
get_session().event_hooks = {**hooks, when: [*hooks[when], die]}
main(sys.argv[3:])
"""


def attempt(run, **wanted):
    """Publish; return the version that is there then, or what was said."""
    try:
        return f"v{put(run, **wanted).plan.version}"
    except MagpieError as error:
        return error.message


@pytest.mark.parametrize(
    ("when", "path", "left"),
    [
        ("request", "/preupload/", ["v1.0.0", None]),
        ("request", "/commit/main", ["v1.0.0", None]),
        ("response", "/commit/main", ["v1.1.0", "v1.0.0", None]),
        ("request", "/raw/train-", ["v1.1.0", "v1.0.0", None]),
        ("request", "/tag/", ["v1.1.0", "v1.0.0", None]),
        ("response", "/tag/", ["v1.1.0", "v1.0.0", None]),
    ],
)
def test_a_kill(published, new_run, when, path, left):
    """Before or after the commit, while it is checked, at the tag: the same command ends it."""
    spec, folder = new_run
    file = folder.path.with_name(f"{spec.name}.yaml")
    command = ["publish", str(file), "--run", str(folder.path), "--to", "hub"]
    kill = [sys.executable, "-c", KILLED, when, path, *command]
    assert subprocess.run(kill, check=False, capture_output=True).returncode == 9
    assert versions(published) == left
    assert ("v1.1.0" in tags(published)) == ((when, path) == ("response", "/tag/"))

    again = [sys.executable, "-m", "magpie_hub", *command]
    done = subprocess.run(again, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] in ("published: v1.1.0", "nothing changed: v1.1.0")
    assert versions(published) == ["v1.1.0", "v1.0.0", None]
    new, old, _ = history(published)
    assert tags(published) == {"v1.0.0": old.sha, "v1.1.0": new.sha}


def lagging(hub, seconds):
    """Return a listener that lets a hub lag once the commit is made."""

    def say(text):
        if text.startswith("commit "):
            hub.lag = seconds

    return say


def test_a_lag_is_waited_out(published, new_run):
    """While the new commit cannot be read yet, nothing is decided."""
    assert put(new_run, lagging(published, 1.5)).commit == tags(published)["v1.1.0"]
    asked = [seen.status for seen in published.requests if "/revision/" in seen.path]
    assert asked[:3] == [200, 404, 404]
    assert versions(published) == ["v1.1.0", "v1.0.0", None]


def test_a_lag_beyond_the_bound(published, new_run, monkeypatch):
    """The commit stays without a version; the same command finds it and gives it one."""
    monkeypatch.setattr(commit, "PATIENCE", 0.0)
    with pytest.raises(HubError, match="has no revision"):
        put(new_run, lagging(published, 60.0))
    assert (versions(published), [*tags(published)]) == (["v1.1.0", "v1.0.0", None], ["v1.0.0"])

    published.lag = 0
    assert put(new_run).commit == tags(published)["v1.1.0"]
    assert versions(published) == ["v1.1.0", "v1.0.0", None]


def test_a_listing_that_lags(published, new_run, monkeypatch):
    """Files that the checked commit has, and that a reader is not shown, are no wrong content."""
    monkeypatch.setattr(commit, "PATIENCE", 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_folders", lambda _: set())
        with pytest.raises(HubError, match="cannot be loaded: DataFilesNotFoundError"):
            put(new_run)
    assert put(new_run).commit == tags(published)["v1.1.0"]
    assert versions(published) == ["v1.1.0", "v1.0.0", None]


@pytest.mark.parametrize("index", [0, 1])
def test_a_silent_hub(published, new_run, monkeypatch, index):
    """No answer at all ends the wait, also where the client by itself would wait for ever."""
    from huggingface_hub import get_session

    monkeypatch.setattr(client, "SILENCE", 0.2)
    get_session().event_hooks = {"request": [], "response": []}
    published.stall = 30
    published.break_at(index, "timeout")
    before = time.monotonic()
    with pytest.raises(HubError, match="cannot be reached: timed out"):
        put(new_run)
    assert published.broken
    assert time.monotonic() - before < 15


@pytest.mark.parametrize(("place", "expected"), [("empty", "v1.0.0"), ("published", "v1.1.0")])
def test_damage(request, new_run, place, expected):
    """What cannot be read back as built is taken back by a commit of its own; both are named."""
    hub = request.getfixturevalue(place)
    path = "short/train-00000-of-00001.parquet"
    whole = []

    def say(text):
        """Change a byte as soon as the commit is made."""
        if text.startswith("commit "):
            blob = repo(hub).blob(history(hub)[0].files[path].blob)
            whole.append((blob, blob.read_bytes()))
            blob.write_bytes(whole[0][1].replace(b"PAR1", b"PAR2"))

    with pytest.raises(VerifyError, match=f"`{path}` has the SHA-256") as caught:
        put(new_run, say, create=True)
    back, wrong, before, *_ = history(hub)
    assert f"the commit `{wrong.sha}` was taken back by `{back.sha}`" in caught.value.message
    assert tree(back) == tree(before) != tree(wrong)
    assert expected not in tags(hub)

    [(blob, content)] = whole
    blob.write_bytes(content)
    assert attempt(new_run) == expected == version(hub, tags(hub)[expected])


def test_an_old_version_again(published, new_run, old_run):
    """The files of v1.0.0 become v1.2.0: nothing is uploaded, and no tag is moved."""
    put(new_run)
    old, new = tags(published)["v1.0.0"], tags(published)["v1.1.0"]
    uploads = sent(published, "PUT")
    assert attempt(old_run, as_of="v1.0.0") == "v1.2.0"
    again = history(published)[0]
    assert sent(published, "PUT") == uploads
    assert tags(published) == {"v1.0.0": old, "v1.1.0": new, "v1.2.0": again.sha}
    rows = {path: blob for path, blob in tree(again).items() if path.endswith(".parquet")}
    assert rows.items() <= tree(repo(published).commit(old)).items()
    assert len(rows) == 3
    assert versions(published) == ["v1.2.0", "v1.1.0", "v1.0.0", None]
    assert "as in 1.0.0 again" in repo(published).read("README.md").decode()


def sent(hub, method, part=""):
    """Return how many requests of a method came whose path holds a part."""
    return sum(seen.method == method and part in seen.path for seen in hub.requests)


def test_a_pull_request(published, new_run):
    """It is checked where it lies, `main` stays; once it is merged, only the version is missing."""
    from tests.hub.changes import merge

    done = put(new_run, pull_request=True)
    assert done.pull_request == f"{published.endpoint}/datasets/org/tiny/discussions/1"
    proposed = repo(published).at("refs/pr/1").sha
    assert (done.commit, version(published, proposed)) == (proposed, "v1.1.0")
    assert sent(published, "GET", f"/resolve/{proposed}/short/train-") == 2
    assert (versions(published), [*tags(published)]) == (["v1.0.0", None], ["v1.0.0"])

    # A second one would say the same; whoever stopped the first command is told of it.
    assert put(new_run, pull_request=True).pull_request == done.pull_request
    assert sent(published, "POST", "/commit/") == 1

    merged = merge(repo(published), 1, "maintainer")
    uploads, commits = sent(published, "PUT"), sent(published, "POST", "/commit/")
    assert put(new_run).commit == merged == tags(published)["v1.1.0"]
    assert (sent(published, "PUT"), sent(published, "POST", "/commit/")) == (uploads, commits)


@pytest.mark.parametrize("private", [True, False])
def test_a_first_publish(empty, old_run, private):
    """The repository is made only where that was asked for, and as it was asked for."""
    with pytest.raises(HubError, match="does not exist") as caught:
        put(old_run)
    assert "--create" in caught.value.hint
    assert empty.store.repo("datasets/org/tiny") is None

    put(old_run, create=True, private=private)
    assert (repo(empty).state()["private"], [*tags(empty)]) == (private, ["v1.0.0"])


def test_many_files_are_one_commit(empty, tmp_path, monkeypatch):
    """Every row is a file of its own; there is one commit with all of them."""
    from magpie_hub.shards import parquet

    for name in ("BLOCK_ROWS", "ROW_GROUP_BYTES", "FILE_BYTES"):
        monkeypatch.setattr(parquet, name, 1)
    put(built_run(tmp_path / "many", 45), create=True)
    files = [path for path in history(empty)[0].files if not path.startswith("figures/")]
    assert len(files) == 37 + 17 + len(["README.md", "release.json"]) + 2
    assert versions(empty) == ["v1.0.0", None]


AT_ONCE = [0.15 * n for n in range(10)]
"""Seconds by which the second of two publishers is later: a publish takes about as long."""


def at_once(runs, delay):
    """Publish two runs, the second a little later; return what came of each."""

    def late(run, seconds):
        time.sleep(seconds)
        return attempt(run, create=True)

    with ThreadPoolExecutor(2) as pool:
        return [*pool.map(late, runs, (0.0, delay))]


@pytest.mark.parametrize("delay", AT_ONCE)
def test_two_states_of_a_spec_at_once(published, new_run, another_run, delay):
    """One after the other becomes a whole release with a version of its own."""
    assert sorted(at_once([new_run, another_run], delay)) == ["v1.1.0", "v1.2.0"]
    assert versions(published) == ["v1.2.0", "v1.1.0", "v1.0.0", None]
    assert by_tag(published) == {"v1.0.0": "v1.0.0", "v1.1.0": "v1.1.0", "v1.2.0": "v1.2.0"}


@pytest.mark.parametrize("delay", AT_ONCE)
def test_two_specs_at_once(empty, two_specs, delay):
    """The slower one plans again and keeps what the faster one brought; both are done then."""
    assert sorted(at_once(two_specs, delay)) == ["v1.0.0", "v1.1.0"]
    assert versions(empty) == ["v1.1.0", "v1.0.0", None]
    assert by_tag(empty) == {"v1.0.0": "v1.0.0", "v1.1.0": "v1.1.0"}
    assert {"air", "pro"} <= {path.partition("/")[0] for path in history(empty)[0].files}
    assert [attempt(run) for run in two_specs] == ["v1.1.0", "v1.1.0"]


def by_tag(hub):
    """Return for each tag the version that its commit holds, which must be whole."""
    return {name: version(hub, sha) for name, sha in tags(hub).items()}


@pytest.fixture(scope="module")
def another_run(tmp_path_factory):
    """Build what neither v1.0.0 nor v1.1.0 holds, of the same spec."""
    return built_run(tmp_path_factory.mktemp("runs") / "another", 40)


@pytest.fixture(scope="module")
def two_specs(tmp_path_factory):
    """Build two specs for one repository, each with a config of its own."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        built_run(folder / name, rows, name, configs={"raw": False, name: {"filter": "finished"}})
        for name, rows in (("air", 30), ("pro", 45))
    ]

"""Built runs of the scripted engine, a hub to publish them to, and what its store tells of them.

The two configs hold different rows, so that each has a file of its own. It knows nothing of what
a test does to them.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST
from magpie_hub.run.building import build
from magpie_hub.run.graph import FIRST_ROUND
from magpie_hub.run.publishing import HUB, Put, Wanted, publish
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.hub.clients import NO_WAITS, in_process, without_waits
from tests.hub.hub import WRITE, Hub
from tests.hub.serving import serving
from tests.hub.store import Commit, Repo
from tests.making import carry_out, quiet, spec_file

REPO = "org/tiny"
CONFIGS = {"raw": {}, "short": {"where": "response_length < 300", "default": True}}
Run = tuple[Spec, RunFolder]


def built_run(folder: Path, rows: int, name: str = "tiny", **changes: Any) -> Run:
    """Generate rows and build configs of them, by default two, from the spec `name` in `folder`."""
    folder.mkdir()
    given = {"license": "cc0-1.0", "configs": CONFIGS, **changes}
    path = spec_file(folder, rows, **given).rename(folder / f"{name}.yaml")
    spec, run = load(str(path)), RunFolder(folder / "run")
    with run.lock():
        for stage in FIRST_ROUND:
            carry_out(stage, spec, run)
        build(spec, run, quiet, print)
    return spec, run


def put(run: Run, say: Callable[[str], None] = print, **wanted: Any) -> Put:
    """Publish a built run to the hub, as the command does."""
    return publish(*run, Wanted(HUB, **wanted), say)


@contextmanager
def serving_clients(folder: Path, token: str | None = WRITE) -> Iterator[Hub]:
    """Serve the hub `folder/store`, with the clients of this process and its children led to it.

    They wait for nothing, and remember nothing of another hub.
    """
    with pytest.MonkeyPatch.context() as patch, serving(folder / "store") as hub:
        in_process(patch, hub, folder / "home", token)
        without_waits(patch)
        patch.setenv("PYTHONPATH", str(NO_WAITS))
        yield hub


def repo(hub: Hub) -> Repo:
    """Return the repository that is published to."""
    found = hub.store.repo(f"datasets/{REPO}")
    assert found is not None
    return found


def history(hub: Hub) -> list[Commit]:
    """Return the commits that `main` has had, newest first."""
    return [*repo(hub).history(repo(hub).at("main").sha)]


def tree(commit: Commit) -> dict[str, str]:
    """Return by path what the content of each file is called: its SHA-256, or git's id."""
    return {path: entry.blob for path, entry in commit.files.items()}


def tags(hub: Hub) -> dict[str, str]:
    """Return the commits of the tags."""
    refs = repo(hub).state()["refs"].items()
    return {name.removeprefix("refs/tags/"): sha for name, sha in refs if "/tags/" in name}


def version(hub: Hub, sha: str) -> str | None:
    """Return the version that a commit holds, None where there is nothing yet.

    It must be whole: all files of its release.json are there with their SHA-256, and no other.
    """
    files = {path: repo(hub).read(path, sha) for path in repo(hub).commit(sha).files}
    del files[".gitattributes"]
    if not files:
        return None
    manifest = json.loads(files.pop(MANIFEST))
    listed = {path: entry["sha256"] for path, entry in manifest["files"].items()}
    found = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    assert found == listed
    folders = {path.partition("/")[0] for path in found} - {"figures"}
    assert folders == {CARD, INDEX, *manifest["configs"]}
    return f"v{manifest['version']}"


def versions(hub: Hub) -> list[str | None]:
    """Return what `main` has held, newest first; every state of it must have been whole."""
    return [version(hub, commit.sha) for commit in history(hub)]

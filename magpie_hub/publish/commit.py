"""Publishes a release to the Hub: plan, one commit, verify, and only then the version.

    plan ─▶ commit (parent: what the plan was made from) ─▶ load back at that commit ─▶ tag vX.Y.Z
              │ somebody was faster: plan again               │ wrong content: the state before
                                                              │ comes back by a commit of its own

Every state between is one that readers can live with, and the same call goes on from it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from magpie_hub.errors import HubError, TargetError, VerifyError
from magpie_hub.publish import readme, sections
from magpie_hub.publish.client import Moved
from magpie_hub.publish.manifest import CARD, INDEX, Entry
from magpie_hub.publish.plan import Plan, check_edits, plan
from magpie_hub.publish.release import Copied, Published, Release, Source
from magpie_hub.publish.repository import Commit, Repository
from magpie_hub.publish.show import markdown
from magpie_hub.publish.verify import PATIENCE, verify

ATTEMPTS = 5
"""How often a plan is made anew because somebody else was faster."""
_TITLES = ("Release v", "Put right v")
"""How our commits are called: a new release, and one that somebody had damaged on `main`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a publish did: the plan that was carried out, and where it ended.

    commit: None where nothing was to do. pull_request: the address of one that waits to be merged.
    """

    plan: Plan
    commit: str | None = None
    pull_request: str | None = None


def publish(
    release: Release,
    repository: Repository,
    say: Callable[[str], None],
    *,
    delete: Sequence[str] = (),
    pull_request: bool = False,
    discard_edits: bool = False,
) -> Outcome:
    """Bring a release into a repository, as one commit with a version, or a pull request.

    say: told of each step. discard_edits: whether what a person edited in the generated part of the
    card may be lost. Raises TargetError where the plan cannot be, VerifyError where what was
    published is not what was built (the state before is back then), HubError where the Hub cannot
    be reached; the same call then goes on.
    """
    for attempt in range(ATTEMPTS):
        # Others need a moment to finish, and what they did another to be seen.
        time.sleep(attempt)
        published = repository.read()
        planned = plan(release, published, delete=delete)
        check_edits(planned, discard=discard_edits)
        if not planned.changes:
            break
        if _named(repository, published, say):
            continue
        if pull_request and (made := _proposed(repository, planned)):
            say(f"proposed already: {made.url}")
            return _finish(repository, planned, made, say)
        try:
            made = _commit(repository, planned, published, pull_request)
        except Moved:
            say("somebody else has committed meanwhile: planning again")
            continue
        say(f"commit {made.oid}: {len(planned.add)} files, {planned.upload_bytes:,} bytes at most")
        return _finish(repository, planned, made, say)
    else:
        raise HubError(
            f"`{repository.repo}` was changed by somebody else each of the {ATTEMPTS} times that"
            " this release was planned",
            hint="run the same command when they are done",
        )
    if not planned.tagged:
        # A publish was stopped between its commit and its version.
        say(f"v{planned.version} is in place and has no version yet")
        return _finish(repository, planned, Commit(str(published.revision)), say)
    return Outcome(planned)


def _named(repository: Repository, published: Published, say: Callable[[str], None]) -> bool:
    """Give a release that is in place without its version just that; False where none is, or where
    it is not what it says.

    It is of a publish that was stopped, or is still at it: were ours put in its place under the
    same version, one of the two could not have it.
    """
    version = published.manifest.version
    if version is None or version in published.tags:
        return False
    commit = str(published.revision)
    try:
        verify(repository, commit, version=version, patience=PATIENCE)
    except VerifyError:
        return False
    repository.tag(version, commit)
    say(f"v{version}, which is in place, was verified and has its version now: planning again")
    return True


def _commit(
    repository: Repository, planned: Plan, published: Published, pull_request: bool
) -> Commit:
    return repository.commit(
        f"{_TITLES[planned.tagged]}{planned.version}",
        markdown(planned),
        planned.add,
        planned.delete,
        parent=str(published.revision),
        pull_request=pull_request,
    )


def _proposed(repository: Repository, planned: Plan) -> Commit | None:
    """Return the open pull request that proposes just this release, if there is one."""
    for number, url in repository.proposals():
        proposed = repository.read(f"refs/pr/{number}")
        if proposed.manifest.text() == planned.manifest.text():
            return Commit(str(proposed.revision), number, url)
    return None


def _finish(
    repository: Repository, planned: Plan, made: Commit, say: Callable[[str], None]
) -> Outcome:
    """Verify a commit and give it its version; a pull request gets its own when it is merged."""
    try:
        verify(repository, made.oid, version=planned.version, patience=PATIENCE)
    except VerifyError as error:
        if made.pull_request is not None:
            raise VerifyError(
                f"{error.message}; {made.url} must not be merged",
                hint="close it, and publish again",
            ) from error
        raise _restored(repository, made, error) from error
    if made.pull_request is not None:
        return Outcome(planned, made.oid, made.url)
    if planned.tagged:
        say(f"verified: `main` holds v{planned.version} again")
    else:
        repository.tag(planned.version, made.oid)
        say(f"verified, and named v{planned.version}")
    return Outcome(planned, made.oid)


def _restored(repository: Repository, made: Commit, error: VerifyError) -> VerifyError:
    """Bring back what was there before a commit, by another one, and return what to say of it."""
    history = repository.history(made.oid)
    parent = history[1][0] if len(history) > 1 else None
    if parent is None or not history[0][1].startswith(_TITLES):
        return VerifyError(
            f"{error.message}; nothing was restored: `{made.oid}` is no commit of ours",
            hint="look at the history of the repository, and publish again",
        )
    before, wrong = repository.files(parent)[1], repository.files(made.oid)[1]
    back: dict[str, Source] = {
        path: Copied(parent, path) for path, stored in before.items() if wrong.get(path) != stored
    }
    gone = tuple(path for path in wrong if path not in before)
    try:
        restored = repository.commit(
            f"Restore what was there before {made.oid[:12]}",
            error.message,
            back,
            gone,
            parent=made.oid,
        )
    except Moved:
        return VerifyError(
            f"{error.message}; nothing was restored: somebody has committed since `{made.oid}`",
            hint="look at the history of the repository, and publish again",
        )
    return VerifyError(
        f"{error.message}; the commit `{made.oid}` was taken back by `{restored.oid}`, and has no"
        " version",
        hint="run the same command again; if it stays so, the files that were built are damaged:"
        " build them anew",
    )


def as_of(repository: Repository, name: str, version: str, frozen: Collection[str] = ()) -> Release:
    """Return what a spec had published in an earlier version, to be published again.

    Its files are copied where they lie; nothing is uploaded. frozen: configs that must not change
    by it. What people wrote into its card is not of the version: what they say now stays. Raises
    TargetError where there is no such version, or nothing of that spec in it.
    """
    tags = repository.tags()
    if version not in tags:
        known = f"one of `v{'`, `v'.join(tags)}`" if tags else "one that was published: none was"
        raise TargetError(
            f"`{repository.repo}` has no version `v{version}`, expected {known}",
            hint="see the card's list of versions",
        )
    published = repository.read(tags[version])
    manifest = published.manifest
    configs = {
        config: {key: value for key, value in entry.items() if key not in ("spec", "version")}
        | {"frozen": config in frozen}
        for config, entry in manifest.configs.items()
        if entry["spec"] == name
    }
    if not configs:
        raise TargetError(
            f"v{version} of `{repository.repo}` has nothing of the spec `{name}`, expected one of"
            f" `{'`, `'.join(manifest.specs)}`",
            hint="name the spec that published it",
        )
    now = repository.read().manifest.configs
    newer = [f"`{key}`" for key, e in now.items() if e["spec"] == name and key not in configs]
    made = {
        key: value
        for key, value in manifest.specs[name].items()
        if key not in ("metadata", "version", "card")
    }
    files = {
        path: {"sha256": entry["sha256"], "bytes": entry["bytes"]}
        for path, entry in manifest.files.items()
        if path not in (CARD, INDEX) and entry.get("spec") == name
    }
    return Release(
        name=name,
        repo=repository.repo,
        version=None,
        card=_card(published, name, configs),
        made=made,
        configs=configs,
        files=files,
        sources={
            path: Copied(tags[version], path, stored.blob if stored else None)
            for path in files
            for stored in (published.files.get(path),)
        },
        index=lambda: {
            config: rows for config, rows in published.index().items() if config in configs
        },
        remarks=(f"as in {version} again" + (f", but for {', '.join(newer)}" if newer else ""),),
    )


def _card(published: Published, name: str, configs: Mapping[str, Entry]) -> str:
    """Return what a card says of a spec and its configs, without what people wrote into it."""
    front, body = readme.split(published.card or "")
    names = {*configs, *(entry["alias"] for entry in configs.values() if entry["alias"])}
    said = {
        **published.manifest.specs[name]["metadata"],
        "configs": [entry for config, entry in readme.configs(front).items() if config in names],
        "dataset_info": [info for config, info in readme.infos(front).items() if config in names],
    }
    made = published.manifest.specs[name]
    pinned = str(made.get("version", published.manifest.version))
    return readme.joined(said, sections.unpinned(body, name, pinned))

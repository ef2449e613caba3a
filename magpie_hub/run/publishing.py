"""The last stage: what was built, brought into a target. No engine is opened here.

    run/build/, run/card/ ─▶ Release ─▶ plan ─▶ a folder, or the Hub

What is not finished is not finished here either: the error names the command that does it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import columns
from magpie_hub.errors import BuildError, TargetError
from magpie_hub.records import Type
from magpie_hub.run import keeping
from magpie_hub.run.building import BUILT, INDEX, check_built, check_unedited
from magpie_hub.run.checking import check
from magpie_hub.run.describing import CARD, FACTS
from magpie_hub.shards.files import known_sha256
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.splits import TRAIN
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import public
from magpie_hub.tag import own_columns

if TYPE_CHECKING:
    from magpie_hub.publish.folder import Folder
    from magpie_hub.publish.plan import Plan
    from magpie_hub.publish.release import Published, Release

HUB = "hub"
"""The target that is no folder."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a release is to be published.

    target: `hub`, or the folder under which owner/name is put. delete: configs whose loss is agreed
    to. create, private: whether a repository is to be made, and how. pull_request: to propose
    instead of to publish. as_of: a version whose files are published again. discard_edits: whether
    what was edited in the generated part of the card may be lost.
    """

    target: str
    delete: Sequence[str] = ()
    create: bool = False
    private: bool = False
    pull_request: bool = False
    as_of: str | None = None
    discard_edits: bool = False


@dataclass(frozen=True, slots=True)
class Put:
    """What was done: the plan, and where the release is: a folder, or a commit on the Hub."""

    plan: "Plan"
    place: Path | None = None
    commit: str | None = None
    pull_request: str | None = None


def check_target(spec: Spec, wanted: Wanted) -> None:
    """Raise the error that the target would raise in the end, before the hours of work."""
    if wanted.target != HUB:
        folder_of(spec, wanted).check()
        return
    _check_licence(spec)
    from magpie_hub.publish.repository import Repository

    repository = Repository(spec.repo)
    repository.check_token()
    repository.check(create=wanted.create, private=wanted.private)


def plan(spec: Spec, folder: RunFolder, wanted: Wanted, against: str | None) -> "Plan":
    """Return what publishing would change, in the target or in what `against` names.

    against: a version of the target, or a folder.
    """
    from magpie_hub.publish.plan import plan as compare

    check(spec)
    if wanted.target == HUB and against is None:
        _check_licence(spec)
    release, held = built(spec, folder), _held(spec, wanted, against)
    planned = compare(release, held, delete=wanted.delete)
    pending = held.manifest.version
    if planned.changes and pending is not None and pending not in held.tags:
        # What a stopped publish left is given its version first.
        tags = {**held.tags, pending: str(held.revision)}
        planned = compare(release, replace(held, tags=tags), delete=wanted.delete)
    if wanted.target == HUB and against is None and held.revision is None:
        note = f"`{spec.repo}` does not exist, or is private: to publish takes --create"
        planned = replace(planned, notes=(*planned.notes, note))
    return planned


def publish(spec: Spec, folder: RunFolder, wanted: Wanted, say: Callable[[str], None]) -> Put:
    """Bring what was built, or an old version, into the target."""
    check(spec)
    if wanted.target == HUB:
        _check_licence(spec)
        return _to_hub(spec, folder, wanted, say)
    if wanted.as_of or wanted.pull_request:
        raise TargetError(
            "a folder holds one version: there is none to go back to, and nothing to propose",
            hint="add `--to hub`",
        )
    from magpie_hub.publish.plan import check_edits
    from magpie_hub.publish.plan import plan as compare

    place = folder_of(spec, wanted)
    with place.owned():
        planned = compare(built(spec, folder), place.read(), delete=wanted.delete)
        check_edits(planned, discard=wanted.discard_edits)
        if planned.changes:
            place.put(planned)
    return Put(planned, Path(wanted.target) / spec.repo)


def folder_of(spec: Spec, wanted: Wanted) -> "Folder":
    """Return the folder where a release goes."""
    from magpie_hub.publish.folder import Folder

    return Folder(spec.repo, Path(wanted.target) / spec.repo)


def built(spec: Spec, folder: RunFolder) -> "Release":
    """Return the release that was built of a run.

    Raises RunError where there is no run, BuildError where it is unfinished, or was not built, or
    is not what the spec says now.
    """
    from magpie_hub.publish import index
    from magpie_hub.publish.release import Release

    record = keeping.read(folder.path / BUILT)
    check_built(spec, folder, record, exactly=True)
    facts = _facts(folder, record)
    state, place = folder.state(), folder.path / "build"
    rows = index.read(place / INDEX)
    configs = {
        name: {
            "kind": spec.kind_of(config),
            "rows": rows[name].num_rows,
            **_splits(facts[name]["splits"]),
            "digest": index.digest(rows[name]["content_hash"]),
            "alias": config.alias,
            "frozen": config.freeze,
            "features": _features(spec, config),
            "funnel": record.configs[name]["funnel"],
            "facts": {key: facts[name][key] for key in ("counts", "numbers")},
        }
        for name, config in spec.active_configs.items()
    }
    sources = {
        f"{name}/{file}": place / name / file
        for name in spec.active_configs
        for file in record.configs[name]["files"]
    }
    sources |= {name: place / name for name in record.card if name.startswith("figures/")}
    return Release(
        name=spec.name,
        repo=spec.repo,
        version=spec.version,
        card=(place / CARD).read_bytes().decode(),
        made={
            "spec": public(state["spec"]),
            "fingerprint": state["fingerprint"],
            "versions": record.configs[spec.default_config]["versions"],
        },
        configs=configs,
        files={
            name: {"sha256": known_sha256(path), "bytes": path.stat().st_size}
            for name, path in sources.items()
        },
        sources=sources,
        index=lambda: rows,
    )


def _check_licence(spec: Spec) -> None:
    """Raise SpecError unless the spec states a licence that the models allow what they wrote."""
    from magpie_hub.card import licences

    licences.check(spec)


def _facts(folder: RunFolder, record: keeping.Record) -> dict[str, Any]:
    """Return the facts of each config; BuildError where card, figures or facts are not as built."""
    place, again = folder.path / "build", "make it with `magpie-hub build SPEC`: it opens no engine"
    names = {CARD, FACTS, *record.card}
    if lost := sorted(name for name in names if not (place / name).is_file()):
        raise BuildError(f"`{place / lost[0]}` is missing, expected what was built", hint=again)
    check_unedited(place, record)
    return dict(json.loads((place / FACTS).read_bytes())["configs"])


def _held(spec: Spec, wanted: Wanted, against: str | None) -> "Published":
    """Return what a release is compared with."""
    from magpie_hub.publish.folder import Folder
    from magpie_hub.publish.manifest import Manifest
    from magpie_hub.publish.release import Published
    from magpie_hub.publish.repository import MAIN, Repository

    if against is not None and Path(against).is_dir():
        held = Folder(spec.repo, Path(against)).read()
        if held.manifest.version is None:
            raise TargetError(
                f"`--against {against}` is a folder without a release.json, expected a release",
                hint="name the folder that holds the README.md and the release.json",
            )
        return held
    if wanted.target != HUB:
        if against is not None:
            raise TargetError(
                f"`--against {against}` is no folder, and a folder holds one version",
                hint="name a folder that holds a release, or add `--to hub` for a version",
            )
        place = folder_of(spec, wanted)
        place.check()
        return place.read()
    repository = Repository(spec.repo)
    if not repository.check(create=against is None):
        return Published(Manifest(spec.repo))
    if against is None:
        return repository.read(MAIN)
    return repository.read(f"v{against.removeprefix('v')}")


def _to_hub(spec: Spec, folder: RunFolder, wanted: Wanted, say: Callable[[str], None]) -> Put:
    from magpie_hub.publish.commit import as_of
    from magpie_hub.publish.commit import publish as carry_out
    from magpie_hub.publish.repository import Repository

    # Before anything is made on the Hub: an unfinished run leaves nothing there.
    release = built(spec, folder) if wanted.as_of is None else None
    repository = Repository(spec.repo)
    if not repository.check(create=wanted.create, private=wanted.private):
        repository.create(private=wanted.private)
    if release is None:
        frozen = [name for name, config in spec.active_configs.items() if config.freeze]
        release = as_of(repository, spec.name, str(wanted.as_of).removeprefix("v"), frozen)
    done = carry_out(
        release,
        repository,
        say,
        delete=wanted.delete,
        pull_request=wanted.pull_request,
        discard_edits=wanted.discard_edits,
    )
    return Put(done.plan, None, done.commit, done.pull_request)


def _splits(measured: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the rows of each split, where there is another than `train`."""
    rows = {split: each[0] for split, each in measured.items()}
    return {} if [*rows] == [TRAIN] else {"splits": rows}


def _features(spec: Spec, config: Config) -> dict[str, Type]:
    """Return the columns of a config with their types."""
    published = columns.fields(spec.kind_of(config), own_columns(spec.tags))
    return {field.name: field.type for field in published}

"""What a publish would change: a built release compared with what a target holds.

Pure: it opens no engine, changes nothing, and reads no data, only the two indexes of rows, and
those only where a config's rows are not the same. Knows no kind of target.
"""

import difflib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from magpie_hub.errors import TargetError
from magpie_hub.publish import readme
from magpie_hub.publish.changes import ConfigChange, compare_config
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Entry, Manifest
from magpie_hub.publish.owned import Ground, survey
from magpie_hub.publish.release import Published, Release, Source
from magpie_hub.publish.version import FIRST, Level, between, following, largest, parts

Files = dict[str, Source]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to bring a release into a target.

    version: what the release is called; tagged: whether that exists, so that what is done only puts
    right what somebody has damaged. before: the version that it follows, None for the first. add:
    files with their sources. keep: files of others that stay. upload_bytes: the size of
    what is added, at the most: what a target has already need not travel.
    """

    repo: str
    name: str
    version: str
    before: str | None
    level: Level
    tagged: bool
    configs: tuple[ConfigChange, ...]
    add: Mapping[str, Source]
    delete: tuple[str, ...]
    keep: tuple[str, ...]
    manifest: Manifest
    upload_bytes: int
    card_diff: str
    notes: tuple[str, ...]

    @property
    def changes(self) -> bool:
        """Whether files are to be written."""
        return bool(self.add)

    @property
    def to_do(self) -> bool:
        """Whether anything is to be done at all."""
        return self.changes or not self.tagged


def plan(release: Release, published: Published, *, delete: Sequence[str] = ()) -> Plan:
    """Return what would bring `release` into the target that holds `published`.

    delete: configs whose loss the user has agreed to. Raises TargetError where the release would
    take the place of what others made, change a frozen config, or has a version that cannot be.
    """
    old, ground = published.manifest, survey(release, published, delete)
    configs = _configs(release, published, ground)
    index = _index(release, published, ground, configs)
    last = max(published.tags, key=parts, default=None)
    pending = old.version if old.version not in published.tags else None

    # As if it had the version that is there: what differs then is what there is to publish.
    draft, files = _assembled(
        release, published, ground, configs, index, old.version, old.changelog
    )
    deleted = sorted(ground.files & published.files.keys() - release.files.keys())
    level = largest("none", *(change.level for change in configs))
    renamed = _renamed(release, old)
    level = largest(level, *(step for step, lines in renamed.items() if lines))
    if not _alike(old, draft, strictly=bool(files) or pending is not None):
        level = largest(level, "patch")
    version = old.version or FIRST
    if release.version and parts(release.version) > parts(version):
        level = largest(level, "patch")
    if level != "none":
        since = between(last, pending) if last and pending else "none"
        version = following(last, largest(level, since), release.version)
        log = _log(
            [*release.remarks, *renamed["major"], *renamed["minor"]],
            published,
            version,
            configs,
            pending,
        )
        draft, files = _assembled(release, published, ground, configs, index, version, log)
        files[MANIFEST] = draft.text().encode()
    card = files.get(CARD)
    return Plan(
        repo=release.repo,
        name=release.name,
        version=version,
        before=last,
        level=level,
        tagged=version in published.tags,
        configs=configs,
        add=files,
        delete=tuple(deleted),
        keep=ground.others,
        manifest=draft,
        upload_bytes=sum(map(_size, files.values())),
        card_diff=_diff(published.card or "", card.decode()) if isinstance(card, bytes) else "",
        notes=(*renamed["major"], *renamed["minor"], *ground.notes),
    )


def _configs(release: Release, published: Published, ground: Ground) -> tuple[ConfigChange, ...]:
    old = published.manifest.configs
    return (
        *(
            compare_config(name, old.get(name), entry, published.index, release.index)
            for name, entry in release.configs.items()
        ),
        *(_deleted(name, old.get(name)) for name in ground.gone),
        *ground.kept,
    )


def _deleted(name: str, entry: Entry | None) -> ConfigChange:
    rows, version = (entry["rows"], entry["version"]) if entry else (None, None)
    return ConfigChange(
        name, "deleted", "major", rows_before=rows, version_before=version, removed=rows or 0
    )


def _index(
    release: Release, published: Published, ground: Ground, configs: Sequence[ConfigChange]
) -> bytes | None:
    """Return the new index of rows; None where the one that is there says the same.

    Raises TargetError where the one that is there has lost the rows of a config that is kept.
    """
    there, listed = published.files.get(INDEX), published.manifest.files.get(INDEX)
    is_whole = there is not None and listed is not None and there.sha256 == listed["sha256"]
    if is_whole and all(change.state in ("same", "kept") for change in configs):
        return None
    from magpie_hub.publish.index import write

    kept = [name for name in published.manifest.configs if name not in ground.names]
    before = published.index() if kept else {}
    if lost := [
        name for name in kept if name not in before and published.manifest.configs[name]["rows"]
    ]:
        raise TargetError(
            f"{INDEX} of `{release.repo}` has lost the rows of `{lost[0]}`, which is kept",
            hint=f"bring {INDEX} back as it was in v{published.manifest.version}",
        )
    rows = {**{name: before[name] for name in kept if name in before}, **release.index()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / INDEX
        # Sorted, so that it does not matter which spec was the last to publish.
        write(path, dict(sorted(rows.items())))
        return path.read_bytes()


def _assembled(
    release: Release,
    published: Published,
    ground: Ground,
    configs: Sequence[ConfigChange],
    index: bytes | None,
    version: str | None,
    log: Sequence[Entry],
) -> tuple[Manifest, Files]:
    """Return the manifest under a version, and the files that the target lacks for it."""
    old = published.manifest
    versions = {change.name: change.version for change in configs}
    kept = {name: entry for name, entry in old.configs.items() if name not in ground.names}
    ours = {
        name: {"spec": release.name, "version": versions[name], **entry}
        for name, entry in release.configs.items()
    }
    owners = {entry["spec"] for entry in kept.values()}
    # A spec keeps its place: what is taken of the first one stays the same.
    specs = {name: e for name, e in old.specs.items() if name in {*owners, release.name}}
    front, _ = readme.split(release.card)
    specs[release.name] = {**release.made, "metadata": readme.metadata(front)}
    staying = {
        path: entry
        for path, entry in old.files.items()
        if path not in ground.files and path not in (CARD, INDEX)
    }
    files = {path: {**entry, "spec": release.name} for path, entry in release.files.items()}
    manifest = Manifest(
        release.repo, version, specs, {**kept, **ours}, {**staying, **files}, tuple(log)
    )
    adding = {
        path: release.sources[path]
        for path, entry in release.files.items()
        if not _is_there(published, path, entry, release.sources[path])
    }
    if index is not None:
        manifest = manifest.with_file(INDEX, sha256(index).hexdigest(), len(index))
        if INDEX not in published.files or not published.files[INDEX].holds(index):
            adding[INDEX] = index
    else:
        manifest = manifest.with_file(INDEX, old.files[INDEX]["sha256"], old.files[INDEX]["bytes"])
    card = _card(release, published, ground, manifest).encode()
    if published.card is None or card != published.card.encode():
        adding[CARD] = card
    return manifest.with_file(CARD, sha256(card).hexdigest(), len(card)), adding


def _card(release: Release, published: Published, ground: Ground, manifest: Manifest) -> str:
    """Return the card that the target will have: ours, merged with what is there."""
    old = published.manifest
    front, body = readme.split(release.card)
    theirs, text = readme.split(published.card or "")
    said = readme.generated(entry["metadata"] for entry in manifest.specs.values())
    # A card that is gone, or was emptied, says nothing of what a person wants left out.
    before = readme.generated(e["metadata"] for e in old.specs.values()) if theirs else {}
    versions = {name: entry["version"] for name, entry in manifest.configs.items()}
    versions |= {e["alias"]: e["version"] for e in manifest.configs.values() if e["alias"]}
    log = readme.changelog(release.repo, manifest.changelog)
    gone = old.specs.keys() - manifest.specs.keys()
    return readme.joined(
        {
            **readme.merge_metadata(before, readme.metadata(theirs), said),
            **readme.merge_configs(theirs, front, ground.names, versions),
        },
        readme.merge_body(text, body, release.name, log, sorted(gone)),
        published.card or "",
    )


def _renamed(release: Release, old: Manifest) -> dict[Level, list[str]]:
    """Return what is to be said of second names, by the level of the change.

    A name that is lost is a major change: whoever loads the data by it can do so no longer.
    """
    said: dict[Level, list[str]] = {"major": [], "minor": []}
    called = {*release.configs, *(entry["alias"] for entry in release.configs.values())}
    for name, entry in release.configs.items():
        before = old.configs.get(name, entry)["alias"]
        if before is not None and before not in called:
            said["major"].append(f"`{before}` is no longer a name of `{name}`")
        if entry["alias"] not in (None, before):
            said["minor"].append(f"`{entry['alias']}` is a name of `{name}`, too")
    return said


def _log(
    remarks: Sequence[str],
    published: Published,
    version: str,
    configs: Sequence[ConfigChange],
    pending: str | None,
) -> list[Entry]:
    """Return the changelog, newest first; a version that was never tagged goes into the new."""
    changes = [*remarks]
    changes += [change.line for change in configs if change.state not in ("same", "kept")]
    for entry in published.manifest.changelog:
        if pending is not None and entry["version"] == pending:
            changes += [line for line in entry["changes"] if line not in changes]
    older = [entry for entry in published.manifest.changelog if entry["version"] != pending]
    return [{"version": version, "changes": changes or ["the same rows, described anew"]}, *older]


def _alike(old: Manifest, new: Manifest, *, strictly: bool) -> bool:
    """Return whether two manifests say the same of the data, whatever software wrote it.

    strictly: also of the card, which a person may have edited since.
    """
    return _said(old, strictly=strictly) == _said(new, strictly=strictly)


def _said(manifest: Manifest, *, strictly: bool) -> dict[str, object]:
    data = json.loads(manifest.text())
    for entry in data["specs"].values():
        del entry["versions"]
    if not strictly:
        data["files"].pop(CARD, None)
    return dict(data)


def _is_there(published: Published, path: str, entry: Entry, source: Source) -> bool:
    stored = published.files.get(path)
    if stored is None or stored.sha256 is not None or not isinstance(source, Path):
        return stored is not None and stored.sha256 == entry["sha256"]
    return stored.holds(source.read_bytes())


def _size(source: Source) -> int:
    if isinstance(source, Path):
        return source.stat().st_size
    return len(source) if isinstance(source, bytes) else 0


def _diff(old: str, new: str) -> str:
    lines = (old.splitlines(), new.splitlines())
    return "\n".join(difflib.unified_diff(*lines, "published", "planned", lineterm="", n=1))

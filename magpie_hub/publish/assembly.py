"""What a target will hold: the manifest and the card under a version, and the files it lacks.

Pure: it changes nothing, and reads no data but the index of rows, where a config's rows are not
the same. Knows no kind of target, and not why a version is which.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from magpie_hub import marks
from magpie_hub.errors import TargetError
from magpie_hub.publish import readme, sections
from magpie_hub.publish.changes import ConfigChange
from magpie_hub.publish.manifest import CARD, INDEX, Entry, Manifest
from magpie_hub.publish.owned import Ground
from magpie_hub.publish.release import Copied, Published, Release, Source

Files = dict[str, Source]


def new_index(
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


def assembled(
    release: Release,
    published: Published,
    ground: Ground,
    configs: Sequence[ConfigChange],
    index: bytes | None,
    version: str | None,
    log: Sequence[Entry],
    pinned: str | None,
) -> tuple[Manifest, Files]:
    """Return the manifest under a version, and the files that the target lacks for it.

    pinned: the version that the spec's part of the card names, so that another spec's release is no
    change of it.
    """
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
    text = _card(release, published, ground, manifest, pinned)
    card = text.encode()
    if published.card is None or card != published.card.encode():
        adding[CARD] = card
    # By this the next release knows whether a person has edited what we wrote.
    written = sections.checksum(readme.split(text)[1], release.name)
    specs[release.name] = {**specs[release.name], "version": pinned, "card": written}
    log_written = sections.log_checksum(readme.split(text)[1])
    manifest = manifest.with_file(CARD, sha256(card).hexdigest(), len(card))
    return replace(manifest, log=log_written), adding


def _card(
    release: Release, published: Published, ground: Ground, manifest: Manifest, pinned: str | None
) -> str:
    """Return the card that the target will have: ours, merged with what is there."""
    old = published.manifest
    front, body = readme.split(release.card)
    if pinned is not None:
        body = body.replace(marks.VERSION, f"v{pinned}")
    theirs, text = readme.split(published.card or "")
    _check_licences(release.repo, manifest)
    said = readme.generated(entry["metadata"] for entry in manifest.specs.values())
    # A card that is gone, or was emptied, says nothing of what a person wants left out.
    before = readme.generated(e["metadata"] for e in old.specs.values()) if theirs else {}
    versions = {name: entry["version"] for name, entry in manifest.configs.items()}
    versions |= {e["alias"]: e["version"] for e in manifest.configs.values() if e["alias"]}
    log = sections.changelog(release.repo, manifest.changelog)
    gone = old.specs.keys() - manifest.specs.keys()
    return readme.joined(
        {
            **readme.merge_metadata(before, readme.metadata(theirs), said),
            **readme.merge_configs(theirs, front, ground.names, versions),
        },
        sections.merge(text, body, release.name, log, sorted(gone)),
        published.card or "",
    )


def _check_licences(repo: str, manifest: Manifest) -> None:
    """Raise TargetError where specs state different licences: a card has room for one."""
    stated = {name: entry["metadata"].get("license") for name, entry in manifest.specs.items()}
    if len({licence for licence in stated.values() if licence}) > 1:
        listed = ", ".join(f"`{licence}` by `{name}`" for name, licence in stated.items())
        raise TargetError(
            f"the specs in `{repo}` state different licences: {listed}; expected one for all",
            hint="state one that holds for all of them, or publish into another repository",
        )


def _is_there(published: Published, path: str, entry: Entry, source: Source) -> bool:
    stored = published.files.get(path)
    if stored is None or stored.sha256 is not None:
        return stored is not None and stored.sha256 == entry["sha256"]
    if isinstance(source, Copied):
        return stored.blob == source.blob
    return stored.holds(source.read_bytes() if isinstance(source, Path) else source)

"""What a publish would change: a built release compared with what a target holds.

Pure: it opens no engine, changes nothing, and reads no data, only the two indexes of rows, and
those only where a config's rows are not the same. Knows no kind of target.
"""

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from magpie_hub.errors import TargetError
from magpie_hub.publish import readme, sections
from magpie_hub.publish.assembly import assembled, new_index
from magpie_hub.publish.changes import ConfigChange, compare_config
from magpie_hub.publish.manifest import CARD, MANIFEST, Entry, Manifest
from magpie_hub.publish.owned import Ground, survey
from magpie_hub.publish.release import Published, Release, Source
from magpie_hub.publish.version import FIRST, Level, between, following, largest, parts

VERSIONS = "Versions"
"""How the list of versions is called, beside the specs, where it was edited."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done to bring a release into a target.

    version: what the release is called; tagged: whether that exists, so that what is done only puts
    right what somebody has damaged. before: the version that it follows, None for the first. add:
    files with their sources. keep: files of others that stay. upload_bytes: the size of
    what is added, at the most: what a target has already need not travel. edited: specs whose part
    of the card somebody has edited since we wrote it, and that would be lost.
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
    edited: tuple[str, ...]
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
    index = new_index(release, published, ground, configs)
    last = max(published.tags, key=parts, default=None)
    pending = old.version if old.version not in published.tags else None

    # As if it had the version that is there: what differs then is what there is to publish.
    pinned = old.specs.get(release.name, {}).get("version", old.version)
    draft, files = assembled(
        release, published, ground, configs, index, old.version, old.changelog, pinned
    )
    deleted = sorted(ground.files & published.files.keys() - release.files.keys())
    renamed = _renamed(release, old)
    levels = [change.level for change in configs]
    level = largest("none", *levels, *(step for step, lines in renamed.items() if lines))
    if not _alike(old, draft, strictly=bool(files) or pending is not None):
        level = largest(level, "patch")
    version = old.version or FIRST
    if release.version and parts(release.version) > parts(version):
        level = largest(level, "patch")
    if level != "none":
        since = between(last, pending) if last and pending else "none"
        version = following(last, largest(level, since), release.version)
        remarks = [*release.remarks, *renamed["major"], *renamed["minor"]]
        log = _log(remarks, published, version, configs, pending)
        draft, files = assembled(release, published, ground, configs, index, version, log, version)
        files[MANIFEST] = draft.text().encode()
    card = files.get(CARD)
    text = card.decode() if isinstance(card, bytes) else published.card or ""
    edited = _edited(published, text)
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
        card_diff=_diff(published.card or "", text),
        edited=edited,
        notes=(
            *(*renamed["major"], *renamed["minor"], *ground.notes),
            *_notes_on_card(release, published, draft, edited),
        ),
    )


def check_edits(plan: Plan, *, discard: bool) -> None:
    """Raise TargetError where a plan would write over what a person wrote, unless it may."""
    if plan.edited and not discard:
        raise TargetError(
            f"the generated part of `{'`, `'.join(plan.edited)}` in {CARD} of `{plan.repo}` was"
            " edited since it was published, and would be written over; expected it as it was",
            hint="move what was written before or behind the generated part, or between two marks"
            " `magpie-hub keep` in it, or agree to its loss with --discard-edits (`magpie-hub plan"
            " SPEC --json` shows it as `card_diff`)",
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


def _edited(published: Published, card: str) -> tuple[str, ...]:
    """Return the specs whose part of the card was edited, where `card` has another one."""
    theirs, ours = (readme.split(text)[1] for text in (published.card or "", card))
    old = published.manifest
    log = sections.log_is_edited(theirs, old.log)
    return (*sections.edited(theirs, ours, old.specs), *([VERSIONS] if log else []))


def _notes_on_card(
    release: Release, published: Published, new: Manifest, edited: Sequence[str]
) -> Iterator[str]:
    for name in edited:
        yield (
            f"the generated part of `{name}` in {CARD} was edited since it was published: the edits"
            " are lost (`publish` takes --discard-edits)"
        )
    (front, theirs), (said, ours) = map(readme.split, (published.card or "", release.card))
    there, new_one = front.get("license"), said.get("license")
    if there and new_one and there != new_one:
        yield f"`license: {there}` in {CARD} becomes `{new_one}`, which the spec states"
    gone = published.manifest.specs.keys() - new.specs.keys()
    for place in sections.homeless(theirs, ours, release.name, sorted(gone)):
        yield f"what was written at {place} moves before the versions: its card has no such place"


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
    data.pop("log", None)
    for entry in data["specs"].values():
        del entry["versions"]
        # What these tell is in the card itself; a release of before has neither.
        for key in ("card", "version"):
            entry.pop(key, None)
    if not strictly:
        data["files"].pop(CARD, None)
    return dict(data)


def _size(source: Source) -> int:
    if isinstance(source, Path):
        return source.stat().st_size
    return len(source) if isinstance(source, bytes) else 0


def _diff(old: str, new: str) -> str:
    lines = (old.splitlines(), new.splitlines())
    return "\n".join(difflib.unified_diff(*lines, "published", "planned", lineterm="", n=1))

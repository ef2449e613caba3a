"""Who owns what in a target, and what a release may therefore touch.

A spec owns the configs that it names; another spec's, and what was made by hand, stay as they are.
Where a release would take the place of such a config, that is an error until the user agrees to
its loss. Knows nothing of rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from magpie_hub.errors import TargetError
from magpie_hub.publish import readme
from magpie_hub.publish.changes import ConfigChange
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Entry
from magpie_hub.publish.release import Published, Release


@dataclass(frozen=True, slots=True)
class Ground:
    """What of a target is the release's to change.

    files: paths that it replaces or removes. names: what its configs were and are called in the
    card, with those that go. gone: configs that go. kept: what stays of others, as changes.
    others: files that are of no config. notes: what a person should know.
    """

    files: frozenset[str]
    names: frozenset[str]
    gone: tuple[str, ...]
    kept: tuple[ConfigChange, ...]
    others: tuple[str, ...]
    notes: tuple[str, ...]


def survey(release: Release, published: Published, delete: Sequence[str]) -> Ground:
    """Return what of `published` is the release's; TargetError where the two stand in each
    other's way.
    """
    old = published.manifest
    front = readme.split(published.card)[0] if published.card else {}
    listed = readme.configs(front)
    aliases = {entry["alias"]: name for name, entry in old.configs.items() if entry["alias"]}
    by_hand = [name for name in listed if name not in old.configs and name not in aliases]
    owners = {name: f"the spec `{entry['spec']}`" for name, entry in old.configs.items()}
    owners |= {alias: owners[name] for alias, name in aliases.items()}
    owners |= dict.fromkeys(by_hand, "others")
    mine = f"the spec `{release.name}`"
    notes = [*_notes_on_delete(release, delete, owners, mine)]
    delete = [name for name in dict.fromkeys(delete) if name in owners]
    _check_delete(delete, aliases)
    agreed = {*delete, *(alias for alias, name in aliases.items() if name in delete)}
    called = set(release.configs) | {
        entry["alias"] for entry in release.configs.values() if entry["alias"]
    }
    for name in sorted(called & owners.keys() - agreed):
        _check_name(release, name, aliases.get(name, name), owners[name], mine)
    taken = [name for name in old.configs if name in {*release.configs, *delete}]
    names = called | agreed | {a for a, name in aliases.items() if name in taken}
    files = {path for name in taken for path in old.of_config(name)} | _files_beside(
        release, published, {entry["spec"] for n, entry in old.configs.items() if n not in taken}
    )
    files |= _files_by_hand(published, listed, [name for name in by_hand if name in delete], names)
    _check_places(release, published, files)
    _check_kept(release, published, files)
    _check_listed(release, old.configs.keys() - names, old.configs, listed)
    kept = [
        _kept(name, old.configs.get(name), owners[name], mine, readme.infos(front).get(name))
        for name in [*old.configs, *by_hand]
        if name not in names
    ]
    _check_default(release, called, {n: e for n, e in listed.items() if n not in names})
    for name in by_hand:
        if name not in names:
            _check_by_hand(release, published, name, _patterns(listed[name]))
    ours = {*old.files, *files, CARD, INDEX, MANIFEST, ".gitattributes"}
    return Ground(
        files=frozenset(files),
        names=frozenset(names),
        gone=tuple(name for name in delete if name not in release.configs),
        kept=tuple(kept),
        others=tuple(sorted(path for path in published.files if path not in ours)),
        notes=(*notes, *_notes(release, listed, names, published)),
    )


def _check_delete(delete: Iterable[str], aliases: Mapping[str, str]) -> None:
    for name in delete:
        if name in aliases:
            raise TargetError(
                f"--delete {name}: `{name}` is but another name of `{aliases[name]}`, expected a"
                " config",
                hint=f"--delete {aliases[name]} takes both",
            )


def _notes_on_delete(
    release: Release, delete: Sequence[str], owners: dict[str, str], mine: str
) -> Iterable[str]:
    """Yield what --delete does not do: no error, for a command that was killed is given again."""
    for name in delete:
        if name not in owners:
            known = f", but `{'`, `'.join(owners)}`" if owners else ""
            yield f"--delete {name} does nothing: there is no config `{name}`{known}"
        elif name in release.configs and owners[name] == mine:
            yield f"--delete {name} does nothing: the spec names `{name}`{_without_raw(name)}"


def _check_name(release: Release, name: str, holder: str, owner: str, mine: str) -> None:
    """Raise TargetError where a name is that of a config which stays, or its alias."""
    if holder in release.configs and owner == mine:
        return
    also = "" if holder == name else f", as another name of `{holder}`"
    raise TargetError(
        f"`{release.repo}` has a config `{name}` already{also}, made by {owner}; expected none, or"
        f" one that {mine} still names",
        hint=f"give yours another name in `configs:`{_without_raw(name)}, or agree to the loss of"
        f" what is there with --delete {holder} (a spec is known by the name of its file)",
    )


def _check_listed(
    release: Release, names: Iterable[str], entries: Mapping[str, Entry], listed: dict[str, Entry]
) -> None:
    """Raise TargetError where a card has lost configs that stay: only their spec knows them."""
    for name in sorted(names):
        if not {name, entries[name]["alias"] or name} <= listed.keys():
            raise TargetError(
                f"{CARD} of `{release.repo}` no longer lists all names of the config `{name}`,"
                f" which the spec `{entries[name]['spec']}` has published",
                hint=f"bring the card back as it was, or publish the spec `{entries[name]['spec']}`"
                f" first, or --delete {name}",
            )


def _check_default(release: Release, called: set[str], others: dict[str, Entry]) -> None:
    """Raise TargetError where a config of ours is default by name, beside one that is marked."""
    for name, entry in others.items():
        if entry.get("default") and "default" in called:
            raise TargetError(
                f"`{release.repo}` opens `{name}` by default, and a config named `default` would"
                " be a second one",
                hint="give the config `default` another name in `configs:`",
            )


def _check_places(release: Release, published: Published, ours: Iterable[str]) -> None:
    """Raise TargetError where something of others lies in the place of a file of the release."""
    folders = tuple(f"{name}/" for name in release.configs)
    places = {*release.files} if published.manifest.version else {*release.files, INDEX, MANIFEST}
    for path in published.files.keys() - set(ours):
        if f"{path}/".startswith(folders) or path in places:
            raise TargetError(
                f"`{release.repo}` holds `{path}`, which no release of this spec has put there;"
                " a release would take its place, or be read together with it",
                hint="move the file away, or give the config another name",
            )
    for path in (".huggingface.yaml", f"{release.repo.partition('/')[2]}.py"):
        if path in published.files:
            raise TargetError(
                f"`{release.repo}` holds `{path}`, and `load_dataset` goes by it and not by the"
                " card, expected none",
                hint="remove it, after bringing what it says into the card",
            )


def _check_kept(release: Release, published: Published, ours: Iterable[str]) -> None:
    """Raise TargetError where a file is gone that another spec has put there."""
    old = published.manifest
    for path in sorted(old.files.keys() - {*ours, CARD, INDEX} - published.files.keys()):
        config = path.rpartition("/")[0]
        delete = f", or agree to the loss of the rest with --delete {config}"
        raise TargetError(
            f"`{path}` of `{release.repo}` is lost, expected what its {MANIFEST} lists",
            hint=f"publish the spec `{old.files[path].get('spec')}` again, which brings it back"
            + (delete if config in old.configs else ""),
        )


def _check_by_hand(
    release: Release, published: Published, name: str, patterns: Sequence[str]
) -> None:
    """Raise TargetError for a config that would read our files, or is no Parquet."""
    for path in (INDEX, *release.files):
        if _is_read(path, patterns):
            raise TargetError(
                f"`{release.repo}` has the config `{name}` of the files `{'`, `'.join(patterns)}`,"
                f" which would read `{path}` too",
                hint="name its own files in `data_files` of the card",
            )
    found = [path for path in published.files if _is_read(path, patterns)]
    if found and not any(path.endswith(".parquet") for path in found):
        raise TargetError(
            f"`{release.repo}` has the config `{name}` of files such as `{found[0]}`, and"
            " `load_dataset` opens all configs of a repository as one kind of file, expected"
            " Parquet",
            hint="publish into another repository, or convert that config first",
        )


def _kept(
    name: str, entry: Entry | None, owner: str, mine: str, info: Entry | None
) -> ConfigChange:
    rows, version = None, None
    if entry is not None:
        rows, version = entry["rows"], entry["version"]
    elif info is not None:
        splits = info.get("splits")
        counts = [s.get("num_examples") for s in splits or () if isinstance(s, dict)]
        rows = sum(count for count in counts if isinstance(count, int)) if counts else None
    who = "this spec, and not in this release" if owner == mine else owner
    alias = entry["alias"] if entry is not None else None
    return ConfigChange(name, "kept", "none", rows, rows, version, version, alias=alias, owner=who)


def _files_beside(release: Release, published: Published, staying: set[str]) -> set[str]:
    """Return the files of no config that are the release's, or of a spec that loses its last."""
    return {
        path
        for path, entry in published.manifest.beside().items()
        if (owner := entry.get("spec")) and (owner == release.name or owner not in staying)
    }


def _files_by_hand(
    published: Published, listed: dict[str, Entry], deleted: Sequence[str], names: set[str]
) -> set[str]:
    """Return the files of configs made by hand that are to go and that no other config reads."""
    kept = [p for name, entry in listed.items() if name not in names for p in _patterns(entry)]
    gone = [pattern for name in deleted for pattern in _patterns(listed[name])]
    of_none = {*published.manifest.files, CARD, INDEX, MANIFEST, ".gitattributes"}
    return {
        path
        for path in published.files.keys() - of_none
        if _is_read(path, gone) and not _is_read(path, kept)
    }


def _patterns(entry: Entry) -> list[str]:
    """Return the patterns of files that a config of a card names, in any of the ways to do so.

    One that names none reads all that lies in its folder, or in the repository.
    """
    found = entry.get("data_files") or ["**"]
    found = found if isinstance(found, list) else [found]
    paths = [item.get("path", "**") if isinstance(item, dict) else item for item in found]
    flat = [path for item in paths for path in (item if isinstance(item, list) else [item])]
    return [str(PurePosixPath(str(entry.get("data_dir") or ""), str(path))) for path in flat]


def _is_read(path: str, patterns: Iterable[str]) -> bool:
    return any(_matches(path.split("/"), pattern.split("/")) for pattern in patterns)


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a pattern means a file, as `datasets` has it: only `**` leaves a folder."""
    if not pattern or not path:
        return not path and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches(path, pattern[1:]) or _matches(path[1:], pattern)
    return fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _notes(
    release: Release, listed: dict[str, Entry], names: set[str], published: Published
) -> Iterable[str]:
    others = {name: entry for name, entry in listed.items() if name not in names}
    ours = readme.configs(readme.split(release.card)[0])
    default = next((name for name, entry in ours.items() if entry.get("default")), None)
    theirs = [name for name, entry in others.items() if name == "default" or entry.get("default")]
    if theirs and default:
        yield f"`{theirs[0]}` stays what `load_dataset` opens by default, not `{default}`"
    elif len(others) == 1 and len(listed) == 1 and default:
        yield f"`load_dataset` opened `{next(iter(others))}` by default, and will open `{default}`"
    data = [path for path in published.files if path.endswith((".parquet", ".jsonl", ".csv"))]
    if data and not listed and published.manifest.version is None:
        yield (
            f"{len(data)} data files that are of no config, such as `{data[0]}`, can no longer be"
            " loaded without `data_files`"
        )


def _without_raw(name: str) -> str:
    return " (`raw: false` leaves out the one that every spec has)" if name == "raw" else ""

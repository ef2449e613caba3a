"""The folder target: one version of a release, written beside its place and swapped in.

    dist/org/magpie-smollm2/README.md
                            release.json                       what is here, checksums, versions
                            filtered/train-00000-of-00001.parquet

Knows files, not how they were made. A folder that holds something else is never touched.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from magpie_hub.errors import TargetError
from magpie_hub.shards.files import finish_swap, fresh, sha256, swap, write_text

MANIFEST = "release.json"


def put(built: Path, destination: Path, facts: Mapping[str, object]) -> bool:
    """Put the built release in the place of `destination`; return whether anything changed.

    built: a folder with README.md and the configs' folders. facts: what release.json says besides
    the checksums of the files. Raises TargetError where the place holds something else.
    """
    # Where the place is a link, what it points to is swapped, not the link.
    destination = destination.resolve()
    finish_swap(destination)
    check(destination)
    files = {
        str(path.relative_to(built)): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(built.rglob("*"))
        if path.is_file()
    }
    manifest = json.dumps({**facts, "files": files}, ensure_ascii=False, indent=2) + "\n"
    if _holds(destination, manifest, files):
        return False
    new = fresh(destination)
    for name in files:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built / name, new / name)
    write_text(new / MANIFEST, manifest)
    swap(destination)
    return True


def check(destination: Path) -> None:
    """Raise TargetError unless the place is free, empty, or holds a release and nothing else."""
    there = next(path for path in (destination, *destination.parents) if path.exists())
    if not there.is_dir():
        raise TargetError(
            f"`{there}` is a file, expected a folder or nothing",
            hint="name another folder with --to, or move the file away",
        )
    ours = _listed(destination)
    for path in destination.rglob("*"):
        if not path.is_dir() and str(path.relative_to(destination)) not in ours:
            raise TargetError(
                f"`{path}` is no part of a release; expected a new or empty folder, or one that"
                f" holds what its {MANIFEST} lists and nothing else",
                hint="name another folder with --to, or move what is there away",
            )


def _listed(folder: Path) -> set[str]:
    """Return the files of the release in `folder`, none where no manifest can be read."""
    try:
        return {MANIFEST, *json.loads((folder / MANIFEST).read_bytes())["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _holds(destination: Path, manifest: str, files: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether exactly this release is in place already, byte for byte."""
    there = destination / MANIFEST
    if not there.is_file() or there.read_bytes() != manifest.encode():
        return False
    found = {
        str(path.relative_to(destination))
        for path in destination.rglob("*")
        if path.is_file() and path != there
    }
    return found == set(files) and all(
        sha256(destination / name) == entry["sha256"] for name, entry in files.items()
    )

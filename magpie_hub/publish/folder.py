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
    """Raise TargetError unless the place is free, empty, or holds a release of ours."""
    if destination.is_dir():
        strange = any(destination.iterdir()) and not (destination / MANIFEST).is_file()
    else:
        strange = destination.exists()
    if strange:
        raise TargetError(
            f"`{destination}` holds something that is no release; expected a new or empty folder,"
            f" or one with a {MANIFEST}",
            hint="name another folder with --to, or move what is there away",
        )


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

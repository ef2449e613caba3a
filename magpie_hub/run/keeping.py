"""What a build made of each config, so that the next one makes only what has changed.

    run/card/built.json    {"filtered": {"hash": ..., "versions": ..., "files": ..., "funnel": ...}}

A config is taken over as it is where the builder's hash, the versions of what writes Parquet, and
the files themselves are the same. Knows nothing of rows.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from magpie_hub.curate.funnel import Funnel, Step
from magpie_hub.shards import files
from magpie_hub.shards.files import known_sha256, sha256, write_text

Record = dict[str, Any]
_KEYS = {"hash", "versions", "writer", "files", "funnel", "notes"}
_WRITER = Path(files.__file__).with_name("parquet.py")


def record(
    hash_: str, versions: Mapping[str, str], place: Path, funnel: Funnel, notes: tuple[str, ...]
) -> Record:
    """Return what is to be known of a config whose files lie in `place`."""
    return {
        "hash": hash_,
        "versions": dict(versions),
        "writer": sha256(_WRITER),
        "files": files_of(place),
        "funnel": asdict(funnel),
        "notes": list(notes),
    }


def taken_over(
    records: Record, name: str, hash_: str, versions: Mapping[str, str], old: Path, new: Path
) -> tuple[Funnel, tuple[str, ...]] | None:
    """Put a config's old files into `new` and return its funnel and notes; None if it changed."""
    found = records.get(name, {})
    expected = {"hash": hash_, "versions": dict(versions), "writer": sha256(_WRITER)}
    if any(found.get(key) != value for key, value in expected.items()):
        return None
    # Looked at last: it reads the files.
    if found["files"] != files_of(old):
        return None
    new.mkdir()
    for file in found["files"]:
        try:
            os.link(old / file, new / file)
        except OSError:
            shutil.copyfile(old / file, new / file)
    funnel = found["funnel"]
    steps = tuple(Step(**step) for step in funnel["steps"])
    return Funnel(funnel["drawn"], steps), tuple(found["notes"])


def read(path: Path) -> Record:
    """Return the records of the last build; none where there was no build or they are damaged."""
    try:
        records = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(records, dict):
        return {}
    return {name: found for name, found in records.items() if _is_whole(found)}


def _is_whole(found: object) -> bool:
    return isinstance(found, dict) and found.keys() == _KEYS


def write(path: Path, records: Record) -> None:
    """Write the records of a build."""
    write_text(path, json.dumps(records, indent=1) + "\n")


def files_of(place: Path) -> dict[str, str]:
    """Return the checksums of a config's files by their names."""
    return {path.name: known_sha256(path) for path in sorted(place.glob("*.parquet"))}

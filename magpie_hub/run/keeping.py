"""What a build made of each config, so that the next one makes only what has changed.

    run/build/built.json   {"configs": {"filtered": {"hash": ..., "files": ..., "funnel": ...}},
                            "card": {"README.md": sha256, "figures/pro/tags.png": sha256, ...}}

A config is taken over as it is where the builder's hash, the versions of what writes Parquet, and
the files themselves are the same. Knows nothing of rows.
"""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from magpie_hub.curate.funnel import Funnel, Step
from magpie_hub.shards import files
from magpie_hub.shards.files import known_sha256, sha256, write_text

_KEYS = {"hash", "versions", "writer", "files", "funnel", "notes"}
_WRITER = Path(files.__file__).with_name("parquet.py")


@dataclass(frozen=True, slots=True)
class Record:
    """What was built: each config's record by its name, and the checksums of card and figures."""

    configs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    card: Mapping[str, str] = field(default_factory=dict)


def record(
    hash_: str, versions: Mapping[str, str], place: Path, funnel: Funnel, notes: tuple[str, ...]
) -> dict[str, Any]:
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
    records: Mapping[str, Any],
    name: str,
    hash_: str,
    versions: Mapping[str, str],
    old: Path,
    new: Path,
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
    return told(found)


def told(found: Mapping[str, Any]) -> tuple[Funnel, tuple[str, ...]]:
    """Return the funnel and the notes of a config's record."""
    funnel = found["funnel"]
    steps = tuple(Step(**step) for step in funnel["steps"])
    return Funnel(funnel["drawn"], steps), tuple(found["notes"])


def read(path: Path) -> Record:
    """Return the record of the last build; an empty one where there is none or it is damaged."""
    try:
        found = json.loads(path.read_bytes())
        configs, card = found["configs"].items(), dict(found["card"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Record()
    return Record({name: each for name, each in configs if _is_whole(each)}, card)


def _is_whole(found: Any) -> bool:
    try:
        told(found)
        return bool(found.keys() == _KEYS)
    except (AttributeError, KeyError, TypeError):
        return False


def write(path: Path, made: Record) -> None:
    """Write the record of a build."""
    write_text(path, json.dumps(asdict(made), indent=1) + "\n")


def checksums(place: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the checksums of files of a build by their names."""
    return {name: sha256(place / name) for name in names}


def edited(place: Path, made: Record) -> str | None:
    """Return a file of card and figures that is not as it was made; None where all are, or gone."""
    for name, checksum in made.card.items():
        if (place / name).is_file() and sha256(place / name) != checksum:
            return name
    return None


def files_of(place: Path) -> dict[str, str]:
    """Return the checksums of a config's files by their names."""
    return {path.name: known_sha256(path) for path in sorted(place.glob("*.parquet"))}

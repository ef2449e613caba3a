"""Runs whose rows are compared with others, in the current folder, and what is released of them."""

import json
import os
from pathlib import Path

from magpie_hub.shards.folder import RunFolder
from tests.run.importing import SCRIPTED, magpie_hub, published, spec, texts, write


def rows(name: str, instructions: list[str], column: str = "instruction") -> str:
    """Write a file of rows with these instructions and return its name."""
    return write(name, *[{column: text, "response": "Well."} for text in instructions])


def drawn(place: str, count: int) -> list[str]:
    """Bring a run of the scripted engine to so many draws, and return those that it keeps."""
    spec(generator=SCRIPTED, instructions={"rows": count})
    made = magpie_hub("generate", "t.yaml", "--run", place)
    assert made.exit_code == 0, made.stderr
    run = RunFolder(Path(place))
    return [text for unit in run.units() for text in run.kept(unit).values()]


def kept(config: str = "raw") -> list[str]:
    """Return the released instructions."""
    return [texts(row)[0] for row in published(config)]


def steps(config: str = "raw") -> list[tuple[str, str, int]]:
    """Return the released funnel as (stage, reason, rows)."""
    manifest = json.loads(Path("dist/org/t/release.json").read_text())
    steps = manifest["configs"][config]["funnel"]["steps"]
    return [(step["stage"], step["reason"], step["dropped"]) for step in steps]


def names_no_place() -> bool:
    """Return whether nothing that is published, or built for it, says where we are."""
    places = ("dist", "runs/t/build", "runs/t/card")
    files = [path for place in places for path in Path(place).rglob("*") if path.is_file()]
    # Parquet is compressed.
    found = b"".join(path.read_bytes() for path in files) + str(published()).encode()
    return len(files) > 4 and os.fsencode(Path.cwd()) not in found


def times(folder: Path | str) -> dict[str, int]:
    """Return when each file below a folder was written; the lock is no content."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != "lock"
    }

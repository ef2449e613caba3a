"""Runs `magpie-hub` as a user does, in a process of its own, and looks at what it leaves."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

COMMAND = [sys.executable, "-m", "magpie_hub"]


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command in `folder`."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(
    folder: Path, *arguments: str, within: int = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` to its end, within so many seconds."""
    process = start(folder, *arguments, **environment)
    try:
        out, err = process.communicate(timeout=within)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the checksum of every file below a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }

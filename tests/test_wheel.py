"""The wheel works where there is no checkout: built, installed in a new environment, and used.

Needs uv and its package index or a filled cache. It knows the commands as a user types them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# `uv run` says where uv is; a shim on the PATH may not work outside the checkout.
UV = os.environ.get("UV") or shutil.which("uv") or "uv"

SPEC = """\
repo: org/tiny
generator: {model: scripted, engine: scripted}
instructions: {rows: 20}
"""

LOAD = """\
from datasets import load_dataset
rows = load_dataset("./dist/org/tiny", "raw", split="train")
print(len(rows), *[message["role"] for message in rows[0]["messages"]])
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """A wheel and an sdist, and a folder outside the checkout with the wheel's environment."""

    wheel: Path
    sdist: Path
    folder: Path

    def run(self, program: str, *arguments: str) -> str:
        """Return what a program of the environment prints, run in the folder."""
        command = [str(self.folder / "venv" / "bin" / program), *arguments]
        return _run(command, self.folder)


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build both, and install the wheel without any extra."""
    folder = tmp_path_factory.mktemp("wheel")
    _run([UV, "build", "--out-dir", str(folder / "built")], ROOT)
    (wheel,), (sdist,) = (folder / "built").glob("*.whl"), (folder / "built").glob("*.tar.gz")
    _run([UV, "venv", "--python", sys.executable, "venv"], folder)
    _run([UV, "pip", "install", "--python", "venv/bin/python", str(wheel)], folder)
    return Installed(wheel, sdist, folder)


def test_the_wheel_holds_builder_cards_and_releases(installed):
    """What lies outside the package in a checkout lies inside it in a wheel."""
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    assert names >= {
        "magpie_hub/_builders/magpie.py",
        "magpie_hub/_builders/releases/smollm2.yaml",
        "magpie_hub/_cards/dataset.md.jinja",
    }
    assert not [name for name in names if name.startswith(("builders", "cards", "tests"))]


def test_the_sdist_holds_what_the_wheel_is_built_from(installed):
    """The source distribution keeps the checkout's layout, with its licence and changelog."""
    with tarfile.open(installed.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        *("LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"),
        *("builders/magpie.py", "builders/releases/smollm2.yaml", "cards/dataset.md.jinja"),
    }


def test_the_installed_command_writes_a_spec(installed):
    """`--help` answers and `init` writes its file outside the checkout."""
    assert "Usage: magpie-hub" in installed.run("magpie-hub", "--help")
    installed.run("magpie-hub", "init", "x.yaml")
    assert "repo:" in (installed.folder / "x.yaml").read_text(encoding="utf-8")


def test_the_installed_command_makes_a_release(installed):
    """A release of the scripted engine ends in `./dist`, and `load_dataset` opens it there."""
    (installed.folder / "tiny.yaml").write_text(SPEC, encoding="utf-8")
    installed.run("magpie-hub", "release", "tiny.yaml")
    rows, *roles = installed.run("python", "-c", LOAD).split()
    assert 1 <= int(rows) <= 20
    assert roles == ["user", "assistant"]

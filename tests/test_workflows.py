"""The GitHub workflows pass actionlint and zizmor, both without a network."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent

# shellcheck and pyflakes are off: whether a machine has them must not change the answer.
LINTERS = {
    "actionlint": ["-no-color", "-shellcheck=", "-pyflakes="],
    "zizmor": ["--offline", "--no-progress"],
}

# A job that nothing needs is needed, and an action is named by a branch that can move.
BAD = """\
on: push
jobs:
  lint:
    needs: nothing
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@main
"""


def _lint(linter: str, files: list[Path]) -> subprocess.CompletedProcess[str]:
    command = [TOOLS / linter, *LINTERS[linter], *files]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("linter", LINTERS)
def test_workflows_have_no_findings(linter):
    """Every workflow of the repository is free of findings."""
    files = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    done = _lint(linter, files)
    assert files
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("linter", "finding"),
    [("actionlint", 'needs job "nothing"'), ("zizmor", "unpinned-uses")],
)
def test_a_bad_workflow_is_caught(tmp_path, linter, finding):
    """Each linter finds its own fault in a workflow that has one of each kind."""
    path = tmp_path / ".github" / "workflows" / "bad.yml"
    path.parent.mkdir(parents=True)
    path.write_text(BAD, encoding="utf-8")
    done = _lint(linter, [path])
    assert done.returncode != 0
    assert finding in done.stdout

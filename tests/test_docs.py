"""The README tells the truth about the commands, and its first two lines are those that CI runs."""

import re

from tests import readme

FIRST = "pip install uv && uv run magpie-hub release smollm2"
SECOND = "pip install uv && uv run pytest"


def test_every_command_has_help():
    """No command is left without a sentence on what it does."""
    assert [name for name, text in readme.helps().items() if not text] == []


def test_the_readme_shows_every_command():
    """The generated block is current; `uv run python -m tests.readme` rewrites it."""
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_block(text) == text
    assert [name for name in readme.helps() if f"Usage: magpie-hub {name} " not in text] == []


def test_a_stale_block_is_caught():
    """A block that lacks the commands is rewritten, and what stands around it is kept."""
    stale = f"# title\n{readme.BEGIN}old\n{readme.END}end\n"
    assert readme.with_block(stale) == f"# title\n{readme.BEGIN}{readme.block()}{readme.END}end\n"


def test_ci_runs_the_first_two_lines_of_the_readme():
    """The README begins with the two promised commands, and `.ci/run` holds both as they are."""
    text = readme.README.read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "".join(fenced).splitlines()[:2] == [FIRST, SECOND]
    run = (readme.README.parent / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in run if line.strip() in (FIRST, SECOND)] == [FIRST, SECOND]

"""The README tells the truth about the commands, and its first two lines are those that CI runs."""

import re

import pytest

from magpie_hub.run.checking import check
from magpie_hub.spec.load import load
from tests import readme

FIRST = "pip install uv && uv run magpie-hub release smollm2"
SECOND = "pip install uv && uv run pytest"


def test_every_command_has_help():
    """No command is left without a sentence on what it does."""
    assert [name for name, text in readme.helps().items() if not text] == []


def test_the_readme_shows_every_command():
    """The generated blocks are current; `uv run python -m tests.readme` rewrites them."""
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_blocks(text) == text
    assert [name for name in readme.helps() if f"Usage: magpie-hub {name} " not in text] == []


def test_a_stale_block_is_caught():
    """A block that is old is rewritten, and what stands around it is kept."""
    form = "# title\n{}between\n{}end\n"
    blocks = [
        (f"<!-- {name} -->\n", block(), f"<!-- /{name} -->\n")
        for name, block in readme.BLOCKS.items()
    ]
    stale = form.format(*(f"{begin}old\n{end}" for begin, _, end in blocks))
    fresh = form.format(*("".join(block) for block in blocks))
    assert readme.with_blocks(stale) == fresh


def test_ci_runs_the_first_two_lines_of_the_readme():
    """The README begins with the two promised commands, and `.ci/run` holds both as they are."""
    text = readme.README.read_text(encoding="utf-8")
    fenced = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert "".join(fenced).splitlines()[:2] == [FIRST, SECOND]
    run = (readme.README.parent / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line.strip() for line in run if line.strip() in (FIRST, SECOND)] == [FIRST, SECOND]


SPECS = re.findall(r"(?ms)^```yaml\n(.+?)^```$", readme.README.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", SPECS)
def test_every_spec_in_the_readme_is_right(text, tmp_path):
    """Each block of YAML is a whole spec: it loads, and the names in it exist."""
    (tmp_path / "spec.yaml").write_text(text)
    check(load(str(tmp_path / "spec.yaml")))

"""What is published beside the rows: what was built alone, a person's words, and a licence."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi

from magpie_hub import marks
from tests.cli.publishing import CONFIGS, made, magpie_hub
from tests.hub.hub import Hub
from tests.making import spec_file
from tests.publish.released import repo
from tests.run.importing import refused


def test_only_what_was_built_is_published(hub: Hub) -> None:
    """A file that somebody, or a system, has put beside the built ones stays here."""
    made("generate", "tag", "build")
    build = Path("runs/tiny/build")
    drawn = (build / "figures/tiny").iterdir()
    figures = {f"figures/tiny/{path.name}" for path in drawn}
    for name in ("filtered/.DS_Store", "figures/tiny/mine.png"):
        (build / name).write_text("mine")
    magpie_hub("publish", "tiny.yaml", "--create")
    rows = {f"{name}/train-00000-of-00001.parquet" for name in ("raw", "filtered")}
    ours = {*rows, *figures, "README.md", "index.parquet", "release.json", ".gitattributes"}
    assert repo(hub).at("main").files.keys() == ours
    card = repo(hub).read("README.md").decode()
    assert all(f"({figure})" in card for figure in figures)
    assert "figures/tiny/lengths.png" in figures
    for name in ("facts.json", "README.md", "figures/tiny/lengths.png"):
        content = (build / name).read_bytes()
        (build / name).write_bytes(content + b" ")
        assert f"build/{name}` was changed" in (told := refused("plan", "tiny.yaml"))
        (build / name).unlink()
        assert f"build/{name}` is missing" in refused("plan", "tiny.yaml")
        assert "magpie-hub build SPEC" in told
        (build / name).write_bytes(content)
    magpie_hub("plan", "tiny.yaml")


@pytest.mark.parametrize("to", ["dist", "hub"])
def test_what_a_person_wrote_into_a_card(hub: Hub, to: str) -> None:
    """At its place it stays; elsewhere in what is generated it is told, and lost by request."""
    magpie_hub("release", "tiny.yaml", "--to", to, *(["--create"] if to == "hub" else []))
    begin, end = marks.keep("limits")
    edited(hub, to, begin + end, f"{begin}Not for *children*.\n{end}")
    magpie_hub("plan", "tiny.yaml", "--to", to)
    edited(hub, to, "## Limits", "## My limits")
    shown = magpie_hub("plan", "tiny.yaml", "--to", to, code=3).stdout
    assert "the generated part of `tiny` in README.md was edited" in shown
    for command in ("publish", "release"):
        assert "--discard-edits" in refused(command, "tiny.yaml", "--to", to)
    magpie_hub("publish", "tiny.yaml", "--to", to, "--discard-edits")
    card = edited(hub, to, "", "")
    assert "## Limits" in card
    assert f"{begin}Not for *children*.\n{end}" in card
    magpie_hub("plan", "tiny.yaml", "--to", to)


def edited(hub: Hub, to: str, old: str, new: str) -> str:
    """Edit the card that was published, as a person does, and return it."""
    place = Path("dist/org/tiny/README.md")
    card = repo(hub).read("README.md").decode() if to == "hub" else place.read_text()
    assert old in card
    card = card.replace(old, new, 1)
    if to == "dist":
        place.write_text(card)
    elif old:
        HfApi().upload_file(
            path_or_fileobj=card.encode(),
            path_in_repo="README.md",
            repo_id="org/tiny",
            repo_type="dataset",
        )
    return card


@pytest.mark.parametrize("command", ["release", "plan", "publish"])
def test_a_licence_is_stated_before_the_work(hub: Hub, command: str) -> None:
    """Without one nothing is made for the Hub or asked of it; a folder takes what is there."""
    spec_file(Path(), 40, configs=CONFIGS)
    assert "license" in refused(command, "tiny.yaml", "--to", "hub")
    assert hub.requests == []
    assert not Path("runs").exists()
    magpie_hub("release", "tiny.yaml", "--to", "dist")

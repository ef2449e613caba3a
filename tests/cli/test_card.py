"""The card by `build`: checked, shown as a page, and never made over what a person wrote."""

import json
from contextlib import chdir
from pathlib import Path
from shutil import copytree

import pytest
import yaml
from click.testing import CliRunner, Result

from magpie_hub.cli import main
from tests.making import spec_file
from tests.run.importing import refused
from tests.run.releasing import fingerprints

BUILD = Path("runs/tiny/build")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny spec and its run, built."""
    folder = tmp_path_factory.mktemp("built")
    spec_file(folder, 40, card={"samples": "unscreened"}, license="cc0-1.0")
    with chdir(folder):
        for command in ("generate", "tag", "build"):
            magpie_hub(command, "tiny.yaml")
    return folder


@pytest.fixture(autouse=True)
def here(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder as the current one."""
    copytree(built, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def magpie_hub(*arguments: str, code: int = 0) -> Result:
    """Run a command that must end with an exit code."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.stderr
    return result


def change(**keys: object) -> None:
    """Change keys of the spec."""
    path = Path("tiny.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | keys))


def test_what_was_built_is_what_the_data_says(here: Path) -> None:
    """Right behind a build there is no difference, and to look changes nothing."""
    before = fingerprints(here)
    checked = magpie_hub("build", "tiny.yaml", "--check")
    assert (checked.stdout, checked.stderr) == ("", "the card is what the data says\n")
    assert fingerprints(here) == before


def test_an_edited_card(here: Path) -> None:
    """An edit is shown as a diff with exit code 3; neither build nor release takes its place."""
    card = BUILD / "README.md"
    card.write_text(card.read_text().replace("## Uses\n", "## Uses of mine\n"))
    shown = magpie_hub("build", "tiny.yaml", "--check", code=3).stdout
    assert shown.startswith("--- README.md\n+++ README.md, made anew\n")
    assert "\n-## Uses of mine\n+## Uses\n" in shown
    before = fingerprints(here)
    for command in ("build", "release", "publish"):
        assert "README.md` was " in refused(command, "tiny.yaml")
    assert fingerprints(here) == before

    card.unlink()
    magpie_hub("build", "tiny.yaml")
    assert "## Uses\n" in card.read_text()


def test_another_word_in_the_spec() -> None:
    """What only the card says is a difference; what decides rows is an error that says so."""
    change(card={"samples": "unscreened", "title": "Tiny talk"}, license="mit")
    shown = magpie_hub("build", "tiny.yaml", "--check", code=3).stdout
    assert "\n-# tiny\n+# Tiny talk\n" in shown
    assert "\n+license: mit\n" in shown
    change(dedup={"exact": False, "near": False})
    assert "`dedup`" in refused("build", "tiny.yaml", "--check")


def test_facts_and_figures_that_are_not_as_made() -> None:
    """A fact that was changed is shown, and a figure that was changed or is gone is named."""
    facts = json.loads((BUILD / "facts.json").read_text())
    facts["configs"]["raw"]["rows"] = 3
    (BUILD / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    (BUILD / "figures/tiny/lengths.png").write_bytes(b"")
    (BUILD / "figures/tiny/funnel.png").unlink()
    lines = magpie_hub("build", "tiny.yaml", "--check", code=3).stdout.splitlines()
    assert '-      "rows": 3,' in lines
    assert "figures/tiny/lengths.png is not what the facts give" in lines
    assert "figures/tiny/funnel.png is not what the facts give" in lines


def test_a_template_of_ones_own(here: Path) -> None:
    """A block from the spec's folder is on the card; another text of it is a difference."""
    folder = here / "my-cards"
    folder.mkdir()
    block = '{% extends "magpie/dataset.md.jinja" %}{% block uses %}For bees.{% endblock %}'
    (folder / "dataset.md.jinja").write_text(block)
    change(card={"template": "my-cards"})
    magpie_hub("build", "tiny.yaml")
    card = (BUILD / "README.md").read_text()
    assert "For bees." in card
    assert str(here) not in card
    (folder / "dataset.md.jinja").write_text(block.replace("bees", "birds"))
    assert "+For birds." in magpie_hub("build", "tiny.yaml", "--check", code=3).stdout
    (folder / "dataset.md.jinja").write_text(block.replace("bees", "{{ hive }}"))
    assert "dataset.md.jinja:1: " in refused("build", "tiny.yaml")
    assert "For bees." in (BUILD / "README.md").read_text()


def test_the_card_as_a_page(here: Path) -> None:
    """`--preview` writes one HTML file that holds the pictures, and names it."""
    said = magpie_hub("build", "tiny.yaml", "--preview").stdout.splitlines()[-1]
    assert said == "preview: runs/tiny/preview.html"
    page = (here / "runs/tiny/preview.html").read_text()
    assert page.count('src="data:image/png;base64,') == 3  # lengths, tags, funnel
    assert "<h2" in page
    assert (
        "--preview writes a file"
        in magpie_hub("build", "tiny.yaml", "--check", "--preview", code=2).stderr
    )


def test_a_card_with_other_line_ends_and_a_lost_index() -> None:
    """Bytes that make no line another are a difference too; a lost file is named."""
    card = BUILD / "README.md"
    whole = card.read_bytes()
    card.write_bytes(whole.replace(b"\n", b"\r\n"))
    shown = magpie_hub("build", "tiny.yaml", "--check", code=3).stdout
    assert shown == "README.md differs in the ends of its lines\n"
    card.write_bytes(whole)
    (BUILD / "index.parquet").unlink()
    assert "index.parquet` is missing" in refused("build", "tiny.yaml", "--check")

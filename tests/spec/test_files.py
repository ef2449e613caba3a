"""Prompts and schemas that a spec keeps in files of their own."""

import json
from pathlib import Path

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec.load import load

PROMPT = "Name the mood of this:\n{{ instruction }}\n"
SHORTEST = "repo: org/x\ngenerator: {model: m}\n"
SCHEMA = {"properties": {"mood": {"enum": ["good", "bad"]}}}


def spec(folder: Path, prompt: str, schema: str) -> str:
    """Write a spec with one tag of its own into a folder, and return its path."""
    path = folder / "s.yaml"
    head = "repo: org/x\ngenerator: {model: m}\ntags:\n  lengths:\n  mood:\n"
    path.write_text(f"{head}    prompt: {prompt}\n    schema: {schema}\n")
    return str(path)


@pytest.mark.parametrize("ending", [".json", ".yaml", ".yml"])
def test_content_takes_the_place_of_a_path(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are read relative to the spec, wherever the command runs, and every tag stays."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/mood.jinja").write_text("\ufeff" + PROMPT, encoding="utf-8")
    (tmp_path / f"prompts/mood{ending}").write_text(json.dumps(SCHEMA))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    tags = load(spec(tmp_path, "prompts/mood.jinja", f"prompts/mood{ending}")).tags

    assert list(tags.asked) == ["lengths", "mood"]
    assert (tags.own["mood"].prompt, tags.own["mood"].answer) == (PROMPT, SCHEMA)


def test_content_stays_content(tmp_path: Path) -> None:
    """What is written out in the spec is no path, though it may end like one."""
    own = load(spec(tmp_path, '"Judge it\\nby rules.md"', json.dumps(SCHEMA))).tags.own["mood"]

    assert (own.prompt, own.answer) == ("Judge it\nby rules.md", SCHEMA)


@pytest.mark.parametrize(
    ("prompt", "schema", "message"),
    [
        ("none.jinja", "{}", "6: `tags.mood.prompt`: the file `none.jinja` cannot be read: No suc"),
        ("dir.txt", "{}", "6: `tags.mood.prompt`: the file `dir.txt` cannot be read: Is a direct"),
        ("large.md", "{}", "6: `tags.mood.prompt`: the file `large.md` cannot be read: it is over"),
        ("bytes.md", "{}", "6: `tags.mood.prompt`: the file `bytes.md` cannot be read: 'utf-8'"),
        ("Hi", "none.json", "7: `tags.mood.schema`: the file `none.json` cannot be read: No such"),
        ("Hi", "bad.json", "7: `tags.mood.schema`: the file `bad.json` cannot be read: Expecting"),
        ("Hi", "deep.json", "7: `tags.mood.schema`: the file `deep.json` cannot be read: it is n"),
        ("Hi", "list.json", "7: `tags.mood.schema`: `[1]`, expected a map"),
    ],
)
def test_a_file_that_cannot_be_read(prompt: str, schema: str, message: str, tmp_path: Path) -> None:
    """The error names the spec's line, the key, the file, and why."""
    (tmp_path / "dir.txt").mkdir()
    (tmp_path / "large.md").write_bytes(b" " * 1_000_001)
    (tmp_path / "bytes.md").write_bytes(b"\xff")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "list.json").write_text("[1]")

    with pytest.raises(SpecError) as caught:
        load(spec(tmp_path, prompt, schema))

    assert caught.value.message.startswith(f"{tmp_path}/s.yaml:{message}")
    assert caught.value.hint


def test_a_schema_in_yaml_follows_the_rules_of_a_spec(tmp_path: Path) -> None:
    """A fault in it is told at its own line, and no alias grows in memory."""
    (tmp_path / "mood.yaml").write_text("properties:\n  mood: &a [x]\n  why: *a\n")

    with pytest.raises(SpecError, match=r"mood\.yaml:2: `&a` points elsewhere"):
        load(spec(tmp_path, "Hi", "mood.yaml"))


def test_templates_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their folder is named relative to the spec, and found wherever the command runs."""
    (tmp_path / "cards").mkdir()
    (tmp_path / "s.yaml").write_text(f"{SHORTEST}card: {{template: cards/, title: A}}\n")
    monkeypatch.chdir(tmp_path)

    card = load("s.yaml").card

    assert (card.template, card.title) == (str(tmp_path / "cards"), "A")


@pytest.mark.parametrize("path", ["none/", "s.yaml", "x" * 300])
def test_a_folder_of_templates_that_is_not_there(path: str, tmp_path: Path) -> None:
    """A path that leads to no folder is told as it was written, with its line."""
    (tmp_path / "s.yaml").write_text(f"{SHORTEST}card:\n  template: {path}\n")

    with pytest.raises(SpecError) as caught:
        load(str(tmp_path / "s.yaml"))

    told = f"s.yaml:4: `card.template`: there is no folder `{path[:57]}"
    assert told in caught.value.message
    assert "relative to the spec" in caught.value.hint

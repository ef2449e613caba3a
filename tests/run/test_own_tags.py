"""Tags of a spec's own: a prompt and a schema become columns, and mistakes in them two lines."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from magpie_hub.cli import main
from tests.card.reading import shape
from tests.making import spec_file

PROMPT = "How do you feel?\n{{ response }}"
MOOD = {"properties": {"mood": {"enum": ["good", "bad"], "description": "How | it <b>feels</b>."}}}
STARS = {"stars": {"type": "integer", "minimum": 1, "maximum": 5}}
TOPICS = {"topics": {"type": "array", "maxItems": 3, "items": {"enum": ["a", "b", "c"]}}}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def release(folder: Path, **own: object) -> Result:
    """Make a release whose spec, in `folder`, has a tag `feeling` of its own."""
    folder.mkdir(exist_ok=True)
    path = spec_file(folder, 30, configs={}, tags={"feeling": own})
    return CliRunner().invoke(main, ["release", str(path)])


def published() -> list[dict[str, Any]]:
    """Return the rows of the release."""
    rows: list[dict[str, Any]] = pq.read_table(
        next(Path("dist/org/tiny/raw").glob("*.parquet"))
    ).to_pylist()
    return rows


def test_files_beside_the_spec(tmp_path: Path) -> None:
    """Prompt and schema lie beside the spec, wherever it is run; each property is a column."""
    place = tmp_path / "specs"
    (place / "mood").mkdir(parents=True)
    (place / "mood" / "ask.jinja").write_text(PROMPT)
    properties = MOOD["properties"] | STARS | TOPICS
    (place / "mood" / "answer.yaml").write_text(yaml.safe_dump({"properties": properties}))
    done = release(place, prompt="mood/ask.jinja", schema="mood/answer.yaml")
    assert done.exit_code == 0, done.output
    rows = published()
    assert {row["mood"] for row in rows} == {"good", "bad"}
    assert {row["stars"] for row in rows} <= {1, 2, 3, 4, 5}
    assert all(set(row["topics"]) <= {"a", "b", "c"} for row in rows)
    assert {row["feeling_generator"] for row in rows} == {"scripted"}
    card = Path("dist/org/tiny/README.md").read_text()
    for name in ("mood", "stars", "topics", "feeling_generator"):
        assert f"| `{name}` |" in card
    assert [kind for kind, text in shape(card) if "html" in kind and "<b>" in text] == []


def test_what_the_files_say_is_kept(tmp_path: Path) -> None:
    """A run remembers the prompt itself: with its file changed the tag is another, and asked anew.

    A prompt that is written into the spec is the same as one in a file.
    """
    ask = tmp_path / "ask.jinja"
    ask.write_text(PROMPT)
    assert release(tmp_path, prompt="ask.jinja", schema=MOOD).exit_code == 0
    stages = tmp_path / "runs" / "tiny" / "tags" / "feeling"
    assert release(tmp_path, prompt=PROMPT, schema=MOOD).exit_code == 0
    assert len(list(stages.iterdir())) == 1
    ask.write_text("And now?\n{{ response }}")
    assert release(tmp_path, prompt="ask.jinja", schema=MOOD).exit_code == 0
    assert len(list(stages.iterdir())) == 2
    state = json.loads((tmp_path / "runs" / "tiny" / "run.json").read_text())
    assert state["spec"]["tags"]["feeling"]["prompt"] == "And now?\n{{ response }}"


def _properties(**parts: object) -> dict[str, object]:
    return {"schema": {"properties": parts}}


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ({"prompt": "no.jinja"}, "`tags.feeling.prompt`: the file `no.jinja` cannot be read"),
        ({"schema": "no.json"}, "`tags.feeling.schema`: the file `no.json` cannot be read"),
        ({"schema": "bad.json"}, "`tags.feeling.schema`: the file `bad.json` cannot be read"),
        ({"schema": "bad.yaml"}, "bad.yaml:1: `a: [` cannot be read as YAML"),
        ({"schema": "list.json"}, "`tags.feeling.schema`"),
        ({"schema": "folder.json"}, "`folder.json` cannot be read: Is a directory"),
        ({"schema": "notes.txt"}, "`tags.feeling.schema`: `notes.txt` is text, expected a map"),
        ({"schema": None}, "`tags.feeling.schema`"),
        ({"promt": "x"}, "`tags.feeling.promt`"),
        ({"prompt": "Say good."}, "expected `instruction`"),
        ({"prompt": "{{ instruction"}, "it is no Jinja template"),
        ({"prompt": "{{ instruction.text }}"}, "it cannot be filled in"),
        ({"prompt": "{% include 'x' %}{{ instruction }}"}, "it cannot be filled in"),
        ({"schema": {}}, "it has no `properties`"),
        ({"schema": {"properties": {1: {"type": "boolean"}}}}, "`tags.feeling.schema"),
        (_properties(why={"type": "string"}), "`why` is text without a `maxLength`"),
        (_properties(why={"type": ["string", "null"]}), "`why` has no `type`"),
        (_properties(why={"type": "strong"}), "it is no JSON Schema"),
        (_properties(uuid={"enum": ["a"]}), "the column `uuid` is there already"),
        (_properties(cut={"enum": ["a"]}), "the column `cut` is there already"),
        (_properties(instruction={"enum": ["a"]}), "the column `instruction` is there already"),
        (_properties(feeling_generator={"enum": ["a"]}), "`feeling_generator` names the judge"),
        ({"judge": {"model": "j", "engine": "nix"}}, "the engine `nix` is not known"),
    ],
)
def test_a_mistake_is_two_lines(tmp_path: Path, own: dict[str, object], why: str) -> None:
    """Whatever is wrong with a tag of one's own is an error with its place, and a hint."""
    (tmp_path / "bad.json").write_text('{"properties": ')
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "folder.json").mkdir()
    done = release(tmp_path, **{"prompt": PROMPT, "schema": MOOD, **own})
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert why in error
    assert not (tmp_path / "runs").exists()


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    """A tag that only comes with others, or a name that is no word, is no name for one's own."""
    for name in ("embedding", "base_reward", "my mood", "1st"):
        tags = {name: {"prompt": PROMPT, "schema": MOOD}}
        path = spec_file(tmp_path, 30, configs={}, tags=tags)
        done = CliRunner().invoke(main, ["release", str(path)])
        assert done.exit_code == 1
        assert f"`{name}` cannot be a tag's name" in done.stderr


def test_two_tags_with_one_column(tmp_path: Path) -> None:
    """Of two tags of one's own the second cannot have a column of the first."""
    tags = {name: {"prompt": PROMPT, "schema": {**MOOD}} for name in ("first", "second")}
    path = tmp_path / "tiny.yaml"
    spec_file(tmp_path, 30, configs={}, tags=json.loads(json.dumps(tags)))
    done = CliRunner().invoke(main, ["release", str(path)])
    assert done.exit_code == 1
    assert "`tags.second.schema`: the column `mood` is there already" in done.stderr


def test_the_second_tag_is_looked_at_as_well(tmp_path: Path) -> None:
    """A schema that is none is a fault of its own tag, also behind one that is right."""
    good, bad = {"prompt": PROMPT, "schema": MOOD}, {"prompt": PROMPT, "schema": {}}
    path = spec_file(tmp_path, 30, configs={}, tags={"first": good, "second": bad})
    done = CliRunner().invoke(main, ["release", str(path)])
    assert done.exit_code == 1
    assert "`tags.second.schema`: it has no `properties`" in done.stderr

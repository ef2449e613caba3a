"""What the commands print when all is well: stdout is the result, stderr is talk."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magpie_hub.cli import main
from tests.making import spec_file
from tests.run.releasing import fingerprints


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own with a tiny spec, as the current one."""
    monkeypatch.chdir(tmp_path)
    spec_file(tmp_path, 40)
    return tmp_path


def magpie_hub(*arguments: str) -> Result:
    """Run a command that must succeed."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    return result


def test_release_ends_with_a_summary() -> None:
    """The summary has every config's funnel, the pace, the card, the line that loads it."""
    result = magpie_hub("release", "tiny.yaml")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("raw: ")
    assert [line.split() for line in lines if line.startswith("drawn")] == [["drawn", "40"]] * 2
    assert "1,000 tokens/s while the model worked" in lines
    assert "card:  dist/org/tiny/README.md" in lines
    assert 'load:  load_dataset("./dist/org/tiny", "filtered")' in lines
    assert "done: not published" in lines
    assert "135M" not in result.stdout
    assert "instructions 40/40" in result.stderr
    again = magpie_hub("release", "tiny.yaml").stdout.splitlines()
    assert [line for line in again if line != "nothing changed: not published"] == [
        line for line in lines if line != "done: not published"
    ]


def test_stages_one_by_one_give_the_same_build() -> None:
    """`generate`, `tag` and `build` make the files that `release` puts into its folder."""
    for command in ("generate", "tag"):
        assert magpie_hub(command, "tiny.yaml").stdout == ""
    built = magpie_hub("build", "tiny.yaml")
    assert built.stdout.splitlines()[-1] == "built in runs/tiny/build"
    magpie_hub("release", "tiny.yaml")
    released = fingerprints(Path("dist/org/tiny"))
    for name in ("README.md", "release.json"):
        del released[name]
    built = Path("runs/tiny/build")
    assert {name: fingerprints(built)[name] for name in released} == released
    card = (built / "README.md").read_text().split("\n---\n", 1)[1]
    card = card.strip().replace("vX.Y.Z", "v1.0.0")
    assert card in Path("dist/org/tiny/README.md").read_text()


def test_preview_shows_rows_and_leaves_nothing(here: Path) -> None:
    """A preview prints rows, drops, the pace and an estimate, and writes no file."""
    before = fingerprints(here)
    shown = magpie_hub("preview", "tiny.yaml", "-n", "5").stdout
    assert "--- 0\n" in shown
    assert "instructions         5 of 5, " in shown
    assert "filter: response_length >= 32" in shown
    assert "40 draws would take about " in shown
    assert shown.endswith("nothing was written\n")
    assert fingerprints(here) == before


def test_status_counts_what_is_there() -> None:
    """`status` says how many rows are in and why rows fell, for a person and as JSON."""
    magpie_hub("generate", "tiny.yaml")
    shown = magpie_hub("status", "tiny.yaml", "--rows", "1").stdout
    counted = json.loads(magpie_hub("status", "runs/tiny", "--json").stdout)
    drawn, answered = counted["instructions"], counted["responses"]
    assert (drawn["rows"], drawn["of"]) == (40, 40)
    assert answered["rows"] == answered["of"] == 40 - sum(drawn["rejected"].values())
    assert f"responses    {answered['rows']:>9} of {answered['of']}, " in shown
    assert shown.count("--- ") == 1


def test_template_as_json(here: Path) -> None:
    """`template --json` prints the fields that other tools read, for a template of one line."""
    (here / "x.jinja").write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    shown = json.loads(magpie_hub("template", "x.jinja", "--json").stdout)
    assert shown["prefix"] == "<|user|>"
    assert shown["prefix_with_system"] == "<|system|>SYS<|end|><|user|>"
    assert shown["between_turns"] == "<|end|><|user|>"
    assert shown["post_query"] == "<|end|><|assistant|>"
    assert shown["end_of_turn"] == ["<|end|>"]
    assert shown["stop_token_ids"] == []
    assert isinstance(shown["warnings"], list)


def test_a_template_is_given_what_is_asked_for(here: Path) -> None:
    """`--chat-template-kwargs` takes an object in JSON; a `SYS` of the template's is told of."""
    (here / "x.jinja").write_text(
        "{% if messages[0].role == 'system' %}<<SYS>>{{ messages[0].content }}<</SYS>>"
        "{% set messages = messages[1:] %}{% endif %}"
        "{% for m in messages %}[INST] {{ m.content }} [/INST]{{ think | default('') }}{% endfor %}"
    )
    option = ("--chat-template-kwargs", '{"think": "hm"}')
    shown = json.loads(magpie_hub("template", "x.jinja", "--json", *option).stdout)
    assert shown["post_query"] == " [/INST]hm"
    assert shown["warnings"][-1] == "`SYS` is also part of the text around a system prompt"
    for wrong, said in (("{", "is no JSON"), ("[]", "expected an object")):
        refused = CliRunner().invoke(main, ["template", "x.jinja", "--chat-template-kwargs", wrong])
        assert refused.exit_code == 2
        assert said in refused.stderr


def test_template_tells_where_the_tokenizer_joins(here: Path, monkeypatch) -> None:
    """With a tokenizer beside the template the borders are looked at, or it is said why not."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    here = here / "model"
    here.mkdir()
    (here / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "{% for m in messages %}A {{ m.content }}.{% endfor %}"})
    )
    made = Tokenizer(models.BPE({"A": 0, "Ġ": 1, "Ġ7": 2, "7": 3, ".": 4}, [("Ġ", "7")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(here / "tokenizer.json"))
    shown = json.loads(magpie_hub("template", "model", "--json").stdout)["warnings"]
    assert "the tokenizer joins ' ' with the words behind it: the model has to write it" in shown
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    shown = json.loads(magpie_hub("template", "model", "--json").stdout)["warnings"]
    assert "the tokens at the borders were not looked at" in shown[-1]


def test_init_writes_a_spec_that_loads() -> None:
    """What `init` writes names the model, and `status` on it gets as far as the missing run."""
    magpie_hub("init", "mine.yaml", "--model", "./weights.gguf")
    assert "./weights.gguf" in Path("mine.yaml").read_text()
    missing = CliRunner().invoke(main, ["status", "mine.yaml"])
    assert "there is no run in `runs/mine`" in missing.stderr


def test_init_with_another_model_says_what_to_look_at() -> None:
    """Behind a preset with another generator in it stands what was chosen for the first one."""
    talk = magpie_hub("init", "a.yaml", "--from", "pro", "--model", "org/other").stderr
    assert all(key in talk for key in ("as `pro` has it", "`license`", "`judge`", "`engine`"))
    assert "warning" not in magpie_hub("init", "b.yaml", "--from", "pro").stderr
    assert "warning" not in magpie_hub("init", "c.yaml", "--model", "org/other").stderr


def test_a_rows_text_cannot_drive_the_terminal() -> None:
    """Control characters of a row are printed as text."""
    from magpie_hub.cli.inspect import _plain

    assert _plain("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\nc\\x202e"

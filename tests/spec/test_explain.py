"""What a person reads when a spec is YAML but not a spec."""

from pathlib import Path

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec import model
from magpie_hub.spec.explain import EXAMPLES
from magpie_hub.spec.load import load
from magpie_hub.spec.sections import NamedSection, Section

HEAD = "repo: org/x\ngenerator: {model: org/m}\n"


def explained(text: str, folder: Path) -> SpecError:
    """Return the error that loading `text` from `folder`/s.yaml ends in."""
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(str(path))
    return caught.value


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "repoo: org/x\ngenerator: {model: org/m}",
            "1: `repoo`: unknown key, expected one of `repo`, `version`, `license`, `seed`,",
            "did you mean `repo`?",
        ),
        (
            HEAD + "configs:\n  a:\n    fliter: finished",
            "5: `configs.a.fliter`: unknown key, expected one of `from`, `filter`, `where`",
            "did you mean `filter`?",
        ),
        (
            HEAD + "max_tokens: 5",
            "3: `max_tokens`: unknown key",
            "it belongs to `instructions` or `responses`",
        ),
        (HEAD + "zzz: 1", "3: `zzz`: unknown key", "remove it"),
        ("repo: org/x", "1: `generator`: missing, expected a value", "as in `generator: {model: "),
        ("repo: x\ngenerator: {}", "2: `generator.model`: missing", "as in `model: Hugging"),
        ("generator: {model: m}\nrepo: x", "2: `repo`: `x` is no repository", "`repo: owner/name`"),
        (HEAD + "license: 1", "3: `license`: `1`, expected text", "`license: apache-2.0`"),
        (HEAD + "seed: '5'", "3: `seed`: `5` is text, expected a whole number", "`seed: 0`"),
        (HEAD + "seed: -1", "3: `seed`: `-1`, expected at least 0", "`seed: 0`"),
        (HEAD + "seed: 4294967296", "3: `seed`: `4294967296`, expected less than 4294967296", ""),
        (
            HEAD + "tags: [lenghts]",
            "3: `tags.0`: `lenghts`, expected one of `lengths`, `language`,",
            "did you mean `lengths`?",
        ),
        (HEAD + "tags: [7]", "3: `tags.0`: `7`, expected one of `lengths`, ", "`tags: [lengths, "),
        (HEAD + "tags: [lengths, lengths]", "3: `tags`: `[", "`tags: [lengths, language]`"),
        (HEAD + "configs:\n  raw:", "4: `configs.raw`: empty, expected a map or `false`", "as in"),
        (
            HEAD + "configs:\n  a:\n    filter: 3",
            "5: `configs.a.filter`: `3`, expected text",
            "as in",
        ),
        (
            HEAD + "configs: {a: {size: {atmost: 3}}}",
            "3: `configs.a.size.atmost`: unknown key, expected one of `at_most`",
            "did you mean `at_most`?",
        ),
        (
            HEAD + "dedup: {near: high}",
            "3: `dedup.near`: `high`, expected one of `default`, `high-recall`, a map, or false",
            "`near: {",
        ),
        (
            HEAD + "dedup: {near: {bands: 3}}",
            "3: `dedup.near.bands`: `3`, expected a divisor of `hashes`, which is 128",
            "`bands: 16`",
        ),
        (
            "repo: org/x\ngenerator: {model: m, chat_template_kwargs: {messages: a}}",
            '2: `generator.chat_template_kwargs`: `{"messages": "a"}`, expected names other than',
            "`chat_template_kwargs: {enable_thinking: false}`",
        ),
        (
            "repo: org/x\ngenerator: {model: m, chat_template_kwargs: {thinking: null}}",
            "2: `generator.chat_template_kwargs.thinking`: empty, expected `true` or `false` or a",
            "`chat_template_kwargs: {enable_thinking: false}`",
        ),
        (HEAD + "configs: {b: false}", "3: `configs.b`: `false`, expected a map", "as in"),
        (HEAD + "configs: {'a: b': {}}", "3: `configs.a: b`: `a: b` is no config name", "as in"),
        (HEAD + "configs: {raw: false}", "3: `configs`: `raw` is off and nothing else", "as in"),
        (
            HEAD + "configs: {a: {default: true}, b: {default: true}}",
            "3: `configs`: `a, b` are default, expected one",
            "as in",
        ),
        (
            HEAD + "instructions:\n  sampling:\n    - top_p: 1\n    - top_p: 0",
            "6: `instructions.sampling.1.top_p`: `0`, expected more than 0",
            "`top_p: 0.99`",
        ),
        (
            HEAD + "instructions: {sampling: big-grid}",
            "3: `instructions.sampling`: `big-grid`, expected one of `air-grid`, `pro-grid`, or a",
            "`sampling: [{",
        ),
    ],
)
def test_messages(text: str, message: str, hint: str, tmp_path: Path) -> None:
    """Each fault says where, what, the value and what was expected; the hint is a next step."""
    error = explained(text, tmp_path)

    assert error.message.startswith(f"{tmp_path}/s.yaml:{message}")
    assert hint in error.hint
    assert "pydantic" not in f"{error.message}{error.hint}"


def test_the_first_fault_by_line(tmp_path: Path) -> None:
    """Of several faults the one that a reader meets first is told."""
    error = explained("seed: x\nrepo: 1\ngenerator: 2\n", tmp_path)

    assert "s.yaml:1: `seed`" in error.message


def below(section: type) -> list[type]:
    """Return all classes that are made from one."""
    return [found for sub in section.__subclasses__() for found in (sub, *below(sub))]


def test_every_key_has_an_example_that_is_right() -> None:
    """The examples in hints are the keys of all sections, no more and no fewer."""
    sections = [*below(Section), *below(NamedSection)]
    assert model.Spec in sections

    keys = {field.alias or name for each in sections for name, field in each.model_fields.items()}
    assert {key.rpartition(".")[2] for key in EXAMPLES} == keys


@pytest.mark.parametrize("key", sorted(model.Spec.model_fields))
def test_examples_load(key: str, tmp_path: Path) -> None:
    """A hint's example line, put into a spec, is a spec."""
    made_by = {} if key == "source" else {"generator": "{model: org/m}"}
    lines = {"repo": "org/x"} | made_by | {key: EXAMPLES[key]}
    (tmp_path / "s.yaml").write_text("".join(f"{k}: {v}\n" for k, v in lines.items()))

    assert key in load(str(tmp_path / "s.yaml")).model_fields_set

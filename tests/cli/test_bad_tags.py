"""Bad tags, judges and sources get one `error:` line with its place and one `hint:` line."""

from pathlib import Path

import pytest

from tests.cli.test_bad_input import magpie_hub, refused

MADE = "repo: org/t\ngenerator: {model: scripted, engine: scripted}\n"
TAKEN = "repo: org/t\nsource: rows.jsonl\n"
OWN = "tags:\n  mood:\n    prompt: {prompt}\n    schema: {schema}\n"
GOOD = "{properties: {mood: {enum: [good, bad]}}}"
ROW = '{"instruction": "Hi", "response": "Hello"}'


def own(prompt: str = '"{{ instruction }}"', schema: str = GOOD) -> str:
    """Return a spec with a tag of its own, whose keys stand on lines 5 and 6."""
    return MADE + OWN.replace("{prompt}", prompt).replace("{schema}", schema)


TABLE = [
    (
        TAKEN + "tags: [lengths, quality]",
        "t.yaml:3: `tags.quality`: the tag `quality` needs a judge, and nothing names one",
        "add `judge: {model: ..., engine: ...}` to the spec",
    ),
    (
        TAKEN + "tags: [quality]\njudge: {model: m, engine: skripted}",
        "t.yaml:4: `judge.engine`: the engine `skripted` is not known, expected one of",
        "did you mean `scripted`?",
    ),
    (
        MADE + "tags:\n  quality:\n    judge: {model: m, engine: {name: scripted, capasity: 1}}",
        "t.yaml:5: `tags.quality.judge.engine`: `scripted` has no option `capasity`, expected one",
        "did you mean `capacity`?",
    ),
    (
        MADE + "tags: {reward: {engine: vlm}}",
        "t.yaml:3: `tags.reward.engine`: the engine `vlm` cannot score, expected one of",
        "did you mean `vllm`?",
    ),
    (
        MADE + "tags: {safety: {engine: scripted, adapter: lama-guard}}",
        "t.yaml:3: `tags.safety.adapter`: there is no adapter `lama-guard`; expected one of",
        "write how the guard answers",
    ),
    (
        MADE + "tags:\n  safety:\n    engine: scripted\n    adapter: {safe: '(', unsafe: x}",
        "t.yaml:6: `tags.safety.adapter`: the guard's `safe` is `(`, expected a regular expression",
        "correct the guard's `safe`",
    ),
    (
        MADE + "tags:\n  neighbours:\n    embedder: statik",
        "t.yaml:5: `tags.neighbours.embedder`: there is no embedder `statik`, expected one of",
        "did you mean `static`?",
    ),
    (
        MADE + "tags: {neighbours: {embedder: {name: static, dims: 3}}}",
        "t.yaml:3: `tags.neighbours.embedder`: `static` has no option `dims`, expected none",
        "remove `dims`",
    ),
    (own("Hello"), "t.yaml:5: `tags.mood.prompt`: ", "write {{ instruction }} and {{ response }}"),
    (own("'{{ x'"), "t.yaml:5: `tags.mood.prompt`: it is no Jinja template: ", "correct the"),
    (own(schema="{}"), "t.yaml:6: `tags.mood.schema`: it has no `properties`", "an object of"),
    (
        own(schema="{properties: {language: {enum: [a]}}}"),
        "t.yaml:6: `tags.mood.schema`: the column `language` is there already",
        "give the property another name",
    ),
    (
        own().replace("mood:", "my-mood:", 1),
        "t.yaml:4: `tags.my-mood`: `my-mood` cannot be a tag's name",
        "choose another",
    ),
    (
        TAKEN + "configs:\n  a: {filter: finished}\ntags: [language]",
        "t.yaml:4: `configs.a.filter`: the filter `finished` has the rule `instruction_length >=",
        "add `lengths` to `tags:`",
    ),
    (
        "repo: org/t\nsource:\n  files: [rows.jsonl]\n  columns:\n    instrction: q",
        "t.yaml:5: `source.columns.instrction`: `instrction` is no column of ours, expected one of",
        "did you mean `instruction`?",
    ),
    (
        "repo: org/t\nsource: nothing.jsonl",
        "t.yaml:2: `source`: `nothing.jsonl` names no file",
        "give the path of a file, or a glob such as `rows/*.jsonl`",
    ),
    (
        "repo: org/t\nsource: ./rows.txt",
        "t.yaml:2: `source`: the dataset `./rows.txt` cannot be loaded: it is no folder, and no",
        "give the path of a folder, or of files such as `rows.jsonl`",
    ),
    (
        "repo: org/t\nsource: nobody/nothing",
        "t.yaml:2: `source`: the dataset `nobody/nothing` cannot be loaded: ",
        "check its name, `config`, `split` and `revision`",
    ),
    (
        "repo: org/t\nsource: {files: [rows.jsonl], columns: {response: answer}}",
        "rows.jsonl` has no column `answer`, which `columns: response` names; it has `instruction`",
        "with the names that are there",
    ),
    (
        "repo: org/t\nsource: blank.jsonl",
        "`source`: there is no row in it",
        "name another file or dataset",
    ),
    (
        TAKEN + "generator: {model: scripted, engine: scripted}",
        "t.yaml:3: `generator`: it has no meaning beside `source`",
        "remove it",
    ),
]


@pytest.mark.parametrize(("spec", "says", "hints"), TABLE, ids=range(len(TABLE)))
def test_bad_tags_and_sources_are_refused_in_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, says: str, hints: str
) -> None:
    """The error names file, line, key and value, the hint the next step; nothing is released."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text(ROW)
    Path("blank.jsonl").write_text("\n")
    Path("rows.txt").write_text(ROW)
    Path("t.yaml").write_text(spec)

    told = refused(magpie_hub("release", "t.yaml")).splitlines()

    assert says in told[0]
    assert hints in told[1]
    assert not Path("dist").exists()

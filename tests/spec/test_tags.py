"""What may stand under `tags:`, `source:` and `judge:`, and what is said where it may not."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub.errors import SpecError
from magpie_hub.spec.explain import EXAMPLES
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from magpie_hub.spec.tags import JudgeTag, PlainTag, Tags

HEAD = "repo: org/x\ngenerator: {model: org/m}\n"
MOOD = {"prompt": "{{ instruction }}", "schema": {"properties": {"mood": {"enum": ["good"]}}}}


@pytest.mark.parametrize(
    "written",
    [
        ["quality", "lengths"],
        {"quality": {}, "lengths": {}},
        {"quality": None, "lengths": None},
        {"lengths": {}, "quality": {"judge": None}},
    ],
)
def test_a_list_is_a_map_without_keys(written: object) -> None:
    """Whichever way they are written, tags are those, in the order in which they are made."""
    tags = Tags.model_validate(written)

    assert list(tags.asked.items()) == [("lengths", PlainTag()), ("quality", JudgeTag())]


def test_no_tags_and_tags_of_a_spec() -> None:
    """No tag at all can be asked for; one of the spec's own comes behind those of the house."""
    assert Tags.model_validate([]).asked == {}
    assert list(Tags.model_validate({"mood": MOOD, "safety": {}}).asked) == ["safety", "mood"]
    assert Tags.model_validate({"mood": MOOD}).own["mood"].answer == MOOD["schema"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("tags:", "3: `tags`: empty, expected a map", "as in `tags: [lengths, language]`"),
        ("tags: lengths", "3: `tags`: `lengths` is text, expected", "as in `tags: [lengths, "),
        (
            "tags:\n  - lengths\n  - neighbors",
            "5: `tags.1`: `neighbors`, expected one of `lengths`, `language`, `personal_data`,",
            "did you mean `neighbours`?",
        ),
        (
            "tags:\n  lengths:\n  qualty:",
            "5: `tags.qualty`: unknown tag, expected one of `lengths`, `language`,",
            "did you mean `quality`?",
        ),
        ("tags:\n  zzz: {judge: {model: m}}", "4: `tags.zzz`: unknown tag,", "`tags: [lengths, "),
        ("tags: {lengths: true}", "3: `tags.lengths`: `true`, expected a map", "`lengths: {}`"),
        (
            "tags: {lengths: {judge: {model: m}}}",
            "3: `tags.lengths.judge`: unknown key, expected none",
            "it belongs to `top level` or `tags.quality` or `tags.difficulty`",
        ),
        (
            "tags:\n  quality:\n    jugde: {model: m}",
            "5: `tags.quality.jugde`: unknown key, expected one of `judge`",
            "did you mean `judge`?",
        ),
        (
            "tags: {quality: {judge: org/m}}",
            "3: `tags.quality.judge`: `org/m` is text, expected a map",
            "as in `judge: {model: ",
        ),
        (
            "tags:\n  mood:\n    prompt: Hi\n    schemma: {}",
            "6: `tags.mood.schemma`: unknown key, expected one of `judge`, `prompt`, `schema`",
            "did you mean `schema`?",
        ),
        ("tags: {mood: {prompt: Hi}}", "3: `tags.mood.schema`: missing", "`schema: ./mood.json`"),
        ("tags: {mood: {prompt: Hi, schema: []}}", "3: `tags.mood.schema`: `[]`, expected a", ""),
        ("tags: {reward: {base: {modl: m}}}", "3: `tags.reward.base.modl`: unknown", "`model`?"),
        ("tags: {reward: {model: }}", "3: `tags.reward.model`: empty, expected text", "as in"),
        ("tags: {safety: {adapter: 5}}", "3: `tags.safety.adapter`: `5`, expected text or a", ""),
        (
            "tags:\n  safety:\n    adapter:\n      safe: safe",
            "5: `tags.safety.adapter.unsafe`: missing",
            "as in `unsafe: ",
        ),
        (
            "tags: {safety: {adapter: {safe: a, unsafe: b, content: txt}}}",
            "3: `tags.safety.adapter.content`: `txt`, expected `text` or `parts`",
            "did you mean `text`?",
        ),
        ("tags: {neighbours: {embedder: 5}}", "3: `tags.neighbours.embedder`: `5`, ", "static`"),
        ("judge: org/m", "3: `judge`: `org/m` is text, expected a map", "as in `judge: {model:"),
        ("judge: {}", "3: `judge.model`: missing, expected a value", "as in `model: "),
        ("judge: {model: m, engin: x}", "3: `judge.engin`: unknown key", "`engine`?"),
        ("source: a.jsonl", "2: `generator`: it has no meaning beside `source`", "remove it"),
    ],
)
def test_messages(text: str, message: str, hint: str, tmp_path: Path) -> None:
    """A fault in tags or judge names file, line, key and value, and a next step."""
    told(HEAD + text, message, hint, tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("source: ''", "2: `source`: empty, expected text", "as in `source: ./rows.jsonl`"),
        ("source: []", "2: `source`: `[]`, expected at least one item", "as in"),
        ("source: {}", "2: `source`: it must name either a `dataset` or `files`", "as in"),
        ("source: 5", "2: `source`: `5`, expected a map", "as in `source: ./rows.jsonl`"),
        ("source:\n  - a.jsonl\n  - 5", "4: `source.1`: `5`, expected text", "as in"),
        ("source: {files: a.jsonl}", "2: `source.files`: `a.jsonl` is text, ", "`files: [./rows"),
        ("source: {dataset: a, files: [b]}", "2: `source`: it must name either a", "as in"),
        (
            "source:\n  dataset: a\n  splitt: b",
            "4: `source.splitt`: unknown key, expected one of `dataset`, `files`, `config`,",
            "did you mean `split`?",
        ),
        ("source: {dataset: a, rows: 0}", "2: `source.rows`: `0`, expected at least 1", "as in"),
        ("source: {dataset: a, columns: {model: 5}}", "2: `source.columns.model`: `5`,", "as in"),
        ("source: a\nresponses: {}", "3: `responses`: it has no meaning beside", "remove it"),
        ("source: a\ninstructions: {rows: 5}", "3: `instructions`: it has no meaning", "remove"),
        ("source:", "1: `generator`: missing, expected a value", "as in `generator: {model: "),
    ],
)
def test_messages_of_sources(text: str, message: str, hint: str, tmp_path: Path) -> None:
    """A fault in a source does, too."""
    told("repo: org/x\n" + text, message, hint, tmp_path)


def told(text: str, message: str, hint: str, folder: Path) -> None:
    """Load a spec that is wrong, and check what is said of it."""
    path = folder / "s.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load(str(path))
    assert caught.value.message.startswith(f"{path}:{message}")
    assert hint in caught.value.hint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("written", "files", "dataset"),
    [
        ("rows.jsonl", ["rows.jsonl"], None),
        ("rows.csv.gz", ["rows.csv.gz"], None),
        ("rows/*", ["rows/*"], None),
        (["a.json", "b.parquet"], ["a.json", "b.parquet"], None),
        ("org/rows", None, "org/rows"),
        ("./folder", None, "./folder"),
        ({"dataset": "org/rows"}, None, "org/rows"),
    ],
)
def test_a_source_is_files_or_a_dataset(written: Any, files: Any, dataset: Any) -> None:
    """What looks like files is files, anything else is what `load_dataset` opens."""
    source = Spec.model_validate({"repo": "org/x", "source": written}).source

    assert source is not None
    assert (source.files, source.dataset, source.split) == (files, dataset, "train")


KEYS = st.sampled_from([*sorted(EXAMPLES), "mood", "a b"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "quality", "x.md"]),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.sampled_from(["tags", "source", "judge", "generator"]), value=VALUES)
def test_whatever_stands_there_is_a_spec_or_an_error(
    tmp_path: Path, key: str, value: object
) -> None:
    """Keys in wrong places and values of wrong kinds never end in anything but a SpecError."""
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump({"repo": "org/x", "generator": {"model": "m"}} | {key: value}))

    ended = ending(str(path))

    if isinstance(ended, SpecError):
        assert ended.message.startswith(f"{path}:")
        assert ended.hint
    else:
        assert ended.repo == "org/x"


def ending(path: str) -> Spec | SpecError:
    """Return what loading a spec ends in; any other exception is the caller's failure."""
    try:
        return load(path)
    except SpecError as error:
        return error

"""The first spec that a person gets to edit."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub.errors import SpecError
from magpie_hub.spec import presets
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from magpie_hub.spec.starter import starter


def loaded(text: str, folder: Path) -> Spec:
    """Return the spec that `text`, written to a file, loads as."""
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    return load(str(folder / "s.yaml"))


@pytest.mark.parametrize(
    ("model", "repo"),
    [
        ("meta-llama/Llama-3.1-8B@5fcb290", "org/magpie-llama-3.1-8b"),
        ("./My Models/a: b #1.gguf", "org/magpie-a-b-1"),
        ("~/x.gguf", "org/magpie-x"),
        ("/w/...git", "org/magpie-git"),
        ("..", "org/magpie-model"),
        ("./😀 {x}", "org/magpie-x"),
    ],
)
def test_a_starter_loads(model: str, repo: str, tmp_path: Path) -> None:
    """The text is a spec for that model, with a repository's name made from it."""
    spec = loaded(starter(model, None), tmp_path)

    assert (spec.generator.model, spec.repo) == (model, repo)


def test_keys_that_are_left_out(tmp_path: Path) -> None:
    """What stands there as a comment is right as well, once the mark is taken away."""
    text = starter(None, None).replace("# license:", "license:").replace("# card:", "card:")

    spec = loaded(text, tmp_path)

    assert (spec.license, spec.card.samples) == ("apache-2.0", "unscreened")


def test_without_a_model(tmp_path: Path) -> None:
    """The placeholder is a model that runs as it stands."""
    text = starter(None, None)

    assert loaded(text, tmp_path).generator.model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert "NAME.gguf" not in text


def test_a_model_without_a_known_file() -> None:
    """A model that is no GGUF goes to vLLM; the comment says what else could run it."""
    text = starter("org/m", None)
    assert "engine: {name: vllm}" in text
    assert "{name: llama_cpp, file: NAME.gguf}" in text
    assert "engine: {name: llama_cpp}" in starter("./m.gguf", None)


@pytest.mark.parametrize("preset", presets.names())
def test_from_a_preset(preset: str, tmp_path: Path) -> None:
    """A preset is copied with its comments; another model takes its place and changes no more."""
    text = presets.path(preset).read_text(encoding="utf-8")
    assert starter(None, preset) == text

    other = "./other.gguf" if preset == "smollm2" else "org/other"
    changed = starter(other, preset)
    assert loaded(changed, tmp_path).generator.model == other
    pairs = zip(text.splitlines(), changed.splitlines(), strict=True)
    assert sum(before != after for before, after in pairs) == 1


@pytest.mark.parametrize(
    ("preset", "model", "expected"),
    [("smollm2", "Qwen/Qwen2.5-7B-Instruct", "a `.gguf` file"), ("pro", "./x.gguf", "a Hub id")],
)
def test_a_model_that_a_presets_engine_does_not_open(
    preset: str, model: str, expected: str
) -> None:
    """It is refused before a spec is written that would fail."""
    with pytest.raises(SpecError, match=f"`{model}` .* `{preset}`, expected {expected}"):
        starter(model, preset)


@pytest.mark.parametrize("model", ["", "a\nb", "a\x1b", "\ud800"])
def test_names_that_cannot_be_written(model: str) -> None:
    """A name with control characters is refused instead of written."""
    with pytest.raises(SpecError, match="expected a Hub id or a path"):
        starter(model, None)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(model=st.text() | st.text("a./-@git{}'\"#:& ").map(lambda tail: f"org/{tail}"))
def test_any_model(model: str, tmp_path: Path) -> None:
    """Any name either comes back from the written spec as it was, or is refused."""
    try:
        text = starter(model, None)
    except SpecError:
        assert not model or not model.isprintable()
    else:
        assert loaded(text, tmp_path).generator.model == model

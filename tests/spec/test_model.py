"""What a spec may hold, beyond types: names, defaults, and what is filled in."""

import pytest
from pydantic import ValidationError

from magpie_hub.spec.model import Config, Spec

SHORTEST = {"repo": "org/x", "generator": {"model": "org/m"}}


def test_the_shortest_spec_is_whole() -> None:
    """Two keys are a spec: everything else has a default, and `raw` is built."""
    spec = Spec.model_validate(SHORTEST)

    assert spec.generator.engine.name == "llama_cpp"
    assert spec.active_configs == {"raw": Config()}
    assert spec.default_config == "raw"


def test_an_engine_is_a_name_or_a_map() -> None:
    """Keys besides `name` are the engine's own and are kept as written."""
    by_name = Spec.model_validate(SHORTEST | {"generator": {"model": "m", "engine": "vllm"}})
    engine = {"name": "vllm", "tensor_parallel_size": 4}
    by_map = Spec.model_validate(SHORTEST | {"generator": {"model": "m", "engine": engine}})

    assert (by_name.generator.engine.name, by_name.generator.engine.options) == ("vllm", {})
    assert by_map.generator.engine.options == {"tensor_parallel_size": 4}


def test_configs() -> None:
    """`raw: false` switches the one config off that is there unasked; `default` is obeyed."""
    configs = {"raw": False, "a": {}, "b": {"filter": "finished", "default": True}}
    spec = Spec.model_validate(SHORTEST | {"configs": configs})

    assert list(spec.active_configs) == ["a", "b"]
    assert spec.default_config == "b"


@pytest.mark.parametrize(
    "repo", ["x", "a/b/c", "../x", "a/..", "a/b..c", "a/b--c", "a/b.git", "a/-b", "a/b.", "a/b\n"]
)
def test_repositories_that_the_hub_refuses(repo: str) -> None:
    """A name that the Hub would refuse after a day's work is refused at once."""
    with pytest.raises(ValidationError, match="is no repository"):
        Spec.model_validate(SHORTEST | {"repo": repo})


@pytest.mark.parametrize("name", ["data", "..", "a/b", "-a", "a ", "", "ä", "x" * 97])
def test_config_names(name: str) -> None:
    """A config's name becomes a folder's name, so that it may hold nothing odd."""
    with pytest.raises(ValidationError, match="is no config name"):
        Spec.model_validate(SHORTEST | {"configs": {name: {}}})


@pytest.mark.parametrize("temperature", [True, "0.5", float("nan"), -1, 5.1])
def test_numbers_are_numbers(temperature: object) -> None:
    """Neither a boolean nor text passes for a temperature."""
    with pytest.raises(ValidationError):
        Spec.model_validate(SHORTEST | {"responses": {"temperature": temperature}})


def test_fault_names_the_line() -> None:
    """Rooms above report their own findings at the key's place in the file."""
    spec = Spec.model_validate(SHORTEST)
    spec._file, spec._lines = "s.yaml", {"configs": 5}

    error = spec.fault("configs.raw.filter", "`x` is no filter", hint="use `finished`")

    assert error.message == "s.yaml:5: `configs.raw.filter`: `x` is no filter"

"""What a spec may hold, beyond types: names, defaults, and what is filled in."""

import pytest
from pydantic import ValidationError

from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec

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


CONFIGS = {
    "raw": {},
    "best": {"filter": "finished", "size": 10},
    "talks": {"from": "best", "turns": 3},
    "pairs": {"from": "raw", "samples": 5, "test": 0.1},
}


def test_kinds_of_configs() -> None:
    """What a config is extended by decides its kind; a number alone will do."""
    spec = Spec.model_validate(SHORTEST | {"configs": CONFIGS})
    kinds = {name: spec.kind_of(config) for name, config in spec.active_configs.items()}
    assert kinds == {"raw": "sft", "best": "sft", "talks": "multi-turn", "pairs": "preference"}
    assert spec.active_configs["talks"].turns.number == 3
    assert spec.active_configs["pairs"].samples.temperature == 0.8


@pytest.mark.parametrize(
    ("configs", "expected"),
    [
        ({"a": {"from": "b"}}, "configs.a.from: `b`, expected one of `raw`, `a`"),
        ({"a": {"from": "b"}, "b": {"from": "a"}}, "configs.b.from: `a` is made of this config"),
        ({"a": {"from": "a"}}, "configs.a.from: `a` is made of this config"),
        (CONFIGS | {"a": {"from": "talks"}}, "configs.a.from: `talks` has extensions of its own"),
        ({"a": {"turns": 2, "samples": 2}}, "configs.a.samples: it stands beside `turns`"),
        ({"a": {"test": 0.1}}, "configs.a.test: it has no meaning without `samples`"),
        ({"a": {"turns": {"number": 2, "at_least": 3}}}, "configs.a.turns.at_least: `3`, expected"),
        ({"a": {"answers": "qwq"}}, "configs.a.answers: `qwq`, expected one of `default`"),
    ],
)
def test_what_configs_cannot_say(configs: dict[str, object], expected: str) -> None:
    """A config that contradicts another, or itself, is refused by the place of the key."""
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(SHORTEST | {"configs": configs})
    [fault] = caught.value.errors()
    assert f"{fault['ctx']['path']}: {fault['msg']}".startswith(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"until": {"config": "raw", "rows": 5}}, "instructions.at_most: missing"),
        ({"at_most": 5}, "instructions.until: missing"),
        ({"rows": 7, "until": {"config": "raw", "rows": 5}, "at_most": 9}, "instructions.rows: it"),
        ({"rows": 1000, "until": {"config": "raw", "rows": 5}, "at_most": 9}, "instructions.rows:"),
        ({"until": {"config": "x", "rows": 5}, "at_most": 9}, "instructions.until.config: `x`"),
        ({"sampling": "big-grid"}, "instructions.sampling: `big-grid`, expected one of `air-grid`"),
        ({"system_prompts": [1]}, "instructions.system_prompts: `[1]`, expected"),
        ({"system_prompts": {"none": {"text": "x"}}}, "instructions.system_prompts.none: `none`"),
        (
            {"system_prompts": ["code", "code"]},
            "instructions.system_prompts: `code` is there twice",
        ),
    ],
)
def test_what_draws_cannot_say(given: dict[str, object], expected: str) -> None:
    """What is drawn ends somewhere, goes by a grid that there is, and prompts have names."""
    with pytest.raises(ValidationError) as caught:
        Spec.model_validate(SHORTEST | {"instructions": given})
    [fault] = caught.value.errors()
    assert f"{fault['ctx']['path']}: {fault['msg']}".startswith(expected)


@pytest.mark.parametrize("extension", [{"turns": 2}, {"samples": 2}])
def test_nobody_goes_on_with_rows_of_others(extension: dict[str, object]) -> None:
    """Rows of a source have no generator that could be asked for more."""
    configs = {"more": {"from": "raw"} | extension}
    with pytest.raises(ValidationError, match="needs a `generator` to ask"):
        Spec.model_validate({"repo": "org/x", "source": "rows.jsonl", "configs": configs})


def test_answer_sets() -> None:
    """A map is the one answer set; of a list each has a name, and may have a model of its own."""
    lone = Spec.model_validate(SHORTEST | {"responses": {"temperature": 0}})
    sets = [{"name": "own"}, {"name": "qwq", "model": "org/qwq", "engine": "vllm"}]
    many = Spec.model_validate(SHORTEST | {"responses": sets})

    assert [answers.name for answers in lone.responses] == ["default"]
    assert [a.answered_by(many.drawn_from).model for a in many.responses] == ["org/m", "org/qwq"]
    with pytest.raises(ValidationError, match="names two answer sets"):
        Spec.model_validate(SHORTEST | {"responses": [{"name": "a"}, {"name": "a"}]})
    with pytest.raises(ValidationError, match="`default` is not the first answer set"):
        Spec.model_validate(SHORTEST | {"responses": [{"name": "a"}, {}]})
    with pytest.raises(ValidationError, match="no meaning without a `model`"):
        Spec.model_validate(SHORTEST | {"responses": {"engine": "vllm"}})


def test_what_a_chat_template_is_given() -> None:
    """Plain values by name, for each model that writes rows; what the generator answers has its."""
    sets = [{"name": "own"}, {"name": "qwq", "model": "q", "chat_template_kwargs": {"level": 2}}]
    generator = {"model": "m", "chat_template_kwargs": {"enable_thinking": False}}
    spec = Spec.model_validate(SHORTEST | {"generator": generator, "responses": sets})
    given = [spec.writer_of(answers)[1].chat_template_kwargs for answers in spec.responses]
    assert given == [{"enable_thinking": False}, {"level": 2}]
    for lone in ({"a": [1]}, {"a": None}, "enable_thinking"):
        with pytest.raises(ValidationError):
            Spec.model_validate(
                SHORTEST | {"generator": {"model": "m", "chat_template_kwargs": lone}}
            )
    with pytest.raises(ValidationError, match="no meaning without a `model`"):
        Spec.model_validate(SHORTEST | {"responses": {"chat_template_kwargs": {"a": 1}}})


def test_a_config_is_made_of_rows_of_its_own_answers() -> None:
    """`from` names a config of the same answer set, whichever of the two leaves the set out."""
    sets = {"responses": [{"name": "own"}, {"name": "qwq", "model": "org/qwq"}]}
    both = {"a": {"answers": "qwq"}, "b": {"from": "a", "answers": "qwq"}, "c": {"from": "raw"}}
    spec = Spec.model_validate(SHORTEST | sets | {"configs": both})
    assert [answers.name for answers in spec.used_answers] == ["own", "qwq"]
    places = [spec.writer_of(answers)[0] for answers in spec.responses]
    assert places == ["generator", "responses.1"]

    for config, theirs, ours in (
        ({"from": "raw", "answers": "qwq"}, "raw` has the answers `own`", "qwq"),
        ({"from": "a"}, "a` has the answers `qwq`", "own"),
    ):
        configs = {"a": {"answers": "qwq"}, "b": config}
        with pytest.raises(ValidationError, match=f"{theirs}, expected a config of `{ours}`"):
            Spec.model_validate(SHORTEST | sets | {"configs": configs})

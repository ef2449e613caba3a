"""Which model makes which tag, what it is pinned by, and what is refused before it is opened."""

from pathlib import Path
from typing import Any

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.run.judges import Pin, adapter_of, check_options, makers, need, pin, stop_ids
from magpie_hub.run.models import check
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from magpie_hub.tag.base_response import BaseResponse
from magpie_hub.tag.judge import question
from magpie_hub.tag.safety import ADAPTERS
from magpie_hub.tag.schemas import longest
from tests.making import spec_file

SCRIPTED = {"model": "judge", "engine": "scripted"}
TO_SCORE = {"model": "org/reward", "engine": "vllm"}


@pytest.fixture
def spec(tmp_path: Path) -> Any:
    """Write and load a spec: `spec(tags=..., judge=...)`."""

    def make(**changes: object) -> Spec:
        return load(str(spec_file(tmp_path, 20, **{"configs": {}, **changes})))

    return make


def test_who_judges(spec: Any) -> None:
    """A tag's own judge comes before the spec's, and that before the generator."""
    tags = {"lengths": {}, "quality": {"judge": SCRIPTED | {"model": "own"}}, "category": {}}
    found = makers(spec(tags=tags, judge=SCRIPTED))
    assert {name: maker.name for name, maker in found.items()} == {
        "quality": "own",
        "category": "judge",
    }
    assert [maker.place for maker in found.values()] == ["tags.quality.judge", "judge"]
    assert makers(spec(tags=["category"]))["category"].place == "generator"


def test_what_comes_with_a_reward(spec: Any) -> None:
    """A reward with a base model needs its answers and a second score, from the two models."""
    reward = TO_SCORE | {"base": {"model": "org/base@main", "engine": "vllm"}}
    found = makers(spec(tags={"reward": reward, "safety": {}}))
    assert {name: (maker.role, maker.name) for name, maker in found.items()} == {
        "safety": ("guard", "meta-llama/Llama-Guard-3-8B"),
        "reward": ("reward", "org/reward"),
        "base_response": ("base", "org/base"),
        "base_reward": ("reward", "org/reward"),
    }
    assert found["reward"].key == found["base_reward"].key
    assert len({maker.key for maker in found.values()}) == 3


def test_nobody_judges(tmp_path: Path) -> None:
    """Imported rows have no generator to fall back on: that a judge is missing is said at once."""
    path = tmp_path / "tiny.yaml"
    path.write_text("{repo: org/t, source: rows.jsonl, tags: [quality]}")
    with pytest.raises(SpecError, match="needs a judge, and nothing names one") as caught:
        makers(load(str(path)))
    assert "judge: {model" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "where", "why"),
    [
        (
            {"judge": {"model": "j", "engine": "script"}},
            "`judge.engine`",
            "engine `script` is not known",
        ),
        (
            {"judge": {"model": "j", "engine": {"name": "scripted", "garbeld": 1}}},
            "`judge.engine`",
            "no option `garbeld`",
        ),
        (
            {"tags": {"quality": {"judge": {"model": "j", "engine": "nix"}}}},
            "`tags.quality.judge.engine`",
            "engine `nix` is not known",
        ),
        (
            {"tags": {"safety": {"engine": {"name": "scripted", "capacity": 0}}}},
            "`tags.safety.engine`",
            "`capacity`",
        ),
        ({"tags": {"reward": {"engine": "llama_cpp"}}}, "`tags.reward.engine`", "cannot score"),
        (
            {"tags": {"reward": TO_SCORE | {"base": {"model": "b", "engine": "nix"}}}},
            "`tags.reward.base.engine`",
            "engine `nix` is not known",
        ),
    ],
)
def test_a_wrong_engine_is_refused_where_it_stands(
    spec: Any, changes: dict[str, object], where: str, why: str
) -> None:
    """An unknown engine or option of a tag's model names its place in the spec."""
    with pytest.raises(SpecError) as caught:
        check_options(spec(**{"tags": ["quality"], **changes}))
    assert where in caught.value.message
    assert why in caught.value.message


def test_adapters(spec: Any) -> None:
    """A guard's adapter is one of ours by name, or the spec's own as data."""
    assert adapter_of(spec(tags=["safety"])) is ADAPTERS["llama-guard"]
    own = {"safe": "no", "unsafe": "yes(?P<categories>)", "content": "parts"}
    adapter = adapter_of(spec(tags={"safety": {"adapter": own}}))
    assert (adapter.safe, adapter.content, adapter.max_tokens) == ("no", "parts", 32)
    with pytest.raises(SpecError, match="there is no adapter `lama-guard`"):
        adapter_of(spec(tags={"safety": {"adapter": "lama-guard"}}))


def test_needs(spec: Any) -> None:
    """The context must hold the longest answer that a model may give to its tag."""
    reward = TO_SCORE | {"base": {"model": "org/base", "engine": "vllm"}}
    given = spec(tags={"quality": {}, "reward": reward}, judge=SCRIPTED)
    needs = {name: need(given, name, maker) for name, maker in makers(given).items()}
    assert needs["quality"].most == longest(question("quality").schema)
    assert needs["base_response"].most == BaseResponse.max_tokens
    assert needs["base_response"].base
    assert not needs["quality"].base


def test_pins(spec: Any) -> None:
    """A pin holds the template's texts around the words, and survives run.json."""
    given = spec(tags={"quality": {}, "safety": {**SCRIPTED}}, judge=SCRIPTED)
    found = {}
    for name, maker in makers(given).items():
        [model] = check([need(given, name, maker)], date="2026-11-22")
        found[name] = pin(maker, model)
        assert Pin.from_json(found[name].to_json()) == found[name]
    head = "<|im_start|>system\nYou follow a script.<|im_end|>\n<|im_start|>user\n"
    turn = "<|im_end|>\n<|im_start|>assistant\n"
    assert found["quality"].texts == (head, turn)
    assert found["safety"].texts == (head, turn, turn)
    assert found["quality"].revision == "scripted"


def test_what_ends_an_answer() -> None:
    """Texts of one token end an answer; of several, as in a model without such a mark, none do."""
    ids = {"<end>": [7], "</s>": [8], "\nUser:": [1, 2, 3]}
    pinned = Pin("r", None, (), ("<end>", "\nUser:", "</s>"), ())
    assert stop_ids(pinned, ids.__getitem__) == (7, 8)

"""What licences ask of a dataset, and the gate that a spec passes before it is published."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from magpie_hub.card.families import COMMON, FAMILIES
from magpie_hub.card.licences import HUB_LICENCES, check, family, writers
from magpie_hub.errors import SpecError
from magpie_hub.spec.card import Licence as Own
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec

QWEN = "Qwen License Agreement"
TONGYI = "Tongyi Qianwen License Agreement"
DEEPSEEK = "DeepSeek License Agreement"
MISTRAL = "Mistral AI Research License"

OF_MAGPIE = {
    "meta-llama/Meta-Llama-3-8B-Instruct": "llama3",
    "meta-llama/Meta-Llama-3-70B-Instruct": "llama3",
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "llama3.1",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "llama3.1",
    "meta-llama/Meta-Llama-3.1-405B-Instruct": "llama3.1",
    "meta-llama/Llama-3.3-70B-Instruct": "llama3.3",
    "Qwen/Qwen2-1.5B-Instruct": "apache-2.0",
    "Qwen/Qwen2-7B-Instruct": "apache-2.0",
    "Qwen/Qwen2-72B-Instruct": TONGYI,
    "Qwen/Qwen2-Math-7B-Instruct": "apache-2.0",
    "Qwen/Qwen1.5-7B-Chat": TONGYI,
    "Qwen/Qwen2.5-1.5B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-3B-Instruct": "Qwen Research License Agreement",
    "Qwen/Qwen2.5-7B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-14B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-32B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-72B-Instruct": QWEN,
    "Qwen/Qwen2.5-Coder-7B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-Coder-32B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-Math-72B-Instruct": QWEN,
    "google/gemma-1.1-7b-it": "gemma",
    "google/gemma-2-2b-it": "gemma",
    "google/gemma-2-9b-it": "gemma",
    "google/gemma-2-27b-it": "gemma",
    "microsoft/Phi-3-mini-128k-instruct": "mit",
    "microsoft/Phi-3-small-128k-instruct": "mit",
    "microsoft/Phi-3-medium-128k-instruct": "mit",
    "microsoft/Phi-3.5-mini-instruct": "mit",
    "mistralai/Mistral-7B-Instruct-v0.3": "apache-2.0",
    "meta-llama/Llama-2-7b-chat-hf": "llama2",
    "lmsys/vicuna-7b-v1.5": "llama2",
    "NousResearch/Nous-Hermes-llama-2-7b": "llama2",
    "01-ai/Yi-1.5-34B-Chat": "apache-2.0",
    "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct": DEEPSEEK,
}
"""The generators that Magpie's own configuration names."""

OTHERS = {
    "meta-llama/Llama-3.2-3B-Instruct": "llama3.2",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": "llama4",
    "deepseek-ai/DeepSeek-R1": "mit",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-8B": "llama3.1",
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": "llama3.3",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B": "mit",
    "deepseek-ai/DeepSeek-V3": DEEPSEEK,
    "deepseek-ai/DeepSeek-V3-0324": "mit",
    "NousResearch/Hermes-3-Llama-3.1-8B": "llama3.1",
    "NousResearch/Hermes-2-Pro-Llama-3-8B": "llama3",
    "Qwen/Qwen1.5-1.8B-Chat": "Tongyi Qianwen Research License Agreement",
    "Qwen/Qwen3-8B": "apache-2.0",
    "Qwen/QwQ-32B": "apache-2.0",
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "apache-2.0",
    "mistralai/Mistral-Large-Instruct-2411": MISTRAL,
    "mistralai/Mistral-Small-24B-Instruct-2501": "apache-2.0",
    "mistralai/Mistral-Small-Instruct-2409": MISTRAL,
    "google/gemma-3-27b-it": "gemma",
    "HuggingFaceH4/zephyr-7b-beta": "mit",
    "HuggingFaceTB/SmolLM2-135M-Instruct": "apache-2.0",
    "openai/gpt-oss-20b": "apache-2.0",
    "CohereForAI/c4ai-command-r-v01": "cc-by-nc-4.0",
    "zai-org/glm-4-9b-chat": "GLM-4 License",
    "THUDM/GLM-4-9B-0414": "mit",
    "ibm-granite/granite-3.1-8b-instruct": "apache-2.0",
    "allenai/OLMo-2-1124-7B-Instruct": "apache-2.0",
    "scripted": "cc0-1.0",
    "meta-llama/Meta-Llama-3-8B-Instruct@5fcb290": "llama3",
    "META-LLAMA/META-LLAMA-3-8B-INSTRUCT": "llama3",
}


@pytest.mark.parametrize(("model", "expected"), [*OF_MAGPIE.items(), *OTHERS.items()])
def test_a_known_model(model: str, expected: str) -> None:
    """A model's licence goes by its version and size; a revision and capitals change nothing."""
    licence = family(model, {})

    assert licence is not None
    assert expected == (licence.name if licence.license == "other" else licence.license)


@pytest.mark.parametrize(
    "model",
    [
        *("org/my-llama-3.1-8b", "someone/Qwen2.5-7B-Instruct-uncensored", "Qwen/Qwen9-7B", "m"),
        *("./meta-llama/llama-3.1-8b", "/x/scripted", "scripted.gguf", "Qwen/Qwen2.5-VL-7B", ""),
    ],
)
def test_an_unknown_model(model: str) -> None:
    """A name that resembles a known one is no proof, and a path says nothing."""
    assert family(model, {}) is None


def test_the_table_is_sound() -> None:
    """Every licence is the Hub's, allows itself, and holds for ids that are in lower case."""
    for licence, pattern in FAMILIES:
        allowed = licence.allows or (licence.license,)
        assert licence.license in allowed
        assert {*allowed} <= HUB_LICENCES
        assert pattern == pattern.lower()
        assert family(pattern.replace("[0-9]", "7").replace("[12]", "1"), {}), pattern
    assert all(name == licence.license for name, licence in COMMON.items())


def test_own_licences_come_first() -> None:
    """Of the spec's own the first that fits holds, for paths as well; then what we know."""
    own = {
        "Org/M": Own(license="cc-by-4.0", allows=["cc-by-4.0"], link="https://x.org"),
        "meta-llama/*": Own(license="other", notice="Hi"),
        "./m*": Own(license="mit"),
        "org/*": Own(license="llama3.1", restriction="None."),
    }

    def named(model: str) -> tuple[Any, ...]:
        found = family(model, own)
        return found and (found.license, found.notice, found.restriction, found.allows)

    assert named("org/m@abc") == ("cc-by-4.0", None, None, ("cc-by-4.0",))
    assert named("meta-llama/Meta-Llama-3-8B-Instruct") == ("other", "Hi", None, None)
    assert named("./models/m") == ("mit", None, None, None)
    assert named("Qwen/Qwen2-7B-Instruct") == ("apache-2.0", None, None, None)
    # What is left open is what is known of that licence.
    assert named("org/n")[1:] == (COMMON["llama3.1"].notice, "None.", ("llama3.1", "other"))


def test_a_name_for_the_hub() -> None:
    """What the Hub has no identifier for gets one that is made of its name."""
    assert COMMON["llama3.1"].identifier == "llama-3.1-community-license"
    assert family("internlm/internlm2_5-7b-chat", {}).identifier == "internlm-license"


def spec(folder: Path, **keys: Any) -> Spec:
    """Return a spec of `org/x`, loaded from a file, with one key a line."""
    made_by = {} if "source" in keys else {"generator": {"model": "scripted"}}
    text = "".join(
        f"{k}: {yaml.safe_dump(v, default_flow_style=True, width=999).splitlines()[0]}\n"
        for k, v in ({"repo": "org/x"} | made_by | keys).items()
    )
    (folder / "s.yaml").write_text(text)
    return load(str(folder / "s.yaml"))


def refused(spec: Spec) -> SpecError:
    """Return the error that a spec is refused with."""
    with pytest.raises(SpecError) as caught:
        check(spec)
    return caught.value


LLAMA = {"model": "meta-llama/Llama-3.1-8B-Instruct"}
GEMMA = {"model": "google/gemma-2-9b-it"}
SMOL = {"model": "HuggingFaceTB/SmolLM2-135M-Instruct"}
BASE = {"model": "meta-llama/Meta-Llama-3-8B"}


@pytest.mark.parametrize(
    "keys",
    [
        {"generator": LLAMA, "license": "llama3.1"},
        {"generator": LLAMA, "license": "other"},
        {"generator": SMOL, "license": "cc-by-4.0"},
        {"generator": SMOL, "judge": LLAMA, "license": "apache-2.0"},
        {"generator": LLAMA, "judge": GEMMA, "tags": ["quality"], "license": "other"},
        {"generator": {"model": "gpt", "engine": "scripted"}, "license": "mit"},
        {"generator": SMOL, "tags": {"reward": {}, "safety": {}}, "license": "mit"},
        {"source": "org/rows", "license": "odc-by"},
        {
            "generator": {"model": "./m"},
            "license": "mit",
            "card": {"licences": {"./m": {"license": "apache-2.0"}}},
        },
    ],
)
def test_what_passes(keys: dict[str, Any], tmp_path: Path) -> None:
    """A licence that all models allow whose words are published; no other models are asked."""
    check(spec(tmp_path, **keys))


@pytest.mark.parametrize(
    ("keys", "line", "message", "hint"),
    [
        (
            {"generator": LLAMA},
            1,
            "`license`: missing, expected the",
            "`license: llama3.1`, which suits `meta-llama",
        ),
        ({"generator": SMOL}, 1, "`license`: missing", "apache-2.0`, which suits `HuggingFaceTB"),
        ({"source": "org/rows"}, 1, "`license`: missing", "for example `license: other`"),
        (
            {"generator": LLAMA, "judge": GEMMA, "tags": ["quality"]},
            1,
            "`license`: missing",
            "`license: other`, which",
        ),
        (
            {"license": "Apache2.0"},
            3,
            "`license`: `Apache2.0` is no licence that the Hub knows",
            "did you mean `apache-2.0`? What the Hub has no name for is `other`",
        ),
        (
            {"generator": LLAMA, "license": "mit"},
            3,
            "`license`: `mit`, but `meta-llama/Llama-3.1-8B-Instruct` writes text that",
            "write `license: llama3.1`, or state what else",
        ),
        (
            {"license": "mit", "judge": GEMMA, "tags": ["difficulty"]},
            3,
            "`license`: `mit`, but `google/gemma-2-9b-it` writes",
            "write `license: gemma`, or",
        ),
        (
            {"generator": SMOL, "license": "mit", "tags": {"quality": {"judge": GEMMA}}},
            3,
            "`license`: `mit`, but `google/gemma-2-9b-it`",
            "",
        ),
        (
            {"source": "org/rows", "license": "mit", "tags": {"reward": {"base": BASE}}},
            3,
            "`license`: `mit`, but `meta-llama/Meta-Llama-3-8B` writes",
            "",
        ),
        (
            {"generator": {"model": "org/m@v1"}, "license": "mit"},
            2,
            "`generator.model`: the licence of `org/m@v1` is not known",
            '`card: {licences: {"org/m": {license: ...}}}`',
        ),
        (
            {"generator": {"model": "./m"}, "license": "mit"},
            2,
            "`generator.model`: the licence of `./m` is not known",
            '{licences: {"./m": {license: ...}}}`',
        ),
        (
            {"license": "mit", "card": {"licences": {"a/b": {"license": "Qwen"}}}},
            4,
            "`card.licences.a/b.license`: `Qwen` is no licence that the Hub knows",
            "is `other`",
        ),
        (
            {"license": "mit", "card": {"licences": {"a/b": {"license": "mit", "allows": ["x"]}}}},
            4,
            "`card.licences.a/b.allows`: `x` is no licence",
            "",
        ),
    ],
)
def test_what_is_refused(
    keys: dict[str, Any], line: int, message: str, hint: str, tmp_path: Path
) -> None:
    """Both sides of a conflict are named with the key's line; the hint names what would do."""
    error = refused(spec(tmp_path, **keys))

    assert error.message.startswith(f"{tmp_path}/s.yaml:{line}: {message}")
    assert hint in error.hint


def test_own_terms_that_nothing_satisfies(tmp_path: Path) -> None:
    """Where the models' terms exclude each other, no licence is proposed."""
    only = {"license": "cc-by-4.0", "allows": ["cc-by-4.0"]}
    keys = {"generator": LLAMA, "judge": {"model": "a/b"}, "tags": ["quality"]}
    keys |= {"license": "cc-by-4.0", "card": {"licences": {"a/b": only}}}

    error = refused(spec(tmp_path, **keys))

    assert error.message.endswith(
        "`license`: `cc-by-4.0`, but `meta-llama/Llama-3.1-8B-Instruct` writes text that is"
        " published, and its licence (Llama 3.1 Community License) asks for one of `llama3.1`,"
        " `other`"
    )
    assert error.hint == "state what else is agreed under `card: {licences: ...}`"


def test_who_writes(tmp_path: Path) -> None:
    """Generator, judges and base model, each at its key; a judge that nothing asks is left out."""
    mood = {"prompt": "x", "schema": {"properties": {"mood": {"enum": ["good"]}}}}
    tags = {"quality": {}, "mood": mood | {"judge": GEMMA}, "reward": {"base": BASE}, "safety": {}}

    found = writers(spec(tmp_path, judge=LLAMA, tags=tags))

    assert {place: model.model for place, model in found.items()} == {
        "generator": "scripted",
        "judge": LLAMA["model"],
        "tags.mood.judge": GEMMA["model"],
        "tags.reward.base": BASE["model"],
    }
    assert list(writers(spec(tmp_path, judge=LLAMA, source="org/rows"))) == []


def test_who_answers(tmp_path: Path) -> None:
    """Models that answer write, too, each at its key; a set that no config takes is left out."""
    sets = [{"name": "own"}, {"name": "a", **GEMMA}, {"name": "b", **LLAMA}]
    found = writers(spec(tmp_path, responses=sets, configs={"x": {"answers": "a"}}))
    assert [*found] == ["generator", "responses.1"]
    assert found["responses.1"].model == GEMMA["model"]
    error = refused(spec(tmp_path, license="mit", responses={"model": "a/b"}))
    assert "`responses.model`: the licence of `a/b` is not known" in error.message

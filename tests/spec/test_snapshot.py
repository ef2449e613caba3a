"""What a run remembers of its spec."""

import json
from typing import Any

import pytest

from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import fingerprint, model_name, population, public, snapshot


def taken(**keys: Any) -> dict[str, Any]:
    """Return the snapshot of the shortest spec with `keys` added."""
    given = {"repo": "org/x", "generator": {"model": "org/m"}} | keys
    return snapshot(Spec.model_validate(given))


def test_every_default_is_written_out() -> None:
    """A snapshot says the same after a default changes in a later version."""
    assert taken() == {
        "repo": "org/x",
        "license": None,
        "seed": 0,
        "generator": {"model": "org/m", "engine": {"name": "llama_cpp"}},
        "instructions": {
            "rows": 1000,
            "sampling": [{"temperature": 1.0, "top_p": 1.0, "weight": 1}],
            "max_tokens": 1024,
        },
        "responses": {"temperature": None, "top_p": None, "max_tokens": 4096, "reasoning": "drop"},
        "tags": ["lengths", "language"],
        "configs": {"raw": {"filter": None, "default": False}},
    }
    assert json.loads(json.dumps(taken())) == taken()


def test_how_it_is_written_makes_no_difference() -> None:
    """`engine: NAME`, whole numbers for decimal ones and a written `raw` change nothing."""
    short = taken(responses={"temperature": 0}, generator={"model": "m", "engine": "vllm"})
    long = taken(
        generator={"engine": {"name": "vllm"}, "model": "m"},
        configs={"raw": {}},
        responses={"temperature": 0.0},
    )

    assert short == long
    assert fingerprint(short) == fingerprint(long)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("org/m@5fcb290", "org/m@5fcb290"),
        ("/data/m", "<private>"),
        ("./m", "<private>"),
        ("~/m", "<private>"),
        ("m.gguf", "<private>"),
        ("models/llama/8b", "<private>"),
    ],
)
def test_public_models(model: str, expected: str) -> None:
    """A Hub id is published, a path of somebody's machine is not."""
    before = taken(generator={"model": model})

    assert public(before)["generator"]["model"] == expected
    assert before["generator"]["model"] == model


def test_public_engine_options() -> None:
    """Paths, addresses and transcripts are hidden wherever they stand among the options."""
    engine = {
        "name": "server",
        "parallel": 8,
        "urls": ["http://gpu7:8000", "x"],
        "cache": {"folder": "/scratch/me"},
        "transcript": "asked.jsonl",
        "api_key": "MY_KEY",
    }

    assert public(taken(generator={"model": "m", "engine": engine}))["generator"]["engine"] == {
        "name": "server",
        "parallel": 8,
        "urls": ["<private>", "x"],
        "cache": {"folder": "<private>"},
        "transcript": "<private>",
        "api_key": "<private>",
    }


def test_the_model_as_rows_name_it() -> None:
    """A revision is no part of the name, and a path is not told."""
    named = {"org/m": "org/m", "org/m@abc": "org/m", "./m.gguf": "<private>"}
    for model, name in named.items():
        spec = Spec.model_validate({"repo": "a/b", "generator": {"model": model}})
        assert model_name(spec) == name


def test_population() -> None:
    """What makes rows comparable is the draw and the answer, not size, engine or selection."""
    assert population(taken(instructions={"max_tokens": 64})) == {
        "repo": "org/x",
        "seed": 0,
        "generator.model": "org/m",
        "instructions.sampling.0.temperature": 1.0,
        "instructions.sampling.0.top_p": 1.0,
        "instructions.sampling.0.weight": 1,
        "instructions.max_tokens": 64,
        "responses.temperature": None,
        "responses.top_p": None,
        "responses.max_tokens": 4096,
    }


def test_fingerprint() -> None:
    """The fingerprint is 16 hex digits, blind to the order of keys, and pinned."""
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1, "b": [2]}) != fingerprint({"a": 1, "b": [3]})
    assert fingerprint({"a": "ä"}) == "4a44b55ab8c592e9"

"""What a run remembers of its spec."""

import json
from typing import Any

import pytest

from magpie_hub.spec.configs import Config
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
        "generator": {"model": "org/m", "engine": {"name": "llama_cpp"}}
        | {"chat_template_kwargs": {}}
        | dict.fromkeys(["price_per_hour", "prefix", "system_turn"]),
        "instructions": {
            "rows": 1000,
            "sampling": [{"temperature": 1.0, "top_p": 1.0, "weight": 1}],
            "system_prompts": {},
            "sanitise": [],
            "max_tokens": 1024,
            "bad_first_tokens": [],
        }
        | dict.fromkeys(["until", "at_most", "first_token_temperature"]),
        "responses": [
            {"name": "default", "max_tokens": 4096, "reasoning": "drop", "chat_template_kwargs": {}}
            | dict.fromkeys(["model", "engine", "price_per_hour", "temperature", "top_p"])
        ],
        "tags": {"lengths": {}, "language": {}},
        "dedup": {
            "exact": True,
            "near": {
                "backend": None,
                "words": 2,
                "characters": 5,
                "hashes": 128,
                "bands": 16,
                "threshold": 0.7,
            },
            "against": [],
        },
        "configs": {
            "raw": {"default": False, "freeze": False}
            | dict.fromkeys(["from", "filter", "where", "size", "answers", "turns", "samples"])
            | dict.fromkeys(["test", "alias", "about"])
        },
        "card": {"samples": "screened", "results": [], "licences": {}}
        | dict.fromkeys(["title", "template", "contact"]),
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


def imported(**keys: Any) -> dict[str, Any]:
    """Return the snapshot of the shortest spec of rows that others made, with `keys` added."""
    return snapshot(Spec.model_validate({"repo": "org/x"} | keys))


@pytest.mark.parametrize(
    ("source", "published"),
    [
        ("rows.jsonl", {"files": ["<private>"], "dataset": None}),
        (["/data/a.csv", "b/*.json"], {"files": ["<private>", "<private>"], "dataset": None}),
        ("./rows", {"files": None, "dataset": "<private>"}),
        ("~/rows", {"files": None, "dataset": "<private>"}),
        ("org/rows", {"files": None, "dataset": "org/rows"}),
    ],
)
def test_public_sources(source: object, published: dict[str, object]) -> None:
    """A dataset of the Hub is published; files and folders are not."""
    shown = public(imported(source=source))["source"]

    assert {name: shown[name] for name in published} == published


def test_public_models_of_tags() -> None:
    """What is private of a generator is private of every model that tags."""
    path, server = {"model": "./m"}, {"model": "m", "engine": {"name": "server", "urls": ["a://b"]}}
    reward = path | {"engine": {"name": "vllm", "transcript": "t"}, "base": server}
    tags = {
        "quality": {"judge": path},
        "reward": reward,
        "safety": {"model": "a/b/c", "engine": {"name": "server", "api_key": "KEY"}},
    }

    shown = public(imported(source="org/rows", judge=path, tags=tags))

    assert shown["judge"]["model"] == "<private>"
    assert shown["tags"]["quality"]["judge"]["model"] == "<private>"
    assert shown["tags"]["reward"] == {
        "model": "<private>",
        "engine": {"name": "vllm", "transcript": "<private>"},
        "price_per_hour": None,
        "base": {
            "model": "m",
            "engine": {"name": "server", "urls": ["<private>"]},
            "price_per_hour": None,
        },
    }
    assert shown["tags"]["safety"]["model"] == "<private>"
    assert shown["tags"]["safety"]["engine"] == {"name": "server", "api_key": "<private>"}


def test_public_models_of_answers() -> None:
    """A model that answers is a path of this machine as any other; so is an address."""
    there = {"model": "./m", "engine": {"name": "server", "url": "http://gpu-7:8000"}}
    shown = public(taken(responses=[{"name": "own"}, {"name": "other"} | there]))["responses"]
    assert (shown[1]["model"], shown[1]["engine"]["url"]) == ("<private>", "<private>")


def test_public_card() -> None:
    """Where templates and models lie is hidden, and what is said of a model is not."""
    free, bound = {"license": "mit"}, {"license": "other", "notice": "Built with M"}
    licences = {"./m": free, "org/*": bound}
    before = taken(card={"template": "/here/cards", "licences": licences, "title": "A"})

    shown = public(before)["card"]

    assert (shown["template"], shown["title"]) == ("<private>", "A")
    assert {name: one["notice"] for name, one in shown["licences"].items()} == {
        "<private>": None,
        "org/*": "Built with M",
    }
    assert before["card"]["template"] == "/here/cards"
    assert public(taken())["card"] == taken()["card"]


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"name": "vectors", "file": "vectors.parquet"}, {"name": "vectors", "file": "<private>"}),
        ({"name": "x", "model": "all-mpnet-base-v2"}, {"name": "x", "model": "all-mpnet-base-v2"}),
        ({"name": "x", "model": "org/m@abc"}, {"name": "x", "model": "org/m@abc"}),
        ({"name": "x", "model": "models/of/mine"}, {"name": "x", "model": "<private>"}),
        ({"name": "x", "model": "./mine"}, {"name": "x", "model": "<private>"}),
    ],
)
def test_public_embedders(options: dict[str, str], published: dict[str, str]) -> None:
    """A file of vectors lies on somebody's machine, and so does a model that is a path."""
    before = taken(tags={"neighbours": {"embedder": options}})

    assert public(before)["tags"]["neighbours"] == {"embedder": published}


def test_names_of_a_spec_are_no_paths() -> None:
    """Configs, properties and columns may be called like the keys that hide something."""
    schema = {"properties": {"files": {"enum": ["./a"]}, "model": {"type": "boolean"}}}
    written = imported(
        source={"dataset": "org/rows", "columns": {"model": "writer"}},
        tags={"mood": {"prompt": "{{ instruction }}", "schema": schema}},
        configs={"files": {}, "engine": {"filter": "finished"}, "dataset": {}},
    )

    assert public(written) == written


UNTIL = {"until": {"config": "raw", "rows": 5}, "at_most": 9}
EVERY_KIND = [
    {"generator": {"model": "org/m@abc", "engine": {"name": "vllm", "tensor_parallel_size": 2}}},
    {"generator": {"model": "m"}, "responses": {"reasoning": "keep"}, "tags": []},
    {"generator": {"model": "m", "chat_template_kwargs": {"a": True, "b": 1, "c": 0.5, "d": "e"}}},
    {"generator": {"model": "m"}, "instructions": UNTIL},
    {"generator": {"model": "m"}, "configs": {"raw": False, "a": {"filter": "finished"}}},
    {"generator": {"model": "m"}, "judge": {"model": "j"}, "tags": ["quality", "neighbours"]},
    {"source": ["./a.jsonl", "b/*.csv.gz"], "license": "mit", "seed": 7},
    {"source": {"dataset": "org/x", "config": "raw", "revision": "v1", "rows": 9}},
    {"source": {"files": ["a.json"], "columns": {"instruction": "q"}}, "tags": {"reward": {}}},
    {
        "source": "org/rows",
        "tags": {
            "difficulty": {"judge": {"model": "j", "engine": "server"}},
            "reward": {"model": "r", "engine": "transformers", "base": {"model": "b"}},
            "safety": {"adapter": {"safe": "ok", "unsafe": "no(?P<categories>.*)"}},
            "neighbours": {"embedder": {"name": "vectors", "file": "v.parquet"}},
            "mood": {"prompt": "{{ response }}", "schema": {"properties": {"a": {"enum": [1]}}}},
        },
    },
]


@pytest.mark.parametrize("keys", EVERY_KIND)
def test_a_snapshot_is_a_spec_again(keys: dict[str, Any]) -> None:
    """A run reads its spec back from run.json: the same, `raw` written out, for every kind."""
    spec = Spec.model_validate({"repo": "org/x"} | keys)
    written = json.loads(json.dumps(snapshot(spec)))

    again = Spec.model_validate(written)

    given = spec.configs if "raw" in spec.configs else {"raw": Config()} | spec.configs
    assert again == spec.model_copy(update={"configs": given})
    assert list(again.active_configs) == list(spec.active_configs)
    assert snapshot(again) == written


def test_the_model_as_rows_name_it() -> None:
    """A revision is no part of the name, and a path is not told."""
    named = {"org/m": "org/m", "org/m@abc": "org/m", "./m.gguf": "<private>"}
    assert {model: model_name(model) for model in named} == named


def test_population() -> None:
    """What makes rows comparable is the draw and the answer, not size, engine or selection."""
    assert population(taken(instructions={"max_tokens": 64})) == {
        "repo": "org/x",
        "seed": 0,
        "generator.model": "org/m",
        "instructions.sampling.0.temperature": 1.0,
        "instructions.sampling.0.top_p": 1.0,
        "instructions.sampling.0.weight": 1,
        "instructions.system_prompts": {},
        "instructions.sanitise": [],
        "instructions.max_tokens": 64,
        "instructions.bad_first_tokens": [],
        "instructions.first_token_temperature": None,
        "generator.prefix": None,
        "generator.system_turn": None,
        "generator.chat_template_kwargs": {},
        "responses.default.model": None,
        "responses.default.chat_template_kwargs": {},
        "responses.default.temperature": None,
        "responses.default.top_p": None,
        "responses.default.max_tokens": 4096,
    }


def test_fingerprint() -> None:
    """The fingerprint is 16 hex digits, blind to the order of keys, and pinned."""
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1, "b": [2]}) != fingerprint({"a": 1, "b": [3]})
    assert fingerprint({"a": "ä"}) == "4a44b55ab8c592e9"

"""What a run remembers of its spec: as plain data, as what may be published, as a fingerprint.

Does not know where a snapshot is stored, nor what a run does about a change.

    {"repo": "org/x", "seed": 0, "generator": {"model": "org/m", "engine": {...}}, ...}
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from magpie_hub.hub import is_path
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec

PRIVATE = "<private>"
_POPULATION = (
    "repo.",
    "seed.",
    "generator.model.",
    "generator.prefix.",
    "generator.system_turn.",
    "source.",
    *(f"instructions.{key}." for key in ("sampling", "system_prompts", "sanitise", "max_tokens")),
    *("instructions.bad_first_tokens.", "instructions.first_token_temperature."),
)
_OF_ANSWERS = ("model", "chat_template_kwargs", "temperature", "top_p", "max_tokens")
"""What decides the rows of an answer set."""
_OF_THIS_MACHINE = (
    *("transcript", "api_key", "_addr", "_address", "_host", "_ip", "_url", "_uri", "_endpoint"),
    *("_dir", "_path", "_folder", "chat_template"),
)
"""How options of engines end that name a file, a machine, or a variable of the environment."""
_ADDRESS = re.compile(r"[\w.-]+:\d+(/.*)?")
_OF_THE_CARD = re.compile(
    r"license|card(\..+)?|configs\..+\.about"
    r"|(generator|judge|responses\.\d+|tags\.(.+\.judge|safety|reward|reward\.base))"
    r"\.price_per_hour"
)
"""What the card says and no row depends on."""

Snapshot = dict[str, Any]


def snapshot(spec: Spec) -> Snapshot:
    """Return the whole spec as JSON data, every default written out.

    Without `version`, which says what a release is called and not what it is.
    """
    beside = {"instructions", "responses"} if spec.source is not None else set()
    data = spec.model_dump(mode="json", by_alias=True, exclude={"version", *beside})
    # A spec has a generator or a source.
    data = {key: value for key, value in data.items() if value is not None or key == "license"}
    if spec.source is None and spec.instructions.until is not None:
        # How many are drawn is not for the spec to say then.
        del data["instructions"]["rows"]
    return data | {
        "configs": {"raw": Config().model_dump(mode="json", by_alias=True)} | data["configs"]
    }


def public(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with local paths and addresses of services as `<private>`."""
    shown = {key: _public(key, value) for key, value in snapshot.items()}
    return shown | ({"card": _public_card(shown["card"])} if "card" in shown else {})


def _public(key: str, value: Any) -> Any:
    """Return a part of a snapshot as it may be published; `key` is its name."""
    if key == "embedder":
        # Vectors lie in a file of this machine, unlike an engine's `file`, which is one of the Hub.
        value = {name: PRIVATE if name == "file" else item for name, item in value.items()}
    if key in ("engine", "embedder"):
        return _public_option(key, value)
    if isinstance(value, dict):
        return {name: _public(name, item) for name, item in value.items()}
    if key == "files" and isinstance(value, list):
        return [PRIVATE for _ in value]
    if key in ("against", "benchmarks"):
        return [_public_release(item) for item in value]
    if key == "responses":
        return [_public(key, item) for item in value]
    return PRIVATE if _is_model_path(key, value) else value


def card_only(old: Snapshot, new: Snapshot) -> bool:
    """Return whether two snapshots differ, if at all, in nothing but what the card says."""
    before, after = (
        {path: value for path, value in _leaves(one) if not _OF_THE_CARD.fullmatch(path)}
        for one in (old, new)
    )
    return before == after


def model_name(model: str) -> str:
    """Return a model as rows name it: its id without a revision, or `<private>` for a path."""
    return PRIVATE if is_path(model) else model.partition("@")[0]


def population(snapshot: Snapshot) -> dict[str, object]:
    """Return the leaves that rows of one run folder must share: dotted path to value.

    Those of an answer set have its name in their path: a run may get more sets.
    """
    leaves = {
        path: value for path, value in _leaves(snapshot) if f"{path}.".startswith(_POPULATION)
    }
    if "generator" in snapshot:
        # In one piece: an error names the key with all that was given.
        key = "chat_template_kwargs"
        leaves[f"generator.{key}"] = snapshot["generator"][key]
    for answers in snapshot.get("responses", []):
        leaves |= {f"responses.{answers['name']}.{key}": answers[key] for key in _OF_ANSWERS}
    return leaves


def fingerprint(data: object) -> str:
    """Return 16 hex digits that stand for JSON data, whatever the order of its keys."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).hexdigest()


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield (dotted path, value); a list of plain values is one leaf, as is an empty map."""
    below: Mapping[Any, object] = {}
    if isinstance(value, dict):
        below = value
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        below = dict(enumerate(value))
    for key, item in below.items():
        yield from _leaves(item, f"{path}.{key}" if path else str(key))
    if not below:
        yield path, value


def _public_option(key: str, value: object) -> object:
    if isinstance(value, dict):
        return {name: _public_option(name, item) for name, item in value.items()}
    if isinstance(value, list):
        return [_public_option(key, item) for item in value]
    is_place = isinstance(value, str) and (
        value.startswith((".", "/", "~")) or "://" in value or bool(_ADDRESS.fullmatch(value))
    )
    is_place = is_place or _is_model_path(key, value)
    return PRIVATE if is_place or key.endswith(_OF_THIS_MACHINE) else value


def _public_card(card: Snapshot) -> Snapshot:
    """Return `card:` as it may be published: templates, and some models, lie on this machine."""
    licences = {PRIVATE if is_path(key) else key: one for key, one in card["licences"].items()}
    return card | {"template": card["template"] and PRIVATE, "licences": licences}


def _public_release(source: dict[str, Any]) -> Snapshot:
    """Return a release or benchmark; a folder may be named as a dataset of the Hub would be."""
    is_folder = Path(source["dataset"] or "/").expanduser().is_dir() and source["dataset"]
    return public(source | ({"dataset": PRIVATE} if is_folder else {}))


def _is_model_path(key: str, value: object) -> bool:
    return key in ("model", "dataset") and isinstance(value, str) and is_path(value)

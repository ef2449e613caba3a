"""Merging the front matter of one spec's card with that of the card that a repository has.

The entries of our configs are ours; of all else, what a person changed since we last wrote it
stays. What stands behind the front matter is for `sections`. Knows nothing of rows and files.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from magpie_hub.errors import TargetError
from magpie_hub.publish.manifest import CARD, Entry

Metadata = dict[str, Any]
_FRONT = re.compile(
    r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_CONFIGS = ("configs", "dataset_info")


class _Quoted(str):
    """A text that YAML shows in quotes, so that no reader takes a version for a number."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


class _Loader(yaml.SafeLoader):
    """Leaves the `no` of `language: no` as it is: the Hub takes it for Norwegian, and is right."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in found if first in "tTfF" or each[0] != "tag:yaml.org,2002:bool"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"')


_Dumper.add_representer(_Quoted, _quoted)


def text(content: bytes, place: str) -> str:
    """Return a card's text, line ends and all; TargetError where it is not UTF-8.

    place: how to name the file to a person.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise TargetError(
            f"`{place}` is not UTF-8: {error.reason} at byte {error.start}",
            hint="save the card as UTF-8",
        ) from error


def split(card: str) -> tuple[Metadata, str]:
    """Return a card's front matter and its body; TargetError where the former is no YAML map."""
    match = _FRONT.match(card)
    if match is None:
        return {}, card
    try:
        front = yaml.load(match[1], _Loader)
        if front is not None and not isinstance(front, dict):
            raise yaml.YAMLError(f"it is {type(front).__name__}, expected a map")
        if other := [key for key in front or () if not isinstance(key, str)]:
            raise yaml.YAMLError(f"its key `{other[0]}` is no text")
    # ValueError: of a date that no calendar has.
    except (yaml.YAMLError, ValueError) as error:
        raise TargetError(
            f"the front matter of {CARD} cannot be read: {' '.join(str(error).split())}",
            hint="correct the card's YAML, between its first two lines of `---`",
        ) from error
    return front or {}, card[match.end() :]


def joined(front: Metadata, body: str, card: str = "") -> str:
    """Return a card of front matter and body.

    card: the one that is there; where its front matter says the same, that stays as it is written.
    """
    there, text = split(card)
    if there == front:
        return card.removesuffix(text) + body
    text = yaml.dump(front, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return f"---\n{text}---\n{body}"


def configs(front: Metadata) -> dict[str, Entry]:
    """Return the configs that a front matter names, with their entries.

    Raises TargetError for what `datasets` does not read either, and what would be lost here.
    """
    entries = front.get("configs") or []
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and "config_name" in entry for entry in entries
    ):
        raise TargetError(
            f"`configs` in the front matter of {CARD} is not what `load_dataset` reads, expected a"
            " list of maps with `config_name`",
            hint="correct it, or remove the key",
        )
    return {str(entry["config_name"]): entry for entry in entries}


def infos(front: Metadata) -> dict[str, Entry]:
    """Return what a front matter's `dataset_info` says of each config."""
    entries = front.get("dataset_info") or []
    # A dataset of one config may do without the list, and without the name.
    entries = entries if isinstance(entries, list) else [entries]
    return {
        str(entry.get("config_name", "default")): entry
        for entry in entries
        if isinstance(entry, dict)
    }


def metadata(front: Metadata) -> Metadata:
    """Return what a front matter says of the whole dataset."""
    return {key: value for key, value in front.items() if key not in _CONFIGS}


def generated(specs: Iterable[Mapping[str, Any]]) -> Metadata:
    """Return what several specs say of a dataset together: of lists the union, else the first."""
    union: Metadata = {}
    for said in specs:
        for key, value in said.items():
            if isinstance(value, list) and isinstance(union.get(key), list):
                union[key] = [*union[key], *(item for item in value if item not in union[key])]
            else:
                union.setdefault(key, value)
    return union


def merge_metadata(before: Metadata, theirs: Metadata, ours: Metadata) -> Metadata:
    """Return `ours`, with what a person changed in `theirs` since we wrote `before`."""
    merged = {}
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        was, there, new = before.get(key), theirs.get(key), ours.get(key)
        if there != was and isinstance(there, list) and isinstance(new, list):
            taken_out = [item for item in was or [] if item not in there]
            put_in = [item for item in there if item not in (was or []) and item not in new]
            new = [*(item for item in new if item not in taken_out), *put_in]
        elif there != was and not (key == "license" and new):
            # The licence is the one that a person writes in the spec.
            new = there
        if new is not None or (key in theirs and there is None):
            merged[key] = new
    return merged


def merge_configs(
    theirs: Metadata, ours: Metadata, gone: Iterable[str], versions: Mapping[str, str]
) -> Metadata:
    """Return `configs` and `dataset_info`: theirs but for `gone` ones, with ours in their places.

    versions: of our configs. Another's default stays the default.
    """
    new = {name: dict(entry) for name, entry in configs(ours).items()}
    others = {name: dict(e) for name, e in configs(theirs).items() if name not in {*new, *gone}}
    has_default = any(name == "default" or e.get("default") for name, e in others.items())
    for name, entry in new.items():
        if has_default:
            entry.pop("default", None)
        entry["version"] = _Quoted(versions[name])
    for entry in others.values():
        if isinstance(entry.get("version"), str):
            entry["version"] = _Quoted(entry["version"])
    described = infos(ours)
    kept = {name: e for name, e in infos(theirs).items() if name not in {*described, *gone}}
    order = [*(name for name in configs(theirs) if name in {*others, *new})]
    order += [name for name in new if name not in order]
    details = [*(name for name in infos(theirs) if name in {*kept, *described})]
    details += [name for name in described if name not in details]
    return {
        "configs": [new.get(name) or others[name] for name in order],
        "dataset_info": [
            described.get(name) or {"config_name": name, **kept[name]} for name in details
        ],
    }

"""Merging the card of one spec with the card that a repository has.

    <!-- magpie-hub: pro -->       what the spec `pro` says; each publish makes it anew
    <!-- /magpie-hub: pro -->
    <!-- magpie-hub changelog -->  the versions so far
    <!-- /magpie-hub changelog -->

What stands outside of marks was written by a person and stays, letter by letter. In the front
matter, the entries of our configs are ours; of all else, what a person changed since we last wrote
it stays as well. Knows nothing of rows and files.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import yaml

from magpie_hub.errors import TargetError
from magpie_hub.publish.manifest import CARD, Entry

Metadata = dict[str, Any]
_FRONT = re.compile(
    r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)
_CONFIGS = ("configs", "dataset_info")
_LATEST = 20
"""How many versions the card lists; release.json has them all."""
_ADVICE = "<!-- Made anew by each release. What stands before or behind these marks is kept. -->\n"


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


def section(body: str, name: str | None) -> tuple[int, int] | None:
    """Return where a spec's section lies in a body, marks included; None where there is none.

    name: the spec's; None for the changelog. TargetError where a mark has lost the other one.
    """
    begin, end = (_line(mark, body) for mark in _marks(name))
    if begin is None and end is None:
        return None
    if begin is None or end is None or end.start() < begin.end():
        first, second = (mark.strip() for mark in _marks(name))
        raise TargetError(
            f"{CARD} should have the mark `{first}` and behind it `{second}`, and has but one, or"
            " has them in another order",
            hint="put both back, around the generated part, or remove both and that part",
        )
    return begin.start(), end.end()


def content(body: str, name: str) -> str:
    """Return what a spec's section says, without the marks; "" where there is none."""
    if (place := section(body, name)) is None:
        return ""
    lines = body[slice(*place)].splitlines(keepends=True)[1:-1]
    return "".join(lines).removeprefix(_ADVICE)


def merge_body(theirs: str, ours: str, name: str, changelog: str, gone: Iterable[str] = ()) -> str:
    """Return `theirs` with the section of the spec `name`, the changelog, and none of `gone`."""
    body = theirs
    for other in gone:
        if place := section(body, other):
            body = body[: place[0]] + body[place[1] :].removeprefix("\n")
    body = _placed(body, name, ours, before=section(body, None))
    return _placed(body, None, changelog, before=None)


def changelog(repo: str, entries: Sequence[Entry]) -> str:
    """Return the section that lists the versions, the newest first."""
    lines = ["## Versions", ""]
    lines += [f'Each stays as it is: `load_dataset("{repo}", ..., revision="vX.Y.Z")`.', ""]
    for entry in entries[:_LATEST]:
        lines += [
            f"### {entry['version']}",
            "",
            *(f"- {' '.join(line.split())}" for line in entry["changes"]),
            "",
        ]
    if len(entries) > _LATEST:
        lines += [f"The {len(entries) - _LATEST} before them are listed in `release.json`.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _placed(body: str, name: str | None, text: str, before: tuple[int, int] | None) -> str:
    """Return a body with a section replaced, else put `before` another one, else at the end."""
    begin, end = _marks(name)
    place = section(body, name)
    otherwise = before[0] if before else len(body)
    start, stop = place or (otherwise, otherwise)
    head, tail = body[:start], body[stop:]
    if place is None:
        ends = len(head) - len(head.rstrip("\n"))
        head = head + "\n" * (2 - ends) if head.strip() else "\n"
        tail = "\n" + tail if tail else ""
    if name is not None and "<!-- magpie-hub: " in head:
        text = _titled(text, name)
    # A row may hold the text of a mark.
    text = re.sub(r"<!--(?=\s*/?magpie-hub)", "<!- -", text).strip("\n")
    return f"{head}{begin}{_ADVICE if name else ''}\n{text}\n{end}{tail}"


def _titled(text: str, name: str) -> str:
    """Return a section that stands behind another spec's with its own spec's name in its title."""
    title, line, rest = text.strip("\n").partition("\n")
    suffix = ": " + re.sub(r"[^\w .-]", "", name)
    return text if title.endswith(suffix) else f"{title}{suffix}{line}{rest}"


def _line(mark: str, body: str) -> re.Match[str] | None:
    """Return where a mark fills a line: an editor may have given the lines other ends."""
    return re.search(rf"^{re.escape(mark.strip())}[ \t]*(?:\r?\n|\Z)", body, re.MULTILINE)


def _marks(name: str | None) -> tuple[str, str]:
    what = " changelog" if name is None else f": {quote(name, safe='')}"
    return f"<!-- magpie-hub{what} -->\n", f"<!-- /magpie-hub{what} -->\n"

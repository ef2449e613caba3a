"""The files that a spec names: a prompt and the schema of its answer, and the card's templates.

Of the first two the content takes the path's place: a run remembers it, and a card shows it. Of
templates the path is enough. Knows the three keys and nothing of what is in the files.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from magpie_hub.spec.document import Document, read
from magpie_hub.spec.wording import fault, shown

_LARGEST = 1_000_000
_ENDINGS = {"prompt": (".jinja", ".txt", ".md"), "schema": (".json", ".yaml", ".yml")}


def with_files(document: Document, file: str, folder: Path) -> dict[str, Any]:
    """Return a spec's data with the content of the files that its tags name, and a whole path.

    file: the name that errors give the spec. folder: where it lies; the paths are relative to it.
    Raises SpecError.
    """
    return document.data | _filled(document, file, folder) | _placed(document, file, folder)


def _placed(document: Document, file: str, folder: Path) -> dict[str, Any]:
    """Return `card:` with the path of its templates as it is from anywhere."""
    card = document.data.get("card")
    template = card.get("template") if isinstance(card, dict) else None
    if not isinstance(card, dict) or not isinstance(template, str) or not template:
        return {}
    place = folder.absolute() / template
    try:
        is_there = place.is_dir()
    except OSError:  # No folder can be called so.
        is_there = False
    if not is_there:
        hint = "correct the path, which is relative to the spec, or remove the key"
        message = f"there is no folder {shown(template)}"
        raise fault(file, document.lines, "card.template", message, hint=hint)
    return {"card": {**card, "template": str(place)}}


def _filled(document: Document, file: str, folder: Path) -> dict[str, Any]:
    tags = document.data.get("tags")
    if not isinstance(tags, dict):
        return {}
    filled = dict(tags)
    for name, key, path in _named(tags):
        try:
            filled[name] = filled[name] | {key: _content(key, folder / path)}
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            message = f"the file {shown(path)} cannot be read: {why}"
            hint = "correct the file, or its path, which is relative to the spec"
            place = f"tags.{name}.{key}"
            raise fault(file, document.lines, place, message, hint=hint) from error
    return {"tags": filled}


def _named(tags: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield tag, key and path wherever a path stands in the place of content."""
    for name, tag in tags.items():
        for key, endings in _ENDINGS.items():
            path = tag.get(key) if isinstance(tag, dict) else None
            if isinstance(path, str) and path.endswith(endings) and "\n" not in path:
                yield name, key, path


def _content(key: str, path: Path) -> Any:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is over 1 MB")
    text = path.read_text(encoding="utf-8-sig")
    if key == "prompt":
        return text
    if path.suffix != ".json":
        return read(text, str(path)).data
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None

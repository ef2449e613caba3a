"""The files that a spec names to have their content in it: a prompt, and the schema of its answer.

A run remembers what they said, and a card shows it. Knows the two keys and nothing of what is in
the files.
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
    """Return a spec's data with the content of the files that its tags name.

    file: the name that errors give the spec. folder: where it lies; the paths are relative to it.
    Raises SpecError.
    """
    tags = document.data.get("tags")
    if not isinstance(tags, dict):
        return document.data
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
    return document.data | {"tags": filled}


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

"""Reads a spec from a path or by a preset's name, and checks it.

Does not know what the names of engines, filters and models stand for. Imports pydantic and
yaml by way of the modules that it needs, so that a command imports it only when it runs.
"""

import os
from pathlib import Path

from pydantic import ValidationError

from magpie_hub.errors import SpecError
from magpie_hub.spec import presets
from magpie_hub.spec.document import read
from magpie_hub.spec.explain import explain
from magpie_hub.spec.files import with_files
from magpie_hub.spec.model import Spec
from magpie_hub.spec.wording import shown

LARGEST = 1_000_000
"""The most bytes that a spec may have."""


def load(spec: str) -> Spec:
    """Return the checked spec that a path or a preset's name stands for.

    A path is what exists as a file, ends in .yaml or .yml, or has a `/`. Raises SpecError,
    which names the file, the line and the key.
    """
    is_path = _is_path(spec)
    path, file = (Path(spec), spec) if is_path else (presets.path(spec), f"{spec}.yaml")
    document = read(_text(path, file), file)
    try:
        loaded = Spec.model_validate(with_files(document, file, path.parent))
    except ValidationError as error:
        raise explain(error, document, file) from None
    loaded._name, loaded._file, loaded._lines = path.stem, file, document.lines
    return loaded


def _is_path(spec: str) -> bool:
    if spec.endswith((".yaml", ".yml")) or "/" in spec:
        return True
    exists = os.path.isfile if spec in presets.names() else os.path.exists
    return exists(spec)


def _text(path: Path, file: str) -> str:
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except FileNotFoundError:
        listed = ", ".join(presets.names())
        hint = f"`magpie-hub init FILE` writes one; presets are named without a path: {listed}"
        raise SpecError(f"{shown(file)} does not exist, expected a spec", hint=hint) from None
    except IsADirectoryError:
        hint = "name the file in it, as in `FOLDER/spec.yaml`"
        raise SpecError(f"{shown(file)} is a folder, expected a file", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError(
            f"{shown(file)} cannot be read ({reason}), expected a readable file",
            hint="check the path and its permissions",
        ) from None
    if len(content) > LARGEST:
        hint = "a spec holds settings; rows belong in files that it names"
        raise SpecError(f"{shown(file)} is over 1 MB, expected a spec", hint=hint)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SpecError(
            f"{file}:{line}: the byte {shown(f'0x{content[error.start]:02x}')} is not UTF-8",
            hint="save the file as UTF-8",
        ) from None

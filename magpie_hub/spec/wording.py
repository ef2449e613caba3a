"""How a fault in a spec is worded: the file, the line, the key's path, and the value as shown.

Does not know what a spec may hold, nor how it is read.
"""

import json
from collections.abc import Mapping

from magpie_hub.errors import SpecError

LONGEST = 60
"""The most characters of a value that a message shows."""


def shown(value: object, longest: int = LONGEST) -> str:
    """Return `value` in backticks on one line: shortened, with control characters escaped."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    short = text if len(text) <= longest else text[: longest - 3] + "..."
    visible = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)
    return f"`{''.join(visible)}`"


def fault(file: str, lines: Mapping[str, int], path: str, message: str, *, hint: str) -> SpecError:
    """Return the error that says where in `file` the key `path` stands.

    lines: dotted path to line; a key that is not there is placed at the nearest one above it.
    An empty path means the whole file.
    """
    known = path
    while known and known not in lines:
        known = known.rpartition(".")[0]
    key = f"{shown(path, 200)}: " if path else ""
    return SpecError(f"{file}:{lines.get(known, 1)}: {key}{message}", hint=hint)

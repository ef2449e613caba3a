"""The specs that come with the package and can be named instead of a path.

Knows their names and where they lie, nothing of what is in them.
"""

import difflib
from pathlib import Path

from magpie_hub import bundled
from magpie_hub.errors import SpecError
from magpie_hub.spec.wording import shown


def names() -> list[str]:
    """Return the names of all presets, in order."""
    return sorted(path.stem for path in bundled.releases().glob("*.yaml"))


def path(name: str) -> Path:
    """Return the file of a preset; SpecError with the nearest name where there is none."""
    if name in names():
        return bundled.releases() / f"{name}.yaml"
    near = difflib.get_close_matches(name, names(), n=1)
    listed = f"`{'`, `'.join(names())}`"
    raise SpecError(
        f"{shown(name)} is neither a file nor a preset, expected a path or one of {listed}",
        hint=f"did you mean `{near[0]}`?" if near else "`magpie-hub init FILE` writes a spec",
    )

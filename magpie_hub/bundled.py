"""Where `builders/` and `cards/` lie, in a checkout or in an installed wheel.

The only module that knows it. In a wheel they are `magpie_hub/_builders` and
`magpie_hub/_cards`; in a checkout they stand beside the package.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parent


def cards() -> Path:
    """Return the folder of the card's Jinja templates."""
    return _folder("cards")


def releases() -> Path:
    """Return the folder of the release specs that are usable by name."""
    return _folder("builders") / "releases"


def builder_module() -> ModuleType:
    """Return the module that holds `Magpie` and `MagpieConfig`."""
    installed = (PACKAGE / "_builders").is_dir()
    return import_module("magpie_hub._builders.magpie" if installed else "builders.magpie")


def _folder(name: str) -> Path:
    installed = PACKAGE / f"_{name}"
    return installed if installed.is_dir() else PACKAGE.parent / name

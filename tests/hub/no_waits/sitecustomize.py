"""A Hub client without patience: nothing is waited for, no request takes over a second.

Python imports this at its start from a folder on PYTHONPATH; nothing is changed before the client
is imported, and nothing but its waits.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

HTTP = "huggingface_hub.utils._http"
WAITING = (
    *(HTTP, "huggingface_hub.file_download"),
    *("datasets.arrow_dataset", "datasets.dataset_dict", "datasets.utils.file_utils"),
)
"""The modules that sleep between one try and the next."""
SECONDS = 1.0


def changes(module: ModuleType) -> dict[str, Any]:
    """Return what to set in one of these modules, by name."""
    changed: dict[str, Any] = {
        "time": SimpleNamespace(**{**vars(module.time), "sleep": lambda _: None})
    }
    if module.__name__ == HTTP:

        def hurry(request: Any) -> None:
            request.extensions["timeout"] = dict.fromkeys(
                ("connect", "read", "write", "pool"), SECONDS
            )

        def client() -> Any:
            made = module.default_client_factory()
            made.event_hooks = {"request": [*made.event_hooks["request"], hurry]}
            return made

        changed["_GLOBAL_CLIENT_FACTORY"] = client
    return changed


class _Finder:
    """Finds what is found anyway, and changes it once it is there."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name not in WAITING or (spec := PathFinder.find_spec(name, path, target)) is None:
            return None
        loader: Any = spec.loader
        load = loader.exec_module

        def load_and_change(module: ModuleType) -> None:
            load(module)
            vars(module).update(changes(module))

        loader.exec_module = load_and_change
        return spec


if __name__ == "sitecustomize":
    sys.meta_path.insert(0, _Finder)

"""Engines by name: a model is opened here, and its library is imported only then.

Knows which names a spec may write and where their classes lie. It knows nothing of templates,
specs or run folders: options arrive as a plain mapping, weights as a path.
"""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from magpie_hub.engines.base import Engine
from magpie_hub.engines.options import nearest
from magpie_hub.errors import EngineError

ENGINES: dict[str, str] = {
    "llama_cpp": "magpie_hub.engines.llama_cpp:LlamaCpp",
    "vllm": "magpie_hub.engines.vllm:Vllm",
    "server": "magpie_hub.engines.server:Server",
    "scripted": "magpie_hub.engines.scripted:Scripted",
}


def engine_class(name: str) -> type[Engine]:
    """Return the class behind an engine's name, without importing the library that it runs on.

    Raises EngineError for an unknown name. `engine_class(name).check_options(options)` checks
    what a spec wrote before anything is opened.
    """
    if name not in ENGINES:
        raise EngineError(
            f"the engine `{name}` is not known, expected one of `{'`, `'.join(ENGINES)}`",
            hint=nearest(name, ENGINES),
        )
    module, _, attribute = ENGINES[name].partition(":")
    found: type[Engine] = getattr(import_module(module), attribute)
    return found


def open_engine(name: str, weights: Path | None, options: Mapping[str, object]) -> Engine:
    """Open a model for completions; close it with `with` or `close()`.

    weights: the model's file, None for an engine that has none.
    options: the keys that a spec wrote beside the engine's name.
    Raises EngineError: unknown name or option, library not installed, weights not readable.
    """
    return engine_class(name)(weights, options)

"""Where a model's weights lie, and the revision that they are known by.

Knows what each kind of engine opens, and which files make a model; not what is in them.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from magpie_hub import hub
from magpie_hub.engines.base import Weights
from magpie_hub.errors import EngineError, HubError
from magpie_hub.spec.sections import Model

_BLOCK = 2**20
_BLOCKS = 64
"""A file of more blocks is known by this many of them, since to read 140 GB takes minutes."""


def find(
    section: Model, kind: Weights, *, revision: str | None = None, small: bool = False
) -> Path | None:
    """Return what a model's engine opens, fetched if need be: a file, a folder, or None.

    kind: what that engine opens.
    revision: the commit to take of a model on the Hub; None is what the spec says. small: of a
    folder on the Hub, whether all but its weights is enough.
    Raises HubError where something cannot be had, EngineError where it is for another engine.
    """
    model, engine = section.model, section.engine
    if kind == "none":
        return None
    if kind == "gguf" or (kind == "tokenizer" and model.endswith(".gguf")):
        return hub.gguf(model, file=engine.options.get("file"), revision=revision)
    if model.endswith(".gguf"):
        raise EngineError(
            f"`{model}` is a GGUF file, and the engine `{engine.name}` opens a folder as"
            " transformers saves a model",
            hint="choose the engine `llama_cpp`, or name the model's folder or Hub id",
        )
    if hub.is_path(model):
        folder = Path(model).expanduser()
        if folder.is_dir():
            return folder
        raise HubError(f"there is no folder `{model}`", hint="correct the path of the model")
    repo, named = hub.split_model(model)
    return hub.snapshot(repo, revision=revision or named, weights=kind == "folder" and not small)


def model_files(names: Iterable[str], *, weights: bool) -> list[str]:
    """Return which files of a repository or a folder make a model as transformers saves it.

    weights: whether the tensors are among them: safetensors, or `.bin` where there are none.
    """
    root = [name for name in names if "/" not in name and not name.startswith(hub.TWICE)]
    small = [name for name in root if name.endswith(hub.SMALL)]
    kinds = ([name for name in root if name.endswith(ending)] for ending in hub.TENSORS)
    return sorted(small + (next(filter(None, kinds), []) if weights else []))


def revision_of(path: Path) -> str:
    """Return the revision of local weights: `sha256:` and 16 hex digits of what they hold.

    A folder's are made of its model files' names, sizes and content, of large ones evenly spread
    blocks, whether the engine needs all of them or not. A folder in the Hub's cache is known by
    its commit.
    """
    if path.is_file():
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    folder = path.resolve()
    if (commit := hub.commit_of(folder)) is not None:
        return commit
    digest = hashlib.sha256()
    files = (file.name for file in folder.iterdir() if file.is_file())
    for name in model_files(files, weights=True):
        size = (folder / name).stat().st_size
        digest.update(f"{name}\0{size}\0".encode())
        with (folder / name).open("rb") as file:
            for start in _block_starts(size):
                file.seek(start)
                digest.update(file.read(_BLOCK))
    return f"sha256:{digest.hexdigest()[:16]}"


def _block_starts(size: int) -> Iterable[int]:
    """Return where the blocks begin that stand for a file of `size` bytes."""
    if size <= _BLOCKS * _BLOCK:
        return range(0, size, _BLOCK)
    return [number * (size - _BLOCK) // (_BLOCKS - 1) for number in range(_BLOCKS)]

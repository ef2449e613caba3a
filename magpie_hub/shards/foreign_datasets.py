"""Datasets that others made, as `load_dataset` opens them: from the Hub, or from a folder.

Knows what names the content of one, and where the cache of `datasets` would be in the way. Knows
no columns.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from magpie_hub.errors import ShardError
from magpie_hub.hub import COMMIT, is_path
from magpie_hub.shards.files import sha256
from magpie_hub.spec.wording import shown

if TYPE_CHECKING:
    from datasets import Dataset

    from magpie_hub.spec.source import Source


def label(name: str) -> str:
    """Return what a dataset is called in places: a folder without those above it."""
    folder = _folder(name)
    return name if folder is None else Path(name).name or folder.name


def checksum(source: "Source", name: str) -> str:
    """Return the commit of a dataset of the Hub, or one SHA-256 for the files of a folder.

    Hidden files do not count. Raises ShardError as `opened` does.
    """
    folder = _folder(name)
    if folder is not None:
        return _sum(folder)
    dataset = opened(source, name)
    return _commit(dataset) or str(dataset._fingerprint)


def opened(source: "Source", name: str) -> "Dataset":
    """Return the split of a dataset, fetched into the cache of `datasets` if need be.

    Raises ShardError where it cannot be had.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    folder = _folder(name)
    # The cache does not notice that a file of a folder has changed, if a card names the file.
    mode = None if folder is None else "force_redownload"
    which = {"split": source.split, "revision": source.revision, "download_mode": mode}
    try:
        dataset = load_dataset(str(folder or name), source.config, **which)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise ShardError(
            f"the dataset {shown(name, 200)} cannot be loaded: {str(error).splitlines()[0]}",
            hint="check its name, `config`, `split` and `revision`; a gated or private one needs"
            " HF_TOKEN",
        ) from error
    commit, asked = _commit(dataset), source.revision or ""
    # Out of reach of the Hub, `datasets` takes whichever commit it has got.
    if COMMIT.fullmatch(asked) and commit not in (None, asked):
        raise ShardError(
            f"the dataset {shown(name, 200)} was asked for at `{asked}`, and only `{commit}` is in"
            " the cache",
            hint="connect to the Hub, or name the commit that is there",
        )
    return dataset


def _commit(dataset: "Dataset") -> str | None:
    """Return the commit of a dataset of the Hub: `datasets` calls the folder in its cache so."""
    folders = {Path(file["filename"]).parent.name for file in dataset.cache_files}
    return next((name for name in folders if COMMIT.fullmatch(name)), None)


def _folder(name: str) -> Path | None:
    """Return the folder that a dataset is, None for one of the Hub."""
    folder = Path(name).expanduser().resolve()
    if folder.is_dir():
        return folder
    if is_path(name):
        raise ShardError(
            f"the dataset {shown(name, 200)} cannot be loaded: it is no folder, and no file that"
            " is known by its ending",
            hint="give the path of a folder, or of files such as `rows.jsonl`",
        )
    return None


def _sum(folder: Path) -> str:
    """Return the SHA-256 of the names and the content of a folder's files."""
    names = {
        name: path
        for path in folder.rglob("*")
        if path.is_file() and "/." not in (name := f"/{path.relative_to(folder).as_posix()}")
    }
    lines = [f"{name} {sha256(path)}\n" for name, path in sorted(names.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()

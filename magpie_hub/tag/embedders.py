"""Embedders: texts to unit vectors, by a model of the user's choice.

* static                 token vectors that lie in wordllama's wheel, averaged; no torch, no network
* sentence-transformers  a model of that library, such as `sentence-transformers/all-mpnet-base-v2`
* vectors                computed elsewhere: a Parquet file of `uuid` and `vector`

They know nothing of neighbours, runs or shards. NumPy stands at the top, since only a stage that
embeds imports this module.
"""

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magpie_hub import hub
from magpie_hub.engines.options import nearest, read_options
from magpie_hub.errors import EngineError

Vectors = NDArray[np.float32]
BATCH = 1024
"""Texts that are tokenized at once."""
STATIC = ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
"""The model and its tokenizer, by where they lie in wordllama's wheel."""
MODULES = "modules.json"
"""The file that every model of sentence-transformers has, and no other model."""


class Embedder(ABC):
    """A model, or a file, that is open for embedding."""

    name: str
    """What a card calls the model; of a local path only the last part."""
    revision: str
    """The commit of a model on the Hub, else `sha256:` and 16 hex digits of the content."""
    dimensions: int

    @abstractmethod
    def embed(self, uuids: Sequence[str], texts: Sequence[str]) -> Vectors:
        """Return float32 (rows, dimensions) of unit length, a row's by itself alone.

        uuids: of the rows, for vectors that are looked up and not computed.
        """


@dataclass(frozen=True, slots=True)
class StaticOptions:
    """What a spec may write beside `name: static`: nothing."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What a spec may write beside `name: sentence-transformers`.

    model: a Hub id with or without `@REVISION`, or the path of a folder.
    """

    model: str


@dataclass(frozen=True, slots=True)
class VectorsOptions:
    """What a spec may write beside `name: vectors`.

    file: a Parquet file with the columns `uuid` (text) and `vector` (a list of numbers, all of one
    length). Vectors of any length above 0 are scaled to 1.
    """

    file: str


def check_embedder(name: str, options: Mapping[str, object]) -> None:
    """Raise EngineError for an unknown embedder or option; needs no library, model or file."""
    kind, _ = _known(name)
    read_options(kind, name, options)


def check_libraries(name: str) -> None:
    """Raise EngineError where a library is missing that an embedder, or the search, needs."""
    needed = {"faiss": "neighbours"}
    if name == "static":
        needed |= dict.fromkeys(("wordllama", "safetensors", "tokenizers"), "neighbours")
    if name == "sentence-transformers":
        needed |= {"sentence_transformers": "embed"}
    for library, extra in needed.items():
        if find_spec(library) is None:
            raise _missing(name, library, extra)


def open_embedder(name: str, options: Mapping[str, object]) -> Embedder:
    """Open an embedder by its name in a spec, with the options beside it.

    Raises EngineError where name, options, library, model or file are not what they should be,
    HubError where a model cannot be had from the Hub.
    """
    kind, embedder = _known(name)
    opened: Embedder = embedder(read_options(kind, name, options))
    return opened


class StaticEmbedder(Embedder):
    """The mean of a text's token vectors: 256 dimensions, thousands of texts a second and core.

    A text without tokens gets the first axis. What looks like a special token is read as the
    letters that it is.
    """

    def __init__(self, _: StaticOptions) -> None:
        weights, tokenizer = _static_files()
        self.name = f"wordllama/{weights.stem}"
        self.revision = _revision(weights)
        self._tokens, self._tokenizer = _read_static(weights, tokenizer)
        self.dimensions = self._tokens.shape[1]

    def embed(self, uuids: Sequence[str], texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of texts; text by text, so that a long one stays affordable."""
        means = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            encoded = self._tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            for row, encoding in enumerate(encoded, start):
                if encoding.ids:
                    self._tokens[encoding.ids].mean(axis=0, out=means[row])
        return _unit(means)


class ModelEmbedder(Embedder):
    """A model of sentence-transformers; a text is cut where the model's own limit is."""

    def __init__(self, options: ModelOptions) -> None:
        self.name, self.revision = _find_model(options.model)
        on_hub = not hub.is_path(options.model)
        self._model = _open_model(
            self.name if on_hub else str(Path(options.model).expanduser()),
            self.revision if on_hub else None,
        )
        self.dimensions = int(self._model.encode([""], show_progress_bar=False).shape[1])

    def embed(self, uuids: Sequence[str], texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of texts; the model's batches change them by rounding alone."""
        found = self._model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True)
        return _unit(np.asarray(found, np.float32).reshape(len(texts), self.dimensions))


class VectorsEmbedder(Embedder):
    """Vectors that were computed elsewhere, looked up by uuid; the texts are not read."""

    def __init__(self, options: VectorsOptions) -> None:
        self._path = Path(options.file).expanduser()
        uuids, self._vectors = _read_vectors(self._path)
        self._rows = {uuid: row for row, uuid in enumerate(uuids)}
        self.name = self._path.name
        self.revision = _revision(self._path)
        self.dimensions = self._vectors.shape[1]

    def embed(self, uuids: Sequence[str], texts: Sequence[str]) -> Vectors:
        """Return the unit vectors of uuids; raises EngineError where one has none in the file."""
        for uuid in uuids:
            if uuid not in self._rows:
                raise EngineError(
                    f"`{self._path}` has no vector for the row `{uuid}`, expected one for each row",
                    hint="compute the vectors of the rows that were added, or choose the embedder"
                    " that computes them",
                )
        return self._vectors[[self._rows[uuid] for uuid in uuids]]


_EMBEDDERS: dict[str, tuple[type[Any], type[Any]]] = {
    "static": (StaticOptions, StaticEmbedder),
    "sentence-transformers": (ModelOptions, ModelEmbedder),
    "vectors": (VectorsOptions, VectorsEmbedder),
}


def _known(name: str) -> tuple[type[Any], type[Any]]:
    if name not in _EMBEDDERS:
        raise EngineError(
            f"there is no embedder `{name}`, expected one of `{'`, `'.join(_EMBEDDERS)}`",
            hint=nearest(name, _EMBEDDERS),
        )
    return _EMBEDDERS[name]


def _unit(vectors: Vectors) -> Vectors:
    """Return vectors scaled to length 1, the length taken in float64."""
    # What has no direction gets the first axis.
    vectors = np.where(vectors.any(axis=1, keepdims=True), vectors, np.eye(1, vectors.shape[1]))
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    scaled: Vectors = (vectors / lengths[:, None]).astype(np.float32)
    return scaled


def _revision(path: Path) -> str:
    """Return `sha256:` and 16 hex digits of a file, or of a folder's names and files."""
    if path.is_file():
        return f"sha256:{_sha256(path).hexdigest()[:16]}"
    digest = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode() + _sha256(file).digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _sha256(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _missing(name: str, library: str | None, extra: str) -> EngineError:
    return EngineError(
        f"the embedder `{name}` needs the library `{library}`, which is not installed",
        hint=f'run: pip install "magpie-hub[{extra}]"',
    )


def _static_files() -> list[Path]:
    """Return the model's files in wordllama's wheel.

    Its own `WordLlama.load` asks the Hub for the tokenizer, and importing it sets up logging.
    """
    package = find_spec("wordllama")
    for folder in (package and package.submodule_search_locations) or ():
        if all((Path(folder) / name).is_file() for name in STATIC):
            return [Path(folder) / name for name in STATIC]
    raise _missing("static", "wordllama", "neighbours")


def _read_static(weights: Path, tokenizer: Path) -> tuple[Vectors, Any]:
    try:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise _missing("static", error.name, "neighbours") from error
    reader = Tokenizer.from_file(str(tokenizer))
    # The other way round than it sounds: names of special tokens are encoded as plain text.
    reader.encode_special_tokens = True
    return load_file(weights)["embedding.weight"].astype(np.float32), reader


def _find_model(model: str) -> tuple[str, str]:
    """Return a model's name and its revision; nothing but a small file is fetched."""
    if hub.is_path(model):
        folder = Path(model).expanduser().resolve()
        if not (folder / MODULES).is_file():
            raise EngineError(
                f"there is no `{MODULES}` in `{model}`, expected the folder of a model of"
                " sentence-transformers",
                hint="save it there: `SentenceTransformer(MODEL).save(FOLDER)`",
            )
        return folder.name, hub.commit_of(folder) or _revision(folder)
    # The library's own models do without their owner.
    repo, revision = hub.split_model(model if "/" in model else f"sentence-transformers/{model}")
    return repo, str(hub.commit_of(hub.fetch(repo, MODULES, revision=revision)))


def _open_model(place: str, revision: str | None) -> Any:
    try:
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
    except ModuleNotFoundError as error:
        raise _missing("sentence-transformers", error.name, "embed") from error
    try:
        return SentenceTransformer(place, revision=revision)
    except (OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise EngineError(
            f"sentence-transformers cannot open `{place}`: {error}",
            hint="name a model of sentence-transformers, by its Hub id or its folder",
        ) from error


def _read_vectors(path: Path) -> tuple[list[str], Vectors]:
    """Return the uuids, and their vectors at unit length."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["uuid", "vector"])
        uuids: list[str] = table["uuid"].cast(pa.string()).to_pylist()
        lists = table["vector"].cast(pa.list_(pa.float32()))
    except (OSError, pa.ArrowException) as error:
        raise _bad_vectors(path, f"cannot be read: {error}") from error
    repeated = [uuid for uuid, times in Counter(uuids).items() if times > 1 or uuid is None]
    if repeated:
        raise _bad_vectors(path, f"has the row `{repeated[0]}` {uuids.count(repeated[0])} times")
    lengths = pc.unique(pc.list_value_length(lists)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise _bad_vectors(path, f"has vectors of the lengths `{lengths}`")
    vectors = pc.list_flatten(lists).to_numpy().reshape(len(uuids), lengths[0])
    for row in np.flatnonzero(~(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)))[:1]:
        raise _bad_vectors(path, f"has zeros alone, or no numbers, for the row `{uuids[row]}`")
    return uuids, _unit(vectors)


def _bad_vectors(path: Path, fault: str) -> EngineError:
    return EngineError(
        f"`{path}` {fault}; expected a Parquet file with a `uuid` and a `vector` for each row, all"
        " of one length above 0",
        hint="write it anew, the vectors as lists of numbers",
    )

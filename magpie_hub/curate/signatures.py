"""MinHash signatures of texts, and the shingles that they stand for.

A text's shingles are its word n-grams; where words are not separated by spaces, its character
n-grams. Signatures come from text-dedup or from rensa, both by the same tokens. Knows neither rows
nor files.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import xxhash

from magpie_hub.errors import BuildError
from magpie_hub.spec.curation import Near

SEED = 42
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
"""Letters of scripts without spaces between words: Thai to Khmer, kana, Chinese characters."""
_WORD = re.compile(r"\w+")
# Vowels of Hindi and Thai are marks, which Python takes for the end of a word.
_MARKS = "".join(c for c in map(chr, range(0x300, 0x1F000)) if unicodedata.category(c)[0] == "M")
_MARKED = re.compile(rf"\w[\w{_MARKS}]*")
_PIECE = 10_000
"""Tokens that text-dedup is given at once: it takes a kilobyte of memory for each."""
_ODD = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0xD6E8FEB86659FD93)

Signer = Callable[[Sequence[Sequence[str]]], np.ndarray]
"""Lists of tokens to their signatures, (texts, bands x rows) of unsigned integers."""


def backend(near: Near) -> str:
    """Return what signs: as the spec says, or what this Python has.

    Raises BuildError where the backend is not installed.
    """
    name = near.backend or ("text-dedup" if find_spec("text_dedup") else "rensa")
    if find_spec(name.replace("-", "_")) is None:
        raise BuildError(
            f"`dedup.near.backend`: `{name}` is not installed",
            hint="use Python 3.12 or newer, or `backend: rensa`"
            if name == "text-dedup"
            else "install it: `pip install rensa`",
        )
    return name


def tokens(text: str, near: Near) -> list[str]:
    """Return the tokens of which `near.words` in a row are a shingle.

    Without spaces they are overlapping pieces, so that as many in a row span `near.characters`
    characters. A text without a letter or digit has none.
    """
    if text.isascii():
        return _WORD.findall(text.lower())
    words = _MARKED.findall(text.lower())
    joined = "".join(words)
    if 2 * len(UNSPACED.findall(joined)) >= len(joined) > 0:
        width = near.characters - near.words + 1
        return [joined[i : i + width] for i in range(max(1, len(joined) - width + 1))]
    return words


def signer(near: Near) -> Signer:
    """Return what signs lists of tokens; the same tokens have the same signature everywhere.

    Raises BuildError as `backend` does.
    """
    return {"text-dedup": _text_dedup, "rensa": _rensa}[backend(near)](near)


def band_keys(signatures: np.ndarray, near: Near) -> np.ndarray:
    """Return for each text one 64-bit number a band, (texts, bands); equal where a band is."""
    parts = signatures.astype(np.uint64).reshape(len(signatures), near.bands, near.rows)
    return _folded(parts[:, :, row] for row in range(near.rows))


def shingles(texts: Sequence[Sequence[str]], near: Near) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct shingles of lists of tokens as 64-bit numbers, and where each begins.

    Those of text i are `numbers[offsets[i] : offsets[i + 1]]`, in order. Of fewer than `near.words`
    tokens there is one shingle, of no token none.
    """
    numbers, owners = _flat(texts, near)
    order = np.lexsort((numbers, owners))
    numbers, owners = numbers[order], owners[order]
    first = np.ones(len(numbers), bool)
    first[1:] = (numbers[1:] != numbers[:-1]) | (owners[1:] != owners[:-1])
    counts = np.bincount(owners[first], minlength=len(texts))
    return numbers[first], np.concatenate([[0], np.cumsum(counts)])


def _flat(texts: Sequence[Sequence[str]], near: Near) -> tuple[np.ndarray, np.ndarray]:
    """Return all shingles as numbers, repeats among them, and the text of each."""
    lengths = np.array([max(len(words), near.words) if words else 0 for words in texts], np.int64)
    hashed = np.zeros(int(lengths.sum()) + near.words, np.uint64)
    start = 0
    for words, length in zip(texts, lengths.tolist(), strict=True):
        hashed[start : start + len(words)] = [xxhash.xxh3_64_intdigest(w.encode()) for w in words]
        start += length
    numbers = _folded(hashed[i : start + i] for i in range(near.words))
    owners = np.repeat(np.arange(len(texts)), lengths)
    # A shingle that would reach into the next text is none.
    ends = np.repeat(np.cumsum(lengths), lengths)
    whole = np.arange(start) + near.words <= ends
    return numbers[whole], owners[whole]


def _folded(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Return one number for several, depending on their order."""
    first, *others = parts
    folded: np.ndarray = first * _ODD
    for part in others:
        folded = (folded ^ (folded >> np.uint64(29)) ^ part) * _PRIME
    mixed: np.ndarray = folded ^ (folded >> np.uint64(32))
    return mixed


def _text_dedup(near: Near) -> Signer:
    from text_dedup.config import MinHashAlgorithmConfig

    # Whatever is not given is read from variables of the environment such as SEED.
    config = MinHashAlgorithmConfig(  # type: ignore[call-arg] # its private fields are its own
        algorithm_name="minhash",
        algo_name="minhash",
        text_column="text",
        index_column=None,
        cluster_column="__CLUSTER__",
        signature_column="__SIGNATURE__",
        seed=SEED,
        num_proc=1,
        batch_size=1,
        hash_bits=64,
        hash_func_name="xxh3",
        num_perm=near.bands * near.rows,
        bands=near.bands,
        rows=near.rows,
        ngram_size=near.words,
        threshold=near.threshold,
        min_length=1,
        false_positive_weight=0.5,
        false_negative_weight=0.5,
        check_false_positive=False,
    )
    # Once: each call draws other permutations.
    embed = config.get_embed_func()

    def sign_one(words: Sequence[str]) -> np.ndarray:
        last = max(1, len(words) - near.words + 1)
        pieces = (words[i : i + _PIECE] for i in range(0, last, _PIECE - near.words + 1))
        made: Any = [embed([" ".join(piece)], [0])["__band_val__"] for piece in pieces]
        least: np.ndarray = np.min([np.frombuffer(b"".join(of), ">u8") for of in made], axis=0)
        return least

    def sign(texts: Sequence[Sequence[str]]) -> np.ndarray:
        empty = np.zeros((0, near.bands * near.rows), np.uint64)
        return np.stack([sign_one(words) for words in texts]) if len(texts) else empty

    return sign


def _rensa(near: Near) -> Signer:
    from rensa import RMinHash

    hashes = near.bands * near.rows

    def sign(texts: Sequence[Sequence[str]]) -> np.ndarray:
        numbers, owners = _flat(texts, near)
        offsets = np.searchsorted(owners, np.arange(len(texts) + 1))
        made = RMinHash.digest_matrix_from_flat_token_hashes(
            numbers, offsets.astype(np.uint64), num_perm=hashes, seed=SEED
        )
        return np.array(made.to_rows(), np.uint64).reshape(len(texts), hashes)

    return sign

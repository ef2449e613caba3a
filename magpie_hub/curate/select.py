"""Which of the rows that passed are taken, where a config has a size or its filter has quotas.

Takes and returns NumPy arrays of one value a row. What is equal is taken in the order of `ties`, so
that neither the order of rows nor the number of workers changes what is taken. Knows no table and
no filter; NumPy stands at the top, since only a build imports this module.
"""

import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.float64] | NDArray[np.int64]


def hashes(uuids: Iterable[str]) -> Hashes:
    """Return what equal rows, and a random sample, are taken by: a hash of each row's uuid."""
    digests = b"".join(blake2b(name.encode(), digest_size=8).digest() for name in uuids)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def top(mask: Mask, order: Numbers, ties: Hashes, size: int) -> Mask:
    """Return the mask of the `size` rows of `mask` with the highest `order`, NaN the last.

    All of them where there are no more; equals by the lowest of `ties`.
    """
    rows = np.flatnonzero(mask)
    return _only(mask, rows[np.lexsort((ties[rows], -order[rows]))[:size]])


def sample(mask: Mask, ties: Hashes, size: int) -> Mask:
    """Return the mask of the `size` rows of `mask` with the lowest `ties`; all if no more."""
    rows = np.flatnonzero(mask)
    return _only(mask, rows[np.argsort(ties[rows], kind="stable")[:size]])


def quotas(
    mask: Mask,
    strata: Sequence[Mask],
    shares: Sequence[float],
    order: Numbers,
    ties: Hashes,
    size: int | None,
) -> tuple[Mask, list[int]]:
    """Return the mask of `size` rows, and how many are missing in each stratum.

    Each stratum gives its share, the highest of `order` first; what one lacks no other makes up.
    size: without one, the largest that every stratum can give its share of. strata: disjoint.
    """
    if size is None:
        size = most(mask, strata, shares)
    taken, missing = np.zeros_like(mask), []
    for stratum, part in zip(strata, parts(size, shares), strict=True):
        chosen = top(mask & stratum, order, ties, part)
        taken |= chosen
        missing.append(part - int(chosen.sum()))
    return taken, missing


def most(mask: Mask, strata: Sequence[Mask], shares: Sequence[float]) -> int:
    """Return the largest size that every stratum can give its share of."""
    rows = [int((mask & stratum).sum()) for stratum in strata]
    size = min(math.ceil((n + 1) / share) for n, share in zip(rows, shares, strict=True))
    while any(part > n for part, n in zip(parts(size, shares), rows, strict=True)):
        size -= 1
    return size


def parts(size: int, shares: Sequence[float]) -> list[int]:
    """Return whole rows by shares that add up to 1; what is left over goes to the largest rest."""
    whole = [int(size * share) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda i: whole[i] - size * shares[i])
    for i in by_rest[: size - sum(whole)]:
        whole[i] += 1
    return whole


def _only(mask: Mask, rows: NDArray[np.int64]) -> Mask:
    taken = np.zeros_like(mask)
    taken[rows] = True
    return taken

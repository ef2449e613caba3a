"""The index that duplicates are found by: what each row says, as a few numbers.

Of every shard of rows there is one shard of the index, so that rows that come later cost only
theirs, and another run can be compared with these. Knows how rows are signed, and not what is
done with it.

    run/index/8c1f.../00000.parquet     of the run's own rows
    run/against/77d0.../00000.parquet   of rows elsewhere
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from magpie_hub.curate.exact import digest
from magpie_hub.curate.signatures import Signer, backend, band_keys, signer, tokens
from magpie_hub.records import Type, Unit, arrow_schema
from magpie_hub.shards.files import fresh, swap
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.curation import Near

if TYPE_CHECKING:
    import pyarrow as pa

INDEX_SHARD: dict[str, Type] = {
    "uuid": "string",
    "instruction": "string",
    "high": "uint64",
    "low": "uint64",
    "bands": ["uint64"],
}
"""high, low: 128 bits of the normal form. bands: None where the text has no word."""
_VERSION = 1
_BLOCK = 1000
_COUNT = "files"
"""Beside the files of an index: how many they are."""


def name(near: Near | None) -> str:
    """Return what stands for all that decides an index, besides the rows."""
    parts: list[object] = [_VERSION]
    if near is not None:
        signed_by = backend(near)
        parts += [signed_by, version(signed_by)]
        parts += [near.words, near.characters, near.bands, near.rows]
    return blake2b("\n".join(map(str, parts)).encode(), digest_size=8).hexdigest()


def stage(near: Near | None) -> str:
    """Return where a run's index lies in its folder."""
    return f"index/{name(near)}"


def of_unit(folder: RunFolder, unit: Unit, near: Near | None) -> None:
    """Write the index of a unit's answered rows, unless it is there."""
    if not folder.tagged(stage(near), unit):
        rows = folder.answered(unit, ("uuid", "instruction", "rejection"))
        rows = rows.filter(rows["rejection"].is_null())
        texts = rows["instruction"].to_pylist()
        folder.write(stage(near), unit, _table(rows["uuid"].to_pylist(), texts, near))


def of_rows(place: Path, rows: Iterable[tuple[str | None, str]], near: Near | None) -> list[Path]:
    """Return the files of the index of rows (uuid, instruction) in a folder; made if need be."""
    from magpie_hub.shards.parquet import write_shard

    if not _whole(place):
        new, count = fresh(place), 0
        for count, block in enumerate(_blocks(rows), 1):
            uuids, texts = zip(*block, strict=True)
            path = new / f"{count - 1:05d}.parquet"
            write_shard(path, _table(uuids, texts, near), {"block": count})
        (new / _COUNT).write_text(str(count))
        swap(place)
    return sorted(place.glob("*.parquet"))


def _whole(place: Path) -> bool:
    """Whether all files of an index are there and can be opened: a person may have removed one."""
    from magpie_hub.shards.parquet import read_labels

    files = list(place.glob("*.parquet"))
    there = (place / _COUNT).exists() and (place / _COUNT).read_text() == str(len(files))
    return there and all(read_labels(path) for path in files)


def _blocks(rows: Iterable[tuple[str | None, str]]) -> Iterator[list[tuple[str | None, str]]]:
    left = iter(rows)
    while block := list(islice(left, _BLOCK)):
        yield block


def _table(uuids: Sequence[str | None], texts: Sequence[str], near: Near | None) -> "pa.Table":
    import pyarrow as pa

    digests = [digest(text) for text in texts]
    columns = {
        "uuid": uuids,
        "instruction": texts,
        "high": [int.from_bytes(bits[:8], "big") for bits in digests],
        "low": [int.from_bytes(bits[8:], "big") for bits in digests],
        "bands": [None] * len(texts) if near is None else _bands(texts, near),
    }
    return pa.table(columns, schema=arrow_schema(INDEX_SHARD))


def _bands(texts: Sequence[str], near: Near) -> list[list[int] | None]:
    cut = [tokens(text, near) for text in texts]
    keys = band_keys(_signer(near)([words for words in cut if words]), near).tolist()
    signed = iter(keys)
    return [next(signed) if words else None for words in cut]


@lru_cache(maxsize=1)
def _signer(near: Near) -> Signer:
    return signer(near)

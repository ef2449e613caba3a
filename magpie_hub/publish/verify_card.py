"""Checks what a published card tells readers and `datasets`, against what release.json says.

Reads no data, and only the front matter of the card; the rest is compared by its checksum.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from magpie_hub.errors import TargetError
from magpie_hub.publish import readme
from magpie_hub.publish.manifest import CARD, Entry, Manifest
from magpie_hub.publish.release import Published
from magpie_hub.shards.splits import TRAIN


def of_card(published: Published, *, edited: bool) -> Iterator[str]:
    """Yield what is wrong with the card, first of all with what readers go by."""
    manifest, card = published.manifest, published.card or ""
    try:
        front, _ = readme.split(card)
        listed, described = readme.configs(front), readme.infos(front)
    except TargetError as error:
        yield error.message
        return
    for name, entry in manifest.configs.items():
        for called in filter(None, (name, entry["alias"])):
            yield from _of_entry(called, name, manifest, listed.get(called), described.get(called))
    found = hashlib.sha256(card.encode()).hexdigest()
    if not edited and CARD in manifest.files and found != manifest.files[CARD]["sha256"]:
        yield f"`{CARD}` has the SHA-256 `{found}`, expected `{manifest.files[CARD]['sha256']}`"


def _of_entry(
    called: str, name: str, manifest: Manifest, listed: Entry | None, info: Entry | None
) -> Iterator[str]:
    if listed is None or info is None:
        yield f"the card does not list the config `{called}`"
        return
    splits, version = manifest.splits(name), manifest.configs[name]["version"]
    files = [{"split": split, "path": f"{name}/{split}-*"} for split in splits]
    if (found := listed.get("data_files")) != files:
        yield f"the card says that `{called}` is in `{found}`, expected `{files}`"
    if str(listed.get("version")) != version:
        yield f"the card says that `{called}` is {listed.get('version')}, expected {version}"
    match found := info.get("splits"):
        case [*each] if [_rows_of(split) for split in each] == [*splits.items()]:
            pass
        case _:
            yield f"the card says that `{called}` is of {found}, expected {counted(splits)} rows"


def _rows_of(split: Any) -> tuple[Any, Any] | None:
    return (split.get("name"), split.get("num_examples")) if isinstance(split, dict) else None


def counted(splits: Mapping[str, int]) -> str:
    """Return rows in words: `20`, or `18 (train), 2 (test)` where there are several splits."""
    if [*splits] == [TRAIN]:
        return f"{splits[TRAIN]:,}"
    return ", ".join(f"{rows:,} ({split})" for split, rows in splits.items())

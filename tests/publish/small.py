"""Small releases of real Parquet files, made by hand from a few rows; no run is needed.

A release has a card of its own, with what `datasets` must know of its configs.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from magpie_hub.publish import index, readme
from magpie_hub.publish.plan import plan
from magpie_hub.publish.release import Release
from magpie_hub.publish.repository import Repository
from magpie_hub.records import MESSAGES, arrow_schema
from magpie_hub.shards.files import sha256
from magpie_hub.shards.parquet import write_release
from magpie_hub.shards.splits import release_files

REPO = "org/tiny"
FEATURES = {"messages": MESSAGES, "quality": "int64", "uuid": "string"}
SCHEMA = arrow_schema(FEATURES)
_MESSAGES = [{"name": "role", "dtype": "string"}, {"name": "content", "dtype": "string"}]
_DESCRIBED = [
    {"name": "messages", "list": _MESSAGES},
    {"name": "quality", "dtype": "int64"},
    {"name": "uuid", "dtype": "string"},
]

Row = dict[str, Any]


def rows(count: int, first: int = 0) -> list[Row]:
    """Return so many rows, of which no two are equal; their uuids are `0`, `1`, ..."""
    return [
        {
            "messages": [{"role": "user", "content": f"Was ist {n}?"}],
            "quality": n % 5 if n % 7 else None,
            "uuid": str(n),
        }
        for n in range(first, first + count)
    ]


def release(
    folder: Path,
    configs: Mapping[str, Sequence[Row]],
    name: str = "tiny",
    aliases: Mapping[str, str] | None = None,
    figures: Mapping[str, bytes] | None = None,
    text: str = "",
    tests: Mapping[str, Sequence[Row]] | None = None,
) -> Release:
    """Write the files of some configs, by their rows, under `folder` and return their release.

    text: what the card says besides its title. tests: by config, the rows of a split of their own.
    """
    splits = {config: {"train": held} for config, held in configs.items()}
    for config, held in (tests or {}).items():
        splits[config]["test"] = held
    for config, parts in splits.items():
        for split, held in parts.items():
            write_release(folder / config, split, [table(held)], SCHEMA)
    sources = {
        f"{config}/{path.name}": path
        for config in configs
        for path in sorted((folder / config).iterdir())
    }
    for figure, content in (figures or {}).items():
        path = f"figures/{name}/{figure}.png"
        sources[path] = folder / path
        sources[path].parent.mkdir(parents=True, exist_ok=True)
        sources[path].write_bytes(content)
    hashed = {config: index.hash_files(release_files(folder / config)) for config in configs}
    counts = {
        config: {split: len(held) for split, held in parts.items()}
        for config, parts in splits.items()
    }
    called = {config: config for config in configs} | (dict(aliases or {}))
    return Release(
        name=name,
        repo=REPO,
        version=None,
        card=_card(name, counts, called, text),
        made={"spec": {"repo": REPO}, "fingerprint": "5d1f", "versions": {"pyarrow": "26.0.1"}},
        configs={
            config: {
                "rows": sum(counts[config].values()),
                **({"splits": counts[config]} if len(counts[config]) > 1 else {}),
                "digest": index.digest(hashed[config]["content_hash"]),
                "features": FEATURES,
                "frozen": False,
                "alias": next((a for a, c in (aliases or {}).items() if c == config), None),
                "facts": {"counts": {}, "numbers": {}},
            }
            for config in configs
        },
        files={
            path: {"sha256": sha256(source), "bytes": source.stat().st_size}
            for path, source in sources.items()
        },
        sources=sources,
        index=lambda: hashed,
    )


def table(held: Sequence[Row]) -> pa.Table:
    """Return rows as a table with the published columns."""
    return pa.Table.from_pylist(list(held), schema=SCHEMA)


def _card(
    name: str, counts: Mapping[str, Mapping[str, int]], called: Mapping[str, str], text: str
) -> str:
    """Return a card; called: each name that a config is opened by, with the config's own.

    counts: by config and split.
    """
    front = {
        "pretty_name": "tiny",
        "configs": [
            {
                "config_name": at,
                "data_files": [{"split": s, "path": f"{config}/{s}-*"} for s in counts[config]],
            }
            for at, config in called.items()
        ],
        "dataset_info": [
            {
                "config_name": at,
                "features": _DESCRIBED,
                "splits": [
                    {"name": split, "num_bytes": 1, "num_examples": rows}
                    for split, rows in counts[config].items()
                ],
                "download_size": 1,
                "dataset_size": 1,
            }
            for at, config in called.items()
        ],
    }
    return readme.joined(front, f"# What `{name}` holds\n{text}")


def commit(repository: Repository, release: Release) -> str:
    """Put a release into a repository as one commit, without looking at it; return the commit."""
    published = repository.read()
    planned = plan(release, published)
    made = repository.commit(
        f"Release v{planned.version}", "", planned.add, planned.delete, parent=published.revision
    )
    return made.oid

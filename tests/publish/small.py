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
) -> Release:
    """Write the files of some configs, by their rows, under `folder` and return their release.

    text: what the card says besides its title.
    """
    for config, held in configs.items():
        write_release(folder / config, "train", [table(held)], SCHEMA)
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
    hashed = {config: index.hash_files(sorted((folder / config).iterdir())) for config in configs}
    called = {config: config for config in configs} | (dict(aliases or {}))
    return Release(
        name=name,
        repo=REPO,
        version=None,
        card=_card(name, configs, called, text),
        made={"spec": {"repo": REPO}, "fingerprint": "5d1f", "versions": {"pyarrow": "26.0.1"}},
        configs={
            config: {
                "rows": len(held),
                "digest": index.digest(hashed[config]["content_hash"]),
                "features": FEATURES,
                "frozen": False,
                "alias": next((a for a, c in (aliases or {}).items() if c == config), None),
                "facts": {"counts": {}, "numbers": {}},
            }
            for config, held in configs.items()
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
    name: str, configs: Mapping[str, Sequence[Row]], called: Mapping[str, str], text: str
) -> str:
    """Return a card; called: each name that a config is opened by, with the config's own."""
    front = {
        "pretty_name": "tiny",
        "configs": [
            {"config_name": at, "data_files": [{"split": "train", "path": f"{config}/train-*"}]}
            for at, config in called.items()
        ],
        "dataset_info": [
            {
                "config_name": at,
                "features": _DESCRIBED,
                "splits": [{"name": "train", "num_bytes": 1, "num_examples": len(configs[config])}],
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

"""Releases from a few literal rows, and a target in memory: no run, no folder, no Hub.

A config is written as `{"a": "1", "b": "2"}`: the uuid of each row, and its content hash.
"""

import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from magpie_hub.publish import index
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Manifest, parse
from magpie_hub.publish.plan import Plan, plan
from magpie_hub.publish.release import Index, Published, Release, Stored

REPO = "org/magpie"
FEATURES = {"messages": [{"role": "string", "content": "string"}], "uuid": "string"}
VERSIONS = {"pyarrow": "20.0.0"}
FRONT = {"license": "llama3", "language": ["en"], "pretty_name": "magpie", "tags": ["synthetic"]}

Rows = Mapping[str, str]


def table(rows: Rows) -> pa.Table:
    """Return the index of a config."""
    return pa.table([list(rows), list(rows.values())], schema=index.ROWS)


def release(
    configs: Mapping[str, Rows],
    name: str = "pro",
    version: str | None = None,
    default: str | None = None,
    aliases: Mapping[str, str] | None = None,
    frozen: Sequence[str] = (),
    features: Mapping[str, Any] = FEATURES,
    facts: Mapping[str, Any] | None = None,
    text: str = "Some facts.",
    front: Mapping[str, Any] = FRONT,
    versions: Mapping[str, str] = VERSIONS,
    writer: str = "",
    **files: str,
) -> Release:
    """Return a release of the spec `name`.

    aliases: by config. features, facts: of each config. text: of the card. writer: what else is in
    each file, as another release of a library would write it. files: texts of further ones.
    """
    data = {
        f"{config}/train-00000-of-00001.parquet": f"{writer}{dict(rows)}".encode()
        for config, rows in configs.items()
    } | {path: text.encode() for path, text in files.items()}
    tables = {config: table(rows) for config, rows in configs.items()}
    called = {config: config for config in configs}
    called |= {alias: config for config, alias in (aliases or {}).items()}
    return Release(
        name=name,
        repo=REPO,
        version=version,
        card=card(front, called, configs, default, text),
        made={"spec": {"license": "llama3"}, "fingerprint": name, "versions": dict(versions)},
        configs={
            config: {
                "rows": len(rows),
                "digest": index.digest(tables[config]["content_hash"]),
                "features": dict(features),
                "frozen": config in frozen,
                "alias": (aliases or {}).get(config),
                "facts": dict(facts or {}),
            }
            for config, rows in configs.items()
        },
        files={
            path: {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
            for path, content in data.items()
        },
        sources=data,
        index=lambda: tables,
    )


def card(
    front: Mapping[str, Any],
    called: Mapping[str, str],
    configs: Mapping[str, Rows],
    default: str | None,
    text: str,
) -> str:
    """Return a card as a build makes it. called: configs by each of their names."""
    described = {
        **front,
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": "train", "path": f"{config}/train-*"}],
                **({"default": True} if name == default else {}),
            }
            for name, config in called.items()
        ],
        "dataset_info": [
            {
                "config_name": name,
                "splits": [{"name": "train", "num_examples": len(configs[config])}],
            }
            for name, config in called.items()
        ],
    }
    return f"---\n{yaml.safe_dump(described, sort_keys=False)}---\n\n# {REPO}\n\n{text}\n"


class Target:
    """A repository in memory, in which every version is a tag of the last commit."""

    def __init__(self, **files: str) -> None:
        """Begin with what others have put there; `data__x.parquet` is `data/x.parquet`."""
        self.files = {path.replace("__", "/"): text.encode() for path, text in files.items()}
        self.tags: dict[str, str] = {}

    def read(self) -> Published:
        """Return what a plan is compared with."""
        said = self.files.get(MANIFEST)
        return Published(
            parse(said, MANIFEST) if said else Manifest(REPO),
            "head",
            {
                path: Stored(len(content), sha256(content).hexdigest())
                for path, content in self.files.items()
            },
            self.files[CARD].decode() if CARD in self.files else None,
            self.tags,
            self.index,
        )

    def plan(self, release: Release, *delete: str) -> Plan:
        """Return the plan of a release into what is there."""
        return plan(release, self.read(), delete=delete)

    def put(self, release: Release, *delete: str, tag: bool = True) -> Plan:
        """Carry out the plan of a release, and return it."""
        planned = self.plan(release, *delete)
        for path in planned.delete:
            del self.files[path]
        for path, source in planned.add.items():
            assert isinstance(source, bytes)
            self.files[path] = source
        if tag:
            self.tags[planned.version] = "head"
        return planned

    def index(self) -> Index:
        """Return the index of rows that is there."""
        if INDEX not in self.files:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / INDEX).write_bytes(self.files[INDEX])
            return index.read(Path(folder) / INDEX)

    def edit(self, old: str, new: str) -> None:
        """Edit the card as a person does."""
        text = self.files[CARD].decode()
        assert old in text
        self.files[CARD] = text.replace(old, new, 1).encode()

    @property
    def card(self) -> str:
        """The card that is there."""
        return self.files[CARD].decode()

    @property
    def front(self) -> dict[str, Any]:
        """The front matter of the card, read as anybody reads it."""
        return dict(yaml.safe_load(self.card.split("---\n")[1]))

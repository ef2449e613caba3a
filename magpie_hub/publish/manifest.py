"""release.json: what a release says of itself, and what the next one is compared with.

    {"format": 2, "repo": "org/magpie", "version": "1.1.0",
     "specs":   {"pro": {"spec": {...}, "fingerprint": "5d1f...", "versions": {...}, ...}},
     "configs": {"filtered": {"spec": "pro", "version": "1.0.1", "rows": 33, "digest": ..., ...}},
     "files":   {"filtered/train-00000-of-00001.parquet": {"sha256": ..., "bytes": 36864},
                 "figures/pro/lengths.png": ...},
     "changelog": [{"version": "1.1.0", "changes": ["`filtered`: ..."]}, ...],
     "log": "8a1e..."}

Several specs may publish into one repository: each config, and each file, is of one of them. What
is not listed here was made by others. Knows no target.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from magpie_hub.errors import TargetError
from magpie_hub.shards.splits import TRAIN
from magpie_hub.spec.model import VERSION

MANIFEST = "release.json"
CARD = "README.md"
INDEX = "index.parquet"
FORMAT = 2
# The keys that each part must have, by the kind of their values.
_KINDS: Mapping[str, Mapping[Any, str]] = {
    "it": {str: "repo version", dict: "specs configs files", list: "changelog"},
    "a spec": {str: "fingerprint", dict: "spec versions metadata"},
    "a config": {
        str: "spec version digest",
        int: "rows",
        bool: "frozen",
        dict: "features facts",
        str | None: "alias",
    },
    "a file": {str: "sha256", int: "bytes"},
    "a change": {str: "version", list: "changes"},
}

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a release.json; without a version where there is none.

    specs: by name, what was made with which spec and versions, the `metadata` of its card, and, but
    for older ones, its last `version` and the checksum of its part of the `card`. configs: by name,
    with `features` as columns to types as data, and, where there is more than one, the rows of its
    `splits`. files: all but release.json. changelog: newest first. log: the checksum of the list of
    versions in the card, but for older ones.
    """

    repo: str
    version: str | None = None
    specs: Mapping[str, Entry] = field(default_factory=dict)
    configs: Mapping[str, Entry] = field(default_factory=dict)
    files: Mapping[str, Entry] = field(default_factory=dict)
    changelog: tuple[Entry, ...] = ()
    log: str | None = None

    def text(self) -> str:
        """Return the file's text."""
        data = {
            "format": FORMAT,
            "repo": self.repo,
            "version": self.version,
            "specs": self.specs,
            "configs": self.configs,
            "files": dict(sorted(self.files.items())),
            "changelog": list(self.changelog),
            **({"log": self.log} if self.log else {}),
        }
        return json.dumps(data, ensure_ascii=False, indent=2) + "\n"

    def of_config(self, name: str) -> dict[str, Entry]:
        """Return the files of a config: what lies in its folder itself."""
        return {path: at for path, at in self.files.items() if path.rpartition("/")[0] == name}

    def splits(self, name: str) -> dict[str, int]:
        """Return the rows of a config by split, `train` first."""
        config = self.configs[name]
        return dict(config.get("splits", {TRAIN: config["rows"]}))

    def beside(self) -> dict[str, Entry]:
        """Return the files that are of no config: the card, the index and the figures."""
        return {
            path: at
            for path, at in self.files.items()
            if path.rpartition("/")[0] not in self.configs
        }

    def with_file(self, path: str, sha256: str, bytes_: int) -> "Manifest":
        """Return the manifest with a file's checksum and size put in."""
        return replace(self, files={**self.files, path: {"sha256": sha256, "bytes": bytes_}})


def parse(text: str | bytes, place: str) -> Manifest:
    """Return what a release.json says; TargetError where it is not one that we wrote.

    place: how to name the file to a person.
    """
    try:
        data = json.loads(text)
        _check(data)
    except ValueError as error:
        raise TargetError(
            f"`{place}` is not the {MANIFEST} of a release: {error}",
            hint="restore the file, or remove it: what it listed then counts as made by others",
        ) from error
    return Manifest(
        data["repo"],
        data["version"],
        data["specs"],
        data["configs"],
        data["files"],
        tuple(data["changelog"]),
        data.get("log"),
    )


def _check(data: Any) -> None:
    """Raise ValueError, in words for a person, where data is not what `text` writes."""
    if isinstance(data, dict) and data.get("format") != FORMAT:
        raise ValueError(f"its format is {data.get('format')}, expected {FORMAT}")
    _check_kinds("it", data)
    for what, entries in (
        ("a spec", data["specs"].values()),
        ("a config", data["configs"].values()),
        ("a file", data["files"].values()),
        ("a change", data["changelog"]),
    ):
        for entry in entries:
            _check_kinds(what, entry)
    for entry in data["configs"].values():
        if not _adds_up(entry.get("splits", {TRAIN: entry["rows"]}), entry["rows"]):
            raise ValueError("the `splits` of a config are not its `rows`")
    for version in (data["version"], *(entry["version"] for entry in data["configs"].values())):
        if not VERSION.fullmatch(version):
            raise ValueError(f"`{version}` is no version, expected `x.y.z`")
    for path in (*data["files"], *data["configs"]):
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"`{path}` leads out of the release")


def _check_kinds(what: str, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{what} is {type(entry).__name__}, expected a map")
    for kind, keys in _KINDS[what].items():
        for key in keys.split():
            if key not in entry or not isinstance(entry[key], kind):
                raise ValueError(f"{what} has no `{key}`, or one of another kind than expected")


def _adds_up(splits: Any, rows: int) -> bool:
    return (
        isinstance(splits, dict)
        and all(isinstance(part, int) for part in splits.values())
        and sum(splits.values()) == rows
    )

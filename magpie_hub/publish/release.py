"""What is to be published, and what a target holds: the two things that a plan compares.

Data alone: neither knows where it came from, but for the places that its files are fetched from.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from magpie_hub.publish.manifest import Entry, Manifest

if TYPE_CHECKING:
    import pyarrow as pa

Index = Mapping[str, "pa.Table"]
"""By config: `uuid` and `content_hash` of its rows, in order."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that the target holds already, at another revision; blob: git's id of a small one."""

    revision: str
    path: str
    blob: str | None = None


Source = Path | bytes | Copied
"""Where the content of a file is: on this machine, in hand, or in the target itself."""


@dataclass(frozen=True, slots=True)
class Release:
    """A built release of one spec.

    name: the spec's, under which a manifest lists what it owns. version: what the spec asks for.
    card: README.md, not yet merged with what the target has. made: the spec as it may be published,
    its fingerprint, and the versions of what made it. configs: as a manifest lists them, without
    `version`. files: as a manifest lists them, with their sources; neither card nor index. remarks:
    what the changelog should say besides the changes.
    """

    name: str
    repo: str
    version: str | None
    card: str
    made: Entry
    configs: Mapping[str, Entry]
    files: Mapping[str, Entry]
    sources: Mapping[str, Source]
    index: Callable[[], Index]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in a target: its size in bytes, and its SHA-256 or, where small, git's blob id."""

    size: int
    sha256: str | None = None
    blob: str | None = None

    def holds(self, content: bytes) -> bool:
        """Return whether the file has this content."""
        if self.sha256 is not None:
            return hashlib.sha256(content).hexdigest() == self.sha256
        return git_blob(content) == self.blob


@dataclass(frozen=True, slots=True)
class Published:
    """What a target holds at one revision.

    revision: its commit; None where the target has none. tags: commit by version, `1.0.0` without
    the `v`. manifest: an empty one where there is none. card: None where there is none.
    """

    manifest: Manifest
    revision: str | None = None
    files: Mapping[str, Stored] = field(default_factory=dict)
    card: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    index: Callable[[], Index] = dict


def git_blob(content: bytes) -> str:
    """Return git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

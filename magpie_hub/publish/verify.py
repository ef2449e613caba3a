"""Checks a release from outside: what its release.json says against what a reader gets.

Reads everything anew: each file's bytes, the Parquet footers, the card's metadata, the index, and
each config's rows through `load_dataset` in a fresh process. One config at a time lies on the
disk. Needs no spec and no run; writes nothing.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from magpie_hub.errors import HubError, TargetError, VerifyError
from magpie_hub.hub import COMMIT
from magpie_hub.publish.loaded import Loaded, differing, load
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Entry, Manifest
from magpie_hub.publish.release import Index, Published
from magpie_hub.publish.verify_card import counted, of_card
from magpie_hub.records import arrow_schema
from magpie_hub.shards.files import sha256
from magpie_hub.shards.splits import split_of

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds for which a commit may not be readable yet."""
_SHOWN = 5


class Place(Protocol):
    """A target that can be read: the Hub's repository, or a folder."""

    @property
    def repo(self) -> str:
        """What the target is called, as `owner/name`."""
        ...

    @property
    def address(self) -> str:
        """What `load_dataset` opens."""
        ...

    def read(self, revision: str) -> Published:
        """Return what the target holds at a revision."""
        ...

    def fetch(self, path: str, commit: str, folder: Path) -> Path:
        """Return a file's place, which is in `folder` where it had to be downloaded."""
        ...


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and found as it should be: configs with their rows, bytes of all files."""

    repo: str
    version: str
    commit: str | None
    configs: dict[str, int]
    files: int
    bytes: int


def verify(
    place: Place, revision: str, *, version: str | None = None, patience: float = 0.0
) -> Verified:
    """Return what was checked of the release at a revision.

    version: what it must be. patience: for how many seconds the Hub may not show yet what was
    committed. Raises VerifyError, with each fault, where the content is wrong; HubError where it
    cannot be had.
    """
    waiting, at = _Waiting(patience), f" at `{revision}`" if revision else ""
    try:
        published = waiting.for_(lambda: place.read(revision))
    except TargetError as error:
        raise VerifyError(f"`{place.repo}`{at}: {error.message}", hint=error.hint) from error
    manifest = published.manifest
    if manifest.version is None:
        raise VerifyError(
            f"`{place.repo}`{at} has no {MANIFEST}, expected a release",
            hint="check the version: `magpie-hub verify REPO@vX.Y.Z`",
        )
    faults = list(_of_version(published, version))
    faults += _of_listing(published)
    # A branch, unlike a version or a commit, is where people edit the card.
    branch = revision and version is None and not COMMIT.fullmatch(revision)
    faults += of_card(published, edited=bool(branch))
    if not faults:
        commit = published.revision or ""
        index = _index(published, faults, waiting)
        for name, entry in manifest.configs.items():
            faults += _of_files(place, commit, manifest, name, waiting)
            faults += _of_index(name, entry, index)
        faults += _of_others(place, commit, manifest, waiting)
        if not faults:
            faults += _of_rows(place, published.revision, manifest, index, waiting)
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise VerifyError(
            f"`{place.repo}`{at}: {'; '.join(faults[:_SHOWN])}{more}",
            hint="publish again: an earlier version's files by `publish SPEC --as-of vX.Y.Z`",
        )
    return Verified(
        place.repo,
        manifest.version,
        published.revision,
        {name: entry["rows"] for name, entry in manifest.configs.items()},
        len(manifest.files),
        sum(entry["bytes"] for entry in manifest.files.values()),
    )


class _Waiting:
    """Tries again what the Hub does not show yet, for so many seconds each time."""

    def __init__(self, patience: float) -> None:
        self._patience = patience

    def for_(self, ask: Callable[[], T]) -> T:
        pause, until = 1.0, time.monotonic() + self._patience
        while True:
            try:
                return ask()
            except HubError:
                if time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 10.0)


def _of_version(published: Published, version: str | None) -> Iterator[str]:
    found = published.manifest.version
    if version is not None and found != version:
        yield (
            f"the tag `v{version}` points at the commit `{published.revision}`, whose {MANIFEST}"
            f" says {found}: the tag was moved, or the file changed"
        )


def _of_listing(published: Published) -> Iterator[str]:
    """Yield what is wrong with the names, sizes and listed checksums of the files."""
    manifest = published.manifest
    for path, entry in manifest.files.items():
        stored = published.files.get(path)
        if stored is None:
            yield f"`{path}` is missing"
        elif path == CARD:
            continue
        elif stored.size != entry["bytes"]:
            yield f"`{path}` has {stored.size:,} bytes, expected {entry['bytes']:,}"
        elif stored.sha256 not in (None, entry["sha256"]):
            yield f"`{path}` has the SHA-256 `{stored.sha256}`, expected `{entry['sha256']}`"
    for path in published.files.keys() - manifest.files.keys():
        if path.partition("/")[0] in manifest.configs:
            yield f"`{path}` is read with its config and is no part of the release"


def _index(published: Published, faults: list[str], waiting: _Waiting) -> Index:
    try:
        return waiting.for_(published.index)
    except TargetError as error:
        faults.append(f"`{INDEX}`: {error.message}")
        return {}


def _of_index(name: str, entry: Entry, index: Index) -> Iterator[str]:
    from magpie_hub.publish.index import ROWS, digest

    rows = index.get(name, ROWS.empty_table())
    if rows.num_rows != entry["rows"]:
        yield f"`{INDEX}` has {rows.num_rows:,} rows of `{name}`, expected {entry['rows']:,}"
    elif digest(rows["content_hash"]) != entry["digest"]:
        yield f"`{INDEX}` has other rows of `{name}` than {MANIFEST} says"


def _of_files(
    place: Place, commit: str, manifest: Manifest, name: str, waiting: _Waiting
) -> Iterator[str]:
    """Yield what is wrong with a config's files: their bytes, and their footers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    splits, expected = manifest.splits(name), arrow_schema(dict(manifest.configs[name]["features"]))
    rows = dict.fromkeys(splits, 0)
    for path, entry in manifest.of_config(name).items():
        with _fetched(place, path, commit, waiting) as file:
            yield from _of_bytes(place, path, commit, entry, file, waiting)
            try:
                footer = pq.read_metadata(file)
            except (pa.ArrowException, OSError) as error:
                if isinstance(error, OSError) and error.errno:
                    raise
                yield f"`{path}` is no whole Parquet file: {str(error).splitlines()[0]}"
                continue
            rows[split_of(path)] = rows.get(split_of(path), 0) + footer.num_rows
            # What `load_dataset` would cast in silence, other readers would not.
            if wrong := differing(expected, footer.schema.to_arrow_schema()):
                yield f"`{path}`: {wrong}"
    if rows != splits:
        yield f"`{name}` has {counted(rows)} rows, expected {counted(splits)}"


def _of_others(place: Place, commit: str, manifest: Manifest, waiting: _Waiting) -> Iterator[str]:
    """Yield what is wrong with the bytes of files that are of no config; the card is seen to."""
    for path, entry in manifest.beside().items():
        if path != CARD:
            with _fetched(place, path, commit, waiting) as file:
                yield from _of_bytes(place, path, commit, entry, file, waiting)


def _of_bytes(
    place: Place, path: str, commit: str, entry: Entry, file: Path, waiting: _Waiting
) -> Iterator[str]:
    if (found := sha256(file)) == entry["sha256"]:
        return
    # Much follows from this; a second reading tells a bad connection from a bad file.
    with _fetched(place, path, commit, waiting) as again:
        found = sha256(again)
    if found != entry["sha256"]:
        yield f"`{path}` has the SHA-256 `{found}`, expected `{entry['sha256']}`"


@contextmanager
def _fetched(place: Place, path: str, commit: str, waiting: _Waiting) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="magpie-verify-") as folder:
        yield waiting.for_(lambda: place.fetch(path, commit, Path(folder)))


def _of_rows(
    place: Place, commit: str | None, manifest: Manifest, index: Index, waiting: _Waiting
) -> Iterator[str]:
    """Yield what is wrong with the rows as `load_dataset` gives them."""
    import pyarrow.parquet as pq

    names = {
        called: name
        for name, entry in manifest.configs.items()
        for called in filter(None, (name, entry["alias"]))
    }
    columns = {called: manifest.configs[name]["features"] for called, name in names.items()}
    with tempfile.TemporaryDirectory(prefix="magpie-verify-") as folder:
        results = waiting.for_(lambda: _reached(place, commit, columns, Path(folder)))
        for result in results:
            if result.problem:
                yield f"loading `{result.config}`: {result.problem}"
                continue
            found, expected = pq.read_table(result.rows), index[names[result.config]]
            if not found.equals(expected):
                yield f"loading `{result.config}` gives {_apart(expected, found)}"


def _apart(expected: "pa.Table", found: "pa.Table") -> str:
    from magpie_hub.publish.index import Difference, compare

    apart = compare(expected, found)
    if apart == Difference(0, 0, 0):
        return "its rows in another order"
    return (
        f"{found.num_rows:,} rows, expected {expected.num_rows:,}: {apart.removed:,} missing,"
        f" {apart.added:,} strange, {apart.changed:,} with another content"
    )


def _reached(
    place: Place, commit: str | None, columns: dict[str, Entry], folder: Path
) -> list[Loaded]:
    """Load all configs; HubError where the data is not to blame, so that it is tried again."""
    results = load(place.address, commit, columns, Path(tempfile.mkdtemp(dir=folder)))
    for result in results:
        if result.unreachable:
            raise HubError(
                f"`{place.repo}` cannot be loaded: {result.problem}",
                hint="check what it names and the connection, then run the same command: it goes on"
                " where it stopped",
            )
    return results

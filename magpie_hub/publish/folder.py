"""The folder target: one version of a release, written beside its place and swapped in.

    dist/org/magpie-smollm2/README.md
                            release.json                       what is here, checksums, versions
                            index.parquet                      the rows' content hashes
                            filtered/train-00000-of-00001.parquet
                            dpo/train-..., dpo/test-...        a config may have a second split

Knows files, not how they were made. A folder that holds something else is never touched.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magpie_hub.errors import TargetError
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Manifest, parse
from magpie_hub.publish.plan import Plan
from magpie_hub.publish.readme import text
from magpie_hub.publish.release import Index, Published, Stored
from magpie_hub.shards.files import finish_swap, fresh, make_folder, sha256, swap, write_text


class Folder:
    """A folder by its path, which holds the release of `repo` or nothing."""

    def __init__(self, repo: str, path: Path) -> None:
        """Name a folder; where it is a link, what it points to is meant."""
        self.repo = repo
        self.path = path.resolve()
        self._called = path

    @property
    def address(self) -> str:
        """What `load_dataset` opens."""
        return str(self.path)

    def check(self) -> None:
        """Raise TargetError unless the place is free, or holds a release and nothing else."""
        self._check_way()
        ours = self._listed()
        for path in self.path.rglob("*"):
            is_folder = path.is_dir() and not path.is_symlink()
            if not is_folder and str(path.relative_to(self.path)) not in ours:
                raise TargetError(
                    f"`{path}` is no part of a release; expected a new or empty folder, or one"
                    f" that holds what its {MANIFEST} lists and nothing else",
                    hint="name another folder with --to, or move what is there away",
                )

    def read(self, revision: str = "") -> Published:
        """Return what the folder holds; it has one version, whatever `revision` says.

        What git and the Hub's client keep beside the files of a copy is left out.
        """
        manifest = Manifest(self.repo)
        if (place := self.path / MANIFEST).exists():
            manifest = parse(place.read_bytes(), str(place))
        files = {
            str(path.relative_to(self.path)): Stored(path.stat().st_size, sha256(path))
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and not path.relative_to(self.path).parts[0].startswith(".")
        }
        card = self.path / CARD
        return Published(
            manifest,
            None,
            files,
            text(card.read_bytes(), str(card)) if card.exists() else None,
            {manifest.version: ""} if manifest.version else {},
            self._index,
        )

    def fetch(self, path: str, commit: str, folder: Path) -> Path:
        """Return a file's place; it is not copied into `folder`."""
        return self.path / path

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other releases out, and end a swap that was killed.

        The system frees the lock of a process that dies.
        """
        self._check_way()
        make_folder(self.path.parent)
        parent = os.open(self.path.parent, os.O_RDONLY)
        try:
            try:
                fcntl.flock(parent, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TargetError(
                    f"another process is putting a release into `{self.path.parent}`",
                    hint="wait for it, then run the same command",
                ) from None
            finish_swap(self.path)
            self.check()
            yield
        finally:
            os.close(parent)

    def put(self, plan: Plan) -> None:
        """Carry out a plan made from what the folder holds; the caller owns it."""
        new = fresh(self.path)
        for name in plan.manifest.files:
            source = plan.add.get(name, self.path / name)
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, bytes):
                (new / name).write_bytes(source)
            else:
                assert isinstance(source, Path), "a folder has one version: nothing to copy from"
                shutil.copyfile(source, new / name)
        write_text(new / MANIFEST, plan.manifest.text())
        swap(self.path)

    def _check_way(self) -> None:
        there = next(path for path in (self._called, *self._called.parents) if path.exists())
        if not there.is_dir():
            raise TargetError(
                f"`{there}` is a file, expected a folder or nothing",
                hint="name another folder with --to, or move the file away",
            )

    def _index(self) -> Index:
        from magpie_hub.publish.index import read

        return read(self.path / INDEX) if (self.path / INDEX).exists() else {}

    def _listed(self) -> set[str]:
        """Return the files of the release in the folder, none where no manifest can be read."""
        try:
            return {MANIFEST, *json.loads((self.path / MANIFEST).read_bytes())["files"]}
        except (OSError, ValueError, KeyError, TypeError):
            return set()

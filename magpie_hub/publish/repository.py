"""The Hub as a target: one repository of datasets, through huggingface_hub.

Reads are of a commit, never of a cache, and are checked against what the repository lists. A
release is one commit with a stated parent. Knows nothing of what a release should hold.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    constants,
    get_token,
)

from magpie_hub import __version__
from magpie_hub.errors import HubError, TargetError
from magpie_hub.publish.client import Moved, spoken
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Manifest, parse
from magpie_hub.publish.readme import text
from magpie_hub.publish.release import Copied, Index, Published, Source, Stored, git_blob
from magpie_hub.spec.model import VERSION

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that was made; of a pull request with its number and its address."""

    oid: str
    pull_request: int | None = None
    url: str = ""


class Repository:
    """A repository of datasets, as the account of HF_TOKEN, or of trusted publishing, sees it."""

    def __init__(self, repo: str) -> None:
        """Name a repository as `owner/name`; nothing is asked yet."""
        self.repo = repo
        self._api = HfApi(library_name="magpie-hub", library_version=__version__)
        self._ask: Mapping[str, Any] = {"repo_id": repo, "repo_type": "dataset"}

    @property
    def address(self) -> str:
        """What `load_dataset` opens."""
        return self.repo

    def check(self, *, create: bool, private: bool = False) -> bool:
        """Return whether the repository exists; HubError where it neither does nor should.

        private: whether it must not be public.
        """
        with spoken(self.repo):
            exists = self._api.repo_exists(**self._ask)
            if exists and private and not self._api.dataset_info(self.repo).private:
                raise HubError(
                    f"`{self.repo}` exists and is public, expected none, or a private one",
                    hint="make it private on its settings page, or leave --private out",
                )
        if exists or create:
            return exists
        raise HubError(
            f"the dataset `{self.repo}` does not exist on {constants.ENDPOINT}, or is private",
            hint="make it with --create, or set HF_TOKEN to a token that may read it",
        )

    def check_token(self) -> None:
        """Raise HubError where it is plain that the account may write nowhere."""
        with spoken(self.repo):
            token = get_token()
            # One of trusted publishing is of a repository, and nobody's.
            by_person = token and not os.environ.get("HF_OIDC_RESOURCE")
            account = self._api.whoami() if by_person else {}
        role = account.get("auth", {}).get("accessToken", {}).get("role")
        if token is None or role == "read":
            raise HubError(
                "there is no token" if token is None else "the token may only read, expected write",
                hint="set HF_TOKEN to a token with the right to write, or sign in with"
                " `hf auth login`",
            )

    def create(self, *, private: bool) -> None:
        """Make the repository, unless it is there."""
        with spoken(self.repo):
            self._api.create_repo(**self._ask, private=private, exist_ok=True)

    def files(self, revision: str) -> tuple[str, dict[str, Stored]]:
        """Return the commit that a branch, a tag or a commit is, and its files."""
        with spoken(self.repo, revision):
            info = self._api.dataset_info(self.repo, revision=revision, files_metadata=True)
        return str(info.sha), {
            file.rfilename: Stored(file.size or 0, file.lfs.sha256)
            if file.lfs
            else Stored(file.size or 0, blob=file.blob_id)
            for file in info.siblings or ()
        }

    def read(self, revision: str = MAIN) -> Published:
        """Return what the repository holds at a branch, a tag or a commit.

        Raises TargetError where a file that says what is there is damaged.
        """
        commit, files = self.files(revision)
        manifest = Manifest(self.repo)
        if MANIFEST in files:
            manifest = parse(self._bytes(MANIFEST, commit, files), f"{self.repo}/{MANIFEST}")
        card = None
        if CARD in files:
            card = text(self._bytes(CARD, commit, files), f"{self.repo}/{CARD}")
        # A plan asks for each config, and the file is of all of them.
        index = cache(partial(self._index, commit, files))
        return Published(manifest, commit, files, card, self.tags(), index)

    def tags(self) -> dict[str, str]:
        """Return the commits of the versions, `1.0.0` for the tag `v1.0.0`."""
        with spoken(self.repo):
            tags = self._api.list_repo_refs(**self._ask).tags
        return {
            tag.name[1:]: tag.target_commit
            for tag in tags
            if tag.name[:1] == "v" and VERSION.fullmatch(tag.name[1:])
        }

    def fetch(self, path: str, commit: str, folder: Path) -> Path:
        """Download a file of a commit into `folder`, past every cache; return its place."""
        with spoken(self.repo, commit):
            return Path(
                self._api.hf_hub_download(
                    **self._ask, filename=path, revision=commit, local_dir=folder,
                    force_download=True,
                )
            )  # fmt: skip

    def commit(
        self,
        title: str,
        description: str,
        add: Mapping[str, Source],
        delete: tuple[str, ...],
        *,
        parent: str,
        pull_request: bool = False,
    ) -> Commit:
        """Make one commit on top of `parent`; Moved where that is no longer the branch's end."""
        additions = [
            CommitOperationAdd(path, source)
            for path, source in add.items()
            if not isinstance(source, Copied)
        ]
        copies = [
            CommitOperationCopy(source.path, path, src_revision=source.revision)
            for path, source in add.items()
            if isinstance(source, Copied)
        ]
        deletions = [CommitOperationDelete(path, is_folder=False) for path in delete]
        with spoken(self.repo):
            # The bytes go first, where nobody sees them; the commit only names them.
            self._api.preupload_lfs_files(
                self.repo, additions, repo_type="dataset", create_pr=pull_request
            )
            made = self._api.create_commit(
                **self._ask,
                operations=[*additions, *copies, *deletions],
                commit_message=title,
                commit_description=description,
                create_pr=pull_request,
                parent_commit=parent,
            )
        return Commit(made.oid, made.pr_num, made.pr_url or made.commit_url)

    def proposals(self) -> list[tuple[int, str]]:
        """Return number and address of each open pull request."""
        with spoken(self.repo):
            found = self._api.get_repo_discussions(
                **self._ask, discussion_type="pull_request", discussion_status="open"
            )
            return [(each.num, each.url) for each in found]

    def history(self, commit: str) -> list[tuple[str, str]]:
        """Return the commits that led to one, itself first, each with its title."""
        with spoken(self.repo, commit):
            found = self._api.list_repo_commits(**self._ask, revision=commit)
        return [(each.commit_id, each.title) for each in found]

    def tag(self, version: str, commit: str) -> None:
        """Name a commit `vX.Y.Z`; HubError where another commit has that name."""
        try:
            with spoken(self.repo, commit):
                self._api.create_tag(
                    **self._ask, tag=f"v{version}", revision=commit, tag_message=f"v{version}"
                )
        except Moved as error:
            if (there := self.tags().get(version)) != commit:
                raise HubError(
                    f"the tag `v{version}` of `{self.repo}` is at `{there}`, expected `{commit}`",
                    hint="run the same command: it takes the next version",
                ) from error

    def _bytes(self, path: str, commit: str, files: Mapping[str, Stored]) -> bytes:
        # A second reading tells a bad connection from a bad file.
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                content = self.fetch(path, commit, Path(folder)).read_bytes()
            if files[path].holds(content):
                return content
        raise TargetError(
            f"`{path}` of `{self.repo}` at `{commit}` is other than the Hub lists it"
            f" ({len(content):,} bytes, git id `{git_blob(content)}`)",
            hint="bring the file back from the last version, then run the same command",
        )

    def _index(self, commit: str, files: Mapping[str, Stored]) -> Index:
        from magpie_hub.publish.index import read

        if INDEX not in files:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            place = self.fetch(INDEX, commit, Path(folder))
            try:
                return read(place)
            except TargetError as error:
                raise TargetError(
                    error.message.replace(str(place), f"{self.repo}/{INDEX}"),
                    hint="bring the file back from the last version, as by `magpie-hub publish SPEC"
                    " --as-of vX.Y.Z`, then run the same command",
                ) from error

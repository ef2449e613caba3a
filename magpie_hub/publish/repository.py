"""The Hub as a target: one repository of datasets, through huggingface_hub.

Reads are of a commit, never of a cache, and are checked against what the repository lists. A
release is one commit with a stated parent. Knows nothing of what a release should hold.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
    constants,
    get_session,
    get_token,
)
from huggingface_hub import errors as hub

from magpie_hub import __version__
from magpie_hub.errors import HubError
from magpie_hub.hub import troubles
from magpie_hub.publish.manifest import CARD, INDEX, MANIFEST, Manifest, parse
from magpie_hub.publish.readme import text
from magpie_hub.publish.release import Copied, Index, Published, Source, Stored, git_blob
from magpie_hub.spec.model import VERSION

MAIN = "main"
SILENCE = 300.0
"""Seconds without a byte after which a request counts as lost; the client's own would wait on."""
_MOVED = (409, 412)
"""What the Hub answers where somebody else has committed, or tagged, meanwhile."""


_TROUBLES: tuple[type[Exception], ...] = (*troubles(), hub.OIDCError, ValueError)


class Moved(HubError):
    """The branch is not where it was: somebody else has committed."""


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

    def check(self, *, create: bool) -> bool:
        """Return whether the repository exists; HubError where it neither does nor should."""
        with self._spoken():
            if self._api.repo_exists(**self._ask):
                return True
        if create:
            return False
        raise HubError(
            f"the dataset `{self.repo}` does not exist on {constants.ENDPOINT}, or is private",
            hint="make it with --create, or set HF_TOKEN to a token that may read it",
        )

    def create(self, *, private: bool) -> None:
        """Make the repository, unless it is there."""
        with self._spoken():
            self._api.create_repo(**self._ask, private=private, exist_ok=True)

    def read(self, revision: str = MAIN) -> Published:
        """Return what the repository holds at a branch, a tag or a commit."""
        with self._spoken(revision):
            info = self._api.dataset_info(self.repo, revision=revision, files_metadata=True)
        commit = str(info.sha)
        files = {
            file.rfilename: Stored(file.size or 0, file.lfs.sha256)
            if file.lfs
            else Stored(file.size or 0, blob=file.blob_id)
            for file in info.siblings or ()
        }
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
        with self._spoken():
            tags = self._api.list_repo_refs(**self._ask).tags
        return {
            tag.name[1:]: tag.target_commit
            for tag in tags
            if tag.name[:1] == "v" and VERSION.fullmatch(tag.name[1:])
        }

    def fetch(self, path: str, commit: str, folder: Path) -> Path:
        """Download a file of a commit into `folder`, past every cache; return its place."""
        with self._spoken(commit):
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
        with self._spoken():
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
        with self._spoken():
            found = self._api.get_repo_discussions(
                **self._ask, discussion_type="pull_request", discussion_status="open"
            )
            return [(each.num, each.url) for each in found]

    def history(self, commit: str) -> list[tuple[str, str]]:
        """Return the commits that led to one, itself first, each with its title."""
        with self._spoken(commit):
            found = self._api.list_repo_commits(**self._ask, revision=commit)
        return [(each.commit_id, each.title) for each in found]

    def tag(self, version: str, commit: str) -> None:
        """Name a commit `vX.Y.Z`; HubError where another commit has that name."""
        try:
            with self._spoken(commit):
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
        with tempfile.TemporaryDirectory() as folder:
            content = self.fetch(path, commit, Path(folder)).read_bytes()
        if not files[path].holds(content):
            raise HubError(
                f"`{path}` of `{self.repo}` at `{commit}` came in other than the Hub lists it"
                f" ({len(content):,} bytes, git id `{git_blob(content)}`)",
                hint="run the same command again; if it stays so, the file on the Hub is damaged",
            )
        return content

    def _index(self, commit: str, files: Mapping[str, Stored]) -> Index:
        from magpie_hub.publish.index import read

        if INDEX not in files:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            return read(self.fetch(INDEX, commit, Path(folder)))

    @contextmanager
    def _spoken(self, revision: str = "") -> Iterator[None]:
        """Turn what the client raises into a HubError that a person understands."""
        _limit(get_session())
        try:
            yield
        except _TROUBLES as error:
            raise self._fault(error, revision) from error

    def _fault(self, error: Exception, revision: str) -> HubError:
        if type(error) in (ValueError, RuntimeError) and isinstance(error.__cause__, _TROUBLES):
            # How the client says that a part of its work failed; what happened stands behind it.
            error = error.__cause__
        answer = error.response if isinstance(error, hub.HfHubHTTPError) else None
        status = answer.status_code if answer is not None else 0
        page = f"{constants.ENDPOINT}/datasets/{self.repo}"
        said = error if status else error.__cause__ or error
        reason = _without_token(" ".join(str(said).split()))
        if status in _MOVED:
            return Moved(
                f"`{self.repo}` was changed by somebody else meanwhile",
                hint="run the same command: it plans again from what is there now",
            )
        if isinstance(error, hub.RevisionNotFoundError):
            return HubError(
                f"`{self.repo}` has no revision `{revision}`", hint=f"see {page}/commits/main"
            )
        if isinstance(error, hub.RepositoryNotFoundError) and status != 401:
            return HubError(
                f"the dataset `{self.repo}` does not exist on {constants.ENDPOINT}, or is private",
                hint="check the name, or set HF_TOKEN to a token that may read it",
            )
        if isinstance(error, hub.OIDCError) or (answer and answer.url.path == "/oauth/token"):
            return HubError(
                f"no token from trusted publishing for `{self.repo}`: {reason}",
                hint="check `id-token: write` in the workflow and the publisher on the dataset's"
                " settings page",
            )
        no_token = isinstance(error, hub.LocalTokenNotFoundError | UnicodeError)
        if no_token or status in (401, 403):
            return HubError(
                f"`{self.repo}` may not be read or written with the token in use: {reason}",
                hint="set HF_TOKEN to a token with the right to write there, or sign in with"
                " `hf auth login`; in a workflow, HF_OIDC_RESOURCE names the trusted publisher",
            )
        is_answer = status or isinstance(error, JSONDecodeError)
        if status == 400 or (isinstance(error, ValueError) and not is_answer):
            return HubError(
                f"the Hub refuses what was sent for `{self.repo}`: {reason}",
                hint="correct what it names and run the same command",
            )
        return HubError(
            f"`{self.repo}` cannot be reached: {reason}",
            hint="unset HF_HUB_OFFLINE"
            if constants.HF_HUB_OFFLINE
            else f"check the connection to {constants.ENDPOINT}, then run the same command: it"
            " goes on where it stopped",
        )


def _limit(session: Any) -> None:
    """Let no request of a session wait for ever; after some errors the client makes another."""
    hooks = session.event_hooks
    if _end_silence not in hooks["request"]:
        session.event_hooks = {**hooks, "request": [*hooks["request"], _end_silence]}


def _end_silence(request: Any) -> None:
    # Of some requests the client says itself that there is no limit, whatever the session says.
    given = request.extensions["timeout"]
    limits = {name: SILENCE if limit is None else limit for name, limit in given.items()}
    request.extensions["timeout"] = limits


def _without_token(text: str) -> str:
    """Return a text of the client's without the token, wherever it may have come into it."""
    token = None
    # What goes wrong with a token must not hide what went wrong.
    with suppress(OSError, hub.OIDCError):
        token = get_token()
    return text.replace(token, "<token>") if token else text

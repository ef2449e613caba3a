"""`verify` by the name of a release: a folder, or a repository with or without `@VERSION`."""

from pathlib import Path

from magpie_hub.errors import HubError
from magpie_hub.publish.folder import Folder
from magpie_hub.publish.verify import Verified, verify
from magpie_hub.publish.version import parts
from magpie_hub.spec.model import REPO, VERSION


def check(release: str) -> Verified:
    """Return what was found of a release, if all is as it should be; see `verify` for the errors.

    release: a folder; or `owner/name`, of which the latest version is meant, with `@v1.2.0` that
    one, and with `@` and a branch or a commit what is there.
    """
    if release and Path(release).is_dir():
        return verify(Folder(release, Path(release)), "")
    from magpie_hub.publish.repository import Repository

    repo, _, revision = release.partition("@")
    if not REPO.fullmatch(repo):
        raise HubError(
            f"`{release}` is neither a folder nor a repository, expected a folder that holds a"
            " release, or `owner/name`, with or without `@vX.Y.Z`",
            hint="check the path, or the name",
        )
    repository = Repository(repo)
    tags = repository.tags()
    if not revision:
        if not tags:
            raise HubError(
                f"`{repo}` has no version, expected tags such as v1.0.0",
                hint=f"name a branch or a commit: `magpie-hub verify {repo}@main`",
            )
        revision = "v" + max(tags, key=parts)
    version = revision.removeprefix("v")
    if not VERSION.fullmatch(version):
        return verify(repository, revision)
    return verify(repository, f"v{version}", version=version)

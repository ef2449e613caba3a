"""What the Hub's client raises, as errors that a person understands, and an end to its waiting.

Knows the client's exceptions and the Hub's answers; knows nothing of what was asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from json import JSONDecodeError
from typing import Any

from huggingface_hub import constants, get_session, get_token
from huggingface_hub import errors as hub

from magpie_hub.errors import HubError
from magpie_hub.hub import troubles

SILENCE = 300.0
"""Seconds without a byte after which a request counts as lost; the client's own would wait on."""
_MOVED = (409, 412)
"""What the Hub answers where somebody else has committed, or tagged, meanwhile."""
_TROUBLES: tuple[type[Exception], ...] = (*troubles(), hub.OIDCError, ValueError)


class Moved(HubError):
    """The branch is not where it was: somebody else has committed."""


@contextmanager
def spoken(repo: str, revision: str = "") -> Iterator[None]:
    """Turn what the client raises of a repository into a HubError, or Moved.

    What the system refuses here, such as room on the disk, stays as it is.
    """
    _limit(get_session())
    try:
        yield
    except _TROUBLES as error:
        if _is_of_this_machine(error):
            raise
        raise _fault(error, repo, revision) from error


def _fault(error: Exception, repo: str, revision: str) -> HubError:
    if type(error) in (ValueError, RuntimeError) and isinstance(error.__cause__, _TROUBLES):
        # How the client says that a part of its work failed; what happened stands behind it.
        error = error.__cause__
    answer = error.response if isinstance(error, hub.HfHubHTTPError) else None
    status = answer.status_code if answer is not None else 0
    page = f"{constants.ENDPOINT}/datasets/{repo}"
    said = error if status else error.__cause__ or error
    reason = _without_token(" ".join(str(said).split()))
    if status in _MOVED:
        return Moved(
            f"`{repo}` was changed by somebody else meanwhile",
            hint="run the same command: it plans again from what is there now",
        )
    if isinstance(error, hub.RevisionNotFoundError):
        return HubError(f"`{repo}` has no revision `{revision}`", hint=f"see {page}/commits/main")
    if isinstance(error, hub.RepositoryNotFoundError) and status != 401:
        return HubError(
            f"the dataset `{repo}` does not exist on {constants.ENDPOINT}, or is private",
            hint="check the name, or set HF_TOKEN to a token that may read it",
        )
    if isinstance(error, hub.OIDCError) or (answer and answer.url.path == "/oauth/token"):
        return HubError(
            f"no token from trusted publishing for `{repo}`: {reason}",
            hint="check `id-token: write` in the workflow and the publisher on the dataset's"
            " settings page",
        )
    no_token = isinstance(error, hub.LocalTokenNotFoundError | UnicodeError)
    if no_token or status in (401, 403):
        return HubError(
            f"`{repo}` may not be read or written with the token in use: {reason}",
            hint="set HF_TOKEN to a token with the right to write there, or sign in with"
            " `hf auth login`; in a workflow, HF_OIDC_RESOURCE names the trusted publisher",
        )
    is_answer = status or isinstance(error, JSONDecodeError)
    if status == 400 or (isinstance(error, ValueError) and not is_answer):
        return HubError(
            f"the Hub refuses what was sent for `{repo}`: {reason}",
            hint="correct what it names and run the same command",
        )
    return HubError(
        f"`{repo}` cannot be reached: {reason}",
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


def _is_of_this_machine(error: Exception) -> bool:
    """Return whether the system refused something here, such as room on the disk."""
    network = ConnectionError | TimeoutError | hub.HfHubHTTPError
    return isinstance(error, OSError) and bool(error.errno) and not isinstance(error, network)


def _without_token(text: str) -> str:
    """Return a text of the client's without the token, wherever it may have come into it."""
    token = None
    # What goes wrong with a token must not hide what went wrong.
    with suppress(OSError, hub.OIDCError):
        token = get_token()
    return text.replace(token, "<token>") if token else text

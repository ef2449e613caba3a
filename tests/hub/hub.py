"""What a running test hub is: its address, its store, who may use it, what it was asked.

A test reads and sets these while the server answers. It knows nothing of HTTP or of the clients.
"""

from dataclasses import dataclass, field
from typing import Literal

from tests.hub.store import Store

Fault = Literal["close", "500", "429", "timeout", "truncated"]

WRITE, READ = "hf_write", "hf_read"
"""The tokens that a hub knows from the start."""


@dataclass(frozen=True, slots=True)
class Token:
    """Who a token stands for; `repo`, such as `datasets/org/name`, is all that it is good for."""

    user: str
    role: Literal["read", "write"]
    repo: str | None = None


@dataclass(slots=True)
class Seen:
    """A request as it came in; `status` is 0 for one that was not answered.

    path: as it was sent, with its query. body: of at most 64 kB; a longer one is cut.
    """

    method: str
    path: str
    status: int = 0
    body: bytes = b""


def _known() -> dict[str, Token]:
    return {WRITE: Token("maintainer", "write"), READ: Token("reader", "read")}


@dataclass
class Hub:
    """A hub that is being served.

    requests: all of them, in order of arrival.
    lag: seconds for which readers do not see a fresh commit. stall: seconds of a `timeout`.
    multipart_over, chunk_size: bytes from which a file is uploaded in parts, and of a part.
    page_size: entries of a listing's page.
    trusted: repositories that may be published to from CI without a stored token.
    request_token: what CI must show to be given an id token; `minted` are those, and for whom.
    """

    endpoint: str
    store: Store
    requests: list[Seen] = field(default_factory=list)
    lag: float = 0
    stall: float = 3
    multipart_over: int = 20_000_000
    chunk_size: int = 20_000_000
    page_size: int = 1000
    tokens: dict[str, Token] = field(default_factory=_known)
    trusted: set[str] = field(default_factory=set)
    request_token: str = "runner"
    minted: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    _arrived: int = 0
    _faults: dict[int, Fault] = field(default_factory=dict)

    def break_at(self, index: int, fault: Fault, times: int = 1) -> None:
        """Let the index-th request from now on, counted from 0, suffer a fault.

        times: how many requests in a row do; all others are answered.

        `close`, `500`, `429` and `timeout` keep the request from being carried out. `truncated`
        carries it out, and cuts the answer off.
        """
        self.broken = False
        start = self._arrived + index
        self._faults = dict.fromkeys(range(start, start + times), fault)

    def due(self) -> Fault | None:
        """Count a request that has come in, and return the fault that it is to suffer."""
        fault = self._faults.pop(self._arrived, None)
        self._arrived += 1
        self.broken = self.broken or fault is not None
        return fault

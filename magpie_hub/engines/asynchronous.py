"""What the engines share whose library or server is asynchronous: one event loop, run by `take`.

The loop runs only while `take` waits, in the caller's thread, so that a signal is noticed at once
and nothing needs a lock. Knows neither a library nor a protocol.
"""

import asyncio
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from magpie_hub.engines.base import Completion, Engine, Request
from magpie_hub.engines.first_token import opening, rest
from magpie_hub.engines.scoring import Score, Scorer
from magpie_hub.engines.tokens import Tokenizer

T = TypeVar("T")
Answer = tuple[Completion, Sequence[int]]
"""A completion, and its ids without an end mark where the request has a `first`; else none."""


class Loop:
    """An event loop that goes on only while something is waited for."""

    def __init__(self) -> None:
        self.events = asyncio.new_event_loop()
        self._ours: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Return a task that goes on whenever the loop does."""
        task = self.events.create_task(work)
        self._ours.add(task)
        task.add_done_callback(self._ended)
        return task

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Go on until `work` is done and return its result; a signal may end the waiting."""
        return self.events.run_until_complete(self.start(work))

    def close(self, shutdown: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what was started, await `shutdown()`, close; a second call does nothing."""
        if not self.events.is_closed():
            self.events.run_until_complete(self._cancel())
            self.events.run_until_complete(shutdown())
            self.events.run_until_complete(self.events.shutdown_asyncgens())
            self.events.close()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._ours.discard(task)
        if not task.cancelled():
            task.exception()  # Looked at, or asyncio complains of what a signal left behind.

    async def _cancel(self) -> None:
        # Only what was started here: what a library started inside of it, the library cancels. A
        # library task cancelled before its first step never awaits its work, and Python warns.
        ours = list(self._ours)
        for task in ours:
            task.cancel()
        await asyncio.gather(*ours, return_exceptions=True)


class AsyncEngine(Engine):
    """An engine that answers each request in a task of its own.

    A subclass calls `super().__init__()` first, and implements `answer` and `shutdown`.
    """

    def __init__(self) -> None:
        self.loop = Loop()
        self._in_flight = 0
        self._done: deque[asyncio.Task[Completion]] = deque()
        self._failed: deque[asyncio.Task[Completion]] = deque()
        self._any = asyncio.Event()
        self._since = 0.0

    @abstractmethod
    async def answer(self, request: Request) -> Answer:
        """Return the request's completion, with 0 for its seconds.

        Of a request's `first` it bans what is banned, and knows no more.
        A fault of the request alone is a completion with finish reason "error"; an exception
        ends the whole run.
        """

    @abstractmethod
    async def shutdown(self) -> None:
        """Release what the subclass holds; called once, after every task was cancelled."""

    def submit(self, request: Request) -> None:
        if not self._in_flight:
            self._since = time.monotonic()
        self._in_flight += 1
        self.loop.start(self._whole(request)).add_done_callback(self._ended)

    def take(self) -> Completion:
        if not self._done and not self._failed:
            self._any.clear()
            self.loop.wait_for(self._any.wait())
        # What is finished is not lost by the failure of another.
        task = (self._done or self._failed).popleft()
        self._in_flight -= 1
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        return replace(task.result(), seconds=seconds)

    def close(self) -> None:
        """Cancel what is in flight and release the model; a second call does nothing."""
        self.loop.close(self.shutdown)

    async def _whole(self, request: Request) -> Completion:
        if request.first is None:
            return (await self.answer(request))[0]
        opened, tokens = await self.answer(opening(request, request.first))
        behind = rest(request, opened, tokens, self.context_length)
        return opened if behind is None else (await self.answer(behind))[0]

    def _ended(self, task: asyncio.Task[Completion]) -> None:
        failed = task.cancelled() or task.exception() is not None
        (self._failed if failed else self._done).append(task)
        self._any.set()


class AsyncScorer(Scorer):
    """A scorer that scores each text in a task of its own, until it is told of all.

    A subclass calls `super().__init__(tokenizer)`, and implements `score_one` and `shutdown`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.loop = Loop()

    @abstractmethod
    async def score_one(self, prompt: Sequence[int]) -> Score:
        """Return the score of one text; an exception ends the whole call."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Release what the subclass holds; called once, after every task was cancelled."""

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self._tokenizer.encode(text, special=special)

    def score(self, prompts: Sequence[Sequence[int]]) -> list[Score]:
        return self.loop.wait_for(all_of(map(self.score_one, prompts)))

    def close(self) -> None:
        """Cancel what is in flight and release the model; a second call does nothing."""
        self.loop.close(self.shutdown)


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of all, in their order; where one raises, the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise

"""What the engines share whose library or server is asynchronous: one event loop, run by `take`.

The loop runs only while `take` waits, in the caller's thread, so that a signal is noticed at once
and nothing needs a lock. Knows neither a library nor a protocol.
"""

import asyncio
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from magpie_hub.engines.base import Completion, Engine, Request
from magpie_hub.engines.scoring import Score, Scorer
from magpie_hub.engines.tokens import Tokenizer

T = TypeVar("T")


class AsyncEngine(Engine):
    """An engine that answers each request in a task of its own.

    A subclass calls `super().__init__()` first, and implements `answer` and `shutdown`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Completion]] = set()
        self._done: deque[asyncio.Task[Completion]] = deque()
        self._failed: deque[asyncio.Task[Completion]] = deque()
        self._any = asyncio.Event()
        self._since = 0.0

    @abstractmethod
    async def answer(self, request: Request) -> Completion:
        """Return the request's completion, with 0 for its seconds.

        A fault of the request alone is a completion with finish reason "error"; an exception
        ends the whole run.
        """

    @abstractmethod
    async def shutdown(self) -> None:
        """Release what the subclass holds; called once, after every task was cancelled."""

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Run the loop until `work` is done and return its result."""
        return self._loop.run_until_complete(work)

    def submit(self, request: Request) -> None:
        if not self._tasks:
            self._since = time.monotonic()
        task = self._loop.create_task(self.answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def take(self) -> Completion:
        if not self._done and not self._failed:
            self._any.clear()
            self.wait_for(self._any.wait())
        # What is finished is not lost by the failure of another.
        task = (self._done or self._failed).popleft()
        self._tasks.discard(task)
        now = time.monotonic()
        seconds, self._since = now - self._since, now
        return replace(task.result(), seconds=seconds)

    def close(self) -> None:
        """Cancel what is in flight and release the model; a second call does nothing."""
        if not self._loop.is_closed():
            self.wait_for(self._end())
            self.wait_for(self._loop.shutdown_asyncgens())
            self._loop.close()

    def _ended(self, task: asyncio.Task[Completion]) -> None:
        failed = task.cancelled() or task.exception() is not None
        (self._failed if failed else self._done).append(task)
        self._any.set()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.shutdown()
        # What a signal left waiting, in `wait_for` or behind it.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for left in rest:
            left.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


class AsyncScorer(Scorer):
    """A scorer that scores each text in a task of its own, until it is told of all.

    A subclass calls `super().__init__(tokenizer)`, and implements `score_one` and `shutdown`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._loop = asyncio.new_event_loop()

    @abstractmethod
    async def score_one(self, prompt: Sequence[int]) -> Score:
        """Return the score of one text; an exception ends the whole call."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Release what the subclass holds; called once."""

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self._tokenizer.encode(text, special=special)

    def score(self, prompts: Sequence[Sequence[int]]) -> list[Score]:
        return self._loop.run_until_complete(all_of(map(self.score_one, prompts)))

    def close(self) -> None:
        """Release the model; a second call does nothing."""
        if not self._loop.is_closed():
            self._loop.run_until_complete(self.shutdown())
            self._loop.close()


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

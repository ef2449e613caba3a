"""What an engine with an event loop promises, on one that only sleeps."""

import asyncio
import gc
import time
from dataclasses import replace

import anyio
import pytest

from magpie_hub.engines.asynchronous import Answer, AsyncEngine, all_of
from magpie_hub.engines.base import Completion, FirstToken, Request, Sampling
from magpie_hub.errors import EngineError


class Sleeping(AsyncEngine):
    """Sleeps as many hundredths of a second as a request has tokens; 7 tokens end the run."""

    name = "sleeping"
    weights = "none"
    version = "1"
    context_length = 1000
    vocabulary = 10
    capacity = 4

    def __init__(self) -> None:
        """Remember what ends, and what was asked."""
        super().__init__()
        self.ended: list[str] = []
        self.asked: list[Request] = []

    @classmethod
    def check_options(cls, options) -> None:
        """Take none."""

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Return one token a letter."""
        return [ord(letter) for letter in text]

    async def answer(self, request: Request) -> Answer:
        """Sleep; then end at once where there is a stop, fail behind a 6, or write 5s."""
        self.asked.append(request)
        if len(request.prompt) == 7:
            raise EngineError("it broke", hint="mend it")
        try:
            await asyncio.sleep(len(request.prompt) / 100)
        finally:
            self.ended.append(str(request.key))
        ids = request.written + (() if request.stop else (5,) * request.sampling.max_tokens)
        failed = request.written and request.prompt == (6,)
        done = Completion(
            key=request.key,
            text="".join(map(str, ids)),
            finish_reason="error" if failed else "stop" if request.stop else "length",
            prompt_tokens=len(request.prompt),
            completion_tokens=len(ids),
            seconds=0.0,
            engine=self.name,
            engine_version=self.version,
        )
        return done, ids

    async def shutdown(self) -> None:
        """Note it."""
        self.ended.append("shutdown")


def test_completions_come_as_they_finish(ask):
    """The shorter request is back first, and the seconds sum to the time that it took."""
    with Sleeping() as engine:
        source = iter([ask(1, [1] * 30), ask(2, [1] * 5), ask(3, [1] * 15)])
        start = time.monotonic()
        done = list(engine.complete(lambda: next(source, None)))
        took = time.monotonic() - start
    assert [one.key for one in done] == [2, 3, 1]
    assert sum(one.seconds for one in done) == pytest.approx(took, abs=0.05)


def test_a_first_token_is_drawn_alone(ask):
    """Two requests make one completion: the second goes on behind the first, by another seed."""
    first = FirstToken(2.0, (7, 8))
    whole = ask(9, [1], max_tokens=4, first=first)
    with Sleeping() as engine:
        [done] = engine.complete(iter([whole, None, None]).__next__)
    opening, rest = engine.asked
    assert opening == replace(whole, sampling=Sampling(2.0, 1.0, 1))
    assert rest == replace(whole, sampling=Sampling(1.0, 1.0, 3), first=None, written=(5,), seed=10)
    assert (done.text, done.finish_reason, done.completion_tokens) == ("5555", "length", 4)
    assert done.seconds == pytest.approx(0.02, abs=0.02)


@pytest.mark.parametrize(
    ("prompt", "changes", "asked", "reason"),
    [
        ([1], {"max_tokens": 1}, 1, "length"),
        ([1], {"stop": (5,)}, 1, "stop"),
        ([1] * 20, {"max_tokens": 40}, 1, "length"),
        ([1] * 19, {"max_tokens": 40}, 2, "length"),
        ([6], {}, 2, "error"),
    ],
)
def test_a_first_token_may_be_all(ask, monkeypatch, prompt, changes, asked, reason):
    """Nothing is asked for behind the last token that was wanted, an end, or a full context."""
    monkeypatch.setattr(Sleeping, "context_length", 21)
    request = ask(1, prompt, first=FirstToken(None, ()), **changes)
    with Sleeping() as engine:
        [done] = engine.complete(iter([request, None, None]).__next__)
    assert (len(engine.asked), done.finish_reason) == (asked, reason)
    assert engine.asked[0].sampling.temperature == 1.0


def test_an_exception_ends_the_run(ask):
    """A fault of the engine comes out of `complete`."""
    with Sleeping() as engine:
        source = iter([ask(1, [1] * 50), ask(2, [1] * 7)])
        with pytest.raises(EngineError, match="it broke"):
            list(engine.complete(lambda: next(source, None)))


def test_close_cancels_what_is_in_flight(ask):
    """Closing waits for nobody, releases once, and may be called again."""
    engine = Sleeping()
    engine.submit(ask(1, [1] * 500))
    engine.submit(ask(2, [1]))
    assert engine.take().key == 2
    engine.close()
    engine.close()
    assert engine.ended == ["2", "1", "shutdown"]


def test_what_a_library_started_is_cancelled_by_the_library(recwarn):
    """Closing in the instant in which a connection is begun leaves no work that nobody awaits."""
    begun = asyncio.Event()

    async def connecting():
        await begun.wait()
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await anyio.sleep_forever()

    async def interrupt():
        raise KeyboardInterrupt

    class Slow(Sleeping):
        async def shutdown(self):
            begun.set()
            await asyncio.sleep(0)

    engine = Slow()
    engine.loop.start(connecting())
    with pytest.raises(KeyboardInterrupt):
        engine.loop.wait_for(interrupt())
    engine.close()
    gc.collect()
    assert [str(each.message) for each in recwarn] == []


def test_all_of_ends_with_the_first_fault():
    """Results come in the order of the works; after a fault nothing is left running."""

    async def work(number):
        await asyncio.sleep((3 - number) / 100)
        if number < 0:
            raise EngineError("it broke", hint="mend it")
        ended.append(number)
        return number

    ended = []
    assert asyncio.run(all_of(map(work, [1, 2, 3]))) == [1, 2, 3]
    assert ended == [3, 2, 1]
    with pytest.raises(EngineError, match="it broke"):
        asyncio.run(all_of(map(work, [2, -1, -9])))
    assert ended == [3, 2, 1, 2]

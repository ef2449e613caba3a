"""Several servers as one: each question goes to the least loaded, and again after a fault.

How many questions a server gets at once is found by trying: more while it answers, half as many
when it is overtaxed. One that only fails is set aside and looked at until it is itself again. Knows
how one server is asked only by the functions that it is given.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TypeVar

from magpie_hub.engines.server_calls import Fault, Line, Refusal
from magpie_hub.engines.server_dialects import Served
from magpie_hub.errors import EngineError

T = TypeVar("T")
Look = Callable[[Line], Awaitable[Served]]
Work = Callable[[Line, Served], Awaitable[T]]

START = 8
"""Questions that a server gets at once before it has answered any."""
TRIES = 8
"""Faults of one question, while a server does answer, until it is given up."""
SET_ASIDE = 5
"""Faults of a server, without an answer between them, until it gets no more questions."""
LOOK_AGAIN = 1.0
"""Seconds between two looks at a server that is not ready."""
BACK_OFF = 0.5
"""Seconds before a question is asked again; doubled with each of its faults."""
LONGEST_BACK_OFF = 30.0
GO_ON = "start it again, then run the same command: it goes on where it stopped"


@dataclass(slots=True)
class Place:
    """One server and how it does.

    most: questions at once, ever. limit: at present. growing: it was never overtaxed.
    failures: in a row. failing_since, halved, rests_until: in seconds of the monotonic clock.
    """

    line: Line
    served: Served
    most: int
    limit: float
    growing: bool = True
    in_flight: int = 0
    failures: int = 0
    failing_since: float = inf
    halved: float = -inf
    rests_until: float = -inf

    def answered(self) -> None:
        """Note an answer, of whatever kind."""
        self.failures, self.failing_since = 0, inf
        self.limit = min(self.most, self.limit + (1 if self.growing else 1 / self.limit))

    def failed(self, fault: Fault, asked: float, pause: float) -> None:
        """Note a fault of a question that was asked at `asked`; a busy server rests."""
        now = time.monotonic()
        self.failing_since = min(self.failing_since, now)
        if fault.kind == "busy":
            self.rests_until = max(self.rests_until, now + (fault.after or pause))
        else:
            self.failures += 1
        # What was asked before the limit was halved says nothing of the new one.
        if fault.kind in ("busy", "slow") and asked > self.halved:
            self.limit, self.growing, self.halved = max(1.0, self.limit / 2), False, now


class Pool:
    """The servers of one engine.

    look: says what a server serves; raises Fault while it is not ready.
    in_flight: the most questions at once for each server.
    wait: seconds of patience with a server that is not ready, or with servers that only fail.
    """

    def __init__(self, lines: list[Line], look: Look, in_flight: int, wait: float) -> None:
        self.places: list[Place] = []
        self._lines = lines
        self._look = look
        self._in_flight = in_flight
        self._wait = wait
        self._changed = asyncio.Event()
        self._answered_last = -inf
        self._fault = ""
        self._ended: EngineError | None = None
        self._revivals: set[asyncio.Task[None]] = set()
        self._random = Random(0)

    async def open(self) -> None:
        """Wait until every server is ready; EngineError where one is not, or where they differ."""
        all_served = await asyncio.gather(*map(self._ready, self._lines))
        for line, served in zip(self._lines, all_served, strict=True):
            _check_same(line, served, all_served[0])
            most = min(self._in_flight, served.slots or self._in_flight)
            self.places.append(Place(line, served, most, min(START, most)))

    async def ask(self, work: Work[T], *, counted: bool = True) -> T:
        """Return what `work` returns, done with one server after another until one answers.

        counted: whether it takes one of the server's places. Raises Refusal where the question
        itself is at fault, EngineError where no server answers any more.
        """
        began = time.monotonic()
        faults = tries = 0
        failed: Place | None = None
        while True:
            failed = place = await self._free(failed, counted)
            asked = time.monotonic()
            try:
                return await self._at(place, work, counted)
            except Fault as fault:
                faults += 1
                pause = self._pause(faults)
                self._failed(place, fault, asked, pause)
                if fault.kind == "busy":
                    continue  # Not to blame: another server may take it at once.
                tries += 1
                if tries >= TRIES and self._answered_last > began:
                    raise _given_up(tries, fault) from fault
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Stop looking at servers that were set aside, and close every connection."""
        for revival in self._revivals:
            revival.cancel()
        await asyncio.gather(*self._revivals, return_exceptions=True)
        for line in self._lines:
            await line.close()

    async def _at(self, place: Place, work: Work[T], counted: bool) -> T:
        place.in_flight += counted
        try:
            answer = await work(place.line, place.served)
        except Refusal as refusal:
            if refusal.missing:
                raise EngineError(
                    f"the server `{place.line.url}` no longer serves `{place.served.model}`:"
                    f" {refusal}",
                    hint=GO_ON,
                ) from refusal
            self._answered(place)
            raise
        else:
            self._answered(place)
            return answer
        finally:
            place.in_flight -= counted
            self._wake()

    async def _free(self, failed: Place | None, counted: bool) -> Place:
        """Wait for a server with room and return the least loaded; `failed` is the last choice."""
        while True:
            if self._ended is not None:
                raise self._ended
            now = time.monotonic()
            free = [
                place
                for place in self.places
                if place.failures < SET_ASIDE
                and place.rests_until <= now
                and (not counted or place.in_flight + 1 <= place.limit)
            ]
            if free:
                return min(free, key=lambda place: (place is failed, place.in_flight / place.limit))
            if all(p.in_flight == 0 and now - p.failing_since >= self._wait for p in self.places):
                urls = "`, `".join(line.url for line in self._lines)
                raise EngineError(
                    f"`{urls}`: nothing was answered for {self._wait:g} seconds; the last fault:"
                    f" {self._fault}",
                    hint=GO_ON,
                )
            await self._changed.wait()

    def _answered(self, place: Place) -> None:
        place.answered()
        self._answered_last = time.monotonic()

    def _failed(self, place: Place, fault: Fault, asked: float, pause: float) -> None:
        self._fault = str(fault)
        place.failed(fault, asked, pause)
        rest = place.rests_until - time.monotonic()
        if rest > 0:
            asyncio.get_running_loop().call_later(rest, self._wake)
        if fault.kind != "busy" and place.failures == SET_ASIDE:
            task = asyncio.create_task(self._revive(place))
            self._revivals.add(task)
            task.add_done_callback(self._revivals.discard)

    def _pause(self, faults: int) -> float:
        # Not all at once again: each waits for a time of its own.
        longest = min(LONGEST_BACK_OFF, BACK_OFF * 2.0 ** min(faults - 1, 10))
        return longest * (0.5 + self._random.random() / 2)

    def _wake(self) -> None:
        """Let everyone look again who waits for a free place."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _ready(self, line: Line) -> Served:
        fault = "no answer"
        try:
            async with asyncio.timeout(self._wait):
                while True:
                    try:
                        return await self._look(line)
                    except Fault as error:
                        fault = str(error)
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError as error:
            raise EngineError(
                f"the server `{line.url}` was not ready within {self._wait:g} seconds: {fault}",
                hint="start it, or correct `url`; where loading takes longer, raise `wait`",
            ) from error

    async def _revive(self, place: Place) -> None:
        """Look at a server that was set aside until it can be used again."""
        while place.failures >= SET_ASIDE and self._ended is None:
            await asyncio.sleep(LOOK_AGAIN)
            try:
                served = await self._look(place.line)
                _check_same(place.line, served, place.served)
            except Fault as fault:
                self._fault = str(fault)
            except EngineError as error:
                self._ended = error
            else:
                place.served = served
                self._answered(place)
            self._wake()


def _given_up(tries: int, fault: Fault) -> Exception:
    """Return what becomes of a question that failed so often while the servers do answer.

    Only what a server itself calls a failure is the question's own. Answers that never come may
    come to all questions like it, and none of them may become a row.
    """
    if fault.kind == "failed":
        return Refusal(f"failed {tries} times, the last time: {fault}")
    return EngineError(
        f"a request got no answer {tries} times, the last time: {fault}",
        hint="raise `timeout` or lower `in_flight`, look into the server's log, then run the same"
        " command: it goes on where it stopped",
    )


def _check_same(line: Line, served: Served, expected: Served) -> None:
    """Raise EngineError where a server is not what all must be: rows of two models never mix."""
    if (served.kind, served.model) != (expected.kind, expected.model):
        raise EngineError(
            f"the server `{line.url}` serves `{served.model}` by {served.kind}, expected"
            f" `{expected.model}` by {expected.kind}, as before or as the first server does",
            hint="serve the same model under the same name, by the same kind of server, everywhere",
        )

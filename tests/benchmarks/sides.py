"""Two sides in two processes: each opens its model once, then they work in turn.

A side is a generator of rounds in a process of its own, which sleeps while the other side works;
what a library reads when it is loaded is set for one side only. Knows no engine.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from operator import attrgetter

from magpie_hub.engines.base import Request

REST = 1.5
"""Seconds before a side's turn: vLLM's workers spin for one after their last task."""

# A fork would inherit the threads of what this process has loaded.
FRESH = get_context("spawn")


@dataclass(frozen=True, slots=True)
class Round:
    """One side's work on all requests.

    requests: what was asked. completions: how many were completed, errors left out. tokens: the
    new tokens of those. seconds: the time from the first request to the last completion.
    """

    requests: Sequence[Request]
    completions: int
    tokens: int
    seconds: float


Side = Callable[[], Generator[Round]]
"""Opens its model when the first round is asked for, and closes it with the generator."""


def alternate(
    ours: Side,
    theirs: Callable[[Sequence[Request]], Generator[Round]],
    rounds: int = 3,
    amount: Callable[[Round], int] = attrgetter("tokens"),
) -> tuple[list[float], list[float]]:
    """Return the tokens/s of both sides, round by round, after one round of each to warm up.

    theirs: is given the requests of our first round. amount: what is counted instead of tokens.
    Raises RuntimeError where a side did not complete every request, EOFError where one died (its
    traceback is on stderr).
    """
    with _process(ours) as our_round:
        requests = our_round().requests
        with _process(partial(theirs, requests)) as their_round:
            their_round()
            pairs = [(_rested(our_round), _rested(their_round)) for _ in range(rounds)]
    for done in (side for pair in pairs for side in pair):
        if done.completions != len(requests):
            raise RuntimeError(f"{done.completions} of {len(requests)} requests were completed")
    return _rates((o for o, _ in pairs), amount), _rates((t for _, t in pairs), amount)


def _rested(round_: Callable[[], Round]) -> Round:
    time.sleep(REST)
    return round_()


def _rates(rounds: Iterator[Round], amount: Callable[[Round], int]) -> list[float]:
    return [amount(done) / done.seconds for done in rounds]


@contextmanager
def _process(side: Side) -> Iterator[Callable[[], Round]]:
    here, there = FRESH.Pipe()
    # Not daemonic: vLLM starts processes of its own.
    process = FRESH.Process(target=_work, args=(there, side))
    process.start()
    there.close()

    def next_round() -> Round:
        here.send(None)
        done: Round = here.recv()
        return done

    try:
        yield next_round
    finally:
        here.close()
        process.join()


def _work(pipe: Connection, side: Side) -> None:
    rounds = side()
    with suppress(EOFError):
        while True:
            pipe.recv()
            pipe.send(next(rounds))
    rounds.close()

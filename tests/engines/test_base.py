"""What `complete` promises of every engine, on the scripted one."""

import pytest

from magpie_hub.engines.base import Completion, Request
from magpie_hub.engines.scripted import Scripted


class Counting(Scripted):
    """The scripted engine, counting what is in flight."""

    in_flight = most = 0

    def submit(self, request: Request) -> None:
        """Count one more."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        super().submit(request)

    def take(self) -> Completion:
        """Count one less."""
        self.in_flight -= 1
        return super().take()


def test_never_more_than_capacity_in_flight(ask):
    """Ten requests go through three places: all three are used, and no fourth."""
    engine = Counting(None, {"capacity": 3})
    requests = iter([ask(number, [10]) for number in range(10)])

    keys = [done.key for done in engine.complete(lambda: next(requests, None))]

    assert sorted(keys) == list(range(10))
    assert (engine.most, engine.in_flight) == (3, 0)


def test_source_is_asked_again_after_each_completion(ask):
    """A request that is made from a completion is run, though the source had been dry before."""
    engine = Scripted(None, {"capacity": 8})
    ready = [ask(0, [10])]
    keys = []

    for done in engine.complete(lambda: ready.pop() if ready else None):
        keys.append(done.key)
        if done.key < 3:
            ready.append(ask(done.key + 1, [10]))

    assert keys == [0, 1, 2, 3]


def test_dry_source_ends():
    """A source without requests ends the completions at once."""
    assert list(Scripted(None, {}).complete(lambda: None)) == []


def test_with_closes_the_engine_also_on_an_error(ask):
    """Leaving the `with` block drops what is in flight, whatever the reason for leaving."""
    engine = Scripted(None, {})
    engine.submit(ask(0, [10]))
    with pytest.raises(KeyboardInterrupt), engine:
        raise KeyboardInterrupt
    with pytest.raises(IndexError):
        engine.take()

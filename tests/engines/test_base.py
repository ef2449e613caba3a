"""What `complete` promises of every engine, on the scripted one."""

import pytest

from magpie_hub.engines.base import Completion, FirstToken, Request
from magpie_hub.engines.scripted import FAULTS, Scripted
from magpie_hub.errors import EngineError

CLEAN = dict.fromkeys(FAULTS, 0.0)


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


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ([10] * 20, "the prompt has 20 tokens, more than fit into 20"),
        ([10, 259], "the prompt has the token id 259, of 259 that there are"),
        ([-1, 10], "the prompt has the token id -1, of 259 that there are"),
    ],
)
def test_a_prompt_that_cannot_be_is_refused_alone(ask, monkeypatch, prompt, error):
    """It is never sent and takes no place; those beside it are answered, up to the last token."""
    monkeypatch.setattr(Scripted, "context_length", 20)
    engine = Counting(None, {"capacity": 1} | CLEAN)
    requests = iter([ask(1, [10] * 19), ask(2, prompt), ask(3, [10] * 10)])
    done = {one.key: one for one in engine.complete(lambda: next(requests, None))}
    assert (done[2].finish_reason, done[2].text, done[2].error) == ("error", "", error)
    assert (done[1].finish_reason, done[1].completion_tokens) == ("length", 1)
    assert (done[3].finish_reason, done[3].completion_tokens) == ("length", 10)
    assert (engine.most, engine.in_flight) == (1, 0)


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (FirstToken(None, (3, 259)), "is `259`, expected an id of the model's `259` tokens, 0 to"),
        (FirstToken(None, (-1,)), "is `-1`, expected an id"),
        (FirstToken(5.5, ()), "is `5.5`, expected a number of at least 0 and, by the engine `scr"),
        (FirstToken(-0.5, ()), "is `-0.5`, expected a number of at least 0"),
    ],
)
def test_a_first_token_that_cannot_be_is_refused(first, message):
    """An unknown id and a temperature out of its bounds are named, with the setting to correct."""
    engine = Scripted(None, {})
    engine.check_first(FirstToken(5.0, (0, 258)))
    with pytest.raises(EngineError) as caught:
        engine.check_first(first)
    assert message in caught.value.message
    assert "first_token" in caught.value.hint

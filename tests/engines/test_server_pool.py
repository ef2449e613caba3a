"""Many requests to servers that misbehave: what is asked again, of whom, and when it ends."""

import asyncio
import os
import signal
import threading
import time

import pytest

from magpie_hub.errors import EngineError
from tests.engines.completion_server import (
    CompletionServer,
    cut,
    garbled,
    hang_up,
    other_json,
    slow,
    status,
)

pytest_plugins = ["tests.engines.server_fixtures"]

PROMPT = [0, 120, 198]


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


@pytest.mark.parametrize(
    "trouble",
    [
        status(500), status(503), status(429), cut, garbled, hang_up,
        other_json({"choices": []}), other_json({"choices": [{"text": 1}]}), other_json([]),
    ],
)  # fmt: skip
def test_trouble_that_passes_is_not_seen(server, connect, ask, trouble):
    """After two faults of the server the same completion comes as without them."""
    engine = connect(server)
    expected = run(engine, [ask(1, PROMPT)])[1].text
    server.troubles.extend([trouble, trouble])
    assert run(engine, [ask(1, PROMPT)])[1].text == expected
    assert server.asked[tuple(PROMPT)] == 4


def test_an_answer_that_takes_too_long_is_asked_for_again(server, connect, ask):
    """After `timeout` the request is made anew, and less is asked of that server at once."""
    engine = connect(server, timeout=1)
    server.troubles.append(slow(5))
    assert run(engine, [ask(1, PROMPT)])[1].finish_reason == "stop"
    assert server.asked[tuple(PROMPT)] == 2
    assert engine._pool.places[0].limit < 6


def test_a_server_is_left_alone_for_as_long_as_it_asks(server, connect, ask):
    """Retry-After is kept, by the other requests as well."""
    engine = connect(server)
    server.troubles.append(status(429, Retry_After="1"))
    start = time.monotonic()
    run(engine, [ask(1, PROMPT)])
    assert time.monotonic() - start >= 1
    server.most_at_once, server.asked[tuple(PROMPT)] = 1, 0
    server.troubles.append(status(429, Retry_After="1"))
    engine.submit(ask(2, PROMPT))
    engine.loop.wait_for(asyncio.sleep(0.3))
    engine.submit(ask(3, PROMPT))
    engine.loop.wait_for(asyncio.sleep(0.3))
    assert server.asked[tuple(PROMPT)] == 1


def test_a_request_that_is_refused_fails_alone_and_at_once(server, connect, ask):
    """A 400 is the request's own: it is not repeated, and those beside it are answered."""
    engine = connect(server)
    server.poison[(9, 9)] = status(400, "the prompt is too long")
    done = run(engine, [ask(1, [9, 9]), ask(2, PROMPT)])
    assert (done[1].finish_reason, done[1].text) == ("error", "")
    assert done[1].error == "HTTP 400: the prompt is too long"
    assert done[2].finish_reason == "stop"
    assert server.asked[9, 9] == 1


@pytest.mark.parametrize("others", [0, 40])
def test_a_request_that_always_fails_is_given_up(server, connect, ask, others):
    """One prompt breaks the server each time: it is an error, whether others are asked or not."""
    engine = connect(server)
    server.poison[(9, 9)] = status(500, "assertion failed")
    done = run(engine, [ask(-1, [9, 9]), *(ask(n, PROMPT) for n in range(others))])
    assert done.pop(-1).error == "failed 8 times, the last time: HTTP 500: assertion failed"
    assert server.asked[9, 9] == 8
    assert [one.finish_reason for one in done.values() if one.error] == []


def test_answers_that_never_come_end_the_run_and_make_no_rows(server, connect, ask):
    """A server that is there but hangs up on every request: none of them becomes a row."""
    engine = connect(server)
    server.poison |= {(9, 9): hang_up, (9, 8): hang_up}
    with pytest.raises(EngineError, match="got no answer 8 times") as caught:
        run(engine, [ask(1, [9, 9]), ask(2, [9, 8])])
    assert "it goes on where it stopped" in caught.value.hint


def test_a_server_that_dies_is_replaced_and_used_again(server, connect, ask):
    """One of two servers dies in mid-run: every request is completed, and it is found again."""
    with CompletionServer() as other:
        engine = connect(server, other, in_flight=4)
        done = []
        source = iter([ask(n, [*PROMPT, n % 200 + 3]) for n in range(600)])
        for one in engine.complete(lambda: next(source, None)):
            done.append(one.key)
            if len(done) == 100:
                before = other.asked.total()
                other.stop()
            if len(done) == 300:
                during = other.asked.total()
                other.start()
                time.sleep(0.1)
        assert sorted(done) == list(range(600))
        assert 0 < before <= during < other.asked.total()


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (CompletionServer.stop, "nothing was answered for 2 seconds; the last fault: ConnectE"),
        (lambda server: setattr(server, "always", status(500)), "the last fault: HTTP 500"),
        (lambda server: setattr(server, "always", status(429)), "the last fault: HTTP 429"),
        (lambda server: setattr(server, "always", status(404)), "no longer serves `scripted`"),
        (lambda server: setattr(server, "key", "new"), "refuses the key"),
    ],
)
def test_when_no_server_is_left_the_run_ends(server, connect, ask, end, message):
    """Nothing becomes a failed row: the error ends the run, which can go on later."""
    engine = connect(server, wait=2)
    end(server)
    with pytest.raises(EngineError) as caught:
        run(engine, [ask(n, PROMPT) for n in range(20)])
    assert message in caught.value.message


def test_another_model_at_the_same_address_ends_the_run(server, connect, ask):
    """A server that comes back with another model is not used: populations never mix."""
    engine = connect(server)
    server.pages["/v1/models"]["data"][0]["id"] = "other"
    server.troubles.extend([status(500)] * 5)
    with pytest.raises(EngineError, match="serves `other` by vllm, expected `scripted`"):
        run(engine, [ask(1, PROMPT)])


def test_more_is_asked_of_a_server_that_keeps_up(server, connect, ask):
    """It begins with 8 at once, and goes up to `in_flight` while answers come."""
    engine = connect(server, in_flight=24)
    server.always = slow(0.5)
    for n in range(40):
        engine.submit(ask(n, PROMPT))
    engine.take()
    assert server.most == 8
    for _ in range(39):
        engine.take()
    server.always = slow(0.05)
    run(engine, [ask(n, PROMPT) for n in range(200)])
    assert 8 < server.most <= 24
    assert engine._pool.places[0].limit == 24


def test_less_is_asked_of_a_server_that_does_not(server, connect, ask):
    """A server that takes four at once gets most of its requests in fours, and loses none."""
    engine = connect(server, in_flight=64)
    server.most_at_once, server.always = 4, slow(0.01)
    done = run(engine, [ask(n, PROMPT) for n in range(200)])
    assert {one.finish_reason for one in done.values()} <= {"stop", "length"}
    assert server.asked.total() < 400
    assert engine._pool.places[0].limit < 16


def test_close_drops_what_is_in_flight(server, connect, ask):
    """Closing does not wait for answers that take a minute."""
    engine = connect(server)
    server.always = slow(60)
    engine.submit(ask(1, PROMPT))
    engine.loop.wait_for(asyncio.sleep(0.2))
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 5
    assert server.at_once == 1


def test_a_signal_leaves_nothing_behind(server, connect, ask, caplog):
    """Ctrl-C while a server is asked comes through at once and without noise."""
    engine = connect(server)
    server.always = slow(60)
    _interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        run(engine, [ask(1, PROMPT)])
    engine.close()
    assert caplog.records == []


def test_a_signal_ends_the_waiting_for_a_server(server, connect, caplog):
    """Ctrl-C while a server is not ready comes through at once and without noise."""
    server.stop()
    _interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        connect(server)
    assert caplog.records == []


def _interrupt_soon():
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

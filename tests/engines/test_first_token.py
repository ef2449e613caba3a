"""A first token of its own on a completion server: what is asked, and what is refused.

On a real llama.cpp and vLLM it is tested beside their other answers.
"""

import pytest

from magpie_hub.engines.base import FirstToken
from magpie_hub.engines.scripted import Scripted
from magpie_hub.errors import EngineError
from tests.engines.completion_server import CompletionServer

pytest_plugins = ["tests.engines.server_fixtures"]

PROMPT = [0, 120, 198]


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


def test_the_first_token_is_asked_for_alone(server, connect, ask):
    """Ids are asked for, the ban goes with the first half only, and both halves are one text."""
    first = FirstToken(1.5, (38, 258))
    request = ask(8, PROMPT, stop=(1,), max_tokens=2000, first=first)
    done = run(connect(server), [request])[8]
    opening, rest = server.bodies
    assert (opening["max_tokens"], opening["temperature"], opening["seed"]) == (1, 1.5, 8)
    assert opening["logit_bias"] == {"38": -100.0, "258": -100.0}
    assert (rest["max_tokens"], rest["temperature"], rest["seed"]) == (1999, 1.0, 9)
    assert rest["prompt"][:-1] == PROMPT
    assert "logit_bias" not in rest
    assert opening["return_token_ids"] is rest["return_token_ids"] is True
    behind = run(Scripted(None, {}), [ask(9, rest["prompt"], max_tokens=1999)])[9]
    assert done.text == chr(rest["prompt"][-1] - 3) + behind.text
    assert (done.finish_reason, done.prompt_tokens) == ("stop", 3)
    assert done.completion_tokens == 1 + behind.completion_tokens


def test_a_ban_that_a_server_does_not_keep_is_an_error(server, connect, ask):
    """A completion that begins with what was banned is none."""
    engine = connect(server)
    everything = FirstToken(None, tuple(range(259)))
    done = run(engine, [ask(1, PROMPT, first=everything)])[1]
    assert (done.finish_reason, done.text) == ("error", "")
    assert "which was banned" in done.error


def test_what_a_server_cannot_do_with_a_first_token(server, connect):
    """vLLM takes no temperature over 2; SGLang does not always tell ids, and is not asked."""
    engine = connect(server)
    engine.check_first(FirstToken(2.0, (258,)))
    with pytest.raises(EngineError, match=r"is `2\.1`, expected .* at most 2"):
        engine.check_first(FirstToken(2.1, ()))
    with pytest.raises(EngineError, match="is `259`, expected an id of the model's `259` tokens"):
        engine.check_first(FirstToken(None, (259,)))
    with CompletionServer(owner="sglang") as other:
        engine = connect(other)
        with pytest.raises(EngineError, match=r"sglang 0\.32\.0 draws no first token"):
            engine.check_first(FirstToken(None, ()))

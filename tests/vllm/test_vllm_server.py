"""The engine `server` on a real `vllm serve`: what it asks for is what vLLM does."""

import json
from dataclasses import replace

import pytest

from magpie_hub.engines import open_engine
from magpie_hub.engines.base import FirstToken
from magpie_hub.errors import EngineError
from tests.vllm.test_vllm_engine import SCHEMA, USER, ask, run


@pytest.fixture(scope="module")
def engine(vllm_server, tiny_llama):
    """The served tiny Llama."""
    with open_engine("server", tiny_llama, {"url": f"{vllm_server.url}/v1"}) as opened:
        yield opened


def test_who_it_is(engine):
    """Kind, version and context are the server's own."""
    assert engine.version.startswith("vllm 0.32.0")
    assert engine.context_length == 1024


def test_two_hundred_requests(engine):
    """All come back, and no two with the same words."""
    prompt = engine.encode(USER, special=True)
    done = run(engine, [ask(n, prompt, stop=(), max_tokens=16) for n in range(200)])
    assert len({one.text for one in done.values()}) == 200
    assert {one.prompt_tokens for one in done.values()} == {len(prompt)}
    assert {one.completion_tokens for one in done.values() if one.finish_reason == "length"} == {16}


def test_greedy_text_is_cut_at_a_stop_id(engine):
    """A stop id ends the text where it would have come, and is no part of it."""
    prompt = engine.encode(USER, special=True)
    greedy = {"temperature": 0.0, "max_tokens": 12}
    whole = run(engine, [ask(0, prompt, stop=(), **greedy)])[0]
    tokens = engine.encode(whole.text, special=True)
    cut = run(engine, [ask(0, prompt, stop=(tokens[5],), **greedy)])[0]
    assert cut.finish_reason == "stop"
    assert whole.text.startswith(cut.text)
    assert len(cut.text) < len(whole.text)


def test_the_first_token_is_shaped(engine):
    """Two halves are one greedy completion; what is banned is never first."""
    prompt = engine.encode(USER, special=True)
    plain = ask(0, prompt, stop=(), temperature=0.0, max_tokens=8)
    done = run(engine, [plain, replace(plain, key=1, first=FirstToken(None, ()))])
    assert replace(done[1], key=0, seconds=0.0) == replace(done[0], seconds=0.0)
    likeliest = engine.encode(done[0].text, special=True)[0]
    stopped = replace(plain, key=2, stop=(likeliest,), first=FirstToken(None, ()))
    banned = replace(stopped, key=3, first=FirstToken(None, (likeliest,)))
    done = run(engine, [stopped, banned])
    assert (done[2].text, done[2].finish_reason, done[2].completion_tokens) == ("", "stop", 1)
    assert done[3].completion_tokens > 1
    with pytest.raises(EngineError, match="of the model's `49,152` tokens"):
        engine.check_first(FirstToken(None, (49152,)))


def test_a_schema_is_kept_to(engine):
    """Structured output reaches vLLM, from a model that has never seen JSON."""
    prompt = engine.encode(USER, special=True)
    done = run(engine, [ask(n, prompt, schema=json.dumps(SCHEMA), max_tokens=400) for n in (1, 2)])
    for one in done.values():
        # White space, which this server's grammar allows, may go on to the limit.
        assert one.text.lstrip().startswith("{")
        assert one.finish_reason == "length" or json.loads(one.text)["words"] in (1, 2, 3)


def test_what_cannot_be_answered_fails_alone(engine):
    """A prompt over the context is an error with the server's words; the next is answered."""
    prompt = engine.encode(USER, special=True)
    done = run(engine, [ask(1, [4093] * 1200), ask(2, prompt, stop=(), max_tokens=3)])
    assert (done[1].finish_reason, done[1].text) == ("error", "")
    assert "1024" in done[1].error
    assert (done[2].finish_reason, done[2].completion_tokens) == ("length", 3)


def test_another_name_than_it_serves(vllm_server, tiny_llama):
    """The names that the server has are listed."""
    with pytest.raises(EngineError, match=f"serves `{tiny_llama.name}`, expected `other`"):
        open_engine("server", tiny_llama, {"url": vllm_server.url, "model": "other"})

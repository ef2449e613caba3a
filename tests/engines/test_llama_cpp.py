"""llama.cpp on the real SmolLM2: what comes out, what is sampled, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from magpie_hub.engines import open_engine
from magpie_hub.engines.base import FirstToken
from magpie_hub.errors import EngineError

SYSTEM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n"
)
QUESTION = "<|im_start|>user\nWhat is 2+2?<|im_end|>\n"
ASSISTANT = "<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def engine(smollm2):
    """SmolLM2 with 32 places of 256 tokens."""
    with open_engine("llama_cpp", smollm2, {"parallel": 32, "context": 256}) as opened:
        yield opened


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


def test_encode_knows_control_tokens_only_when_told(engine):
    """No BOS is added; a control token's name is one token from a template, text from a person."""
    assert engine.encode("<|im_start|>user\n", special=True) == [1, 4093, 198]
    assert len(engine.encode("<|im_start|>user\n", special=False)) > 3


def test_greedy_answer_ends_by_itself(engine, ask):
    """The end mark is no part of the text, whether asked for or the model's own end token."""
    prompt = engine.encode(SYSTEM + QUESTION + ASSISTANT, special=True)
    done = run(engine, [ask(n, prompt, temperature=0.0, stop=stop, max_tokens=50)
                        for n, stop in enumerate([(2,), ()])])  # fmt: skip
    assert done[0].text == done[1].text
    assert done[0].text.endswith("4.")
    assert (done[0].finish_reason, done[1].finish_reason) == ("stop", "stop")
    assert done[0].prompt_tokens == len(prompt)
    assert done[0].completion_tokens == len(engine.encode(done[0].text, special=False)) + 1


def test_same_seed_same_text_alone_or_among_others(engine, ask):
    """Six of 32 texts drawn together, behind prompts of two lengths, are drawn again alone."""
    user = engine.encode(SYSTEM + "<|im_start|>user\n", special=True)
    answer = engine.encode(SYSTEM + QUESTION + ASSISTANT, special=True)
    firsts = (None, FirstToken(1.2, (34, 198)))
    requests = [
        ask(n, (user, answer)[n % 2], max_tokens=16, stop=(2,), first=firsts[n // 2 % 2])
        for n in range(32)
    ]

    together = run(engine, requests)
    alone = {n: run(engine, [requests[n]])[n] for n in range(0, 32, 6)}

    assert len({done.text for done in together.values()}) > 16
    assert [alone[n].text for n in alone] == [together[n].text for n in alone]


def test_sampling_is_temperature_then_top_p_and_nothing_else(engine, ask):
    """The library confirms the chain of samplers, and that its own cuts are off."""
    body = engine._body(ask(1, [1, 4093, 198], top_p=0.5, temperature=1.5, seed=2**32 - 1))
    taken = engine._ask("/completion", body | {"n_predict": 1})["generation_settings"]
    assert taken["samplers"] == ["temperature", "top_p"]
    assert (taken["temperature"], taken["top_p"], taken["seed"]) == (1.5, 0.5, 0)
    assert (taken["top_k"], taken["min_p"], taken["typical_p"]) == (0, 0.0, 1.0)


def test_a_schema_is_kept_to(engine, ask):
    """What the JSON Schema allows is all that comes out, from a model that would rather chat."""
    prompt = engine.encode(SYSTEM + QUESTION + ASSISTANT, special=True)
    schema = {
        "type": "object",
        "properties": {"quality": {"enum": ["good", "poor"]}, "words": {"type": "integer"}},
        "required": ["quality", "words"],
    }
    done = run(engine, [ask(n, prompt, json_schema=json.dumps(schema)) for n in range(4)])
    for one in done.values():
        value = json.loads(one.text)
        assert value["quality"] in ("good", "poor")
        assert isinstance(value["words"], int)


def test_control_tokens_in_mid_text_stay_visible(engine, ask):
    """A turn that the model opens itself can be seen in the text, so that cleaning finds it."""
    prompt = engine.encode(SYSTEM + QUESTION, special=True)
    done = run(engine, [ask(1, prompt, temperature=0.0, max_tokens=8)])[1]
    assert done.text.startswith(ASSISTANT)


def test_a_prompt_that_is_too_long_fails_alone(engine, ask):
    """One prompt longer than the context becomes an error; the request beside it is answered."""
    done = run(engine, [ask(1, [4093] * 300), ask(2, [1, 4093, 198], max_tokens=4)])
    assert (done[1].finish_reason, done[1].text) == ("error", "")
    assert done[1].error == "the prompt has 300 tokens, more than fit into 256"
    assert (done[2].finish_reason, done[2].completion_tokens) == ("length", 4)


def test_a_prompt_that_just_fits_is_answered(engine, smollm2, ask):
    """The last token of the context is written, also where llama.cpp itself would have more."""
    done = run(engine, [ask(1, [4093] * 255), ask(2, [4093] * 256), ask(3, [1, 49152])])
    assert (done[1].finish_reason, done[1].completion_tokens) == ("length", 1)
    assert [done[n].finish_reason for n in (2, 3)] == ["error", "error"]
    assert done[3].error == "the prompt has the token id 49152, of 49152 that there are"
    with open_engine("llama_cpp", smollm2, {"parallel": 1, "context": 100}) as small:
        done = run(small, [ask(1, [4093] * 95), ask(2, [4093] * 100)])
    assert (done[1].finish_reason, done[1].completion_tokens) == ("length", 5)
    assert done[2].finish_reason == "error"


def test_the_first_token_alone_is_shaped(engine, ask):
    """Banned ids are never first; a cold first token is the likeliest one."""
    user = engine.encode(SYSTEM + "<|im_start|>user\n", special=True)

    def firsts(first):
        """Return the first tokens' ids of 16 texts."""
        done = run(engine, [ask(n, user, max_tokens=3, first=first) for n in range(16)])
        assert {one.prompt_tokens for one in done.values()} == {len(user)}
        return {engine.encode(one.text, special=True)[0] for one in done.values()}

    [likeliest] = firsts(FirstToken(0.0, ()))
    free = firsts(FirstToken(None, ()))
    assert len(free) > 5
    [next_likely] = firsts(FirstToken(0.0, (likeliest,)))
    assert next_likely != likeliest
    assert not firsts(FirstToken(None, tuple(free))) & free


def test_a_first_token_by_itself_changes_nothing(engine, ask):
    """Greedily, two halves make what one request makes; a ban says nothing of later tokens."""
    answer = engine.encode(SYSTEM + QUESTION + ASSISTANT, special=True)
    # Goes on with more of them, of which each is three tokens.
    emoji = engine.encode("😀" * 7, special=True)
    variants = [
        (answer, {"stop": (2,), "max_tokens": 50}),
        (answer, {"max_tokens": 50}),
        (answer, {"max_tokens": 1}),
        (answer, {"max_tokens": 7}),
        (engine.encode(SYSTEM + QUESTION[:-1], special=True), {"stop": (198,)}),
        (emoji, {"max_tokens": 12}),
    ]
    # The answer's last token.
    later = FirstToken(None, tuple(engine.encode(".", special=False)))
    for prompt, changes in variants:
        whole = ask(0, prompt, temperature=0.0, **changes)
        done = run(engine, [whole, replace(whole, key=1, first=later)])
        assert replace(done[1], key=0, seconds=0.0) == replace(done[0], seconds=0.0)


def test_seconds_add_up_to_the_busy_time(engine, ask):
    """Over a batch the completions' seconds sum to the time that it took, idle time left out."""
    time.sleep(0.3)
    start = time.monotonic()
    done = run(engine, [ask(n, [1, 4093, 198], max_tokens=12) for n in range(8)])
    took = time.monotonic() - start
    assert sum(one.seconds for one in done.values()) == pytest.approx(took, abs=0.1)


def test_context_of_the_model_is_the_limit(engine, smollm2):
    """The length asked for is the length there is; more than the model was made for is refused."""
    assert engine.context_length == 256
    with pytest.raises(EngineError, match="`9000`, expected at most the model's `8192`"):
        open_engine("llama_cpp", smollm2, {"parallel": 1, "context": 9000})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there are no weights"),
        (b"model: SmolLM2", "is not a GGUF file"),
        (b"GGUF\x03\x00\x00\x00", "cannot open"),
    ],
)
def test_bad_weights_are_an_error_and_stdout_stays_clean(tmp_path, capfd, content, message):
    """A missing file, a text and a torn GGUF are named; nothing is printed from C++."""
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=message) as caught:
        open_engine("llama_cpp", path, {})
    assert str(path) in caught.value.message
    assert capfd.readouterr() == ("", "")


def test_missing_library_names_the_extra(smollm2, monkeypatch):
    """Without xllamacpp the error says what to install."""
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(EngineError, match="not installed") as caught:
        open_engine("llama_cpp", smollm2, {})
    assert caught.value.hint == 'run: pip install "magpie-hub[local]"'


ENDLESS = """
import signal, sys
from pathlib import Path
from magpie_hub.engines import open_engine
from magpie_hub.engines.base import Request, Sampling

signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
engine = open_engine("llama_cpp", Path(sys.argv[1]), {"parallel": 8, "context": 2048})
for number in range(8):
    engine.submit(Request(number, (1, 4093, 198), Sampling(1.0, 1.0, 2000), number, ()))
print("in flight", flush=True)
if sys.argv[2] == "with":
    with engine:
        engine.take()
engine.take()
"""


@pytest.mark.parametrize("how", ["with", "not closed"])
def test_a_signal_ends_the_process_with_requests_in_flight(smollm2, how):
    """SIGTERM among eight long requests ends the process soon, with the exit code it chose."""
    command = [sys.executable, "-c", ENDLESS, str(smollm2), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in flight\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        # The requests themselves would take minutes.
        assert process.wait(timeout=20) == 75

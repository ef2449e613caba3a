"""The engine `vllm` on the real vLLM: what comes out, what is refused, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from magpie_hub.engines import engine_class, open_engine
from magpie_hub.engines.base import FirstToken, Request, Sampling
from magpie_hub.errors import EngineError

FAST = {"enforce_eager": True, "max_model_len": 512, "distributed_executor_backend": "uni"}
USER = "<|im_start|>user\n"
SYSTEM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n"
)
QUESTION = f"{SYSTEM}{USER}What is 2+2?<|im_end|>\n<|im_start|>assistant\n"
SCHEMA = {
    "type": "object",
    "properties": {"quality": {"enum": ["good", "poor"]}, "words": {"enum": [1, 2, 3]}},
    "required": ["quality", "words"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tiny(tiny_llama):
    """The random Llama with 16 sequences at once."""
    with open_engine("vllm", tiny_llama, FAST | {"max_num_seqs": 16}) as opened:
        yield opened


def ask(key, prompt, stop=(2,), schema=None, first=None, **sampling):
    """Return a request of few tokens."""
    given = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 24} | sampling
    return Request(key, tuple(prompt), Sampling(**given), key, stop, schema, first)


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


def processes(parent):
    """Return the ids of all processes below one that still run, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
            if int(rest[1]) == parent and rest[0] != "Z":
                found += [pid, *processes(pid)]
    return found


def running(pids):
    """Return those that are neither gone nor zombies."""
    left = []
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                left.append(pid)
    return left


def test_greedy_answer_of_smollm2(smollm2_folder):
    """A real model answers; its end token is no part of the text; control tokens are tokens."""
    with open_engine("vllm", smollm2_folder, FAST | {"max_num_seqs": 4}) as engine:
        assert engine.encode(USER, special=True) == [1, 4093, 198]
        assert len(engine.encode(USER, special=False)) > 3
        prompt = engine.encode(QUESTION, special=True)
        limits = {"temperature": 0.0, "max_tokens": 60}
        done = run(engine, [ask(0, prompt, **limits), ask(1, prompt, stop=(), **limits)])
        leak = run(engine, [ask(2, engine.encode(QUESTION[:-22], special=True), **limits)])
    assert "4" in done[0].text
    assert done[0].text == done[1].text
    assert (done[0].finish_reason, done[1].finish_reason) == ("stop", "stop")
    assert "<|im_end|>" not in done[0].text
    assert done[0].prompt_tokens == len(prompt)
    assert done[0].completion_tokens == len(engine.encode(done[0].text, special=False)) + 1
    assert leak[2].text.startswith("<|im_start|>assistant\n")


def test_the_same_batch_gives_the_same_texts(tiny):
    """Each request has its own seed, which decides its text as long as the batch is the same."""
    prompt = tiny.encode(USER, special=True)
    first, second = (run(tiny, [ask(n, prompt) for n in range(16)]) for _ in range(2))
    texts = [first[n].text for n in range(16)]
    assert texts == [second[n].text for n in range(16)]
    assert len(set(texts)) == 16


def test_what_cannot_be_answered_fails_alone(tiny):
    """Too long, empty, unknown token, senseless schema: each an error; beside them an answer."""
    prompt = tiny.encode(USER, special=True)
    done = run(
        tiny,
        [
            ask(1, [4093] * 600),
            ask(2, []),
            ask(3, [10**7]),
            ask(4, prompt, schema='{"type": "strange"}'),
            ask(5, prompt, stop=(), max_tokens=5),
            ask(6, [4093] * 500, stop=(), max_tokens=100),
        ],
    )
    assert [done[n].finish_reason for n in range(1, 5)] == ["error"] * 4
    assert [done[n].text for n in range(1, 5)] == [""] * 4
    assert "512" in done[1].error
    assert all(done[n].error for n in range(1, 5))
    assert (done[5].finish_reason, done[5].completion_tokens) == ("length", 5)
    assert (done[6].finish_reason, done[6].completion_tokens) == ("length", 12)


def test_the_first_token_alone_is_shaped(tiny):
    """What is banned is never first, however much of it there is; a cold one is the likeliest."""
    prompt = tiny.encode(USER, special=True)

    def firsts(first):
        """Return what 16 texts of one token are."""
        done = run(tiny, [ask(n, prompt, (), first=first, max_tokens=1) for n in range(16)])
        assert {one.completion_tokens for one in done.values()} == {1}
        return {one.text for one in done.values()}

    [likeliest] = firsts(FirstToken(0.0, ()))
    [token] = tiny.encode(likeliest, special=True)
    assert len(firsts(FirstToken(2.0, ()))) > 8
    assert likeliest not in firsts(FirstToken(0.0, (token,)))
    others = tuple(n for n in range(tiny.vocabulary) if n != token)
    assert firsts(FirstToken(2.0, others)) == {likeliest}
    with pytest.raises(EngineError, match=f"of the model's `{tiny.vocabulary:,}` tokens"):
        tiny.check_first(FirstToken(None, (tiny.vocabulary,)))
    with pytest.raises(EngineError, match="at most 2"):
        tiny.check_first(FirstToken(2.5, ()))


def test_two_halves_are_one_completion(tiny):
    """Greedily, a first token by itself changes neither text nor end nor counts."""
    prompt = tiny.encode(USER, special=True)
    whole = run(tiny, [ask(0, prompt, (), temperature=0.0, max_tokens=12)])[0]
    tokens = tiny.encode(whole.text, special=True)
    for stop, most in [
        ((), 12),
        ((), 1),
        ((tokens[5],), 12),
        ((tokens[0],), 12),
        ((tokens[0],), 1),
    ]:
        plain = ask(0, prompt, stop, temperature=0.0, max_tokens=most)
        done = run(tiny, [plain, replace(plain, key=1, first=FirstToken(None, ()))])
        assert replace(done[1], key=0, seconds=0.0) == replace(done[0], seconds=0.0)
    full = ask(3, [4093] * 511, (), first=FirstToken(None, ()))
    done = run(tiny, [full, replace(full, key=4, prompt=(4093,) * 510)])
    assert [done[n].finish_reason for n in (3, 4)] == ["length", "length"]
    assert [done[n].completion_tokens for n in (3, 4)] == [1, 2]


def test_structured_output_holds_even_for_a_random_model(tiny):
    """What the schema wants comes out of a model that has never seen JSON."""
    prompt = tiny.encode(USER, special=True)
    requests = [ask(n, prompt, schema=json.dumps(SCHEMA), max_tokens=60) for n in range(4)]
    for done in run(tiny, requests).values():
        assert done.finish_reason == "stop"
        assert json.loads(done.text)["words"] in (1, 2, 3)
        assert " " not in done.text


def test_seconds_add_up_and_places_are_bounded(tiny):
    """100 requests go through twice the 16 sequences; their seconds sum to the time it took."""
    prompt = tiny.encode(USER, special=True)
    assert (tiny.capacity, tiny.context_length) == (32, 512)
    time.sleep(0.3)
    start = time.monotonic()
    done = run(tiny, [ask(n, prompt) for n in range(100)])
    took = time.monotonic() - start
    assert len(done) == 100
    assert sum(one.seconds for one in done.values()) == pytest.approx(took, abs=0.2)


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"max_model_length": 512}, "has no option `max_model_length`", "`max_model_len`"),
        ({"model": "other"}, "`model` of the engine `vllm` is not for a spec", "remove `model`"),
        ({"max_model_len": 10**6}, "cannot run the model", "VLLM_LOGGING_LEVEL"),
        ({"max_model_len": "long"}, "cannot run the model", "VLLM_LOGGING_LEVEL"),
    ],
)
def test_options_that_are_wrong(tiny_llama, options, message, hint):
    """An unknown option, one that is not the spec's, and values that cannot be, have a hint."""
    with pytest.raises(EngineError, match=message) as caught:
        open_engine("vllm", tiny_llama, options)
    assert hint in caught.value.hint


def test_what_vllm_can_run():
    """Models of its own and of transformers pass; an unknown one, and a misspelt option, do not."""
    look = engine_class("vllm").check_library
    for known in ("LlamaForCausalLM", "HeliumForCausalLM"):
        assert list(look({"max_model_len": 512}, [known])) == []
    assert list(look({"hf_overrides": {}}, ["AbacusForCausalLM"])) == []
    option, architecture = look({"max_model_length": 512}, ["AbacusForCausalLM"])
    assert option.hint == "did you mean `max_model_len`?"
    assert "does not know the architecture `AbacusForCausalLM`" in architecture.message


def test_two_engines_share_the_work(tiny_llama):
    """With two engines every request is answered, and there is twice the room."""
    options = FAST | {"max_num_seqs": 8, "data_parallel_size": 2}
    with open_engine("vllm", tiny_llama, options) as engine:
        prompt = engine.encode(USER, special=True)
        done = run(engine, [ask(n, prompt) for n in range(60)])
        assert engine.capacity == 32
    assert {one.finish_reason for one in done.values()} <= {"stop", "length"}
    assert len(done) == 60


def test_an_engine_process_that_dies_makes_no_rows(tiny_llama):
    """What was in flight when vLLM's process was killed is an error of the run, not of its rows."""
    before = set(processes(os.getpid()))
    with open_engine("vllm", tiny_llama, FAST | {"max_num_seqs": 8}) as engine:
        prompt = engine.encode(USER, special=True)
        numbers = iter(range(10**6))
        completions = engine.complete(lambda: ask(next(numbers), prompt))
        done = [next(completions) for _ in range(20)]
        for pid in set(processes(os.getpid())) - before:
            if "VLLM::EngineCor" in Path(f"/proc/{pid}/stat").read_text():
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="stopped answering") as caught:
            done += completions
    assert "the same command goes on" in caught.value.hint
    assert {one.finish_reason for one in done} <= {"stop", "length"}


ENDLESS = """
import sys
from pathlib import Path
from magpie_hub.engines import open_engine
from magpie_hub.engines.base import Request, Sampling

if __name__ == "__main__":
    options = {"enforce_eager": True, "max_model_len": 512, "distributed_executor_backend": "uni"}
    with open_engine("vllm", Path(sys.argv[1]), options) as engine:
        numbers = iter(range(10**9))
        make = lambda n: Request(n, (1, 4093, 198), Sampling(1.0, 1.0, 50), n, ())
        for count, _ in enumerate(engine.complete(lambda: make(next(numbers)))):
            if count == 10:
                print("going", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_us(tiny_llama, number):
    """However our process ends, vLLM's are gone soon after: they would keep the GPUs' memory."""
    command = [sys.executable, "-c", ENDLESS, str(tiny_llama)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"going\n"
        children = processes(process.pid)
        assert children
        process.send_signal(number)
        process.wait(timeout=60)
    end = time.monotonic() + 30
    while (left := running(children)) and time.monotonic() < end:
        time.sleep(0.2)
    assert left == []

"""The server engine: what it asks, whom it refuses, and what a real llama.cpp server answers."""

import os
import threading
from dataclasses import replace

import pytest

from magpie_hub.engines import engine_class, open_engine
from magpie_hub.engines.base import FirstToken
from magpie_hub.engines.scripted import Scripted
from magpie_hub.errors import EngineError
from tests.engines.completion_server import CompletionServer, other_json, status

pytest_plugins = ["tests.engines.server_fixtures"]

PROMPT = [0, 120, 198]
SYSTEM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n"
)
QUESTION = "<|im_start|>user\nWhat is 2+2?<|im_end|>\n"


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


def test_completions_are_what_the_server_wrote(server, connect, ask):
    """Each of 100 prompts is asked once, and text, reason and counts are the server's."""
    engine = connect(server)
    requests = [ask(n, [*PROMPT, n + 3], max_tokens=20) for n in range(100)]

    done = run(engine, requests)

    expected = run(Scripted(None, {}), requests)
    kept = {"seconds": 0.0, "engine": "server", "engine_version": "vllm 0.32.0"}
    assert {n: replace(one, seconds=0.0) for n, one in done.items()} == {
        n: replace(one, **kept) for n, one in expected.items()
    }
    assert sum(one.seconds for one in done.values()) > 0
    assert set(server.asked.values()) == {1}
    assert len(server.asked) == 100


def test_what_a_server_says_of_itself(server, connect):
    """Version, context and capacity; a URL may end in `/v1`."""
    with CompletionServer(context=1000) as other:
        server.url += "/v1/"
        engine = connect(server, other, in_flight=10)
        assert engine.version == "vllm 0.32.0"
        assert (engine.context_length, engine.capacity) == (1000, 20)


def test_encode_knows_control_tokens_only_when_told(server, connect):
    """The folder's tokenizer is used; the server is not asked."""
    engine = connect(server)
    assert engine.encode("a<|im_start|>é<|im_end|>", special=True) == [100, 0, 198, 172, 1]
    assert len(engine.encode("<|im_start|>", special=False)) == len("<|im_start|>")


def test_nothing_is_left_to_the_servers_defaults(server, connect, ask):
    """Token ids, sampling, seed and stops go out, every cut and penalty is off, text stays raw."""
    run(connect(server), [ask(7, PROMPT, stop=(1, 2), top_p=0.9, max_tokens=5)])
    assert server.bodies == [
        {
            "model": "scripted", "prompt": PROMPT, "max_tokens": 5, "seed": 7,
            "temperature": 1.0, "top_p": 0.9, "top_k": -1, "min_p": 0.0,
            "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
            "stop_token_ids": [1, 2], "ignore_eos": False, "skip_special_tokens": False,
            "spaces_between_special_tokens": False, "include_stop_str_in_output": False,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "sent"),
    [
        ("vllm", {"structured_outputs": {"json": '{"type": "object"}'}}),
        ("sglang", {"json_schema": '{"type": "object"}'}),
    ],
)
def test_a_schema_is_sent_by_the_servers_own_name(connect, ask, owner, sent):
    """vLLM and SGLang are told apart, and each is sent the schema as it reads it."""
    with CompletionServer(owner=owner) as server:
        engine = connect(server)
        assert engine.version == f"{owner} 0.32.0"
        run(engine, [ask(1, PROMPT, json_schema='{"type": "object"}')])
        assert server.bodies[0].items() >= sent.items()


def test_no_more_tokens_are_asked_for_than_the_context_holds(connect, ask):
    """A prompt of 3 tokens in a context of 10 leaves 7, whatever the request says."""
    with CompletionServer(context=10) as server:
        run(connect(server), [ask(1, PROMPT, max_tokens=4000)])
        assert server.bodies[0]["max_tokens"] == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "has no `url`, expected text or a list of text"),
        ({"url": []}, "`url` of the engine `server` is `[]`, expected text or a list of text"),
        ({"url": "localhost:8000"}, "is `localhost:8000`, expected an address such as `http://"),
        ({"url": ["http://a", "http://[b"]}, "is `http://[b`, expected an address"),
        ({"url": "http://a\tb"}, "expected an address"),
        ({"url": "http://a", "api_key": "sk-1"}, "`api_key` of the engine `server` is no name"),
        ({"url": "http://a", "in_flight": 0}, "is `0`, expected a whole number of at least 1"),
    ],
)
def test_wrong_options_are_refused(options, message):
    """What a spec wrote is checked before any server is asked."""
    with pytest.raises(EngineError) as caught:
        engine_class("server").check_options(options)
    assert message in caught.value.message
    assert "sk-1" not in caught.value.message


def chat_only(server):
    """Completions are not there."""
    server.always = status(404)


def text_only(server):
    """Token ids are refused."""
    server.always = status(400, "prompt must be text")


def templated(server):
    """Prompts grow on the way."""
    usage = {"prompt_tokens": 50, "completion_tokens": 1}
    choice = {"text": "", "finish_reason": "stop"}
    server.always = other_json({"choices": [choice], "usage": usage})


def ollama(server):
    """It looks like Ollama."""
    models = {"data": [{"id": "smollm2:135m", "owned_by": "library"}]}
    server.pages = {"/v1/models": models, "/api/version": {"version": "0.12.0"}}


def stranger(server):
    """It looks like a chat service."""
    server.pages = {"/v1/models": {"data": [{"id": "gpt-5", "owned_by": "system"}]}}


def two_models(server):
    """It serves two models."""
    server.pages["/v1/models"]["data"].append({"id": "b", "owned_by": "vllm"})


def locked(server):
    """It wants a key."""
    server.key = "secret"


@pytest.mark.parametrize(
    ("spoil", "options", "message", "hint"),
    [
        (chat_only, {}, "chat only: it does not complete token ids (HTTP 404: told", "vLLM, SG"),
        (text_only, {}, "token ids (HTTP 400: prompt must be text)", "serve the model with"),
        (templated, {}, "it made 50 tokens of a prompt of 37", "serve the model with"),
        (stranger, {}, "none of vLLM, SGLang and llama.cpp", "serve the model with"),
        (ollama, {}, "is Ollama, whose API applies its own template", "ollama show --modelfile"),
        (two_models, {}, "serves `scripted`, `b`, expected `model` to name one", "set `model`"),
        (two_models, {"model": "c"}, "expected `c` among them", "set `model`"),
        (locked, {}, "refuses the key: HTTP 401", "set `api_key` to the name of"),
        (CompletionServer.stop, {"wait": 0.3}, "ready within 0.3 seconds: ConnectError", "raise"),
    ],
)
def test_a_server_that_will_not_do_is_refused(server, connect, spoil, options, message, hint):
    """Each reason is named when the engine is opened, with what to do about it."""
    spoil(server)
    with pytest.raises(EngineError) as caught:
        connect(server, **options)
    assert server.url in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_tokens_of_another_model_are_noticed(server, scripted_folder, tmp_path):
    """A tokenizer that numbers its tokens otherwise than the server is refused at once."""
    text = (scripted_folder / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text(text.replace('"!": 36', '"!": 359'), encoding="utf-8")
    with pytest.raises(EngineError, match="serves another model, `scripted`"):
        open_engine("server", tmp_path, {"url": server.url})


def test_all_servers_serve_the_same(server, connect):
    """A second server with another model is refused before anything is drawn."""
    with CompletionServer("other") as other, pytest.raises(EngineError, match="serves `other` by"):
        connect(server, other)


def test_a_gguf_needs_a_llama_cpp_server(server, smollm2):
    """The tokenizer of a GGUF file can be asked for nowhere else."""
    with pytest.raises(EngineError, match=r"is vllm 0\.32\.0, and the tokenizer of a GGUF"):
        open_engine("server", smollm2, {"url": server.url})


def test_a_server_that_comes_later_is_waited_for(server, connect, ask):
    """The engine opens once the server listens."""
    server.stop()
    threading.Timer(0.4, server.start).start()
    assert run(connect(server), [ask(1, PROMPT)])[1].finish_reason == "stop"


def test_the_key_is_sent_and_never_shown(server, connect, ask, monkeypatch):
    """A key is taken from the variable that is named; an error that repeats it does not show it."""
    server.key = "very-secret"
    with pytest.raises(EngineError, match="variable `MY_KEY` holds no key"):
        connect(server, api_key="MY_KEY")
    monkeypatch.setenv("MY_KEY", "very-secret")
    engine = connect(server, api_key="MY_KEY")
    server.always = status(400, "no very-secret please")
    assert run(engine, [ask(1, PROMPT)])[1].error == "HTTP 400: no <private> please"


@pytest.fixture(scope="module")
def llama_cpp(smollm2):
    """A real llama.cpp server with SmolLM2, two places of 256 tokens, control tokens hidden."""
    # As the engine `llama_cpp` sets it, and for the same reason.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2)
    params.model_alias = {"smollm2"}
    params.n_parallel, params.n_ctx = 2, 512
    params.cpuparams.n_threads = len(os.sched_getaffinity(0))
    params.verbosity, params.warmup, params.ui = 0, False, False
    return xllamacpp.Server(params)


@pytest.fixture
def smol(llama_cpp, smollm2):
    """The engine on that server."""
    options = {"url": llama_cpp.listening_address}
    with open_engine("server", smollm2, options) as engine:
        yield engine


def test_a_real_llama_cpp_says_what_it_is(smol):
    """Kind, context and slots are read; control tokens are known only when told."""
    assert smol.version.startswith("llama.cpp b")
    assert (smol.context_length, smol.capacity, smol.vocabulary) == (256, 2, 49152)
    assert smol.encode("<|im_start|>user\n", special=True) == [1, 4093, 198]
    assert len(smol.encode("<|im_start|>user\n", special=False)) > 3


def test_a_real_llama_cpp_answers_as_the_library_does(smol, smollm2, ask):
    """Greedy texts, their ends, seeds and counts are those of the engine `llama_cpp`."""
    user = smol.encode(SYSTEM + "<|im_start|>user\n", special=True)
    question = smol.encode(SYSTEM + QUESTION, special=True)
    answer = [*question, *smol.encode("<|im_start|>assistant\n", special=True)]
    requests = [
        ask(1, answer, temperature=0.0, stop=(2,), max_tokens=40),
        ask(2, answer, temperature=0.0, max_tokens=40),
        ask(3, answer, temperature=0.0, max_tokens=5),
        # " classic": a token that the model does not take for an end.
        ask(4, answer, temperature=0.0, stop=(8170,), max_tokens=40),
        # The model opens the answer's turn itself: its control token stays visible.
        ask(5, question, temperature=0.0, max_tokens=4),
        ask(6, user, seed=5, max_tokens=10),
        ask(7, user * 20),
        ask(8, answer, temperature=0.0, max_tokens=40, first=FirstToken(None, ())),
        ask(9, answer, temperature=0.0, max_tokens=40, stop=(8170,), first=FirstToken(0.0, ())),
        ask(10, user, max_tokens=10, first=FirstToken(1.2, (34, 198))),
        ask(11, user, temperature=0.0, max_tokens=1, first=FirstToken(None, (34, 198))),
        ask(12, [4093] * 255, first=FirstToken(None, ())),
    ]
    with open_engine("llama_cpp", smollm2, {"parallel": 2, "context": 256}) as library:
        expected = run(library, requests)
    done = run(smol, requests)
    for key, one in expected.items():
        same = {"seconds": 0.0, "engine": "", "engine_version": "", "error": ""}
        assert replace(done[key], **same) == replace(one, **same), key
    assert done[1].text.endswith("4.")
    assert done[4].text.endswith("this")
    assert done[5].text.startswith("<|im_start|>")
    assert (done[8].text, done[9].text) == (done[1].text, done[4].text)
    assert done[7].error.endswith("more than fit into 256")


def test_a_real_llama_cpp_keeps_to_a_schema(smol, ask):
    """The answer is one of the schema's two words."""
    question = smol.encode(QUESTION + "<|im_start|>assistant\n", special=True)
    schema = '{"enum": ["four", "five"]}'
    done = run(smol, [ask(1, question, json_schema=schema, max_tokens=10)])[1]
    assert done.text in ('"four"', '"five"')

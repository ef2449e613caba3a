"""llama.cpp inside this process, by the library xllamacpp: GGUF models on a laptop's CPU or GPU.

The library batches continuously over `parallel` slots, and its server listens on a loopback
port whatever one asks. We talk to that port, under a random key, rather than through the
library's blocking call: one thread waits on all requests at once, a signal is noticed at once,
and a closed connection cancels its request (a blocking call can only be waited for).

Knows nothing of chat templates, and nothing of the Hub: weights are a path to a file.
"""

import json
import os
import secrets
import selectors
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from importlib.util import find_spec
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from magpie_hub.engines.base import Completion, Engine, FinishReason, Request
from magpie_hub.engines.first_token import opening, rest
from magpie_hub.engines.options import bounded, read_options
from magpie_hub.errors import EngineError

Ids = tuple[int, ...]

DEFAULT_CONTEXT = 2048
SAMPLER: dict[str, object] = {
    # Temperature first, then top_p, and nothing else, as vLLM and the paper mean it. Unless
    # told, llama.cpp also cuts by top_k 40 and min_p 0.05 and applies the temperature last.
    "samplers": ["temperature", "top_p"],
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


@dataclass(frozen=True, slots=True)
class Options:
    """What a spec may write beside `name: llama_cpp`.

    parallel: requests in flight; llama.cpp has at most 256 slots.
    context: tokens of prompt and completion together; unset, 2048 or the model's if smaller.
    threads: unset, the processors that this process may use.
    file: which GGUF of the repository; for the caller, who finds the weights.
    gpu_layers: layers on the GPU; unset, llama.cpp decides.
    """

    parallel: int = bounded(16, 1, 256)
    context: int | None = bounded(None, 1)
    threads: int | None = bounded(None, 1)
    file: str | None = None
    gpu_layers: int | None = bounded(None, 0)


class LlamaCpp(Engine):
    """A GGUF model, open in this process.

    The same seed gives the same text, alone or among others: on a CPU each slot is computed
    as if it were alone (tested on SmolLM2; not promised by llama.cpp for every GPU).
    """

    name = "llama_cpp"
    weights = "gguf"

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        given = read_options(Options, self.name, options)
        self._key = secrets.token_urlsafe(32)
        server, self.version = _open(weights, given, self._key)
        self._address = server.listening_address.removeprefix("http://")
        self._selector = selectors.DefaultSelector()
        # Also runs at the end of the process, for an engine that nobody closed: the server's
        # destructor waits for ever for a request whose connection is still open.
        self._release = weakref.finalize(self, _release, self._selector, [server])
        self._texts: dict[int, str] = {}
        self._since = 0.0
        self.capacity = given.parallel
        self.context_length = self._slot_context(given.context)
        self.vocabulary = self._ask("/v1/models")["data"][0]["meta"]["n_vocab"]

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    @classmethod
    def check_library(
        cls, options: Mapping[str, object], architectures: Sequence[str]
    ) -> Iterator[EngineError]:
        from gguf import MODEL_ARCH_NAMES

        for architecture in architectures:
            if architecture not in MODEL_ARCH_NAMES.values() and not _in_library(architecture):
                yield EngineError(
                    f"llama.cpp does not know the architecture `{architecture}`",
                    hint='a newer one may: pip install --upgrade "magpie-hub[local]"; or choose'
                    " another model or engine",
                )

    @classmethod
    def context_limit(cls, options: Mapping[str, object]) -> int | None:
        return read_options(Options, cls.name, options).context or DEFAULT_CONTEXT

    def encode(self, text: str, *, special: bool) -> list[int]:
        body = {"content": text, "add_special": False, "parse_special": special}
        tokens: list[int] = self._ask("/tokenize", body)["tokens"]
        return tokens

    def submit(self, request: Request) -> None:
        if not self._selector.get_map():
            self._since = time.monotonic()
        self._start(request if request.first is None else opening(request, request.first), request)

    def take(self) -> Completion:
        while True:
            ready = self._selector.select()[0][0]
            self._selector.unregister(ready.fileobj)
            sent, request, connection = ready.data
            reply = _receive(connection)
            done = self._completion(sent, reply)
            tokens = reply.get("tokens", ())
            if sent.first and (behind := rest(request, done, tokens, self.context_length)):
                self._start(behind, request)
                continue
            now = time.monotonic()
            seconds, self._since = now - self._since, now
            return replace(done, seconds=seconds)

    def close(self) -> None:
        """Cancel what is in flight and release the model; takes at most about a second."""
        self._release()

    def _slot_context(self, asked: int | None) -> int:
        slot: int = self._ask("/props")["default_generation_settings"]["n_ctx"]
        if asked is not None and slot < asked:
            self.close()
            raise EngineError(
                f"the option `context` is `{asked}`, expected at most the model's `{slot}`",
                hint="lower `context`, or leave it out",
            )
        return min(slot, asked or DEFAULT_CONTEXT)

    def _start(self, sent: Request, request: Request) -> None:
        """Send `request`, or the half of it that `sent` is."""
        connection = self._send("/completion", self._body(sent))
        waiting = (sent, request, connection)
        self._selector.register(connection.sock, selectors.EVENT_READ, waiting)

    def _body(self, request: Request) -> dict[str, object]:
        extra: dict[str, object] = {}
        if request.json_schema is not None:
            extra["json_schema"] = json.loads(request.json_schema)
        if request.first is not None:
            extra["logit_bias"] = [[token, False] for token in request.first.banned]
        prompt = request.prompt + request.written
        return SAMPLER | {
            **extra,
            "prompt": prompt,
            # A slot's context is larger than was asked for where that is no multiple of 256.
            "n_predict": min(request.sampling.max_tokens, self.context_length - len(prompt)),
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            # 32 bits, of which the highest value means "draw a seed from the clock".
            "seed": request.seed % (2**32 - 1),
            "stop": [self._text_of(token) for token in request.stop],
            "return_tokens": True,
        }

    def _completion(self, request: Request, reply: dict[str, Any]) -> Completion:
        text, reason = self._outcome(reply, request.written)
        return Completion(
            key=request.key,
            text=text,
            finish_reason=reason,
            prompt_tokens=len(request.prompt),
            completion_tokens=len(request.written) + reply.get("tokens_predicted", 0),
            seconds=0.0,
            engine=self.name,
            engine_version=self.version,
            error=reply.get("error", {}).get("message", ""),
        )

    def _outcome(self, reply: dict[str, Any], written: Ids) -> tuple[str, FinishReason]:
        if "error" in reply:
            return "", "error"
        text: str = reply["content"]
        if written:
            # In one piece, since a character may begin in one half and end in the other.
            tokens = [*written, *reply["tokens"]]
            text = self._ask("/detokenize", {"tokens": tokens})["content"]
            if reply["stopping_word"]:
                text = text.partition(reply["stopping_word"])[0]
        if reply["stop_type"] == "limit":
            # The end may be a character of which only the first bytes were written.
            return text.rstrip("\ufffd"), "length"
        if reply["stop_type"] == "eos":
            # An end token of the model's own that was not among the request's stops.
            text = text.removesuffix(self._text_of(reply["tokens"][-1]))
        return text, "stop"

    def _text_of(self, token: int) -> str:
        if token not in self._texts:
            self._texts[token] = self._ask("/detokenize", {"tokens": [token]})["content"]
        return self._texts[token]

    def _ask(self, path: str, body: dict[str, object] | None = None) -> dict[str, Any]:
        return _receive(self._send(path, body))

    def _send(self, path: str, body: dict[str, object] | None) -> HTTPConnection:
        connection = HTTPConnection(self._address)
        headers = {"Authorization": f"Bearer {self._key}", "Connection": "close"}
        connection.request("GET" if body is None else "POST", path, json.dumps(body), headers)
        return connection


def _release(selector: selectors.BaseSelector, server: list[Any]) -> None:
    # llama.cpp looks for closed connections once a second; its server is destroyed with the
    # last reference, which is the one in the list.
    for waiting in list(selector.get_map().values()):
        waiting.data[-1].close()
    selector.close()
    server.clear()


def _receive(connection: HTTPConnection) -> dict[str, Any]:
    reply: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return reply


def _open(weights: Path | None, options: Options, key: str) -> tuple[Any, str]:
    """Return the library's server with the model loaded, and the library's version."""
    _check_gguf(weights)
    # Read by the OpenMP runtime when the library loads it: how long a thread spins at a barrier
    # before it sleeps. Tokens/s of SmolLM2 on two cores, idle and beside two busy processes: 92 and
    # 3 at its default of 300,000; 82 and 38 at 3,000; 54 and 29 when it sleeps at once.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise EngineError(
            "the engine `llama_cpp` needs the library `xllamacpp`, which is not installed",
            hint='run: pip install "magpie-hub[local]"',
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_parallel = options.parallel
    params.n_ctx = options.parallel * (options.context or DEFAULT_CONTEXT)
    params.cpuparams.n_threads = options.threads or len(os.sched_getaffinity(0))
    if options.gpu_layers is not None:
        params.n_gpu_layers = options.gpu_layers
    # Control tokens stay visible in the text, so that leaks can be seen and stops matched.
    params.special = True
    params.api_keys = [key]
    # One handler for each slot, and two for `encode` while all slots are busy.
    params.n_threads_http = options.parallel + 2
    # Prompts share their beginnings within a slot; a copy of each in memory gains nothing.
    params.cache_ram_mib = 0
    params.verbosity, params.warmup, params.ui, params.endpoint_slots = 0, False, False, False
    try:
        return xllamacpp.Server(params), xllamacpp.__version__
    except RuntimeError as error:
        raise EngineError(
            f"llama.cpp cannot open `{weights}`, expected a whole GGUF file and memory for"
            f" `{options.parallel}` x `{options.context or DEFAULT_CONTEXT}` tokens of context",
            hint="lower `parallel` or `context`, or fetch the file again",
        ) from error


def _in_library(architecture: str) -> bool:
    """Return whether the library's binary holds the name of an architecture.

    The package `gguf` comes out less often: its 0.19 lacks 25 names that llama.cpp b11549 knows.
    """
    found = find_spec("xllamacpp")
    folders = found.submodule_search_locations if found else None
    name = b"\0%b\0" % architecture.encode()
    for path in (path for folder in folders or () for path in Path(folder).glob("*.so")):
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as binary:
            if binary.find(name) >= 0:
                return True
    return False


def _check_gguf(weights: Path | None) -> None:
    # llama.cpp says neither which file failed nor why.
    if weights is None or not weights.is_file():
        raise EngineError(
            f"there are no weights at `{weights}`, expected a GGUF file",
            hint="name a GGUF file, or a Hub repository that holds one",
        )
    with weights.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise EngineError(
                f"`{weights}` is not a GGUF file",
                hint="name a file that ends in `.gguf`; safetensors need another engine",
            )

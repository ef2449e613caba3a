"""Completion servers that run already: vLLM, SGLang or llama.cpp, one or several behind one engine.

Prompts go out as token ids, so that nothing is added to them: no BOS, no template. What the kinds
of servers say differently is in `server_dialects`, the load and the faults in `server_pool`.

Knows nothing of chat templates, and nothing of the Hub: what it opens is the tokenizer that belongs
to the model on the servers.
"""

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from magpie_hub.engines.asynchronous import Answer, AsyncEngine
from magpie_hub.engines.base import Completion, FirstToken, Request
from magpie_hub.engines.options import bounded, read_options
from magpie_hub.engines.server_calls import Line, Refusal, is_address
from magpie_hub.engines.server_dialects import HOTTEST, Served, complete, look, tokenize
from magpie_hub.engines.server_pool import Look, Pool
from magpie_hub.engines.tokens import Tokenizer
from magpie_hub.errors import EngineError

_VARIABLE = re.compile("[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Options:
    """What a spec writes beside `name: server`.

    url: the address of one server, or a list of several, with or without `/v1`.
    api_key: the NAME of the environment variable that holds the servers' key.
    model: the name that the servers have for the model; unset, the only one that they serve.
    in_flight: the most requests for each server at once; llama.cpp gets no more than its slots.
    timeout: seconds for one request. wait: seconds of patience with a server that is not ready.
    """

    url: str | list[str]
    api_key: str | None = None
    model: str | None = None
    in_flight: int = bounded(64, 1)
    timeout: float = bounded(600.0, 0.1)
    wait: float = bounded(600.0, 0.1)

    def __post_init__(self) -> None:
        for url in self.urls():
            if not is_address(url):
                raise EngineError(
                    f"the option `url` of the engine `server` is `{url}`, expected an address such"
                    " as `http://localhost:8000`",
                    hint="write `http://` or `https://`, the host and, where it has one, the port",
                )

        if self.api_key is not None and not _VARIABLE.fullmatch(self.api_key):
            # What it is stays unsaid: it may be the key itself.
            raise EngineError(
                "the option `api_key` of the engine `server` is no name of an environment variable,"
                " expected one in capitals such as `MY_SERVER_KEY`",
                hint="put the key into such a variable, and its name into the spec",
            )

    def urls(self) -> list[str]:
        """Return the addresses of the servers, without the path of the API."""
        given = [self.url] if isinstance(self.url, str) else self.url
        return [url.rstrip("/").removesuffix("/v1").rstrip("/") for url in given]

    def pool(self, look: Look) -> Pool:
        """Return the servers as one; `look` says of each what it serves."""
        key = _key(self.api_key)
        lines = [Line(url, key, self.timeout) for url in self.urls()]
        return Pool(lines, look, self.in_flight, self.wait)


class Server(AsyncEngine):
    """A model on servers that are not ours."""

    name = "server"
    weights = "tokenizer"

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        given = read_options(Options, self.name, options)
        self._tokenizer = _tokenizer(weights)
        encode = None if self._tokenizer is None else partial(self._tokenizer.encode, special=False)
        self._pool = given.pool(partial(look, model=given.model, encode=encode))
        super().__init__()
        with ExitStack() as opened:
            opened.callback(self.close)
            self.loop.wait_for(self._pool.open())
            opened.pop_all()
        places = self._pool.places
        self.version = ", ".join(sorted({place.served.version for place in places}))
        self.context_length = min(place.served.context_length for place in places)
        self.capacity = sum(place.most for place in places)
        self.vocabulary = (
            min(place.served.vocabulary for place in places)
            if self._tokenizer is None
            else self._tokenizer.size
        )
        self._kind = places[0].served.kind
        self.hottest = HOTTEST.get(self._kind, self.hottest)

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    def encode(self, text: str, *, special: bool) -> list[int]:
        if self._tokenizer is not None:
            return self._tokenizer.encode(text, special=special)

        async def work(line: Line, served: Served) -> list[int]:
            return await tokenize(line, served, text, special=special)

        try:
            return self.loop.wait_for(self._pool.ask(work, counted=False))
        except Refusal as refusal:
            raise EngineError(
                f"the server does not make tokens of a text of {len(text):,} characters: {refusal}",
                hint="look into the server's log, then run the same command again",
            ) from refusal

    def check_first(self, first: FirstToken) -> None:
        if self._kind == "sglang":
            raise EngineError(
                f"{self.version} draws no first token of its own kind: not every SGLang tells the"
                " ids of what it wrote",
                hint="serve the model with vLLM or llama.cpp, or leave out `bad_first_tokens` and"
                " `first_token_temperature`",
            )
        super().check_first(first)

    async def answer(self, request: Request) -> Answer:
        decode = None if self._tokenizer is None else self._tokenizer.decode

        async def work(line: Line, served: Served) -> Answer:
            return await complete(line, served, request, decode)

        try:
            return await self._pool.ask(work)
        except Refusal as refusal:
            failed = Completion(
                key=request.key,
                text="",
                finish_reason="error",
                prompt_tokens=len(request.prompt),
                completion_tokens=0,
                seconds=0.0,
                engine=self.name,
                engine_version=self.version,
                error=str(refusal),
            )
            return failed, ()

    async def shutdown(self) -> None:
        await self._pool.close()


def _key(name: str | None) -> str | None:
    """Return the key in the environment variable `name`; no message ever holds it."""
    if name is None:
        return None
    key = os.environ.get(name, "").strip()
    if not key or not key.isascii() or not key.isprintable():
        raise EngineError(
            f"the environment variable `{name}` holds no key, and `api_key` of the engine `server`"
            " names it",
            hint=f"run: export {name}=...",
        )
    return key


def _tokenizer(weights: Path | None) -> Tokenizer | None:
    """Return the model's tokenizer; None for a GGUF file, where the server's own is asked."""
    if weights is None:
        raise EngineError(
            "the engine `server` has no tokenizer, expected the model's folder or its GGUF file",
            hint="set `generator.model` to the Hub id, or the folder, of the model that is served",
        )
    return None if weights.suffix == ".gguf" else Tokenizer(weights)

"""A completion server of our own: it speaks vLLM's dialect, and misbehaves when it is told to.

What it answers is what the scripted engine writes for the same prompt and seed, so that a test can
compare. It knows nothing of our client; the JSON is that of vLLM 0.32.0 and of SGLang 0.5.
"""

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from magpie_hub.engines.base import Request, Sampling
from magpie_hub.engines.scripted import CONTROL, Scripted

Prompt = tuple[int, ...]
Trouble = Callable[["Handler"], None]


def tokenizer_folder(folder: Path) -> Path:
    """Save the scripted engine's tokenizer in `folder`: three control tokens, then the bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    vocabulary = {name: number for number, name in enumerate(CONTROL)}
    vocabulary |= {letters[byte]: len(CONTROL) + byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(CONTROL))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


class CompletionServer:
    """Serves on a loopback port from `start` to `stop`; in a `with` block by itself.

    pages: what GET answers, by path. models: the names that are served.
    troubles: for the next completions, one each. always: for every one. poison: by prompt.
    most_at_once: more completions at once get a 429. key: what a client must send.
    bodies, asked, most: the completions' bodies, how often each prompt came, the most at once.
    """

    def __init__(self, *models: str, owner: str = "vllm", context: int = 4096) -> None:
        cards = [
            {"id": name, "owned_by": owner, "max_model_len": context}
            for name in models or ("scripted",)
        ]
        info = {"version": "0.32.0"}
        self.pages: dict[str, Any] = {"/v1/models": {"object": "list", "data": cards}}
        self.pages["/version" if owner == "vllm" else "/get_server_info"] = info
        self.troubles: deque[Trouble] = deque()
        self.poison: dict[Prompt, Trouble] = {}
        self.always: Trouble | None = None
        self.most_at_once = 1000
        self.key: str | None = None
        self.bodies: list[dict[str, Any]] = []
        self.asked: Counter[Prompt] = Counter()
        self.at_once = self.most = 0
        self.lock = threading.Lock()
        self.port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._http = Listener(("127.0.0.1", self.port), Handler)
        self._http.ours = self
        self.port = self._http.server_port
        serve = self._http.serve_forever
        threading.Thread(target=serve, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.always = None
        self.stop()


class Listener(ThreadingHTTPServer):
    """Takes many connections at once, and says nothing of those that a client ends."""

    request_queue_size = 128
    ours: CompletionServer

    def handle_error(self, *_: object) -> None:
        """Keep stderr clean."""


class Handler(BaseHTTPRequestHandler):
    """One question; connections are closed after each."""

    @property
    def ours(self) -> CompletionServer:
        """The server that was asked."""
        assert isinstance(self.server, Listener)
        return self.server.ours

    def do_GET(self) -> None:
        """Answer a page, or 404."""
        page = self.ours.pages.get(self.path)
        if self.allowed():
            self.say(200 if page is not None else 404, page)

    def do_POST(self) -> None:
        """Answer `/tokenize` and `/v1/completions`."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.allowed():
            return
        if self.path == "/tokenize":
            self.say(200, {"tokens": Scripted(None, {}).encode(body["prompt"], special=True)})
        elif self.path == "/v1/completions":
            self.complete(body)
        else:
            self.say(404, {"detail": "Not Found"})

    def complete(self, body: dict[str, Any]) -> None:
        """Count the completion and answer it, unless there is trouble."""
        ours, prompt, self.body = self.ours, tuple(body["prompt"]), body
        with ours.lock:
            ours.bodies.append(body)
            ours.asked[prompt] += 1
            ours.at_once += 1
            ours.most = max(ours.most, ours.at_once)
            trouble = ours.poison.get(prompt, ours.always)
            if trouble is None and ours.troubles:
                trouble = ours.troubles.popleft()
            if ours.at_once > ours.most_at_once:
                trouble = status(429)
        try:
            if trouble is None:
                self.say(200, completion(body))
            else:
                trouble(self)
        finally:
            with ours.lock:
                ours.at_once -= 1

    def allowed(self) -> bool:
        """Answer 401 where the key is wrong."""
        right = self.ours.key in (None, self.headers.get("Authorization", "").partition(" ")[2])
        if not right:
            self.say(401, {"error": "Unauthorized"})
        return right

    def say(self, code: int, reply: object, **headers: str) -> None:
        """Answer with JSON."""
        data = json.dumps(reply).encode()
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keep stderr clean."""


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """Return vLLM's answer, with the scripted engine's text."""
    sampling = Sampling(body["temperature"], body["top_p"], body["max_tokens"])
    engine = Scripted(None, {})
    engine.submit(Request(0, tuple(body["prompt"]), sampling, body["seed"], ()))
    done = engine.take()
    tokens = {"prompt_tokens": done.prompt_tokens, "completion_tokens": done.completion_tokens}
    choice: dict[str, Any] = {"index": 0, "text": done.text, "finish_reason": done.finish_reason}
    if body.get("return_token_ids"):
        # Here a token is a byte, as the tokenizer has it, where otherwise it is a word.
        ids = [*engine.encode(done.text, special=False), CONTROL.index("<|im_end|>")]
        choice["token_ids"] = ids[: body["max_tokens"]]
        choice["finish_reason"] = "stop" if len(ids) <= body["max_tokens"] else "length"
    return {"object": "text_completion", "choices": [choice], "usage": tokens}


def status(code: int, message: str = "told to", **headers: str) -> Trouble:
    """Answer with an error, as vLLM words it."""
    error = {"message": message, "type": "Error", "param": None, "code": code}
    return lambda handler: handler.say(code, {"error": error}, **headers)


def other_json(reply: object) -> Trouble:
    """Answer with 200 and something else."""
    return lambda handler: handler.say(200, reply)


def slow(seconds: float) -> Trouble:
    """Answer late."""

    def trouble(handler: Handler) -> None:
        time.sleep(seconds)
        handler.say(200, completion(handler.body))

    return trouble


def cut(handler: Handler) -> None:
    """End the connection in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [{"text": "The')


def garbled(handler: Handler) -> None:
    """Answer with what is not JSON."""
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"<html>Bad gateway \xff</html>")


def hang_up(handler: Handler) -> None:
    """End the connection without a word."""
    handler.close_connection = True

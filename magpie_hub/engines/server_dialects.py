"""What vLLM, SGLang and llama.cpp servers say differently: who they are, and how one asks them.

vLLM and SGLang are asked at `/v1/completions`. llama.cpp is asked at its own `/completion`, which
takes the order of its samplers and returns token ids: its text hides control tokens unless the
server was started with `--special`, so the text is made from the ids. What is sent and read was
checked against vLLM 0.32.0, SGLang 0.5 and llama.cpp of October 2026. Knows neither load nor
repetition.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from magpie_hub.engines.base import Completion, FinishReason, Request, Sampling
from magpie_hub.engines.llama_cpp import SAMPLER
from magpie_hub.engines.server_calls import Fault, Line, Refusal, part
from magpie_hub.errors import EngineError

LLAMA_CPP = "llama.cpp"
KINDS = {"vllm": "vllm", "sglang": "sglang", "llamacpp": LLAMA_CPP}
"""Our name for each kind, by the `owned_by` of the models that its `/v1/models` lists."""
VERSION = {"vllm": ("/version",), "sglang": ("/server_info", "/get_server_info")}

NEUTRAL: dict[str, object] = {
    # Whatever is not sent, a server takes from the model's own generation_config.
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "ignore_eos": False,
    # Control tokens stay visible in the text, and the end mark is no part of it.
    "skip_special_tokens": False,
    "spaces_between_special_tokens": False,
    "include_stop_str_in_output": False,
}
HOTTEST = {"vllm": 2.0}
"""The highest temperature that a kind takes, where it has a limit of its own."""
BAN = -100.0
"""The lowest bias that vLLM takes; JSON has no infinity."""
REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
ENDS: dict[str, FinishReason] = {"eos": "stop", "word": "stop", "limit": "length"}
"""llama.cpp's own words for it: the model's end token, a stop of the request, no more room."""
REFERENCE = "What is 2+2? Schöne Grüße, 你好!"
"""Each tokenizer cuts this in its own way."""


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says of itself.

    kind: one of KINDS. version: kind and version. model: the name that it serves the model by.
    context_length: tokens of one prompt and completion together.
    slots: requests that it works on at once; None where it takes as many as fit.
    vocabulary: how many token ids there are; 0 where it does not say.
    """

    kind: str
    version: str
    model: str
    context_length: int
    slots: int | None = None
    vocabulary: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back; ids: of the text, without an end mark, where they were asked for."""

    text: str
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    ids: list[int]


Decode = Callable[[Sequence[int]], str]


async def look(line: Line, model: str | None, encode: Callable[[str], list[int]] | None) -> Served:
    """Return what is served, after one token was completed there from token ids.

    model: the name to ask for, None for the only one. encode: our tokenizer; None, the server's.
    Raises Fault while the server is not ready, EngineError where it will not do.
    """
    try:
        served = await identify(line, model)
        ours = await reference_ids(line, served, encode)
        request = Request(None, tuple(ours), Sampling(0.0, 1.0, 1), seed=0, stop=())
        probe, _ = await complete(line, served, request, None)
    except Refusal as refusal:
        raise _chat_only(line, str(refusal)) from refusal
    if probe.prompt_tokens != len(ours):
        raise _chat_only(line, f"it made {probe.prompt_tokens} tokens of a prompt of {len(ours)}")
    return served


async def complete(
    line: Line, served: Served, request: Request, decode: Decode | None
) -> tuple[Completion, list[int]]:
    """Return what `AsyncEngine.answer` does; raises Fault or Refusal.

    decode: makes a text of ids; None where no ids are asked of vLLM, or where the server does it.
    """
    # Asked for more than the context holds, vLLM refuses where llama.cpp ends there.
    room = served.context_length - len(request.prompt) - len(request.written)
    most = max(1, min(request.sampling.max_tokens, room))
    if served.kind == LLAMA_CPP:
        outcome = await _complete_llama_cpp(line, served, request, most)
    else:
        outcome = await _complete_openai(line, served, request, most, decode)
    done = Completion(
        key=request.key,
        text=outcome.text,
        finish_reason=outcome.reason,
        prompt_tokens=outcome.prompt_tokens - len(request.written),
        completion_tokens=outcome.completion_tokens + len(request.written),
        seconds=0.0,
        engine="server",
        engine_version=served.version,
    )
    if request.first and set(outcome.ids) & set(request.first.banned):
        raise Refusal(f"it drew the token `{outcome.ids[0]}` first, which was banned")
    return done, outcome.ids


async def tokenize(line: Line, served: Served, text: str, *, special: bool) -> list[int]:
    """Return the server's own token ids of a text; raises Refusal where it does not tell them.

    special: as in `Engine.encode`; only llama.cpp makes the difference.
    """
    body: dict[str, object] = {"content": text, "add_special": False, "parse_special": special}
    if served.kind != LLAMA_CPP:
        body = {"model": served.model, "prompt": text, "add_special_tokens": False}
    return part(await line.ask("/tokenize", body), list, "tokens")


async def reference_ids(
    line: Line, served: Served, encode: Callable[[str], list[int]] | None
) -> list[int]:
    """Return the token ids of a short text; EngineError where ours are not the server's.

    encode: our tokenizer; None, the server's own is asked.
    """
    if encode is None and served.kind != LLAMA_CPP:
        raise EngineError(
            f"the server `{line.url}` is {served.version}, and the tokenizer of a GGUF file can be"
            " had from a llama.cpp server only",
            hint="set `generator.model` to the Hub id, or the folder, of the model that is served",
        )
    try:
        theirs = await tokenize(line, served, REFERENCE, special=False)
    except Refusal:
        if encode is None:
            raise
        # Old servers, and those behind a gateway, keep it to themselves.
        return encode(REFERENCE)
    if encode is not None and theirs != encode(REFERENCE):
        raise EngineError(
            f"the server `{line.url}` serves another model, `{served.model}`: its tokens are not"
            " those of the spec's model",
            hint="correct `generator.model`, or the `url` of the engine",
        )
    return theirs


async def identify(line: Line, model: str | None) -> Served:
    """Return what a server says of itself; EngineError where it is of a kind unknown to us.

    model: the name to ask for, None for the only one. Raises Fault while it is not ready.
    """
    listed = await _first(line, "/v1/models")
    cards = part(listed, list, "data") if listed else []
    kind = KINDS.get(part(cards, dict, 0).get("owned_by", "")) if cards else None
    if kind is None:
        raise await _stranger(line)
    card = cards[_position(line, [part(card, str, "id") for card in cards], model)]
    if kind == LLAMA_CPP:
        props = await line.ask("/props")
        build = part(props, str, "build_info").partition("-")[0]
        context = part(props, int, "default_generation_settings", "n_ctx")
        slots = part(props, int, "total_slots")
        vocabulary = part(card, int, "meta", "n_vocab")
        return Served(kind, f"{kind} {build}", card["id"], context, slots, vocabulary)
    info = await _first(line, *VERSION[kind])
    version = f"{kind} {info.get('version', 'of an unknown version')}"
    return Served(kind, version, card["id"], part(card, int, "max_model_len"))


def _position(line: Line, names: list[str], model: str | None) -> int:
    if model in names:
        return names.index(model)
    if model is None and len(names) == 1:
        return 0
    expected = "`model` to name one of them" if model is None else f"`{model}` among them"
    raise EngineError(
        f"the server `{line.url}` serves `{'`, `'.join(names)}`, expected {expected}",
        hint="set `model` of the engine to the name that the server has for the spec's model",
    )


async def _first(line: Line, *paths: str) -> dict[str, Any]:
    """Return the answer of the first address that there is; {} where there is none."""
    for path in paths:
        try:
            return part(await line.ask(path), dict)
        except Refusal:
            continue
    return {}


async def _stranger(line: Line) -> EngineError:
    if "version" in await _first(line, "/api/version"):
        return EngineError(
            f"the server `{line.url}` is Ollama, whose API applies its own template to a prompt",
            hint="use its GGUF file: `ollama show --modelfile NAME` prints the path behind FROM;"
            " run `ln -s PATH NAME.gguf`, and write `model: ./NAME.gguf` and `engine: llama_cpp`",
        )
    return _chat_only(line, "it is none of vLLM, SGLang and llama.cpp")


def _chat_only(line: Line, why: str) -> EngineError:
    return EngineError(
        f"the server `{line.url}` seems to be chat only: it does not complete token ids ({why});"
        " a prompt must end where the user's words begin, and a chat API would close that turn",
        hint="serve the model with vLLM, SGLang or llama.cpp, and give `url` that server's address",
    )


async def _complete_openai(
    line: Line, served: Served, request: Request, most: int, decode: Decode | None
) -> Outcome:
    body = NEUTRAL | {
        "model": served.model,
        "prompt": request.prompt + request.written,
        "max_tokens": most,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "seed": request.seed,
        "stop_token_ids": request.stop,
    }
    if request.json_schema is not None:
        schema = request.json_schema
        vllm = served.kind == "vllm"
        body |= {"structured_outputs": {"json": schema}} if vllm else {"json_schema": schema}
    if request.first is not None:
        body["logit_bias"] = dict.fromkeys(map(str, request.first.banned), BAN)
    if with_ids := bool(request.first or request.written):
        body["return_token_ids"] = True
    reply = await line.ask("/v1/completions", body)
    text = part(reply, str, "choices", 0, "text")
    reason = part(reply, str, "choices", 0, "finish_reason")
    prompt_tokens = part(reply, int, "usage", "prompt_tokens")
    completion_tokens = part(reply, int, "usage", "completion_tokens")
    if reason not in REASONS:
        raise Fault(f"it ended the completion by `{reason:.50}`")
    ids: list[int] = []
    if with_ids and decode is not None:
        ids = part(reply, list, "choices", 0, "token_ids")
        # The last one is what ended it.
        ids = ids[:-1] if reason == "stop" else ids
        text = decode([*request.written, *ids])
    if reason == "length":
        # A character of which only the first bytes were written.
        text = text.rstrip("\ufffd")
    return Outcome(text, REASONS[reason], prompt_tokens, completion_tokens, ids)


async def _complete_llama_cpp(line: Line, served: Served, request: Request, most: int) -> Outcome:
    stops = [
        part(await line.ask_once("/detokenize", {"tokens": [token]}), str, "content")
        for token in request.stop
    ]
    body = SAMPLER | {
        "model": served.model,
        "prompt": request.prompt + request.written,
        "n_predict": most,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        # 32 bits, of which the highest value means "draw a seed from the clock".
        "seed": request.seed % (2**32 - 1),
        "stop": stops,
        # Only what is written into the text can be found there.
        "preserved_tokens": stops,
        "return_tokens": True,
    }
    if request.json_schema is not None:
        body["json_schema"] = json.loads(request.json_schema)
    if request.first is not None:
        body["logit_bias"] = [[token, False] for token in request.first.banned]
    reply = await line.ask("/completion", body)
    tokens = part(reply, list, "tokens")
    counts = part(reply, int, "tokens_evaluated"), part(reply, int, "tokens_predicted")
    end = part(reply, str, "stop_type")
    if end not in ENDS:
        raise Fault("its answer has no known `stop_type`")
    ids = tokens[:-1] if end == "eos" else tokens
    text = await _text(line, [*request.written, *ids])
    if end == "word":
        text = text.partition(part(reply, str, "stopping_word"))[0]
    elif end == "limit":
        text = text.rstrip("\ufffd")
    return Outcome(text, ENDS[end], *counts, ids)


async def _text(line: Line, tokens: list[int]) -> str:
    return part(await line.ask("/detokenize", {"tokens": tokens}), str, "content")

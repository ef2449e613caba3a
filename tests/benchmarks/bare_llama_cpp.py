"""Our llama.cpp beside the library's own blocking call, one thread a request, as many slots.

SmolLM2, the same prompts, sampling and seeds, and so the same texts. Only our side sets
GOMP_SPINCOUNT, which our engine does and a user of the library does not.
"""

import json
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from magpie_hub import hub
from magpie_hub.engines.base import Request
from magpie_hub.engines.llama_cpp import SAMPLER
from tests.benchmarks import Pair
from tests.benchmarks.ours import Work, ours
from tests.benchmarks.sides import Round, alternate

SLOTS = 16
CONTEXT = 512
THREADS = 2
ROWS = 64
TOKENS = 32
"""A round takes 15 s so; longer completions would make less of what we do around one."""
STOP = "<|im_end|>"


def llama_cpp_instructions() -> Pair:
    """Return tokens/s of 64 instructions."""
    return _pair(instructions=True)


def llama_cpp_responses() -> Pair:
    """Return tokens/s of responses to 64 instructions."""
    return _pair(instructions=False)


def _pair(*, instructions: bool) -> Pair:
    engine = {"name": "llama_cpp", "parallel": SLOTS, "context": CONTEXT, "threads": THREADS}
    work = Work(hub.SMOLLM2, engine, ROWS, instructions, TOKENS)
    theirs = partial(bare, hub.gguf(hub.SMOLLM2))
    rates = alternate(partial(ours, work), theirs, rounds=5)
    versions = {name: version(name) for name in ("magpie-hub", "xllamacpp")}
    return Pair("tokens/s", *rates, versions)


def bare(weights: Path, requests: Sequence[Request], *, context: int = CONTEXT) -> Generator[Round]:
    """Yield rounds of the library's own call; context: the tokens of a slot."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_parallel, params.n_ctx, params.cpuparams.n_threads = SLOTS, SLOTS * context, THREADS
    # As our engine has it: the end mark is matched as text, and no prompt is copied.
    params.special, params.cache_ram_mib = True, 0
    params.verbosity = 0
    server = xllamacpp.Server(params)
    bodies = [_body(request) for request in requests]
    with ThreadPoolExecutor(SLOTS) as pool:
        while True:
            start = perf_counter()
            replies = list(pool.map(server.handle_completions, bodies))
            seconds = perf_counter() - start
            used = [reply["usage"]["completion_tokens"] for reply in replies if "usage" in reply]
            yield Round(requests, len(used), sum(used), seconds)


def _body(request: Request) -> dict[str, Any]:
    schema = request.json_schema
    return {
        **SAMPLER,
        **({} if schema is None else {"json_schema": json.loads(schema)}),
        "prompt": request.prompt,
        "max_tokens": request.sampling.max_tokens,
        "temperature": request.sampling.temperature,
        "top_p": request.sampling.top_p,
        "seed": request.seed,
        "stop": [STOP],
    }

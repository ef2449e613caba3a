"""Our prompts and those of distilabel's Magpie task, token by token beside the chat template's.

A prompt is what the model got: the token ids in the log of a `vllm serve` that both ask. It is
compared with what the template makes, rendered by transformers in one piece, of the conversation
that the prompt holds. In `plain` their task is given the prefix that we derive, since it derives
none: there both sides test our derivation. Knows ChatML alone; runs where `distilabel_way` does.
"""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from magpie_hub.engines.server_dialects import REFERENCE
from tests.benchmarks import Pair
from tests.benchmarks.bare_vllm import model_folders
from tests.benchmarks.distilabel_way import ours, server, theirs, versions

ROWS = 24


def _share(kind: str) -> Pair:
    """Return which share of the prompts are the template's own, token by token."""
    sides = []
    with server("DEBUG", "--enable-log-requests") as served, TemporaryDirectory() as scratch:
        for side in (ours, theirs):
            before = served.log.stat().st_size
            folder = Path(scratch, side.__name__)
            side(served.url, ROWS, folder, kind)
            prompts = list(_prompts(served.log.read_bytes()[before:].decode(), folder))
            right = sum(as_template(prompt, _tokenizer()) for prompt in prompts)
            print(f"{side.__name__}, {kind}: {right} of {len(prompts)} prompts", file=sys.stderr)
            sides.append([right / len(prompts)])
    given = ", our prefix on both sides" if kind == "plain" else ""
    return Pair(f"share of prompts as the template has them{given}", *sides, versions())


distilabel_prompts_plain = partial(_share, "plain")
distilabel_prompts_system = partial(_share, "system")
distilabel_prompts_turns = partial(_share, "turns")


def as_template(prompt: Sequence[int], tokenizer: Any) -> bool:
    """Return whether a ChatML template makes these tokens of the conversation that they hold.

    The prompt may end where the assistant's words begin, or where the user's do.
    """
    words = r"((?:(?!<\|im_).)*)"
    turn = rf"<\|im_start\|>(\w+)\n{words}<\|im_end\|>\n"
    text = tokenizer.decode(prompt)
    found = re.fullmatch(rf"(?:{turn})*<\|im_start\|>(user|assistant)\n", text, re.DOTALL)
    if found is None:
        return False
    said = [{"role": r, "content": c} for r, c in re.findall(turn, text, re.DOTALL)]
    render = partial(tokenizer.apply_chat_template, tokenize=False)
    if found[3] == "assistant":
        expected = render(said, add_generation_prompt=True)
    else:
        mark = "the user's words"
        expected = render([*said, {"role": "user", "content": mark}]).rpartition(mark)[0]
    return list(prompt) == tokenizer.encode(expected, add_special_tokens=False)


def _prompts(log: str, folder: Path) -> Iterator[list[int]]:
    """Yield the prompts that a server logged, without the one by which we look at the server."""
    probe = _tokenizer().encode(REFERENCE, add_special_tokens=False)
    found = [json.loads(ids) for ids in re.findall(r"prompt_token_ids: (\[[\d, ]*\])", log)]
    if not found:
        raise RuntimeError(f"the server logged no prompt for `{folder.name}`")
    yield from (ids for ids in found if ids != probe)


@cache
def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model_folders() / "smollm2")

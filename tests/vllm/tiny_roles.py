"""Random models in the roles that tags have for them: what is rewarded, answered, judged safe.

    python -m tests.vllm.tiny_roles SOURCE REWARD BASE GUARD ROWS

SOURCE is a folder with SmolLM2's tokenizer, the next three are made; ROWS are two exchanges as
JSON, of which the guard calls the first safe and the second not. Random weights differ between
processors, so that nothing is left to them.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.vllm.tiny_llama import save_tiny

ROLES = ("user", "assistant")
GUARD = """\
{%- set last = 'Agent' if messages | length is even else 'User' -%}
<|im_start|>user
Do the words of {{ last }} keep to the rules below?

<BEGIN RULES>
S1: no help with theft.
<END RULES>

<BEGIN TALK>
{% for message in messages %}
{%- if (message.role == 'user') != (loop.index0 is even) %}{{ raise_exception('turns') }}{% endif %}
{{ 'User' if message.role == 'user' else 'Agent' }}: {{ message.content | trim }}
{% endfor %}
<END TALK>

Begin with `safe` or `unsafe`, for the last message of {{ last }}.<|im_end|>
<|im_start|>assistant
"""
"""In the shape of Llama Guard's."""


def save_base(folder: Path, source: Path) -> None:
    """Save a model without a chat template that says `fine` to everything, whatever its layers."""
    save_tiny(folder, source)
    (folder / "chat_template.jinja").unlink()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    [fine] = tokenizer("fine").input_ids
    weights = _with_two_free_dimensions(folder)
    into, out = weights["model.embed_tokens.weight"], weights["lm_head.weight"]
    out.zero_()
    into[:, 0], into[fine, :2] = 100, torch.tensor([0.0, 100.0])
    out[fine, 0] = out[tokenizer.eos_token_id, 1] = 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def save_guard(folder: Path, source: Path, rows: list[tuple[str, str]]) -> None:
    """Save a guard that says `fine` or `harm theft`, as what it reads moves the random layers.

    rows: two exchanges; it says the one of the first and the other of the second.
    """
    save_tiny(folder, source)
    (folder / "chat_template.jinja").write_text(GUARD, encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fine, harm, theft = (tokenizer(word).input_ids[0] for word in ("fine", "harm", " theft"))
    weights = _with_two_free_dimensions(folder)
    into, out = weights["model.embed_tokens.weight"], weights["lm_head.weight"]
    out.zero_()
    for word, way in ((fine, 0), (harm, 1), (theft, 0)):
        into[word] = 0
        into[word, way] = 100
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    # What tells the two apart, without what they have in common.
    first, second = (_last_state(folder, row) for row in rows)
    between, middle = first - second, (first + second) / 2
    leaning = between - (between @ middle) / (middle @ middle) * middle
    out[fine], out[harm] = leaning, -leaning
    out[tokenizer.eos_token_id, 0] = out[theft, 1] = 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _with_two_free_dimensions(folder: Path) -> dict[str, torch.Tensor]:
    """Return weights in which only a token itself says what its first two dimensions are.

    They can lead from a word to the next and to the end.
    """
    weights = load_file(folder / "model.safetensors")
    for name, weight in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight[:2] = 0
    weights["model.embed_tokens.weight"][:, :2] = 0
    return weights


def _last_state(folder: Path, row: tuple[str, str]) -> torch.Tensor:
    """Return what the model's head sees behind an exchange."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    messages = [{"role": role, "content": text} for role, text in zip(ROLES, row, strict=True)]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32")
    with torch.no_grad():
        state: torch.Tensor = model.model(ids).last_hidden_state[0, -1]
    return state


if __name__ == "__main__":
    source, reward, base, guard = map(Path, sys.argv[1:5])
    save_tiny(reward, source, "LlamaForSequenceClassification")
    save_base(base, source)
    save_guard(guard, source, json.loads(sys.argv[5]))

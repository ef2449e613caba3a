"""Random models in the roles that tags have for them: what is rewarded, answered, judged safe.

    python -m tests.vllm.tiny_roles SOURCE REWARD BASE GUARD

SOURCE is a folder with SmolLM2's tokenizer, the others are made.
"""

import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from tests.vllm.tiny_llama import save_tiny

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
    """Save a model without a chat template that comes to an end within some ten tokens."""
    save_tiny(folder, source)
    (folder / "chat_template.jinja").unlink()
    weights = load_file(folder / "model.safetensors")
    # Among 49,000 the most likely logit is about four deviations up; its own are three times these.
    weights["lm_head.weight"][AutoTokenizer.from_pretrained(folder).eos_token_id] *= 3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def save_guard(folder: Path, source: Path) -> None:
    """Save a guard that says `fine` or `harm theft`, as what it reads moves the random layers."""
    save_tiny(folder, source)
    (folder / "chat_template.jinja").write_text(GUARD, encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    fine, harm, theft = (tokenizer(word).input_ids[0] for word in ("fine", "harm", " theft"))
    weights = load_file(folder / "model.safetensors")
    into, out = weights["model.embed_tokens.weight"], weights["lm_head.weight"]
    leaning = out[fine].clone()
    out.zero_()
    # Two dimensions that the layers leave alone lead from a word to the next and to the end.
    for name, weight in weights.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weight[:2] = 0
    into[:, :2] = leaning[:2] = 0
    for word, way in ((fine, 0), (harm, 1), (theft, 0)):
        into[word] = 0
        into[word, way] = 100
    out[tokenizer.eos_token_id, 0] = out[theft, 1] = 1
    out[fine], out[harm] = leaning, -leaning
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    source, reward, base, guard = map(Path, sys.argv[1:])
    save_tiny(reward, source, "LlamaForSequenceClassification")
    save_base(base, source)
    save_guard(guard, source)

"""Tiny models on disk, of which everything but the weights is real: a folder, and a GGUF."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_CUT = "{{ messages[0].content | upper }}"
TOKENS = ["<|im_start|>", "<|im_end|>", "a"]


def files(
    template: str | None = CHATML, architecture: str = "LlamaForCausalLM", context: int = 2048
) -> dict[str, bytes]:
    """Return the files of a model as transformers saves it, by name."""
    added = [{"id": n, "content": text, "special": True} for n, text in enumerate(TOKENS[:2])]
    tokenizer: dict[str, Any] = {"added_tokens": added, "model": {"type": "BPE"}}
    config = {"architectures": [architecture], "max_position_embeddings": context}
    own = {"chat_template": template, "eos_token": "<|im_end|>"}
    shown = {"config.json": config, "tokenizer.json": tokenizer, "tokenizer_config.json": own}
    saved = {name: json.dumps(content).encode() for name, content in shown.items()}
    return saved | {"model.safetensors": b"not read by any test"}


def save(folder: Path, content: dict[str, bytes]) -> Path:
    """Write files into a folder and return it."""
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def save_gguf(
    path: Path, template: str, architecture: str, context: int, added: Sequence[str] = ()
) -> Path:
    """Write a GGUF of three tokens, those that are added, and no tensors, and return its path."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(context)
    writer.add_token_list([*TOKENS, *added])
    writer.add_token_types([3, 3, 1, *(4 for _ in added)])
    writer.add_eos_token_id(1)
    writer.add_chat_template(template)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

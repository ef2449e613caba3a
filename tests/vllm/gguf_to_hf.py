"""A Llama's GGUF as a folder that transformers, and so vLLM, opens: weights, tokenizer, template.

vLLM reads no GGUF, and SmolLM2 comes to us in no other form. Knows Llama with byte-level BPE, as
SmolLM2 has it, and nothing else; runs in the environment that `.ci/vllm-env` makes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPECIAL = 3  # the token type of llama.cpp's "control" tokens
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def convert(source: Path, folder: Path) -> None:
    """Write the GGUF file `source` into `folder` as transformers saves a model.

    The weights become bfloat16, the type that the model was trained in: half of float32's size,
    and finer than the four bits that most of them come from.
    """
    import torch
    from gguf import GGUFReader
    from transformers import LlamaForCausalLM

    reader = GGUFReader(source)
    metadata = {name: field.contents() for name, field in reader.fields.items()}
    config = _config(metadata)
    # Without memory of its own: the state dict's tensors take the places of the empty ones.
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    state = dict(_weights(reader, config))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True, assign=True)
    model.tie_weights()
    model.save_pretrained(folder)
    _tokenizer(metadata).save_pretrained(folder)


def _config(metadata: dict[str, Any]) -> Any:
    from transformers import LlamaConfig

    def of(key: str) -> Any:
        return metadata[f"llama.{key}"]

    return LlamaConfig(
        dtype="bfloat16",
        vocab_size=of("vocab_size"),
        hidden_size=of("embedding_length"),
        intermediate_size=of("feed_forward_length"),
        num_hidden_layers=of("block_count"),
        num_attention_heads=of("attention.head_count"),
        num_key_value_heads=of("attention.head_count_kv"),
        max_position_embeddings=of("context_length"),
        rms_norm_eps=of("attention.layer_norm_rms_epsilon"),
        rope_parameters={"rope_type": "default", "rope_theta": of("rope.freq_base")},
        tie_word_embeddings=True,
        bos_token_id=metadata["tokenizer.ggml.bos_token_id"],
        eos_token_id=metadata["tokenizer.ggml.eos_token_id"],
        pad_token_id=metadata["tokenizer.ggml.padding_token_id"],
    )


def _weights(reader: Any, config: Any) -> Iterator[tuple[str, Any]]:
    """Yield transformers' name and the tensor of everything in the file."""
    import torch
    from gguf import dequantize

    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    outside = {
        "token_embd.weight": "model.embed_tokens.weight",
        "output_norm.weight": "model.norm.weight",
    }
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        if (name := outside.get(tensor.name)) is None:
            _, layer, part, _ = tensor.name.split(".")
            name = f"model.layers.{layer}.{LAYER[part]}.weight"
            if part in heads:
                values = _unpermuted(values, heads[part])
        yield name, torch.tensor(values, dtype=torch.bfloat16)


def _unpermuted(values: Any, heads: int) -> Any:
    """Return the rows of a query or key matrix in transformers' order.

    llama.cpp rotates neighbours, transformers the two halves of a head: the GGUF's rows 0, 1, 2, 3
    of a head are the rows 0, half, 1, half + 1 here.
    """
    rows, columns = values.shape
    paired = values.reshape(heads, rows // heads // 2, 2, columns)
    return paired.swapaxes(1, 2).reshape(rows, columns)


def _tokenizer(metadata: dict[str, Any]) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    def of(key: str) -> Any:
        return metadata[f"tokenizer.ggml.{key}"]

    tokens = of("tokens")
    merges = [tuple(merge.split(" ")) for merge in of("merges")]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    # What llama.cpp calls the pre-tokenizer `smollm`: every digit stands alone.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = zip(tokens, of("token_type"), strict=True)
    special = [AddedToken(token, special=True) for token, kind in kinds if kind == SPECIAL]
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[of("bos_token_id")],
        eos_token=tokens[of("eos_token_id")],
        unk_token=tokens[of("unknown_token_id")],
        pad_token=tokens[of("padding_token_id")],
        chat_template=metadata["tokenizer.chat_template"],
        model_max_length=metadata["llama.context_length"],
        clean_up_tokenization_spaces=False,
    )

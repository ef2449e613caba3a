"""Random models of two layers, made from a seed: for tests of speed, scores and faults.

They speak SmolLM2's tokens and chat template and say nothing of sense. Runs in the environment
that `.ci/vllm-env` makes.
"""

from pathlib import Path


def save_tiny(
    folder: Path,
    source_folder: Path,
    architecture: str = "LlamaForCausalLM",
    labels: int = 1,
) -> None:
    """Save a random model into `folder`, with the tokenizer that lies in `source_folder`.

    architecture: a class of transformers whose config has Llama's names, such as
    `LlamaForSequenceClassification` or `Qwen3ForCausalLM`.
    labels: how many scores a model for sequence classification gives; 1 is a reward model.
    The weights are float32, to be compared to the last digit (vLLM makes bfloat16 of them unless
    told `dtype="float32"`), and five times as large as transformers draws them, so that no two
    tokens are about as likely.
    """
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(source_folder)
    made = getattr(transformers, architecture)
    config = made.config_class(
        dtype="float32",
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,  # the least that vLLM's attention on the CPU takes
        max_position_embeddings=1024,
        initializer_range=0.1,
        tie_word_embeddings=False,
        num_labels=labels,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)

"""The models that the tests of vLLM run are what they claim to be, and `vllm serve` serves them."""

import json
from urllib.request import Request, urlopen

import pytest

from magpie_hub.engines import open_engine
from magpie_hub.engines.tokens import Tokenizer
from magpie_hub.templates.prefix import derive
from magpie_hub.templates.sources import load
from tests.vllm.tiny_llama import save_tiny

PREFIX = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\n"
)
LINES = "def f(x):\n\treturn x  # 12 of 3456\n\n\n  It's 10:45, isn't it?\r\n "
FOREIGN = (
    "Zürich, Ελλάδα, 東京で1\uff12\uff13, नमस्ते, مرحبا, 👩\u200d👩\u200d👧 ½ … \u00a0\u200b end"
)
QUESTION = [{"role": "user", "content": "What is 2+2?"}]


def test_smollm2_answers_as_it_does_in_llama_cpp(smollm2_folder):
    """transformers opens the folder, template and all, and the greedy answer to 2+2 is 4."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2_folder)
    model = AutoModelForCausalLM.from_pretrained(smollm2_folder)
    prompt = tokenizer.apply_chat_template(
        QUESTION, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    out = model.generate(**prompt, do_sample=False, max_new_tokens=50)
    answer = tokenizer.decode(out[0, prompt["input_ids"].shape[1] :])
    assert str(model.dtype) == "torch.bfloat16"
    assert answer.endswith("4.<|im_end|>")


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize("text", [PREFIX, LINES, FOREIGN], ids=["prefix", "lines", "foreign"])
def test_smollm2_has_the_tokens_of_llama_cpp(llama_cpp, smollm2_folder, text, special):
    """Both tokenizers give the same ids, control tokens read as such or as letters."""
    ids = Tokenizer(smollm2_folder).encode(text, special=special)
    assert ids == llama_cpp.encode(text, special=special)
    assert Tokenizer(smollm2_folder).decode(ids) == text


@pytest.fixture(scope="module")
def llama_cpp(smollm2_gguf):
    """SmolLM2 in llama.cpp."""
    with open_engine("llama_cpp", smollm2_gguf, {"parallel": 1, "context": 256}) as engine:
        yield engine


def test_smollm2_keeps_its_template_and_special_tokens(smollm2_folder):
    """The prefix is derived from the folder, and its special tokens are those of the model."""
    source = load(str(smollm2_folder))
    assert derive(source).prefix == PREFIX
    assert (source.bos_token, source.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert len(source.special_ids) == 17
    assert (source.special_ids["<|im_end|>"], source.context_length) == (2, 8192)


def test_a_tiny_model_is_the_same_each_time(tiny_llama, smollm2_folder, tmp_path):
    """The weights are drawn from a seed of their own."""
    save_tiny(tmp_path, smollm2_folder)
    weights = "model.safetensors"
    assert (tmp_path / weights).read_bytes() == (tiny_llama / weights).read_bytes()
    assert load(str(tmp_path)).chat_template == load(str(smollm2_folder)).chat_template


@pytest.mark.parametrize(
    ("architecture", "labels"),
    [("LlamaForSequenceClassification", 1), ("Qwen3ForSequenceClassification", 3)],
)
def test_a_tiny_classifier_tells_texts_apart(smollm2_folder, tmp_path, architecture, labels):
    """A model has as many scores as it has labels, and scores two texts differently."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    save_tiny(tmp_path, smollm2_folder, architecture, labels)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert type(model).__name__ == architecture
    batch = AutoTokenizer.from_pretrained(tmp_path)(
        ["a good answer", "bad"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        scores = model(**batch).logits
    assert scores.shape == (2, labels)
    assert (scores[0] - scores[1]).abs().min() > 1e-3


def test_the_server_completes_token_ids(vllm_server):
    """A prompt goes in as ids, no BOS is added, and the tiny Llama does not repeat itself."""
    body = {
        "model": vllm_server.model,
        "prompt": [1, 4093, 198],
        "max_tokens": 8,
        "temperature": 0,
        "return_token_ids": True,
    }
    request = Request(
        f"{vllm_server.url}/v1/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=60) as reply:
        choice = json.load(reply)["choices"][0]
    assert choice["prompt_token_ids"] == [1, 4093, 198]
    assert len(set(choice["token_ids"])) > 1
    assert choice["finish_reason"] == "length"

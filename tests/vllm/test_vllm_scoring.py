"""Scoring on random models: vLLM's pooling and our batches give the logits of transformers."""

from contextlib import ExitStack

import pytest

from magpie_hub.engines.scoring import open_scorer
from magpie_hub.errors import EngineError
from tests.vllm.serving import serving
from tests.vllm.tiny_llama import save_tiny

TEXTS = (
    "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n4<|im_end|>",
    "<|im_start|>user\nHi<|im_end|>",
    "short",
    "a much longer text that goes on and on " * 9,
    "Grüße, 你好",
    "ends in the padding token of many a tokenizer<|endoftext|>",
)
FAST = {
    "enforce_eager": True,
    "max_model_len": 512,
    "dtype": "float32",
    "distributed_executor_backend": "uni",
}


@pytest.fixture(scope="module", params=[1, 3])
def model(request, smollm2_folder, models):
    """A random reward model, and a random classifier of three labels."""
    folder = models / f"scoring-{request.param}"
    save_tiny(folder, smollm2_folder, "LlamaForSequenceClassification", labels=request.param)
    return folder


@pytest.fixture(scope="module")
def served_models():
    """A function that serves a model until the module's tests are done."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(serving(*arguments))


def expected(folder, ids):
    """Return the logits that transformers gives each text alone, without padding.

    The config's padding token is SmolLM2's end of turn: left there, transformers would take an end
    mark for padding and read the token before it.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    model.config.pad_token_id = None
    with torch.inference_mode():
        return [model(torch.tensor([one])).logits[0].tolist() for one in ids]


@pytest.fixture(scope="module", params=["transformers", "small batches", "vllm", "server"])
def scorer(request, model, tmp_path_factory):
    """Each backend, open on the model."""
    match request.param:
        case "vllm":
            opened = open_scorer("vllm", model, FAST)
        case "server":
            log = tmp_path_factory.mktemp("pooling") / "serve.log"
            flags = ("--runner", "pooling", "--dtype", "float32")
            served = request.getfixturevalue("served_models")(model, log, *flags)
            opened = open_scorer("server", model, {"url": served.url})
        case "small batches":
            opened = open_scorer("transformers", model, {"batch_tokens": 200})
        case _:
            opened = open_scorer("transformers", model, {})
    with opened:
        yield opened


def test_logits_are_those_of_transformers(model, scorer):
    """Six texts of six lengths, batched by us or by vLLM, score as each does alone."""
    ids = [scorer.encode(text, special=True) for text in TEXTS]
    scores = scorer.score(ids)
    for score, logits in zip(scores, expected(model, ids), strict=True):
        assert score.error == ""
        assert score.logits == pytest.approx(logits, abs=1e-5)
    assert len({score.logits for score in scores}) == len(TEXTS)


def test_a_text_that_is_too_long_fails_alone(scorer):
    """One text over the context and an empty one have a reason; the one between has its score."""
    scores = scorer.score([[5] * (scorer.context_length + 1), [5, 6], []])
    assert scorer.score([]) == []
    assert (scores[0].logits, scores[2].logits) == ((), ())
    assert str(scorer.context_length) in scores[0].error
    assert scores[2].error
    assert scores[1].error == ""
    assert scores[1].logits


def test_a_chat_model_cannot_score(tiny_llama):
    """A model without a trained head is refused: transformers would make one up at random."""
    with pytest.raises(EngineError, match=r"no weights for `score\.weight`"):
        open_scorer("transformers", tiny_llama, {})


def test_a_server_that_does_not_score_is_refused(vllm_server, tiny_llama):
    """A server of a chat model is told apart from one that scores, with what to serve instead."""
    with pytest.raises(EngineError, match="does not score") as caught:
        open_scorer("server", tiny_llama, {"url": vllm_server.url, "wait": 20})
    assert "--runner pooling" in caught.value.hint

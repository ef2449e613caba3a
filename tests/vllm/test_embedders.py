"""A model of sentence-transformers, random and tiny: its vectors, its limit, its revision."""

import numpy as np
import pytest

from magpie_hub.errors import EngineError
from magpie_hub.tag.embedders import open_embedder

WORDS = ["why", "is", "the", "sky", "blue", "at", "night"]
LIMIT = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of two layers that knows seven words, as sentence-transformers saves it."""
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizer

    plain = tmp_path_factory.mktemp("plain")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    tokenizer = BertTokenizer({word: place for place, word in enumerate(vocabulary)})
    tokenizer.save_pretrained(plain)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LIMIT,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(plain)
    # With mean pooling, which the library adds to a model that says nothing of pooling.
    saved = tmp_path_factory.mktemp("models") / "tiny-bert"
    SentenceTransformer(str(plain)).save(str(saved))
    return saved


def by_hand(folder, text):
    """Return the unit mean of a text's hidden states, by transformers alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]
    mean = states.mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def test_the_model_s_vectors(folder):
    """Texts in any order and batch have the vectors that transformers gives each alone."""
    texts = ["why is the sky blue", "night", "", "the sky is blue at night", "night"]
    embedder = open_embedder("sentence-transformers", {"model": str(folder)})
    found = embedder.embed([""] * len(texts), texts)
    assert (found.dtype, found.shape) == (np.float32, (5, 32))
    assert (embedder.name, embedder.dimensions) == ("tiny-bert", 32)
    np.testing.assert_allclose(found, [by_hand(folder, text) for text in texts], atol=1e-5)
    assert abs(found[0] @ found[1]) < 0.99
    assert embedder.embed([], []).shape == (0, 32)


def test_a_long_text_is_cut(folder):
    """A text of more tokens than the model has places for is its own beginning."""
    embedder = open_embedder("sentence-transformers", {"model": str(folder)})
    long, cut = " ".join(WORDS * 9), " ".join((WORDS * 9)[: LIMIT - 2])
    found = embedder.embed(["", ""], [long, cut])
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_the_revision_is_of_the_files(folder, tmp_path):
    """The same files in another place are the same revision; one byte more is another."""
    import shutil

    first = open_embedder("sentence-transformers", {"model": str(folder)}).revision
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert open_embedder("sentence-transformers", {"model": str(copy)}).revision == first
    (copy / "README.md").write_text("another", encoding="utf-8")
    assert open_embedder("sentence-transformers", {"model": str(copy)}).revision != first


def test_a_damaged_model_is_refused(folder, tmp_path):
    """Weights that are cut short are an error that names the folder."""
    import shutil

    copy = shutil.copytree(folder, tmp_path / "copy")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(EngineError, match="cannot open"):
        open_embedder("sentence-transformers", {"model": str(copy)})

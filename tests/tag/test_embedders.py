"""Embedders give unit vectors, say what they are, and refuse what they cannot open.

A model of sentence-transformers is opened in tests/vllm, where torch is.
"""

from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.errors import EngineError, HubError
from magpie_hub.tag.embedders import BATCH, check_embedder, open_embedder

TEXTS = ["Why is the sky blue?", "", "Tell me why the sky is blue.", "Write a sonnet about rust."]


def static(*texts):
    """Return the static model's vectors of texts."""
    return open_embedder("static", {}).embed([""] * len(texts), texts)


def save(path, uuids, vectors, type_=None):
    """Write a file of vectors and return its options."""
    columns = {"uuid": uuids, "vector": pa.array(vectors, type_)}
    pq.write_table(pa.table(columns), path)
    return {"file": str(path)}


def test_static_vectors_mean_something():
    """They have length 1 in 256 dimensions, and a question is nearest to its other wording."""
    found = static(*TEXTS)
    assert (found.shape, found.dtype) == ((4, 256), np.float32)
    np.testing.assert_allclose((found.astype(float) ** 2).sum(axis=1), 1, atol=1e-6)
    likeness = found @ found[0]
    assert likeness[2] > 0.6 > 0.3 > likeness[3]


def test_static_is_the_mean_of_its_token_vectors():
    """Without a token that begins or fills up: two words weigh the same, alone or doubled."""
    found = static("sky", "rust", "sky rust", "sky rust sky rust")
    middle = found[0] + found[1]
    assert found[2] @ found[3] == pytest.approx(1, abs=1e-6)
    # Token vectors differ in length, so that the middle of unit vectors is near, not the same.
    assert found[2] @ middle / np.linalg.norm(middle) > 0.95


def test_a_text_without_tokens_has_a_vector():
    """Nothing at all is embedded as the first axis."""
    assert static("").tolist() == [[1.0] + [0.0] * 255]


def test_static_reads_letters_not_special_tokens():
    """An end mark that somebody typed is letters, and no unknown token."""
    found = static("</s>", "<unk>", "")
    assert (found @ found.T < 0.9).sum() == 6


def test_a_vector_is_its_row_s_alone():
    """However rows are put together, across batches too, each has the same vector."""
    texts = [f"{number} birds" for number in range(BATCH + 5)]
    whole = static(*texts)
    assert np.array_equal(whole[BATCH - 2 :], static(*texts[BATCH - 2 :]))
    assert static().shape == (0, 256)


def test_static_says_what_it_is():
    """Name and revision are the model's and its weights'."""
    embedder = open_embedder("static", {})
    assert embedder.name == "wordllama/l2_supercat_256"
    assert embedder.revision == "sha256:64b47a2dc493cb8e"
    assert embedder.dimensions == 256


@pytest.mark.parametrize(
    "type_", [pa.list_(pa.float64()), pa.list_(pa.float32()), pa.list_(pa.float32(), 2)]
)
def test_vectors_are_looked_up(tmp_path, type_):
    """Rows get theirs by uuid at length 1, in any order; the file's content is the revision."""
    options = save(tmp_path / "own.parquet", ["u1", "u2", "u3"], [[3, 4], [0, 2], [1, 0]], type_)
    embedder = open_embedder("vectors", options)
    found = embedder.embed(["u2", "u1", "u2"], ["", "", ""])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0, 1], [0.6, 0.8], [0, 1]], atol=1e-7)
    assert (embedder.name, embedder.dimensions) == ("own.parquet", 2)
    other = open_embedder("vectors", save(tmp_path / "own.parquet", ["u1"], [[3, 4]], type_))
    assert embedder.revision != other.revision
    assert other.revision.startswith("sha256:")


def test_a_row_without_a_vector_is_named(tmp_path):
    """A row that is not in the file is an error that names it."""
    embedder = open_embedder("vectors", save(tmp_path / "own.parquet", ["u1"], [[3.0, 4.0]]))
    with pytest.raises(EngineError, match="has no vector for the row `u9`"):
        embedder.embed(["u1", "u9"], ["", ""])


@pytest.mark.parametrize(
    ("uuids", "vectors", "fault"),
    [
        (["u1", "u1"], [[1.0], [2.0]], "has the row `u1` 2 times"),
        (["u1", None], [[1.0], [2.0]], "has the row `None` 1 times"),
        (["u1", "u2"], [[1.0], [1.0, 2.0]], r"has vectors of the lengths `\[1, 2\]`"),
        (["u1", "u2"], [[1.0], None], r"has vectors of the lengths `\[1, None\]`"),
        (["u1"], [[]], r"has vectors of the lengths `\[0\]`"),
        (["u1", "u2"], [[1.0], [0.0]], "zeros alone, or no numbers, for the row `u2`"),
        (["u1", "u2"], [[1.0, 1.0], [None, 1.0]], "zeros alone, or no numbers, for the row `u2`"),
        ([], [], r"has vectors of the lengths `\[\]`"),
        (["u1"], ["text"], "cannot be read"),
    ],
)
def test_bad_vectors_are_refused(tmp_path, uuids, vectors, fault):
    """A file that does not hold one good vector for each uuid is an error that says why."""
    type_ = None if vectors == ["text"] else pa.list_(pa.float64())
    uuids = pa.array(uuids, pa.string())
    with pytest.raises(EngineError, match=fault):
        open_embedder("vectors", save(tmp_path / "own.parquet", uuids, vectors, type_))


def test_files_that_are_no_vectors(tmp_path):
    """No file, no Parquet and no column are told with the path."""
    (tmp_path / "text.parquet").write_text("no Parquet", encoding="utf-8")
    pq.write_table(pa.table({"uuid": ["u1"]}), tmp_path / "bare.parquet")
    for name in ("missing.parquet", "text.parquet", "bare.parquet"):
        with pytest.raises(EngineError, match=f"{name}` cannot be read"):
            open_embedder("vectors", {"file": str(tmp_path / name)})


@pytest.mark.parametrize(
    ("name", "options", "fault"),
    [
        ("statik", {}, "no embedder `statik`"),
        ("static", {"model": "x"}, "no option `model`"),
        ("sentence-transformers", {}, "has no `model`"),
        ("sentence-transformers", {"model": 3}, "`model` .* is `3`, expected text"),
        ("vectors", {"path": "x"}, "no option `path`"),
    ],
)
def test_options_are_checked(name, options, fault):
    """Unknown embedders and options are refused before anything is opened."""
    for try_it in (check_embedder, open_embedder):
        with pytest.raises(EngineError, match=fault):
            try_it(name, options)


def test_good_options_need_nothing_installed():
    """The check opens neither model nor file."""
    check_embedder("static", {})
    check_embedder("sentence-transformers", {"model": "all-mpnet-base-v2"})
    check_embedder("vectors", {"file": "missing.parquet"})


def test_a_model_must_be_one(tmp_path):
    """A folder without `modules.json`, and a Hub id without a connection, are said to be so."""
    with pytest.raises(EngineError, match=r"no `modules\.json`"):
        open_embedder("sentence-transformers", {"model": str(tmp_path)})
    with pytest.raises(HubError, match="`sentence-transformers/all-mpnet-base-v2`"):
        open_embedder("sentence-transformers", {"model": "all-mpnet-base-v2"})


@pytest.mark.skipif(
    find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed here"
)
def test_a_missing_library_is_named(tmp_path):
    """Without the library the extra that brings it is named."""
    (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
    with pytest.raises(EngineError, match="needs the library `sentence_transformers`") as caught:
        open_embedder("sentence-transformers", {"model": str(tmp_path)})
    assert 'pip install "magpie-hub[embed]"' in caught.value.hint

"""The engine `vllm` where vLLM is not installed; the real one is in `tests/vllm`."""

import subprocess
import sys

import pytest

from magpie_hub.engines import engine_class, open_engine
from magpie_hub.errors import EngineError


@pytest.fixture
def folder(tmp_path):
    """What looks like a model's folder as far as the engine looks before it starts vLLM."""
    from tokenizers import Tokenizer, models

    (tmp_path / "config.json").write_text("{}")
    Tokenizer(models.BPE({"a": 0}, [])).save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_missing_library_names_the_extra(folder, monkeypatch):
    """Without vLLM the error says what to install."""
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(EngineError, match="`vllm`, which is not installed") as caught:
        open_engine("vllm", folder, {})
    assert caught.value.hint == 'run: pip install "magpie-hub[vllm]"'


def test_a_gguf_is_for_another_engine(tmp_path):
    """A file instead of a folder is refused with the engine that would take it."""
    with pytest.raises(EngineError, match="there is no model") as caught:
        open_engine("vllm", tmp_path / "model.gguf", {})
    assert "llama_cpp" in caught.value.hint


def test_options_that_are_ours():
    """What the spec says elsewhere cannot be said again; all else is vLLM's to know."""
    vllm = engine_class("vllm")
    vllm.check_options({"tensor_parallel_size": 4, "max_model_len": 4096})
    with pytest.raises(EngineError, match="`revision` of the engine `vllm` is not for a spec"):
        vllm.check_options({"revision": "main"})
    assert vllm.context_limit({"max_model_len": 4096}) == 4096
    assert vllm.context_limit({}) is None


def test_nothing_of_vllm_is_imported_before_it_is_opened():
    """Looking at the engine's options loads neither vLLM nor torch."""
    look = (
        "import sys; from magpie_hub.engines import engine_class;"
        "engine_class('vllm').check_options({});"
        "assert not {'vllm', 'torch', 'tokenizers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", look], check=True)

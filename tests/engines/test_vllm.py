"""The engine `vllm` where vLLM is not installed; the real one is in `tests/vllm`."""

import signal
import subprocess
import sys
import time
from pathlib import Path

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


FOLLOWED = """
import os, signal, time
from multiprocessing import get_context
from magpie_hub.engines.vllm_client import _followed

if __name__ == "__main__":
    with _followed():
        child = get_context(METHOD).Process(target=time.sleep, args=(600,))
        child.start()
        print(child.pid, flush=True)
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_started_for_us_goes_with_us(tmp_path):
    """After our SIGKILL a child of the way that vLLM starts its own is gone, without its help."""
    from magpie_hub.engines.vllm_client import SETTINGS

    method = repr(SETTINGS["VLLM_WORKER_MULTIPROC_METHOD"])
    script = tmp_path / "followed.py"
    script.write_text(FOLLOWED.replace("METHOD", method))
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    end = time.monotonic() + 20
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.05)

"""What the tests of the real vLLM share: its settings, two models, a server.

They run in the environment that `.ci/vllm-env DIR` makes, with
`DIR/bin/python -m pytest -m vllm tests/vllm`; the everyday suite leaves them out. It collects them
all the same, so vLLM and its libraries are imported in functions only.
"""

import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from magpie_hub import hub
from tests.vllm.gguf_to_hf import convert
from tests.vllm.serving import Served, serving
from tests.vllm.tiny_llama import save_tiny

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `vllm`; of warnings only our own are errors in it."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("vllm")
            item.add_marker(pytest.mark.filterwarnings("default", "error:::magpie_hub"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of a server's log with the failure of a test that used the server."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        used = [value for value in item.funcargs.values() if isinstance(value, Served)]
        report.sections += [(f"log of {served.model}", served.end_of_log()) for served in used]
    return report


@pytest.fixture(scope="session", autouse=True)
def vllm_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """1 GiB for keys and values, no thread bound to a core, nothing kept, nothing told to anyone.

    Without "multiprocessing" an `LLM` runs in the test's own process, and an engine that is a
    process of its own may have the model in it (`distributed_executor_backend="uni"`), as it has
    on one GPU: a second worker process starts 5 s later.
    """
    root = tmp_path_factory.mktemp("vllm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        patch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        patch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        patch.setenv("VLLM_NO_USAGE_STATS", "1")
        patch.setenv("VLLM_CACHE_ROOT", str(root / "cache"))
        patch.setenv("VLLM_CONFIG_ROOT", str(root / "config"))
        yield


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """SmolLM2's weights as they come: a GGUF, for llama.cpp."""
    return hub.gguf(hub.SMOLLM2)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what is too large for the runs that pytest keeps: 320 MB."""
    folder = tmp_path_factory.mktemp("models")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def smollm2_folder(smollm2_gguf: Path, models: Path) -> Path:
    """SmolLM2 as transformers saves it, in bfloat16."""
    folder = models / "smollm2"
    convert(smollm2_gguf, folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(smollm2_folder: Path, models: Path) -> Path:
    """A random Llama of two layers with SmolLM2's tokenizer and template, in float32."""
    folder = models / "tiny-llama"
    save_tiny(folder, smollm2_folder)
    return folder


@pytest.fixture(scope="session")
def vllm_server(tiny_llama: Path, models: Path) -> Iterator[Served]:
    """`vllm serve` with the tiny Llama."""
    with serving(tiny_llama, models / "serve.log") as served:
        yield served

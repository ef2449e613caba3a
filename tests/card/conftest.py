"""What the tests of the card share: published rows that are short to write."""

from collections.abc import Callable
from typing import Any

import pytest

DRAWN = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 64, "seed": 7, "revision": "5fcb290"}


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, Any]]:
    """A row of kind `sft`: `row(user, assistant)`, and the columns that differ."""

    def make(user: str = "Why?", assistant: str = "Because.", **columns: Any) -> dict[str, Any]:
        drawn = DRAWN | {"engine": "scripted", "engine_version": "1"}
        return {
            "messages": [
                {"role": "user", "content": user},
                {"role": "assistant", "content": assistant},
            ],
            "instruction_length": len(user),
            "response_length": len(assistant),
            "response_tokens": 3,
            "finish_reason": "stop",
            "language": "EN",
            "uuid": "0",
            "model": "org/m",
            "gen_input_configs": {"prefix": "<user>", **drawn},
            "gen_response_configs": drawn,
        } | columns

    return make

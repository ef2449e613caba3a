"""What the tests of the card share: published rows that are short to write."""

from collections.abc import Callable
from dataclasses import replace
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


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory, row: Any) -> Callable[..., Any]:
    """A config's card: `config(user, assistant)` of its first row, and what differs in the card."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from magpie_hub.card.measure import measure
    from magpie_hub.card.render import ConfigCard
    from magpie_hub.columns import SFT
    from magpie_hub.curate.funnel import funnel
    from magpie_hub.records import arrow_schema

    schema = arrow_schema({field.name: field.type for field in SFT})

    def make(user: str = "Why?", assistant: str = "Because.", **changes: Any) -> ConfigCard:
        folder = tmp_path_factory.mktemp("config")
        rows = [row(user, assistant, uuid="0"), row(finish_reason="length", uuid="1")]
        rows.append(row(language="DE", uuid="2"))
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "train-00000-of-00001.parquet")
        steps = funnel(1200, [("instruction", "empty", 1190), ("filter", "language == EN", 7)])
        facts = measure(folder, unscreened=True)
        return replace(ConfigCard("raw", SFT, True, None, steps, facts), **changes)

    return make

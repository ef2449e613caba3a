"""How instructions are drawn: the cycle of sampling cells, the request, and what is recorded."""

from dataclasses import asdict

import pyarrow as pa
import pytest

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.instructions import Instructions, cycle
from magpie_hub.records import INSTRUCTION_SHARD, INSTRUCTIONS, Draw, arrow_schema

A, B, C, D = (Sampling(heat, 1.0, 100) for heat in (0.5, 0.8, 1.0, 1.2))
DRAW = Draw("org/x", "org/m", "5fcb290", seed=0)


def drawer(*cells: Sampling) -> Instructions:
    """Return how a small run draws, with the cells in this cycle."""
    return Instructions(DRAW, "<user>", (1, 2, 3), (9,), cells, ("<end>",))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([3, 3, 3, 1], [A, B, C, D, A, B, C, A, B, C]),
        ([300, 300, 300, 100], [A, B, C, D, A, B, C, A, B, C]),
        ([1, 1], [A, B]),
        ([7], [A]),
        ([2, 5], [A, B, A, B, B, B, B]),
    ],
)
def test_cycle(weights, expected):
    """Weights are reduced to the smallest whole numbers and dealt out in turn."""
    assert list(cycle(list(zip([A, B, C, D], weights, strict=False)))) == expected


def test_every_multiple_is_exact_and_growth_changes_nothing():
    """An index has its cell for good, and 3:3:3:1 of 40 rows is 12:12:12:4."""
    draw = drawer(*cycle([(A, 3), (B, 3), (C, 3), (D, 1)]))
    cells = [draw.request(index, None).sampling for index in range(40)]

    assert [cells.count(cell) for cell in (A, B, C, D)] == [12, 12, 12, 4]
    assert cells == cells[:10] * 4


def test_request():
    """The prompt is the prefix and nothing else; the seed is that of the index."""
    assert drawer(A, B).request(7, "key") == Request(
        key="key", prompt=(1, 2, 3), sampling=B, seed=DRAW.seed_of(7, INSTRUCTIONS), stop=(9,)
    )


def test_a_seed_for_every_index():
    """No two of a thousand requests of the same cell draw from the same seed."""
    draw = drawer(A)
    assert len({draw.request(index, None).seed for index in range(1000)}) == 1000


def test_record():
    """A record holds every column of its shard, tidied, with how it was drawn."""
    done = Completion("key", " Why?<end> ", "stop", 3, 5, 0.25, "scripted", "1")
    record = asdict(drawer(A, B).record(7, done))

    assert record == {
        "index": 7,
        "instruction": "Why?<end>",
        "rejection": "template-leak",
        "duplicate_of": None,
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "seconds": 0.25,
        "error": None,
        "gen_input_configs": {
            "prefix": "<user>",
            "temperature": 0.8,
            "top_p": 1.0,
            "max_tokens": 100,
            "seed": DRAW.seed_of(7, INSTRUCTIONS),
            "engine": "scripted",
            "engine_version": "1",
            "revision": "5fcb290",
        },
    }
    assert pa.Table.from_pylist([record], arrow_schema(INSTRUCTION_SHARD)).to_pylist() == [record]

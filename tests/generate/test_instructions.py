"""How instructions are drawn: the cycle of sampling cells, the request, and what is recorded."""

from dataclasses import asdict, replace

import pyarrow as pa
import pytest

from magpie_hub.engines.base import Completion, FirstToken, Request, Sampling
from magpie_hub.generate.instructions import Cell, Instructions, Prefix, cycle
from magpie_hub.records import INSTRUCTION_SHARD, INSTRUCTIONS, Draw, arrow_schema

PREFIX = Prefix("<system>Bees.<user>", (1, 2, 3), system_prompt="bees")
A, B, C, D = (Cell(Sampling(heat, 1.0, 100), PREFIX) for heat in (0.5, 0.8, 1.0, 1.2))
DRAW = Draw("org/x", "org/m", "5fcb290", seed=0)


def drawer(*cells: Cell) -> Instructions:
    """Return how a small run draws, with the cells in this cycle."""
    return Instructions(DRAW, (9,), cells, ("<end>",))


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

    assert [cells.count(cell.sampling) for cell in (A, B, C, D)] == [12, 12, 12, 4]
    assert cells == cells[:10] * 4


def test_request():
    """The prompt is the prefix and nothing else; the seed is that of the index."""
    assert drawer(A, B).request(7, "key") == Request(
        key="key",
        prompt=(1, 2, 3),
        sampling=B.sampling,
        seed=DRAW.seed_of(7, INSTRUCTIONS),
        stop=(9,),
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
        "raw_instruction": None,
        "sanitised": (),
        "rejection": "template-leak",
        "duplicate_of": None,
        "finish_reason": "stop",
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "seconds": 0.25,
        "error": None,
        "gen_input_configs": {
            "prefix": "<system>Bees.<user>",
            "system_prompt": "bees",
            "bad_first_tokens": None,
            "first_token_temperature": None,
            "temperature": 0.8,
            "top_p": 1.0,
            "max_tokens": 100,
            "seed": DRAW.seed_of(7, INSTRUCTIONS),
            "engine": "scripted",
            "engine_version": "1",
            "revision": "5fcb290",
        },
    }
    table = pa.Table.from_pylist([record], arrow_schema(INSTRUCTION_SHARD))
    assert table.to_pylist() == [record | {"sanitised": []}]


def test_the_first_token_is_part_of_the_request_and_of_the_record():
    """How the first token is drawn goes to the engine, and is told with the row."""
    first = FirstToken(1.2, (4, 7))
    draw = replace(drawer(A), first=first)
    assert draw.request(0, None).first == first
    how = draw.record(0, Completion("key", "Why so?", "stop", 3, 5, 0.25, "e", "1"))
    assert how.gen_input_configs["bad_first_tokens"] == [4, 7]
    assert how.gen_input_configs["first_token_temperature"] == 1.2


def test_what_rules_rewrote_is_kept_beside_its_raw_text():
    """The text that was drawn stays, with the name of the rule; what the prefix held is no part."""
    cell = Cell(A.sampling, replace(PREFIX, left="\n"))
    draw = replace(drawer(cell), rules=("labels",))
    row = draw.record(0, Completion("key", "\nQuestion: Why so?", "stop", 3, 5, 0.25, "e", "1"))
    found = (row.instruction, row.raw_instruction, row.sanitised, row.rejection)
    assert found == ("Why so?", "Question: Why so?", ("labels",), None)

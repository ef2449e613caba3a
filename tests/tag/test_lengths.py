"""Lengths are in characters, as people count them in code points."""

import pyarrow as pa

from magpie_hub.tag.lengths import label


def test_characters_and_tokens() -> None:
    """`é` and an emoji are one character each; tokens are those that the engine counted."""
    texts = ["", "abc", "\xe9", "\N{GRINNING FACE}", "天空", "e\u0301"]
    rows = pa.table({"instruction": texts, "response": texts[::-1], "completion_tokens": range(6)})

    labels = {name: column.to_pylist() for name, column in label(rows).items()}

    assert labels == {
        "instruction_length": [0, 3, 1, 1, 2, 2],
        "response_length": [2, 2, 1, 1, 3, 0],
        "response_tokens": [0, 1, 2, 3, 4, 5],
    }

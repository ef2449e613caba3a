"""Lengths of instruction and response in characters, and of the response in tokens."""

import pyarrow as pa
import pyarrow.compute as pc


def label(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return both `*_length` (characters) and `response_tokens`, null in rows that others made."""
    return {
        "instruction_length": pc.utf8_length(rows["instruction"]).cast("int64"),
        "response_length": pc.utf8_length(rows["response"]).cast("int64"),
        "response_tokens": rows["completion_tokens"],
    }

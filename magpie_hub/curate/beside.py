"""What is found of a row before it is selected: which it repeats, which benchmark it overlaps.

The columns of those shards, and the names that selections know them by.
"""

from collections.abc import Mapping

from magpie_hub.records import Type

DUPLICATE, DUPLICATE_OF, OVERLAP = "duplicate", "duplicate_of_release", "benchmark_overlap"
"""What a row repeats: why, and in which release (null: this one); which benchmark it overlaps."""
DUPLICATE_SHARD: dict[str, Type] = {
    "uuid": "string",
    "reason": "string",
    "lost_to": "string",
    "release": "string",
    "similarity": "float32",
}
"""One row for each answered row.

reason: null where it stays, or was dropped already. lost_to: the uuid of the row that stays in its
place, in `release` where that is another. similarity: of the two instructions, by their shingles.
"""
OVERLAP_SHARD: dict[str, Type] = {
    "uuid": "string",
    "benchmark": "string",
    "prompt": "int64",
    "kind": "string",
    "shared": "string",
}
"""One row for each answered row, as `contamination.Overlap`; null where it overlaps none."""
CURATED: Mapping[str, tuple[dict[str, Type], dict[str, str]]] = {
    "duplicates": (DUPLICATE_SHARD, {DUPLICATE: "reason", DUPLICATE_OF: "release"}),
    "overlaps": (OVERLAP_SHARD, {OVERLAP: "benchmark"}),
}
"""By what was searched for: the columns of its shards, and those that it brings to rows."""

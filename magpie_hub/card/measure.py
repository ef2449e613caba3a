"""The facts of one config, in one pass over the row groups of its Parquet files.

What is held are a few numbers a row and the counts of short labels, never text. Nothing depends on
threads: sums are taken in the order of the rows. Knows no template and no spec. Imports numpy and
pyarrow at once, so it is itself imported where it is used.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from magpie_hub.card.drawn import Drawn
from magpie_hub.card.facts import SAMPLES, ConfigFacts, Turn
from magpie_hub.card.numbers import Values, histogram, numbers
from magpie_hub.columns import KINDS
from magpie_hub.shards.splits import release_files, split_of

TEXTS = {
    *("intent", "knowledge", "quality_explanation", "response_quality_explanation"),
    *("base_output", "min_similar_uuid", "reward_model"),
}
"""Tags that are neither numbers nor labels, besides the names of judges (`..._generator`)."""
VALUES = 100
"""The values of a column that are counted one by one; the rest are "others"."""
MOST_VALUES, LONGEST = 1_000, 100
"""A column with more distinct values, or with one of more characters, holds text, not labels."""
FEW = ("turns", "samples")
"""Whole numbers of which there are but a few, so that they are counted as labels are."""
MARKS = ("sanitised",)
"""Columns beside the tags that hold labels."""
TALKS = ("messages", "prompt", "chosen", "rejected")
"""The columns that hold a conversation, or a part of one."""


def measure(folder: Path, *, unscreened: bool = False, texts: Collection[str] = ()) -> ConfigFacts:
    """Return the facts of the config whose Parquet files lie in `folder`.

    unscreened: rows that no safety tag has passed may be samples. texts: columns that hold prose,
    besides ours.
    """
    paths = release_files(folder)
    schema = pq.read_schema(paths[0])
    tags = {f.name: f.type for f in schema if _is_tag(f.name) and f.name not in texts}
    found: dict[str, list[Values]] = {
        name: [] for name in tags if _is_number(tags[name]) and name not in FEW
    }
    counts: dict[str, Counter[str | None]] = {name: Counter() for name in tags if name not in found}
    turns: dict[tuple[str, int, str], list[Values]] = {}
    splits: dict[str, tuple[int, int]] = {}
    drawn = Drawn()
    empty = schema.names
    samples: list[dict[str, Any]] = []
    for split, table in _row_groups(paths):
        rows, memory = splits.get(split, (0, 0))
        splits[split] = (rows + table.num_rows, memory + table.nbytes)
        empty = [name for name in empty if table[name].null_count == table.num_rows]
        for name, parts in found.items():
            parts.append(table[name].drop_null().to_numpy())
        for name in list(counts):
            counts[name].update(_counted(table[name].combine_chunks()))
            if _is_text(counts[name]):
                del counts[name]
        for place, characters in _turns(table):
            turns.setdefault(place, []).append(characters)
        drawn.add(table)
        samples = sorted([*samples, *_samples(table, unscreened)], key=_uuid)[:SAMPLES]
    # Where no rule rewrote anything, there is nothing to tell.
    counts = {k: c for k, c in counts.items() if k not in MARKS or c.keys() - {None}}
    joined = {name: np.concatenate(parts) for name, parts in found.items() if name not in empty}
    in_order = sorted(turns, key=lambda turn: (TALKS.index(turn[0]), *turn[1:]))
    return ConfigFacts(
        rows=sum(rows for rows, _ in splits.values()),
        files=tuple((path.name, path.stat().st_size, _count(path)) for path in paths),
        bytes_memory=sum(memory for _, memory in splits.values()),
        splits=splits,
        turns=tuple(_turn(place, turns[place]) for place in in_order),
        numbers={name: numbers(values) for name, values in joined.items()},
        counts={name: _shown(counts[name]) for name in counts if name not in empty},
        histograms={name: histogram(values) for name, values in joined.items()},
        grid=drawn.grid,
        system_prompts=drawn.system_prompts,
        models=tuple(sorted(drawn.models)),
        sampling=tuple(sorted(drawn.sampling)),
        engines=tuple(sorted(drawn.engines)),
        empty=tuple(empty),
        samples=tuple(samples),
    )


def _is_tag(name: str) -> bool:
    """Return whether a column holds labels; one that is not of ours is of a spec's own tag."""
    groups = {field.name: field.group for kind in KINDS.values() for field in kind}
    no_label = name in TEXTS or name.endswith("_generator")
    return name in MARKS or (groups.get(name, "tag") == "tag" and not no_label)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_text(counted: Mapping[str | None, int]) -> bool:
    return len(counted) > MOST_VALUES or any(len(value or "") > LONGEST for value in counted)


def _uuid(row: Mapping[str, Any]) -> str:
    return str(row["uuid"])


def _count(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)


def _row_groups(paths: Iterable[Path]) -> Iterator[tuple[str, pa.Table]]:
    """Yield the row groups of files, each with its split."""
    for path in paths:
        with pa.OSFile(str(path)) as opened:
            file = pq.ParquetFile(opened)
            for number in range(file.num_row_groups):
                yield split_of(path), file.read_row_group(number)


def _counted(column: pa.Array) -> Counter[str | None]:
    """Return how many rows have each value; of lists, each of their values, or None for none."""
    without = 0
    if pa.types.is_list(column.type):
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        without = len(column) - int(np.count_nonzero(lengths))
        items = {"row": pc.list_parent_indices(column), "value": pc.list_flatten(column)}
        column = pa.table(items).group_by(["row", "value"]).aggregate([])["value"]
    pairs = pc.value_counts(column.cast(pa.string())).to_pylist()
    counted: Counter[str | None] = Counter({pair["values"]: pair["counts"] for pair in pairs})
    counted.update({None: without} if without else {})
    return counted


def _shown(counted: Mapping[str | None, int]) -> dict[str, int]:
    """Return counts in their order, under names that JSON can have.

    Rows without a value are "none"; a value of that name is one in quotes.
    """
    named: Counter[str] = Counter()
    for value, rows in counted.items():
        name = f'"{value}"' if value in ("none", "others") else value
        named["none" if name is None else name] += rows
    ordered = sorted(named.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = Counter(dict(ordered[:VALUES]))
    if others := sum(rows for _, rows in ordered[VALUES:]):
        shown["others"] += others
    return dict(shown)


def _turns(table: pa.Table) -> Iterator[tuple[tuple[str, int, str], Values]]:
    """Yield the characters of the turns by their column, their place in it from 0, and role."""
    for name in TALKS:
        if name in table.column_names:
            for (place, role), characters in _places(table[name].combine_chunks()):
                yield (name, place, role), characters


def _places(messages: pa.ListArray) -> Iterator[tuple[tuple[int, str], Values]]:
    lengths = pc.list_value_length(messages).to_numpy()
    said = pc.list_flatten(messages)
    place = np.arange(len(said)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    roles = pc.struct_field(said, "role").dictionary_encode()
    characters = pc.utf8_length(pc.struct_field(said, "content")).to_numpy()
    keys = place * len(roles.dictionary) + roles.indices.to_numpy()
    for key in np.unique(keys).tolist():
        at, role = divmod(key, len(roles.dictionary))
        yield (at, roles.dictionary[role].as_py()), characters[keys == key]


def _turn(place: tuple[str, int, str], parts: Sequence[Values]) -> Turn:
    characters, (column, _, role) = np.concatenate(parts), place
    return Turn(role, len(characters), numbers(characters), histogram(characters), column)


def _samples(table: pa.Table, unscreened: bool) -> list[dict[str, Any]]:
    """Return the rows of a table that may be shown with the smallest uuids."""
    may_be = np.full(table.num_rows, fill_value=unscreened)
    if "safety" in table.column_names:
        may_be |= pc.fill_null(pc.equal(table["safety"], "safe"), False).to_numpy()
    if "personal_data" in table.column_names:
        kinds = pc.fill_null(pc.list_value_length(table["personal_data"]), 0)
        may_be &= kinds.to_numpy() == 0
    places = pa.array(np.flatnonzero(may_be))
    order = pc.sort_indices(table["uuid"].take(places))[:SAMPLES]
    rows: list[dict[str, Any]] = table.take(places.take(order)).to_pylist()
    return rows

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
from numpy.typing import NDArray

from magpie_hub.card.facts import SAMPLES, Cell, ConfigFacts, Histogram, Numbers, Turn
from magpie_hub.columns import KINDS
from magpie_hub.curate.filters import ORDERED

TEXTS = {
    *("intent", "knowledge", "quality_explanation", "response_quality_explanation"),
    *("base_output", "min_similar_uuid", "reward_model"),
}
"""Tags that are neither numbers nor labels, besides the names of judges (`..._generator`)."""
VALUES = 100
"""The values of a column that are counted one by one; the rest are "others"."""
MOST_VALUES, LONGEST = 1_000, 100
"""A column with more distinct values, or with one of more characters, holds text, not labels."""
BINS = 30
ENGINE = ("engine", "engine_version", "revision")
CELL = ("temperature", "top_p")
WHOLE_EDGES = np.array([*range(8), *(round(2 ** (power / 2)) for power in range(6, 126))])

Values = NDArray[Any]
"""The values of a column that are there: whole numbers, or floating-point ones."""


def measure(folder: Path, *, unscreened: bool = False, texts: Collection[str] = ()) -> ConfigFacts:
    """Return the facts of the config whose Parquet files lie in `folder`.

    unscreened: rows that no safety tag has passed may be samples. texts: columns that hold prose,
    besides ours.
    """
    paths = sorted(folder.glob("*.parquet"))
    schema = pq.read_schema(paths[0])
    tags = {f.name: f.type for f in schema if _is_tag(f.name) and f.name not in texts}
    numbers: dict[str, list[Values]] = {name: [] for name in tags if _is_number(tags[name])}
    counts: dict[str, Counter[str | None]] = {
        name: Counter() for name in tags if name not in numbers
    }
    turns: dict[tuple[int, str], list[Values]] = {}
    cells: dict[tuple[float, float], NDArray[np.float64]] = {}
    engines: set[tuple[str, ...]] = set()
    empty = pq.read_schema(paths[0]).names
    samples: list[dict[str, Any]] = []
    memory = 0
    for table in _row_groups(paths):
        memory += table.nbytes
        empty = [name for name in empty if table[name].null_count == table.num_rows]
        for name, parts in numbers.items():
            parts.append(table[name].drop_null().to_numpy())
        for name in list(counts):
            counts[name].update(_counted(table[name].combine_chunks()))
            if _is_text(counts[name]):
                del counts[name]
        for place, characters in _turns(table["messages"].combine_chunks()):
            turns.setdefault(place, []).append(characters)
        for setting, sums in _cells(table):
            cells[setting] = cells.get(setting, 0.0) + sums
        engines |= _engines(table["gen_response_configs"])
        samples = sorted([*samples, *_samples(table, unscreened)], key=_uuid)[:SAMPLES]
    joined = {name: np.concatenate(parts) for name, parts in numbers.items() if name not in empty}
    files = [(path.name, path.stat().st_size, pq.read_metadata(path).num_rows) for path in paths]
    return ConfigFacts(
        rows=sum(rows for _, _, rows in files),
        files=tuple(files),
        bytes_memory=memory,
        turns=tuple(_turn(role, turns[place, role]) for place, role in sorted(turns)),
        numbers={name: _numbers(values) for name, values in joined.items()},
        counts={name: _shown(counted) for name, counted in counts.items() if name not in empty},
        histograms={name: _histogram(values) for name, values in joined.items()},
        grid=tuple(_cell(setting, cells[setting]) for setting in sorted(cells)),
        engines=tuple(sorted(engines)),
        empty=tuple(empty),
        samples=tuple(samples),
    )


def _is_tag(name: str) -> bool:
    """Return whether a column holds labels; one that is not of ours is of a spec's own tag."""
    groups = {field.name: field.group for kind in KINDS.values() for field in kind}
    no_label = name in TEXTS or name.endswith("_generator")
    return groups.get(name, "tag") == "tag" and not no_label


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_text(counted: Mapping[str | None, int]) -> bool:
    return len(counted) > MOST_VALUES or any(len(value or "") > LONGEST for value in counted)


def _uuid(row: Mapping[str, Any]) -> str:
    return str(row["uuid"])


def _row_groups(paths: Iterable[Path]) -> Iterator[pa.Table]:
    for path in paths:
        with pa.OSFile(str(path)) as opened:
            file = pq.ParquetFile(opened)
            for number in range(file.num_row_groups):
                yield file.read_row_group(number)


def _numbers(values: Values) -> Numbers:
    names = {"p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}
    quantiles = np.quantile(values, list(names.values()), method="lower")
    whole = np.issubdtype(values.dtype, np.integer)
    shown = {
        "min": values.min(),
        **dict(zip(names, quantiles, strict=True)),
        "max": values.max(),
    }
    return {
        **({"total": int(values.sum())} if whole else {}),
        "mean": _rounded(values.mean(), whole),
        "deviation": _rounded(values.std(), whole),
        **{name: int(v) if whole else _rounded(v, whole) for name, v in shown.items()},
    }


def _rounded(value: float, whole: bool) -> float:
    """Return a figure as a card shows it: of whole numbers to a tenth, of others to 4 digits."""
    if whole:
        return round(float(value), 1)
    # What is small is not nothing.
    return round(float(value), 4) if abs(value) >= 0.01 else float(f"{value:.4g}")


def _histogram(values: Values) -> Histogram:
    if np.issubdtype(values.dtype, np.floating):
        # A range of bins has to be a number, too.
        values = values.clip(-1e300, 1e300)
        rows, edges = np.histogram(values, BINS)
        return Histogram(tuple(edges.tolist()), tuple(rows.tolist()))
    known = WHOLE_EDGES if values.min() >= 0 else np.concatenate([-WHOLE_EDGES[:0:-1], WHOLE_EDGES])
    first, last = np.searchsorted(known, (values.min(), values.max()), "right")
    edges = known[first - 1 : last + 1]
    rows, _ = np.histogram(values, edges)
    return Histogram(tuple(edges.tolist()), tuple(rows.tolist()))


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


def _turns(messages: pa.ListArray) -> Iterator[tuple[tuple[int, str], Values]]:
    """Yield the characters of the turns by their place, from 0, and their role."""
    lengths = pc.list_value_length(messages).to_numpy()
    said = pc.list_flatten(messages)
    place = np.arange(len(said)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    roles = pc.struct_field(said, "role").dictionary_encode()
    characters = pc.utf8_length(pc.struct_field(said, "content")).to_numpy()
    keys = place * len(roles.dictionary) + roles.indices.to_numpy()
    for key in np.unique(keys).tolist():
        at, role = divmod(key, len(roles.dictionary))
        yield (at, roles.dictionary[role].as_py()), characters[keys == key]


def _turn(role: str, parts: Sequence[Values]) -> Turn:
    characters = np.concatenate(parts)
    return Turn(role, len(characters), _numbers(characters), _histogram(characters))


def _cells(table: pa.Table) -> Iterator[tuple[tuple[float, float], NDArray[np.float64]]]:
    """Yield the cells of the sampling grid with their rows and, of each tag, sum and rows."""
    drawn = table["gen_input_configs"]
    columns = {name: pc.struct_field(drawn, name) for name in CELL} | {
        "quality": _ranks(table, "input_quality"),
        "difficulty": _ranks(table, "difficulty"),
        "distance": table["min_neighbor_distance"],
    }
    rows = pa.table(columns).filter(pc.is_valid(columns["temperature"]))
    sums = [(name, how) for name in columns if name not in CELL for how in ("sum", "count")]
    summed = rows.group_by(list(CELL), use_threads=False).aggregate([([], "count_all"), *sums])
    names = [name for name in summed.column_names if name not in CELL]
    for cell in summed.to_pylist():
        yield (cell["temperature"], cell["top_p"]), np.array([cell[n] or 0.0 for n in names])


def _ranks(table: pa.Table, column: str) -> pa.ChunkedArray:
    """Return the places of labels in their order, from 1; null where there is none."""
    return pc.add(pc.index_in(table[column], pa.array(ORDERED[column])), 1)


def _cell(setting: tuple[float, float], sums: NDArray[np.float64]) -> Cell:
    rows, *rest = sums.tolist()
    means = [
        round(whole / labelled, 4) if labelled else None
        for whole, labelled in zip(rest[::2], rest[1::2], strict=True)
    ]
    return Cell(*setting, int(rows), *means)


def _engines(column: pa.ChunkedArray) -> set[tuple[str, ...]]:
    distinct = pa.table({name: pc.struct_field(column, name) for name in ENGINE})
    groups = distinct.group_by(list(ENGINE)).aggregate([])
    return {tuple(row[name] for name in ENGINE) for row in groups.to_pylist() if row["engine"]}


def _samples(table: pa.Table, unscreened: bool) -> list[dict[str, Any]]:
    """Return the rows of a table that may be shown with the smallest uuids."""
    found = pc.fill_null(pc.list_value_length(table["personal_data"]), 0)
    shown = pc.equal(found, 0)
    if not unscreened:
        shown = pc.and_(shown, pc.fill_null(pc.equal(table["safety"], "safe"), False))
    places = pa.array(np.flatnonzero(shown))
    order = pc.sort_indices(table["uuid"].take(places))[:SAMPLES]
    rows: list[dict[str, Any]] = table.take(places.take(order)).to_pylist()
    return rows

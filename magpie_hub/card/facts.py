"""The numbers that a card may state, measured on a config's final Parquet.

Lengths are in characters or tokens as named; quantiles are exact (`lower` interpolation, so that
every value is one that a row has). Knows no template and no spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

LENGTHS = ("instruction_length", "response_length", "instruction_tokens", "response_tokens")
NUMBERS = (
    *LENGTHS,
    *("instruct_reward", "base_reward", "reward_difference"),
    *("min_neighbor_distance", "repeat_count"),
)
COUNTS = (
    *("language", "finish_reason", "task_category", "difficulty", "input_quality"),
    *("response_quality", "safety", "safety_categories", "personal_data"),
)
ENGINE = ("engine", "engine_version", "revision")


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """What was measured of one config.

    files: (name, bytes, rows) in order. bytes_memory: as Arrow holds the rows. numbers: column to
    mean, deviation, min, p25, median, p75, p95, max. counts: column to value to rows, the most
    frequent first; of a column of lists, to the rows that have the value. In both, a column
    without values is left out. engines: the distinct (engine, version, revision) that wrote
    responses. empty: the columns without values. sample: the first row.
    """

    rows: int
    files: tuple[tuple[str, int, int], ...]
    bytes_memory: int
    numbers: dict[str, dict[str, float]]
    counts: dict[str, dict[str, int]]
    engines: tuple[tuple[str, ...], ...]
    empty: tuple[str, ...]
    sample: dict[str, Any]

    @property
    def bytes(self) -> int:
        """The bytes of the config's files."""
        return sum(size for _, size, _ in self.files)


def measure(folder: Path) -> ConfigFacts:
    """Return the facts of the config whose Parquet files lie in `folder`."""
    paths = sorted(folder.glob("*.parquet"))
    files = [pq.ParquetFile(path) for path in paths]
    memory = 0
    columns: dict[str, list[pa.ChunkedArray]] = {name: [] for name in (*NUMBERS, *COUNTS)}
    engines: set[tuple[str, ...]] = set()
    empty = set(files[0].schema_arrow.names)
    for file in files:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            memory += table.nbytes
            for name, parts in columns.items():
                parts.append(table[name])
            empty &= {name for name in empty if table[name].null_count == table.num_rows}
            engines |= _engines(table["gen_response_configs"])
    joined = {
        name: pa.chunked_array([chunk for part in parts for chunk in part.chunks])
        for name, parts in columns.items()
    }
    return ConfigFacts(
        rows=sum(file.metadata.num_rows for file in files),
        files=tuple(
            (path.name, path.stat().st_size, file.metadata.num_rows)
            for path, file in zip(paths, files, strict=True)
        ),
        bytes_memory=memory,
        numbers={name: _numbers(joined[name]) for name in NUMBERS if name not in empty},
        counts={name: _counts(joined[name]) for name in COUNTS if name not in empty},
        engines=tuple(sorted(engines)),
        empty=tuple(name for name in files[0].schema_arrow.names if name in empty),
        sample=files[0].read_row_group(0).slice(0, 1).to_pylist()[0],
    )


def as_json(
    facts: Mapping[str, ConfigFacts],
    tags: Mapping[str, Mapping[str, object]],
    curation: Mapping[str, object],
) -> dict[str, object]:
    """Return the facts of all configs as plain data, without the sample rows, with their units.

    tags: of each that a model makes, how often it failed. curation: how rows were compared.
    """
    return {
        "units": {
            "bytes": "bytes of the Parquet files",
            "instruction_length": "characters",
            "response_length": "characters",
            "instruction_tokens": "tokens of the generator",
            "response_tokens": "tokens of the generator",
            "min_neighbor_distance": "squared Euclidean distance of unit vectors",
        },
        "tags": dict(tags),
        "curation": dict(curation),
        "configs": {
            name: {
                "rows": config.rows,
                "bytes": config.bytes,
                "bytes_memory": config.bytes_memory,
                "files": [list(file) for file in config.files],
                "numbers": config.numbers,
                "counts": config.counts,
                "engines": [list(engine) for engine in config.engines],
            }
            for name, config in facts.items()
        },
    }


def _numbers(column: pa.ChunkedArray) -> dict[str, float]:
    values = column.drop_null().to_numpy()
    names = {"p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}
    quantiles = np.quantile(values, list(names.values()), method="lower")
    whole = pa.types.is_integer(column.type)
    shown = {
        "min": values.min(),
        **dict(zip(names, quantiles, strict=True)),
        "max": values.max(),
    }
    return {
        "mean": round(float(values.mean()), 1 if whole else 4),
        "deviation": round(float(values.std()), 1 if whole else 4),
        **{name: int(v) if whole else round(float(v), 4) for name, v in shown.items()},
    }


def _counts(column: pa.ChunkedArray) -> dict[str, int]:
    without = 0
    if pa.types.is_list(column.type):
        without = pc.sum(pc.equal(pc.list_value_length(column), 0)).as_py() or 0
        without += column.null_count
        column = pc.list_flatten(column)
    counted = [(pair["values"], pair["counts"]) for pair in pc.value_counts(column).to_pylist()]
    counted += [(None, without)] if without else []
    ordered = sorted(counted, key=lambda pair: (-pair[1], str(pair[0])))
    return {"none" if value is None else str(value): rows for value, rows in ordered}


def _engines(column: pa.ChunkedArray) -> set[tuple[str, ...]]:
    distinct = pa.table({name: pc.struct_field(column, name) for name in ENGINE})
    groups = distinct.group_by(list(ENGINE)).aggregate([])
    return {tuple(row[name] for name in ENGINE) for row in groups.to_pylist() if row["engine"]}

"""The statistics of a config found a second time by pandas, and the alt texts of their figures."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from magpie_hub.columns import KINDS
from tests.card.tables import Made, Rows, characters, part

SCALES = {
    "difficulty": ["very easy", "easy", "medium", "hard", "very hard"],
    "input_quality": ["very poor", "poor", "average", "good", "excellent"],
    "response_quality": ["1", "2", "3", "4", "5"],
}
TEXTS = {
    *("messages", "reasoning", "uuid", "model", "intent", "knowledge", "quality_explanation"),
    *("response_quality_explanation", "base_output", "min_similar_uuid", "reward_model"),
    *("prompt", "chosen", "rejected", "raw_instruction", "gen_turn_configs"),
}
FEW = ("turns", "samples")
"""Numbers that are counted as labels."""


def statistics(made: Made, config: str) -> Iterator[str]:
    """Yield the lines of a config's statistics."""
    rows, types = made.configs[config], made.types(config)
    for turn in range(rows["messages"].map(len).max() if "messages" in rows else 0):
        role = ("user", "assistant")[turn % 2]
        yield f"message {turn + 1} `{role}` {_numbers(characters(rows, turn), whole=True)}"
    for name, role in (("prompt", "user"), ("chosen", "assistant"), ("rejected", "assistant")):
        if name in rows:
            yield f"`{name}` `{role}` {_numbers(characters(rows, 0, name), whole=True)}"
    for name in numbers(made, config):
        if name not in ("instruction_length", "response_length"):
            yield f"`{name}` {_numbers(rows[name], pa.types.is_integer(types[name]))}"
    if "response_tokens" in rows:
        totals = ("response_tokens", "instruction_tokens")
        yield " ".join(f"{int(rows[name].sum()):,}" for name in totals)
    for name, counted in labels(made, config).items():
        values = [f"`{value}` {n:,}" for value, n in counted.items()]
        more = f"{len(values) - 20:,}" if len(values) > 20 else ""
        yield f"`{name}` in `{config}`: {' '.join(values[:20])} {more}"
    splits = [f"`{split}` {n:,}" for split, n in made.rows(config).items()]
    if len(splits) > 1:
        yield f"`{config}` {' '.join(splits)}"
    prompted = means(rows, ["system_prompt"])
    for name, n, *of_prompt in prompted if any(cell[0] for cell in prompted) else []:
        shown = [f"{mean:,.4g}" for mean in of_prompt if not np.isnan(mean)]
        yield f"{f'`{name}`' if name else ''} {n:,} {' '.join(shown)}"
    cells = grid(rows)
    for cell in cells if len(cells) > 1 else []:
        shown = [f"{mean:,.4g}" for mean in cell[3:] if not np.isnan(mean)]
        yield f"{cell[0]} {cell[1]} {cell[2]:,} {' '.join(shown)}"


def alts(made: Made) -> Iterator[str]:
    """Yield the alt texts of the figures of the default config, but for the funnel's."""
    rows, name = made.shown, made.default
    if "chosen" in rows:
        lengths = [characters(rows, 0, column) for column in ("prompt", "chosen", "rejected")]
    else:
        most = rows["messages"].map(len).max()
        lengths = [characters(rows, turn) for turn in (*range(0, most, 2), *range(1, most, 2))]
    medians = [f"{int(length.quantile(0.5, 'lower')):,}" for length in lengths]
    yield f"{len(rows):,} rows of {name} {' '.join(medians)}"
    counted = {name: dict(counts) for name, counts in labels(made, name).items()}
    if "response_quality" in rows and rows["response_quality"].notna().any():
        graded = rows["response_quality"].dropna().astype(int).astype(str)
        counted["response_quality"] = graded.value_counts().to_dict()
    known = {field.name for kind in KINDS.values() for field in kind}
    own = [column for column in counted if column not in known]
    words = []
    for column in ("task_category", "language", *SCALES, "safety", *FEW[:1], "turns_end", *own[:8]):
        shown = {k: n for k, n in counted.get(column, {}).items() if k not in ("none", "others")}
        if shown:
            order = SCALES.get(column, [*shown])
            first = max(sorted(shown, key=order.index), key=lambda value: shown[value])
            words.append(f"{first} ({_percent(shown[first], len(rows))})")
    if words:
        yield f"{len(rows):,} rows of {name}: {' '.join(words)}"
    cells = grid(rows)
    digits = {3: 2, 4: 2, 5: 3}
    extremes = []
    for mean, places in digits.items():
        there = [cell for cell in cells if not np.isnan(cell[mean])]
        for choose in (min, max) if there else ():
            cell = choose(there, key=lambda cell: cell[mean])
            extremes.append(f"{cell[mean]:.{places}f} {cell[0]:g} {cell[1]:g}")
    if len(cells) > 1 and extremes:
        yield f"{len(cells):,} settings of {name}: {' '.join(extremes)}"


def numbers(made: Made, config: str) -> list[str]:
    """Return the columns that are numbers and have a value."""
    rows, types = made.configs[config], made.types(config)
    kinds = (pa.types.is_integer, pa.types.is_floating)
    found = [k for k, t in types.items() if any(is_(t) for is_ in kinds) and k not in FEW]
    return [name for name in found if rows[name].notna().any()]


def labels(made: Made, config: str) -> dict[str, dict[str, int]]:
    """Return the rows of each value of the columns that are labels, the most frequent first."""
    rows, found = made.configs[config], {}
    for name, type_ in made.types(config).items():
        kinds = (pa.types.is_string, pa.types.is_list, pa.types.is_boolean)
        is_label = any(is_(type_) for is_ in kinds) or name in FEW
        is_label = is_label and not name.endswith("_generator")
        if is_label and name not in TEXTS and rows[name].notna().any():
            each = rows[name].map(lambda v: [*set(v)] if isinstance(v, np.ndarray) else [v])
            counted = each.explode().dropna().value_counts().to_dict()
            if name == "sanitised" and not counted:
                continue
            if len(counted) > 1000 or any(len(str(value)) > 100 for value in counted):
                continue
            without = int(each.map(lambda values: not pd.notna(values).any()).sum())
            counted |= {"none": without} if without else {}
            ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
            rest = sum(n for _, n in ordered[100:])
            found[name] = dict(ordered[:100]) | ({"others": rest} if rest else {})
    return found


def grid(rows: Rows) -> list[tuple[float, float, int, float, float, float]]:
    """Return of each setting temperature, top_p, rows and the means, NaN where there is none."""
    return means(rows, ["temperature", "top_p"])


def means(rows: Rows, keys: list[str]) -> list[Any]:
    """Return of each setting its keys, its rows and the means; the text "" is no text."""
    table = pd.DataFrame(
        {
            **{key: part(rows, "gen_input_configs", key) for key in keys},
            "rows": 1,
            "quality": _ranks(rows, "input_quality"),
            "difficulty": _ranks(rows, "difficulty"),
            "distance": rows["min_neighbor_distance"].astype(float),
        }
    )
    how = dict.fromkeys(("quality", "difficulty", "distance"), "mean")
    table[keys] = table[keys].fillna("")
    groups = table.groupby(keys).agg({"rows": "sum", **how}).reset_index()
    at = len(keys)
    return [
        (*group[:at], int(group[at]), *(round(mean, 4) for mean in group[at + 1 :]))
        for group in groups.itertuples(index=False)
    ]


def _ranks(rows: Rows, column: str) -> "pd.Series[float]":
    places = {label: place for place, label in enumerate(SCALES[column], 1)}
    return rows[column].map(places).astype(float)


def _numbers(column: "pd.Series[float]", whole: bool) -> str:
    values = column.dropna().astype("int64" if whole else "float64")
    quantiles = [values.quantile(q, "lower") for q in (0, 0.25, 0.5, 0.75, 0.95, 1)]
    shown = [_rounded(float(number), whole) for number in (values.mean(), values.std(ddof=0))]
    shown += [int(q) if whole else _rounded(float(q), whole) for q in quantiles]
    return " ".join(f"{number:,}" for number in shown)


def _rounded(number: float, whole: bool) -> float:
    if whole:
        return round(number, 1)
    return round(number, 4) if abs(number) >= 0.01 else float(f"{number:.4g}")


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    if part < whole and share >= 99.95:
        return ">99.9%"
    return "100%" if part == whole else "<0.1%" if share < 0.05 else f"{share:.1f}%"

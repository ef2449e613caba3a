"""Numbers and histograms of the values of a column, as `facts` describes them.

Knows no file and no column. Imports numpy at once, so it is itself imported where it is used.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magpie_hub.card.facts import Histogram, Numbers

BINS = 30
WHOLE_EDGES = np.array([*range(8), *(round(2 ** (power / 2)) for power in range(6, 126))])

Values = NDArray[Any]
"""The values of a column that are there: whole numbers, or floating-point ones."""


def numbers(values: Values) -> Numbers:
    """Return the figures of at least one value."""
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


def histogram(values: Values) -> Histogram:
    """Return how at least one value is spread."""
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

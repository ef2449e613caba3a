"""The sampling grids that a spec names instead of writing them out: those of the Magpie paper.

Data alone: knows neither what a cell means to an engine nor how indices are dealt to cells.
"""

GRIDS: dict[str, tuple[tuple[float, float, int], ...]] = {
    "air-grid": (
        (1.0, 1.0, 3),
        (1.0, 0.995, 3),
        (1.0, 0.99, 3),
        (1.1, 1.0, 3),
        (1.1, 0.995, 3),
        (1.1, 0.99, 3),
        (1.2, 1.0, 3),
        (1.2, 0.995, 3),
        (1.2, 0.99, 3),
        (1.25, 1.0, 1),
        (1.25, 0.995, 1),
        (1.25, 0.99, 1),
    ),
    "pro-grid": (
        (1.0, 1.0, 3),
        (1.1, 0.995, 3),
        (1.2, 0.995, 3),
        (1.25, 0.99, 1),
    ),
}
"""Name -> cells of (temperature, top_p, weight), from table 7 of the paper (arXiv 2406.08464).

A weight of 1 is 100,000 rows at the published sizes: 3,000,000 for `air-grid`, 1,000,000 for
`pro-grid`.
"""

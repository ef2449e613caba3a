"""The paper's sampling grids: with the published numbers of rows, the published counts."""

from collections import Counter

import pytest

from magpie_hub.engines.base import Sampling
from magpie_hub.generate.instructions import cycle
from magpie_hub.spec.grids import GRIDS

PRO = {(1.0, 1.0): 300, (1.1, 0.995): 300, (1.2, 0.995): 300, (1.25, 0.99): 100}
AIR = {
    **{(t, p): 300 for t in (1.0, 1.1, 1.2) for p in (1.0, 0.995, 0.99)},
    **{(1.25, p): 100 for p in (1.0, 0.995, 0.99)},
}
"""Table 7 of the paper, in thousands of rows."""


@pytest.mark.parametrize(("name", "published"), [("air-grid", AIR), ("pro-grid", PRO)])
@pytest.mark.parametrize("thousand", [1000, 1])
def test_published_counts(name, published, thousand):
    """Dealing out all rows, or a thousandth of them, gives each cell what the paper gave it."""
    dealt = cycle([(Sampling(t, p, 1024), weight) for t, p, weight in GRIDS[name]])
    rows = sum(published.values()) * thousand
    assert rows in (3_000_000, 1_000_000, 3000, 1000)
    whole, rest = divmod(rows, len(dealt))
    counts = Counter({cell: whole * n for cell, n in Counter(dealt).items()})
    counts.update(dealt[:rest])
    found = {(cell.temperature, cell.top_p): n for cell, n in counts.items()}
    assert found == {cell: n * thousand for cell, n in published.items()}


def test_no_cell_comes_twice():
    """Each temperature stands beside each top_p at most once."""
    for cells in GRIDS.values():
        assert len({cell[:2] for cell in cells}) == len(cells)

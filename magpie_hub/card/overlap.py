"""Which rows the configs of a release share: the reason not to train on two of them.

Knows neither files nor what a config is for. Imports pyarrow at once, so it is itself imported
where it is used.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pyarrow as pa


def overlaps(rows: Mapping[str, pa.Table]) -> dict[tuple[str, str], int]:
    """Return of every two configs, in the order of `rows`, how many rows both have, by `uuid`.

    rows: by config a table with a column `uuid`. Two configs that share nothing are left out. Where
    the number is all of one config's rows, the other contains it.
    """
    # All uuids become numbers once; of a config is then held which of them it has.
    chunks = [chunk for table in rows.values() for chunk in table["uuid"].chunks]
    coded = pa.chunked_array(chunks, pa.string()).dictionary_encode()
    numbers = np.concatenate([chunk.indices for chunk in coded.chunks])
    ends = np.cumsum([table.num_rows for table in rows.values()])
    has = np.zeros((len(rows), len(coded.chunk(0).dictionary)), bool)
    for line, part in zip(has, np.split(numbers, ends[:-1]), strict=True):
        line[part] = True
    shared = {
        (one, other): int(np.count_nonzero(has[at] & has[behind]))
        for (at, one), (behind, other) in combinations(enumerate(rows), 2)
    }
    return {pair: count for pair, count in shared.items() if count}

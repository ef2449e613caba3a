"""Answered rows joined with what stands beside them: a zip, since all shards keep their order.

Knows which columns lie where, and nothing of what they say.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magpie_hub.records import Type, Unit
from magpie_hub.shards.folder import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Beside:
    """What a stage's shards bring to the rows.

    shard: all columns of its shards. columns: those that it brings, each by the name that it has
    there. of_first: whether they stand beside the rows of the run's first answer set.
    """

    stage: str
    shard: Mapping[str, Type]
    columns: Mapping[str, str]
    of_first: bool = False

    def place(self, folder: RunFolder) -> RunFolder:
        """Return where its shards lie, for the rows of a run with one of its answer sets."""
        return folder.first if self.of_first else folder


def joined(
    folder: RunFolder, unit: Unit, beside: Sequence[Beside], only: Collection[str] | None = None
) -> "pa.Table":
    """Return a unit's answered rows, dropped ones among them, with all columns or `only` some.

    `index` comes always. What stands beside them may not be missing.
    """
    rows = folder.answered(unit, None if only is None else list(only))
    for each in beside:
        wanted = [name for name in each.columns if only is None or name in only]
        if wanted:
            brought = each.place(folder).read(
                each.stage, unit, each.shard, [each.columns[name] for name in wanted]
            )
            for name in wanted:
                rows = rows.append_column(name, brought[each.columns[name]])
    return rows


def messages(rows: "pa.Table") -> "pa.ListArray":
    """Return the conversations: instruction and response of each row, interleaved."""
    import numpy as np
    import pyarrow as pa

    count = rows.num_rows
    texts = pa.concat_arrays(
        [rows["instruction"].combine_chunks(), rows["response"].combine_chunks()]
    )
    order = np.arange(2 * count).reshape(2, count).T.reshape(-1)
    roles = pa.array(["user", "assistant"] * count, pa.string())
    turns = pa.StructArray.from_arrays([roles, texts.take(pa.array(order))], ["role", "content"])
    return pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * count + 1, 2), pa.int32()), turns)

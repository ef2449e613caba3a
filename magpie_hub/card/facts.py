"""The numbers that a card may state, as data: what they are, and how `facts.json` writes them.

What fills them is `measure` (a config's Parquet), `overlap` (the configs together) and `cost`.
Knows no file, no template and no spec.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from magpie_hub.card.cost import Cost
from magpie_hub.curate.funnel import Funnel

FORMAT = 1
"""Of `facts.json`; raised where a key changes its meaning or goes."""

SAMPLES = 5
"""The most rows that a card shows."""

Numbers = dict[str, float]
"""Of a column: total (of whole numbers only), mean, deviation, min, p25, median, p75, p95, max.

The deviation is the population's. Quantiles are exact, by `lower` interpolation, so that every
value is one that a row has. Whole numbers have mean and deviation to one digit, others all to four.
"""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many rows have a value in each bin.

    edges: one more than bins, ascending; a bin holds [edge, next edge), the last one its end too.
    Of whole numbers they do not depend on the data: 0 to 8 by one, then powers of the root of 2,
    rounded, from the least value's bin to the greatest's. Others have 30 bins of equal width.
    """

    edges: tuple[float, ...]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One place of a conversation: who speaks there, and in how many rows.

    characters: of the turn, as Unicode code points. Where rows differ in who speaks at a place,
    each speaker there is a turn of its own. column: that holds the conversation.
    """

    role: str
    rows: int
    characters: Numbers
    histogram: Histogram
    column: str = "messages"


@dataclass(frozen=True, slots=True)
class Cell:
    """The rows of one setting of the sampler of instructions.

    quality: their mean rank, 1 (very poor) to 5 (excellent). difficulty: 1 (very easy) to 5 (very
    hard). distance: their mean `min_neighbor_distance`. Each is over the rows that have the tag, to
    four digits; None where none has.
    """

    temperature: float
    top_p: float
    rows: int
    quality: float | None
    difficulty: float | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class Prompted:
    """The rows that were drawn with one system prompt; None stands for none. Means as in a cell."""

    system_prompt: str | None
    rows: int
    quality: float | None
    difficulty: float | None
    distance: float | None


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """What was measured of one config.

    files: (name, bytes, rows) in order. bytes_memory: as Arrow holds the rows. splits: of each,
    `train` first, its rows and its bytes as Arrow holds them. turns: in the order of the
    conversation. numbers, histograms: of each tag that is a number. counts: of each tag that
    is a label, a list of labels or a count of few, value to rows, the most frequent first; "none"
    has the rows without a value, "others" what lies behind the first hundred values. In all three,
    a column without values is left out. grid: by temperature, then top_p; empty for rows that were
    not drawn. system_prompts: by name, empty where there was none. models: that wrote responses.
    engines: the distinct (engine, version, revision) that did. sampling: the distinct (what,
    temperature, top_p, most tokens) of what was written behind the instruction. empty: the
    columns without values. samples: of the rows whose `personal_data` is empty or null and, unless
    unscreened ones were asked for, whose `safety` is safe, the five with the smallest `uuid`.
    """

    rows: int
    files: tuple[tuple[str, int, int], ...]
    bytes_memory: int
    splits: dict[str, tuple[int, int]]
    turns: tuple[Turn, ...]
    numbers: dict[str, Numbers]
    counts: dict[str, dict[str, int]]
    histograms: dict[str, Histogram]
    grid: tuple[Cell, ...]
    system_prompts: tuple[Prompted, ...]
    models: tuple[str, ...]
    sampling: tuple[tuple[str, float, float, int], ...]
    engines: tuple[tuple[str, ...], ...]
    empty: tuple[str, ...]
    samples: tuple[dict[str, Any], ...]

    @property
    def unprompted(self) -> bool:
        """Whether a row was drawn without a system prompt, which is the first to be told of."""
        return not self.system_prompts or self.system_prompts[0].system_prompt is None

    @property
    def bytes(self) -> int:
        """The bytes of the config's files."""
        return sum(size for _, size, _ in self.files)


COLUMN_UNITS = {
    "instruction_length": "characters (Unicode code points)",
    "response_length": "characters (Unicode code points)",
    "instruction_tokens": "tokens of the generator",
    "response_tokens": "tokens of the generator",
    "language_confidence": "0 to 1",
    "response_quality": "1 (useless) to 5 (nothing to add)",
    "instruct_reward": "score of the reward model",
    "base_reward": "score of the reward model",
    "reward_difference": "score of the reward model",
    "chosen_reward": "score of the scorer",
    "rejected_reward": "score of the scorer",
    "margin": "score of the scorer",
    "min_neighbor_distance": "squared Euclidean distance of unit vectors",
    "repeat_count": "rows",
}
UNITS = {
    "rows": "rows",
    "bytes": "bytes of the Parquet files",
    "bytes_memory": "bytes as Arrow holds the rows",
    "files": "name, bytes, rows",
    "splits": "rows, bytes as Arrow holds them",
    "turns": "characters (Unicode code points)",
    "numbers": "of each column as below; total of whole numbers only; population deviation;"
    " quantiles by lower interpolation",
    "counts": "rows",
    "histograms": "rows of each bin [edge, next edge), the last with its end; edges as the column",
    "grid": "mean rank of quality and difficulty, 1 (lowest) to 5; distance as"
    " min_neighbor_distance",
    "system_prompts": "as grid",
    "models": "as rows name them",
    "sampling": "what was written, temperature, top_p, most tokens",
    "engines": "engine, version, revision of the model",
    "funnel": "rows",
    "overlaps": "rows that both configs have, by uuid",
    "cost": "tokens that models wrote; engine_hours and seconds of engines; US dollars",
    **COLUMN_UNITS,
}


def as_json(
    facts: Mapping[str, ConfigFacts],
    funnels: Mapping[str, Funnel],
    tags: Mapping[str, Mapping[str, object]],
    curation: Mapping[str, object],
    overlaps: Mapping[tuple[str, str], int],
    cost: Cost,
) -> dict[str, object]:
    """Return the facts of a release as plain data with their units, without the sample rows.

    facts, funnels: by config. tags: of each that a model makes, how often it failed. curation: how
    rows were compared. overlaps: as `overlap.overlaps` returns them.
    """
    own = {name for config in facts.values() for name in config.numbers} - COLUMN_UNITS.keys()
    return {
        "format": FORMAT,
        "units": UNITS | dict.fromkeys(sorted(own), "as the tag gives it"),
        "tags": dict(tags),
        "curation": dict(curation),
        "overlaps": [
            {"configs": list(pair), "rows": rows} for pair, rows in sorted(overlaps.items())
        ],
        "cost": asdict(cost),
        "configs": {name: _config(config, funnels[name]) for name, config in facts.items()},
    }


def _config(config: ConfigFacts, funnel: Funnel) -> dict[str, object]:
    whole = asdict(config)
    del whole["samples"]
    return {
        **whole,
        "bytes": config.bytes,
        "files": [list(file) for file in config.files],
        "sampling": [list(each) for each in config.sampling],
        "splits": {name: list(split) for name, split in config.splits.items()},
        "engines": [list(engine) for engine in config.engines],
        "funnel": asdict(funnel),
    }

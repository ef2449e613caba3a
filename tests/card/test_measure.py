"""What is measured of a config's files: by eye on a few rows, and against plain pandas on many."""

import random
from itertools import pairwise

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.card.facts import Cell, ConfigFacts, Histogram
from magpie_hub.card.measure import measure
from magpie_hub.columns import SFT, fields
from magpie_hub.records import arrow_schema

OWN = {
    "mood": ("string", "How it sounds."),
    "mood_generator": ("string", "The judge."),
    "why": ("string", "Why."),
    "points": ("int64", "How many."),
    "topics": (["string"], "Of what."),
    "polite": ("bool", "Whether it is."),
}
SETTINGS = [(1.0, 0.99), (1.0, 1.0), (1.2, 0.99)]
QUALITIES = ["very poor", "poor", "average", "good", "excellent"]
DIFFICULTIES = ["very easy", "easy", "medium", "hard", "very hard"]


@pytest.fixture
def config(tmp_path):
    """Write lists of rows as the Parquet files of a config; return the config's folder."""

    def write(*files, own=None, group=2):
        columns = fields("sft", own) if own else SFT
        schema = arrow_schema({field.name: field.type for field in columns})
        for number, rows in enumerate(files):
            name = f"train-{number:05d}-of-{len(files):05d}.parquet"
            pq.write_table(
                pa.Table.from_pylist(rows, schema), tmp_path / name, row_group_size=group
            )
        return tmp_path

    return write


def test_four_rows(config, row):
    """Lengths, counts and engines over two files are what one finds by eye."""
    folder = config(
        [row(instruction_length=n, finish_reason=f) for n, f in [(1, "stop"), (2, "length")]]
        + [row(instruction_length=3, language=None)],
        [row(instruction_length=10, language="DE")],
    )
    facts = measure(folder)

    assert facts.rows == 4
    assert [(name, rows) for name, _, rows in facts.files] == [
        ("train-00000-of-00002.parquet", 3),
        ("train-00001-of-00002.parquet", 1),
    ]
    assert facts.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert facts.numbers["instruction_length"] == {
        "total": 16,
        "mean": 4.0,
        "deviation": 3.5,  # the root of (9 + 4 + 1 + 36) / 4, to one digit
        "min": 1,
        "p25": 1,
        "median": 2,
        "p75": 3,
        "p95": 3,
        "max": 10,
    }
    edges = (1, 2, 3, 4, 5, 6, 7, 8, 11)
    assert facts.histograms["instruction_length"] == Histogram(edges, (1, 1, 1, 0, 0, 0, 0, 1))
    assert facts.counts["finish_reason"] == {"stop": 3, "length": 1}
    assert list(facts.counts["language"].items()) == [("EN", 2), ("DE", 1), ("none", 1)]
    assert facts.engines == (("scripted", "1", "5fcb290"),)


def test_a_column_without_values_has_no_numbers(config, row):
    """A tag that the spec leaves out is not shown as zeros."""
    empty = dict.fromkeys(("instruction_length", "response_length"))
    facts = measure(config([row(**empty), row(**empty)]))

    assert list(facts.numbers) == list(facts.histograms) == ["response_tokens"]
    assert list(facts.counts) == ["finish_reason", "language"]


def test_lists_and_rewards(config, row):
    """A list counts for each of its values, an empty one as none; a reward has four digits."""
    rows = [
        row(safety_categories=["S1", "S2", "S2"], instruct_reward=1 / 3),
        row(safety_categories=["S2"], instruct_reward=-1.0),
        row(safety_categories=[]),
        row(),
    ]
    facts = measure(config(rows))
    assert facts.counts["safety_categories"] == {"S2": 2, "none": 2, "S1": 1}
    reward = facts.numbers["instruct_reward"]
    assert (reward["mean"], reward["min"], reward["max"]) == (-0.3333, -1.0, 0.3333)
    assert "total" not in reward
    histogram = facts.histograms["instruct_reward"]
    assert (histogram.edges[0], histogram.edges[-1]) == (-1.0, 1 / 3)
    assert histogram.rows == (1, *28 * [0], 1)
    assert {"safety", "base_reward"} <= set(facts.empty)
    assert facts.empty.count("safety_categories") == 0


def test_own_tags(config, row):
    """An own tag is counted or measured by its type; what is text, and the judge's name, is not."""
    rows = [
        row(
            mood=mood,
            mood_generator="org/j",
            why=99 * "a" + why,
            points=points,
            polite=mood == "ok",
        )
        for mood, why, points in [("ok", "", -3), ("bad", "aa", 0), ("none", "", 9), (None, "", 9)]
    ]
    rows[0]["topics"] = ["sea", "sea"]
    facts = measure(config(rows, own=OWN))

    assert {name: facts.counts.get(name) for name in OWN} == {
        "mood": {'"none"': 1, "bad": 1, "none": 1, "ok": 1},
        "mood_generator": None,
        "why": None,
        "points": None,
        "topics": {"none": 3, "sea": 1},
        "polite": {"false": 3, "true": 1},
    }
    assert facts.numbers["points"]["total"] == 15
    edges = (-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 11)
    assert facts.histograms["points"] == Histogram(edges, (1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2))


def test_many_values(config, row):
    """A hundred values are counted one by one, the others together; a thousand may differ."""
    numbers = [*range(99), *range(130)]
    few = measure(config([row(language=f"{number:03d}") for number in numbers], group=50))
    counted = list(few.counts["language"].items())
    assert (len(counted), counted[:2]) == (101, [("000", 2), ("001", 2)])
    assert counted[98:] == [("098", 2), ("099", 1), ("others", 30)]

    rows = [row(language=str(number)) for number in range(1001)]
    assert "language" not in measure(config(rows, group=500)).counts
    assert len(measure(config(rows[1:], group=500)).counts["language"]) == 101


def test_engines_are_those_that_wrote_rows(config, row):
    """A run that went on with another version of its engine names both, each once."""
    old, new = ({**row()["gen_response_configs"], "engine_version": v} for v in ("1", "2"))
    rows = [row(gen_response_configs=drawn) for drawn in (new, old, new)]
    assert [version for _, version, _ in measure(config(rows)).engines] == ["1", "2"]


def test_turns(config, row):
    """Turns are told apart by place and speaker, and their characters are code points."""
    longer = row("héé", "ok")
    longer["messages"] += [
        {"role": "user", "content": "\U0001f600"},
        {"role": "assistant", "content": ""},
    ]
    told = row()
    told["messages"] = [{"role": "system", "content": "Be brief."}, *row("a", "b")["messages"]]
    facts = measure(config([row("Why?", "So."), longer], [told]))

    found = [(turn.role, turn.rows, turn.characters["total"]) for turn in facts.turns]
    assert found == [
        ("system", 1, 9),
        ("user", 2, 7),
        ("assistant", 2, 5),
        ("user", 1, 1),
        ("assistant", 1, 1),
        ("user", 1, 1),
        ("assistant", 1, 0),
    ]
    assert facts.turns[-1].histogram == Histogram((0, 1), (1,))


def test_the_grid(config, row):
    """Each setting has its rows and the mean ranks of those that have labels; imports have none."""
    cold, hot = (
        {**row()["gen_input_configs"], "temperature": temperature} for temperature in (0.8, 1.2)
    )
    rows = [
        row(gen_input_configs=hot, input_quality="excellent", min_neighbor_distance=0.5),
        row(gen_input_configs=cold, input_quality="very poor", difficulty="hard"),
        row(gen_input_configs=hot, input_quality="good"),
        row(gen_input_configs=hot),
        row(gen_input_configs=None, input_quality="average"),
    ]
    assert measure(config(rows)).grid == (
        Cell(0.8, 1.0, 1, 1.0, 4.0, None),
        Cell(1.2, 1.0, 3, 4.5, None, 0.5),
    )
    assert measure(config([row(gen_input_configs=None)])).grid == ()


def test_samples(config, row):
    """Five rows with the smallest uuids are shown, whatever their order, of those that may be."""
    safe = [row(uuid=f"{number}", safety="safe", personal_data=[]) for number in range(9)]
    unsafe, unlabelled = row(uuid="!", safety="unsafe"), row(uuid="#")
    personal = row(uuid="$", safety="safe", personal_data=["email"])
    folder = config([*safe[::-1], unlabelled], [personal, unsafe])

    def shown(**options):
        return [sample["uuid"] for sample in measure(folder, **options).samples]

    assert shown() == ["0", "1", "2", "3", "4"]
    assert shown(unscreened=True) == ["!", "#", "0", "1", "2"]
    assert measure(folder).samples[0]["messages"] == row()["messages"]
    assert measure(config([unlabelled], [personal, unsafe])).samples == ()


def test_figures_are_those_of_pandas(config, row):
    """On 600 rows with gaps, of up to six turns, every figure is the one that pandas computes."""
    rows = _drawn(row, 600)
    folder = config(rows[:350], rows[350:], group=99)
    facts = measure(folder)
    frame = pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])

    for column in ("response_length", "repeat_count", "instruct_reward", "min_neighbor_distance"):
        values = frame[column].dropna()
        if column in ("response_length", "repeat_count"):
            values = values.astype("int64")
        assert facts.numbers[column] == _numbers(values)
        _check_histogram(facts.histograms[column], values)
    for column in ("difficulty", "language"):
        assert facts.counts[column] == frame[column].fillna("none").value_counts().to_dict()
    several = frame["other_task_category"].explode().fillna("none").value_counts().to_dict()
    assert facts.counts["other_task_category"] == several
    _check_turns(facts, frame)
    _check_grid(facts, frame)
    shown = frame[(frame.safety == "safe") & (frame.personal_data.map(len) == 0)]
    assert [sample["uuid"] for sample in facts.samples] == sorted(shown.uuid)[:5]


def _drawn(row, count):
    """Return rows drawn by chance, each with every kind of gap sometimes."""
    draw = random.Random(0)

    def one():
        temperature, top_p = draw.choice(SETTINGS)
        made = row(
            uuid=f"{draw.getrandbits(64):016x}",
            response_length=draw.choice([None, draw.randrange(10_000)]),
            repeat_count=draw.randrange(3),
            instruct_reward=draw.choice([None, draw.gauss(0, 5)]),
            min_neighbor_distance=draw.choice([None, draw.random()]),
            input_quality=draw.choice([None, *QUALITIES]),
            difficulty=draw.choice([None, *DIFFICULTIES]),
            language=draw.choice(["EN", "DE", None]),
            other_task_category=draw.sample(["Math", "Planning", "Editing"], draw.randrange(3)),
            safety=draw.choice(["safe", "unsafe", None]),
            personal_data=draw.choice([[], ["email"]]),
        )
        made["gen_input_configs"] |= {"temperature": temperature, "top_p": top_p}
        made["messages"] = [
            {"role": role, "content": draw.randrange(300) * "é"}
            for role in draw.randrange(1, 4) * ["user", "assistant"]
        ]
        return made

    return [one() for _ in range(count)]


def _numbers(values: pd.Series) -> dict[str, float]:
    whole = values.dtype.kind == "i"
    quantiles = {"min": 0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1}
    found = {name: values.quantile(q, interpolation="lower") for name, q in quantiles.items()}
    return {
        **({"total": values.sum()} if whole else {}),
        "mean": _rounded(values.mean(), whole),
        "deviation": _rounded(values.std(ddof=0), whole),
        **{name: value if whole else _rounded(value, whole) for name, value in found.items()},
    }


def _rounded(value: float, whole: bool) -> float:
    digits = 1 if whole else 4
    return round(value, digits) if whole or abs(value) >= 0.01 else float(f"{value:.4g}")


def _check_histogram(histogram: Histogram, values: pd.Series) -> None:
    bins = pairwise(histogram.edges)
    rows = [((values >= low) & (values < up)).sum() for low, up in bins]
    rows[-1] += (values == histogram.edges[-1]).sum()
    assert histogram.rows == tuple(rows)
    assert sum(rows) == len(values)
    assert min(rows[0], rows[-1]) > 0


def _check_turns(facts: ConfigFacts, frame: pd.DataFrame) -> None:
    said = frame.reset_index().messages.explode()
    place = said.groupby(level=0).cumcount()
    characters = said.map(lambda message: len(message["content"]))
    assert len(facts.turns) == place.max() + 1 == 6
    for number, turn in enumerate(facts.turns):
        values = characters[place == number]
        assert turn.role == ("user", "assistant")[number % 2]
        assert turn.rows == len(values)
        assert turn.characters == _numbers(values)
        _check_histogram(turn.histogram, values)


def _check_grid(facts: ConfigFacts, frame: pd.DataFrame) -> None:
    keys = frame.gen_input_configs.map(lambda drawn: (drawn["temperature"], drawn["top_p"]))
    quality, difficulty = (
        {label: rank for rank, label in enumerate(scale, 1)} for scale in (QUALITIES, DIFFICULTIES)
    )
    ranks = {
        "quality": frame.input_quality.map(quality),
        "difficulty": frame.difficulty.map(difficulty),
        "distance": frame.min_neighbor_distance,
    }
    means = {name: values.groupby(keys).mean().round(4) for name, values in ranks.items()}
    for cell, key in zip(facts.grid, SETTINGS, strict=True):
        assert (cell.temperature, cell.top_p, cell.rows) == (*key, (keys == key).sum())
        for name, by_cell in means.items():
            assert getattr(cell, name) == by_cell[key]

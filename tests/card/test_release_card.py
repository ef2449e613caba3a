"""The card of a real release: every number on it is one of the files, and it can be made again."""

import re

import pandas as pd
import pytest

from magpie_hub.card.facts import LENGTHS
from magpie_hub.run.building import build
from magpie_hub.spec.load import load
from tests.card.reading import fences, front
from tests.making import finished_run, quiet


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A built release of 200 draws: its folder."""
    spec, run = finished_run(tmp_path_factory.mktemp("run"), 200, license="mit")
    with run.lock():
        return build(spec, run, quiet, print).folder


def table(card: str, head: str) -> list[list[str]]:
    """Return the cells of the table whose first head cell is `head`, back-ticks off."""
    lines = card.partition(f"\n| {head} | ")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in lines]


def number(text: str) -> float:
    """Return a number as the card writes it."""
    return float(text.removesuffix(" kB").replace(",", ""))


def test_every_number_is_one_of_the_files(built):
    """Rows, sizes, lengths and counts on a real card are those that pandas finds in the Parquet."""
    card = (built / "README.md").read_text()
    info = {entry["config_name"]: entry for entry in front(card)["dataset_info"]}
    quantiles = [0.25, 0.5, 0.75, 0.95]
    for name, rows, size, _ in table(card, "config"):
        name = name.removesuffix("` (default)")
        files = sorted((built / name).glob("*.parquet"))
        data = pd.concat([pd.read_parquet(file) for file in files])
        bytes_ = sum(file.stat().st_size for file in files)
        split = info[name]["splits"][0]

        assert number(rows) == split["num_examples"] == len(data) > 0
        assert (info[name]["download_size"], number(size)) == (bytes_, round(bytes_ / 1000, 1))
        assert f'"{name}", split="train")  # {len(data):,} rows' in card
        statistics = table(card.partition("## Statistics")[2], f"`{name}`")
        assert [line[0] for line in statistics] == list(LENGTHS)
        for column, *found in statistics:
            values = data[column]
            some = [round(values.mean(), 1), round(values.std(ddof=0), 1), values.min()]
            some += [values.quantile(q, interpolation="lower") for q in quantiles]
            assert [number(cell) for cell in found] == [*some, values.max()]
        for column in ("language", "finish_reason"):
            said = re.search(rf"`{column}` in `{name}`: (.*)\.\n", card)[1]
            counted = {k: number(v) for k, v in re.findall(r"`(\S+)` ([\d,]+)", said)}
            assert counted == data[column].fillna("none").value_counts().to_dict()
        steps = table(card.partition("## What was dropped")[2], f"`{name}`")
        assert number(steps[-1][2]) == len(data)
        assert 200 - sum(number(step[1]) for step in steps[1:]) == len(data)
    assert f"\n{len(data):,} conversations that" in card
    assert list(info) == ["raw", "filtered"]


def test_the_spec_on_the_card_is_a_spec(built, tmp_path):
    """What "Make it again" shows loads, and asks for the same release."""
    shown = fences((built / "README.md").read_text())[-2]
    (tmp_path / "spec.yaml").write_text(shown)
    spec = load(str(tmp_path / "spec.yaml"))

    assert (spec.repo, spec.instructions.rows, spec.license) == ("org/tiny", 200, "mit")
    assert spec.default_config == "filtered"

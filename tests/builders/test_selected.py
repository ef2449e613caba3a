"""The builder with everything on: duplicates, benchmarks, filter, condition, sizes and quotas.

The run has 96 rows that others made, in six units, with labels drawn from a seed.
"""

import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from builders.magpie import Magpie
from magpie_hub import curate
from magpie_hub.curate.beside import DUPLICATE_SHARD
from magpie_hub.errors import BuildError
from magpie_hub.run.graph import FIRST_ROUND
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.configs import AtMost
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import carry_out, finished_run
from tests.run.importing import write

CONFIGS: dict[str, Any] = {
    "longest": {"filter": "pro-filter", "where": "difficulty != 'hard'", "size": 11},
    "quotas": {"filter": "pro-filter6", "where": "response_length > 20"},
    "quotas-of-14": {"filter": "pro-filter6", "size": {"at_most": 14}},
    "sample": {"size": 20},
}
LEVELS = ("very easy", "easy", "medium", "hard")


def imported() -> list[dict[str, Any]]:
    """Return 96 rows: each sixth repeats the one before, in capitals or nearly."""
    draw = random.Random(1)
    made: list[dict[str, Any]] = []
    for number in range(96):
        text = " ".join(f"w{draw.randrange(2000)}" for _ in range(30))
        if number % 12 == 5:
            text = made[-1]["instruction"].upper()
        elif number % 12 == 11:
            text = made[-1]["instruction"] + " again"
        made.append(
            {
                "instruction": text,
                "response": "x" * draw.choice([10, 30, 40, 50]),
                "input_quality": draw.choice(["poor", "average", "good"]),
                "difficulty": draw.choice(LEVELS),
                "min_neighbor_distance": draw.choice([0.0, 0.2, 0.4, 0.6]),
                "instruct_reward": draw.choice([-13.0, -5.0, 0.0, 3.0]),
            }
        )
    return made


def made(folder: Path, **changes: Any) -> tuple[Spec, RunFolder]:
    """Bring the run in a folder to what a spec asks for."""
    exam = str(folder / "exam.jsonl")
    given: dict[str, Any] = {
        "repo": "org/tiny",
        "source": str(folder / "rows.jsonl"),
        "tags": ["lengths"],
        "decontaminate": {"benchmarks": [exam], "words": 8},
        "configs": CONFIGS,
    }
    if not Path(given["source"]).exists():
        write(given["source"], *imported())
        write(exam, *({"prompt": f"So: {row['instruction'][:60]}"} for row in imported()[::12]))
    (folder / "tiny.yaml").write_text(yaml.safe_dump(given | changes))
    spec, run = load(str(folder / "tiny.yaml")), RunFolder(folder / "run")
    with pytest.MonkeyPatch.context() as patch, run.lock():
        patch.setattr("magpie_hub.run.begin.UNIT_ROWS", 16)
        for stage in FIRST_ROUND:
            carry_out(stage, spec, run)
    return spec, run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the finished run lies, with its spec and its files."""
    return made(tmp_path_factory.mktemp("run"))[1].path.parent


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """A copy of it, for a test that changes it."""
    return Path(shutil.copytree(place, tmp_path / "copy"))


def rows(builder: Magpie) -> list[dict[str, Any]]:
    """Return a config's rows as the release gets them."""
    found: list[dict[str, Any]] = pa.concat_tables(builder.tables()).to_pylist()
    return found


@pytest.mark.parametrize("config", ["raw", *CONFIGS])
def test_four_ways_to_the_same_rows(place: Path, tmp_path: Path, config: str) -> None:
    """The release, one process, two processes and streaming agree row by row, in order."""

    def builder(cache: str) -> Magpie:
        return Magpie(config_name=config, data_dir=place / "run", cache_dir=str(tmp_path / cache))

    one, two = builder("one"), builder("two")
    one.download_and_prepare()
    two.download_and_prepare(num_proc=2)
    expected = rows(builder("none"))

    assert len(RunFolder(place / "run").units()) == 6
    assert one.as_dataset("train").to_list() == expected
    assert two.as_dataset("train").to_list() == expected
    assert list(builder("none").as_streaming_dataset("train")) == expected
    assert builder("none").funnel.kept == len(expected) > 5


def test_every_step_drops_something(place: Path) -> None:
    """Duplicates of both kinds, a benchmark, every rule, the condition and the size have drops."""
    funnel = Magpie(config_name="longest", data_dir=place / "run").funnel
    assert [(step.stage, step.reason) for step in funnel.steps] == [
        ("duplicate", "exact-duplicate"),
        ("duplicate", "near-duplicate"),
        ("benchmark", "exam.jsonl"),
        ("filter", 'input_quality >= "average"'),
        ("filter", "min_neighbor_distance > 0"),
        ("filter", "instruct_reward > -12"),
        ("where", "difficulty != 'hard'"),
        ("size", "11 by response_length, the highest"),
    ]
    assert all(step.dropped > 0 for step in funnel.steps)
    assert funnel.drawn - sum(step.dropped for step in funnel.steps) == funnel.kept == 11


def test_ties_and_quotas(place: Path) -> None:
    """The cut goes through rows of one length; of a quota's half each is of its difficulty."""
    whole = rows(Magpie(config_name="longest", size=None, data_dir=place / "run"))
    cut = rows(Magpie(config_name="longest", data_dir=place / "run"))
    shortest = min(row["response_length"] for row in cut)
    assert {row["uuid"] for row in whole if row["response_length"] > shortest} < {
        row["uuid"] for row in cut
    }
    assert sum(row["response_length"] == shortest for row in whole) > sum(
        row["response_length"] == shortest for row in cut
    )

    for config in ("quotas", "quotas-of-14"):
        levels = [
            row["difficulty"] for row in rows(Magpie(config_name=config, data_dir=place / "run"))
        ]
        assert abs(levels.count("easy") - len(levels) / 2) <= 0.5
        assert "very easy" not in levels


@pytest.mark.parametrize(
    ("change", "others"),
    [
        ({"configs": CONFIGS | {"sample": {"filter": "pro-filter3"}}}, False),
        ({"configs": CONFIGS | {"sample": {"size": 20, "where": "difficulty != 'hard'"}}}, False),
        ({"configs": CONFIGS | {"sample": {"size": 21}}}, False),
        ({"dedup": {"near": {"threshold": 0.99}}}, True),
        ({"dedup": {"near": False}}, True),
        ({"decontaminate": None}, True),
        ({"tags": ["lengths", "personal_data"]}, True),
    ],
    ids=["filter", "where", "size", "threshold", "near", "benchmarks", "tags"],
)
def test_a_changed_spec_is_not_answered_from_the_cache(
    copy: Path, tmp_path: Path, change: dict[str, Any], others: bool
) -> None:
    """What the spec changes is prepared anew, with other rows; a config that it leaves is not."""

    def prepared(config: str) -> tuple[str, list[dict[str, Any]]]:
        cache = str(tmp_path / "cache")
        builder = Magpie(config_name=config, data_dir=copy / "run", cache_dir=cache)
        builder.download_and_prepare()
        found = builder.as_dataset("train").to_list()
        assert found == rows(builder)
        return str(builder.hash), found

    before = {config: prepared(config) for config in ("sample", "longest")}
    made(copy, **change)

    hash_, found = prepared("sample")
    assert hash_ != before["sample"][0]
    assert found != before["sample"][1]
    assert (prepared("longest")[0] != before["longest"][0]) is others


@pytest.mark.parametrize(
    "change",
    [
        {"dedup": {"near": {"threshold": 0.71}}},
        {"decontaminate": {"words": 9}},
        {"decontaminate": {"keep": True}},
    ],
    ids=["threshold", "words", "keep"],
)
def test_the_hash_names_how_rows_were_compared(copy: Path, change: dict[str, Any]) -> None:
    """Another threshold, another length of overlaps, or marks for drops: another cache."""
    before = Magpie(config_name="raw", data_dir=copy / "run").hash
    if "decontaminate" in change:
        exam = {"benchmarks": [str(copy / "exam.jsonl")], "words": 8}
        change = {"decontaminate": exam | change["decontaminate"]}
    made(copy, **change)
    assert Magpie(config_name="raw", data_dir=copy / "run").hash != before


def test_the_hash_names_every_shard_that_rows_come_from(copy: Path) -> None:
    """A byte more in the shard of any stage gives another hash; but for the index, unread here."""
    run = RunFolder(copy / "run")

    def print_() -> str:
        return str(Magpie(config_name="raw", data_dir=run.path).hash)

    prints = [print_()]
    found = sorted(path for path in run.path.rglob("0000[03].parquet"))
    for path in found:
        path.write_bytes(path.read_bytes() + b" ")
        prints.append(print_())
    stages = {path.relative_to(run.path).parts[0] for path in found}
    assert stages == {"instructions", "responses", "tags", "duplicates", "overlaps", "index"}
    changed = zip(found, prints, prints[1:], strict=False)
    unnamed = [path for path, before, after in changed if before == after]
    assert {path.relative_to(run.path).parts[0] for path in unnamed} == {"index"}


def test_the_hash_names_the_code_of_the_room(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change in any module of `curate` gives another hash."""
    folder = Path(shutil.copytree(curate.__path__[0], tmp_path / "curate"))
    prints = [Magpie(config_name="raw", data_dir=place / "run").hash]
    monkeypatch.setattr(curate, "__path__", [str(folder)])
    modules = sorted(folder.glob("*.py"))
    for module in modules:
        module.write_text(module.read_text() + "# changed\n")
        prints.append(Magpie(config_name="raw", data_dir=place / "run").hash)
    assert len(set(prints)) == len(modules) + 1 > 10


def test_another_result_of_the_comparison(copy: Path, tmp_path: Path) -> None:
    """Where a shard of duplicates says something else, the same call gives the other rows."""
    run, cache = RunFolder(copy / "run"), str(tmp_path / "cache")

    def prepared() -> list[dict[str, Any]]:
        builder = Magpie(config_name="raw", data_dir=run.path, cache_dir=cache)
        builder.download_and_prepare()
        found: list[dict[str, Any]] = builder.as_dataset("train").to_list()
        return found

    before, unit = prepared(), run.units()[0]
    stage = run.state()["curated"]["duplicates"]
    table = run.read(stage, unit, DUPLICATE_SHARD)
    reasons = ["near-duplicate" if number == 3 else None for number in range(16)]
    run.write(stage, unit, table.set_column(1, "reason", pa.array(reasons)))

    uuids = run.answered(unit)["uuid"].to_pylist()
    after = {row["uuid"] for row in prepared()}
    assert {row["uuid"] for row in before} - after == {uuids[3]}
    assert after - {row["uuid"] for row in before} == {uuids[5], uuids[11]}


def test_a_tag_that_a_rule_or_a_condition_needs(tmp_path: Path) -> None:
    """Asked of the builder alone: the rule, the column, its tag and the command are named."""
    run = finished_run(tmp_path, 5, tags=["lengths"], configs={})[1]
    for asked, named in (
        ({"filter": "pro-filter"}, 'its rule `input_quality >= "average"`, needs the column'),
        ({"where": "input_quality == 'good'"}, "`where: input_quality == 'good'` needs the column"),
    ):
        with pytest.raises(BuildError, match="config `mine`") as caught:
            list(Magpie(config_name="mine", data_dir=run.path, **asked).tables())
        assert f"{named} `input_quality`, which the tag `quality` makes" in caught.value.message
        assert "run `magpie-hub tag SPEC`" in caught.value.hint


def test_a_size_that_is_asked_of_the_builder(place: Path, tmp_path: Path) -> None:
    """More than there are is an error with the funnel by every way; at most so many is not."""

    def builder(size: int | AtMost) -> Magpie:
        return Magpie(
            config_name="mine", size=size, data_dir=place / "run", cache_dir=str(tmp_path / "cache")
        )

    for ask in (
        lambda: list(builder(97).tables()),
        lambda: builder(97).download_and_prepare(),
        lambda: builder(97).as_streaming_dataset("train"),
    ):
        with pytest.raises(BuildError, match=r"`size` asks for 97 rows, and 25 .* drawn 96, dupl"):
            ask()
    raw = rows(Magpie(config_name="raw", data_dir=place / "run"))
    assert rows(builder(AtMost(at_most=97))) == raw

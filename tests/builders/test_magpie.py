"""The builder: four ways to the same rows, a cache that notices changes, a funnel that adds up.

The run has units of 16 rows, so that 60 rows are several shards.
"""

import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from builders import magpie
from builders.magpie import Magpie
from magpie_hub import curate
from magpie_hub.errors import BuildError, RunError
from magpie_hub.records import INSTRUCTIONS, RESPONSES
from magpie_hub.run.begin import begin
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.tag import TAGS
from tests.making import finished_run, spec_file

ENGINE = {"name": "scripted", "empty": 0.2, "duplicates": 0.2}
# Half of the answers are longer than 60 tokens, so that the filter has something to drop.
FAULTY = {"generator": {"model": "scripted", "engine": ENGINE}, "responses": {"max_tokens": 60}}


@pytest.fixture(scope="module", autouse=True)
def _small_units():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magpie_hub.run.begin.UNIT_ROWS", 16)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    """A finished run of 60 draws with many faults, in four units."""
    return finished_run(tmp_path_factory.mktemp("run"), **FAULTY)[1]


@pytest.fixture
def copy(run, tmp_path) -> RunFolder:
    """A copy of the run, for a test that changes it."""
    return RunFolder(shutil.copytree(run.path, tmp_path / "copy"))


def rows(builder: Magpie) -> list[dict[str, object]]:
    """Return a config's rows as the release gets them."""
    return pa.concat_tables(builder.tables()).to_pylist()


@pytest.mark.parametrize("config", ["raw", "filtered"])
def test_four_ways_to_the_same_rows(run, tmp_path, config):
    """The release, one process, two processes and streaming agree row by row, in order."""

    def builder(cache: str) -> Magpie:
        return Magpie(config_name=config, data_dir=run.path, cache_dir=str(tmp_path / cache))

    one, two = builder("one"), builder("two")
    one.download_and_prepare()
    two.download_and_prepare(num_proc=2)
    expected = rows(builder("none"))

    assert len(run.units()) == 4
    assert one.as_dataset("train").to_list() == expected
    assert two.as_dataset("train").to_list() == expected
    assert list(builder("none").as_streaming_dataset("train")) == expected
    assert builder("none").as_streaming_dataset("train").num_shards == 4


def test_rows_are_those_of_the_shards(run):
    """A row is its instruction and its response, with the tags and the provenance of the draw."""
    answered = [row for unit in run.units() for row in run.answered(unit).to_pylist()]
    kept = [row for row in answered if row["rejection"] is None]

    for row, draw in zip(rows(Magpie(config_name="raw", data_dir=run.path)), kept, strict=True):
        assert row["messages"] == [
            {"role": "user", "content": draw["instruction"]},
            {"role": "assistant", "content": draw["response"]},
        ]
        assert row["instruction_length"] == len(draw["instruction"])
        assert row["response_length"] == len(draw["response"])
        assert row["response_tokens"] == draw["completion_tokens"]
        assert row["model"] == "scripted"
        for name in ("uuid", "finish_reason", "gen_input_configs", "gen_response_configs"):
            assert row[name] == draw[name]


def test_the_filter_keeps_what_its_rules_say(run):
    """`filtered` is `raw` without the rows that a rule of `finished` drops, in the same order."""
    raw = rows(Magpie(config_name="raw", data_dir=run.path))
    expected = [
        row
        for row in raw
        if row["finish_reason"] == "stop"
        and row["instruction_length"] >= 16
        and row["response_length"] >= 32
    ]
    assert rows(Magpie(config_name="filtered", data_dir=run.path)) == expected
    assert 0 < len(expected) < len(raw)


def test_the_funnel_is_what_a_recount_of_the_shards_finds(run):
    """Each reason has as many rows as plain Python counts in the files, and all add up."""

    def column(stage: str, name: str) -> list[object]:
        files = sorted((run.path / stage).glob("*.parquet"))
        return [value for path in files for value in pq.read_table(path)[name].to_pylist()]

    funnel = Magpie(config_name="filtered", data_dir=run.path).funnel
    for stage, folder in (("instruction", INSTRUCTIONS), ("response", RESPONSES)):
        recount = Counter(column(folder, "rejection"))
        del recount[None]
        assert {s.reason: s.dropped for s in funnel.steps if s.stage == stage} == recount
        assert recount
    reasons = zip(column(RESPONSES, "rejection"), column(RESPONSES, "finish_reason"), strict=True)
    assert funnel.steps[-3].reason == 'finish_reason == "stop"'
    assert funnel.steps[-3].dropped == list(reasons).count((None, "length"))
    assert funnel.drawn == 60 == funnel.kept + sum(step.dropped for step in funnel.steps)
    assert funnel.kept == len(rows(Magpie(config_name="filtered", data_dir=run.path)))


def test_the_default_config_and_a_filter_by_hand(run):
    """Without a name it is the spec's default; a filter can be asked of any config."""
    default = Magpie(data_dir=str(run.path))
    assert default.config.name == "filtered"
    by_hand = Magpie(config_name="mine", filter="finished", data_dir=run.path)
    assert rows(by_hand) == rows(default)
    assert rows(Magpie(config_name="raw", filter="finished", data_dir=run.path)) == rows(default)


def test_the_hash_names_what_decides_the_rows(run, copy, tmp_path, monkeypatch):
    """Config, filter, shards and code are in the hash; where the run lies is not."""

    def print_(config: str = "filtered", **options: str) -> str:
        return str(Magpie(config_name=config, data_dir=copy.path, **options).hash)

    first = Magpie(config_name="filtered", data_dir=run.path).hash
    assert print_() == first
    prints = [first, print_("raw"), print_("raw", filter="finished")]

    (shard := copy.shard(INSTRUCTIONS, copy.units()[2])).write_bytes(shard.read_bytes() + b" ")
    prints.append(print_())
    changed = shutil.copy(magpie.__file__, tmp_path / "magpie.py")
    changed.write_text(changed.read_text() + "# changed\n")
    monkeypatch.setattr(magpie, "__file__", str(changed))
    prints.append(print_())
    rules = shutil.copytree(curate.__path__[0], tmp_path / "curate") / "filters.py"
    rules.write_text(rules.read_text().replace("16", "17"))
    monkeypatch.setattr(curate, "__path__", [str(rules.parent)])
    prints.append(print_())

    assert len(set(prints)) == len(prints)


def test_a_changed_shard_is_not_answered_from_the_cache(copy, tmp_path):
    """The same call on the same path after a shard changed gives the new rows."""

    def prepared() -> list[dict[str, object]]:
        builder = Magpie(config_name="raw", data_dir=copy.path, cache_dir=str(tmp_path / "cache"))
        builder.download_and_prepare()
        return builder.as_dataset("train").to_list()

    before, unit = prepared(), copy.units()[0]
    stage = copy.state()["tags"]["language"]["stage"]
    table = copy.read(stage, unit, TAGS["language"].shard)
    lower = pc.utf8_lower(table["language"])
    changed = table.set_column(1, "language", lower)
    copy.write(stage, unit, changed)

    assert prepared() == rows(Magpie(config_name="raw", data_dir=copy.path)) != before


def test_an_unknown_config(run):
    """The configs that there are, and what to do, are told."""
    with pytest.raises(BuildError, match=r"no config `flitered` in .*`raw`, `filtered`") as caught:
        Magpie(config_name="flitered", data_dir=run.path)
    assert "configs:" in caught.value.hint


def test_an_unknown_filter(run):
    """A filter that does not exist is refused when rows are asked for, by every way."""
    builder = Magpie(config_name="raw", filter="pro", data_dir=run.path)
    for ask in (lambda: builder.funnel, lambda: list(builder.tables())):
        with pytest.raises(BuildError, match="no filter `pro`; expected one of `finished`"):
            ask()


@pytest.mark.parametrize(
    ("stage", "command"),
    [(INSTRUCTIONS, "generate"), (RESPONSES, "generate"), ("tags/language/*", "tag")],
)
def test_an_unfinished_run(copy, stage, command):
    """A missing shard is told with its stage and with the command that makes it."""
    next(copy.path.glob(f"{stage}/00003.parquet")).unlink()
    with pytest.raises(BuildError, match=r"3 of 4 units of `.*` are there") as caught:
        Magpie(config_name="raw", data_dir=copy.path)
    assert f"magpie-hub {command} SPEC" in caught.value.hint


def test_a_run_that_grew_is_unfinished(copy, tmp_path):
    """Rows that the spec asks for and that are not drawn yet are missed, not left out."""
    begin(load(str(spec_file(tmp_path, 70, **FAULTY))), copy, print)
    with pytest.raises(BuildError, match="unfinished: 60 of 70 rows were begun"):
        Magpie(config_name="raw", data_dir=copy.path)


def test_no_run(tmp_path):
    """A folder without a run is told as that."""
    with pytest.raises(RunError, match="there is no run in"):
        Magpie(config_name="raw", data_dir=tmp_path)


def test_a_config_that_ends_empty(tmp_path):
    """Where nothing is left every way ends in the same error, which shows the funnel."""
    engine = {"name": "scripted", "cut": 1.0} | dict.fromkeys(
        ["duplicates", "empty", "loops", "leaks", "colons"], 0.0
    )
    generator = {"model": "scripted", "engine": engine}
    run = finished_run(tmp_path, rows=20, generator=generator)[1]
    builder = Magpie(config_name="raw", data_dir=run.path, cache_dir=str(tmp_path / "cache"))

    for ask in (
        lambda: list(builder.tables()),
        builder.download_and_prepare,
        lambda: builder.as_streaming_dataset("train"),
    ):
        with pytest.raises(BuildError, match="drawn 20, instruction: cut-at-limit -20, left 0"):
            ask()


def test_units_of_which_nothing_is_left(tmp_path, monkeypatch):
    """Units without a kept row are no obstacle, in the first place as in the middle."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 1)
    engine = ENGINE | {"empty": 0.5}
    run = finished_run(tmp_path, 12, generator={"model": "scripted", "engine": engine})[1]
    builder = Magpie(config_name="raw", data_dir=run.path, cache_dir=str(tmp_path / "cache"))
    builder.download_and_prepare()

    answered = [run.answered(unit).num_rows for unit in run.units()]
    assert 0 in answered
    assert builder.as_dataset("train").to_list() == rows(builder)


def test_a_filter_without_its_tag(tmp_path):
    """A rule on a column that no tag makes names the rule, the column and the key to change."""
    run = finished_run(tmp_path, tags=["language"], configs={"raw": {}})[1]
    with pytest.raises(BuildError, match="rule `instruction_length >= 16`, needs") as caught:
        list(Magpie(config_name="mine", data_dir=run.path, filter="finished").tables())
    assert "`tags:`" in caught.value.hint

    table = pa.concat_tables(Magpie(config_name="raw", data_dir=run.path).tables())
    assert table["instruction_length"].null_count == table.num_rows > 0


def test_a_path_of_this_machine_is_not_published(tmp_path):
    """Weights that were named by a path are `<private>` in every row."""
    generator = {"model": str(Path("models") / "secret" / "m.gguf"), "engine": "scripted"}
    run = finished_run(tmp_path, 20, generator=generator)[1]
    made = rows(Magpie(config_name="raw", data_dir=run.path))
    assert {row["model"] for row in made} == {"<private>"}
    assert "secret" not in str(made)

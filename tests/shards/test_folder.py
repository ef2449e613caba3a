"""A run folder has one owner and one run, and says what is finished."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.errors import RunError, ShardError
from magpie_hub.records import INSTRUCTION_SHARD, INSTRUCTIONS, RESPONSES, Unit, arrow_schema
from magpie_hub.shards.folder import KEYS, RunFolder, units
from magpie_hub.tag import TAGS
from tests.making import finished_run

STATE: dict[str, object] = {name: {} for name in KEYS} | {"unit_rows": 10}
FIRST = Unit(0, 0, 10)
OWN = """
import sys, time
from pathlib import Path
from magpie_hub.shards.folder import RunFolder
with RunFolder(Path(sys.argv[1])).lock():
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run of 25 draws, in units of 10."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 10)
    return finished_run(tmp_path, 25)[1]


def test_units_of_a_run_that_grew() -> None:
    """2,500 rows, grown to 4,000: the third unit stays short, so its shard never changes."""
    assert [(unit.start, unit.stop) for unit in units([2500, 4000], 1000)] == [
        (0, 1000),
        (1000, 2000),
        (2000, 2500),
        (2500, 3500),
        (3500, 4000),
    ]


@given(st.sets(st.integers(1, 20_000), min_size=1).map(sorted))
def test_units_never_change(growth: list[int]) -> None:
    """Units are dense, at most 1,000 rows, end at every point of growth, and only get more."""
    found = units(growth, 1000)

    assert [unit.number for unit in found] == list(range(len(found)))
    assert [unit.start for unit in found] == [0, *(unit.stop for unit in found[:-1])]
    assert all(0 < unit.stop - unit.start <= 1000 for unit in found)
    assert set(growth) <= {unit.stop for unit in found}
    assert found[-1].stop == growth[-1]
    earlier = units(growth[:-1], 1000)
    assert earlier == found[: len(earlier)]


def test_the_state_is_kept(tmp_path: Path) -> None:
    """run.json holds what was saved, any text; saving the same again writes nothing."""
    run = RunFolder(tmp_path / "run")
    assert not run.started
    state = STATE | {
        "growth": [5],
        "unit_rows": 10,
        "pins": {"prefix": "<|user|>\n\N{GRINNING FACE}\u2028"},
        "seed": 2**70,
    }

    run.save(state)
    written = (run.path / "run.json").stat()
    run.save(state)

    assert run.started
    assert run.state() == {"format": 3, **state}
    assert (run.path / "run.json").stat().st_mtime_ns == written.st_mtime_ns
    assert (run.path / "run.json").stat().st_ino == written.st_ino
    run.save(state | {"growth": [5, 9]})
    assert run.units() == [Unit(0, 0, 5), Unit(1, 5, 9)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b'{"format": 3', "Expecting ',' delimiter"),
        (b"[]", "list indices"),
        (b"{}", "'format'"),
        (b'{"format": 1}', "its format is 1, expected 3"),
        (b"\xff", "codec can't decode"),
    ],
)
def test_a_run_json_that_is_none(tmp_path: Path, content: bytes, reason: str) -> None:
    """A run.json that is damaged or of another format is refused with the reason."""
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(RunError, match=r"run\.json` is not the run\.json of a run: ") as caught:
        RunFolder(tmp_path).state()
    assert reason in caught.value.message


def test_no_run(tmp_path: Path) -> None:
    """Where there is no run, the hint names the command that makes one; nothing is made."""
    with pytest.raises(RunError, match="there is no run in") as caught:
        RunFolder(tmp_path / "none").state()
    assert "magpie-hub generate" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_one_owner(tmp_path: Path) -> None:
    """A second process is told who owns the folder; a killed owner owns nothing."""
    run = RunFolder(tmp_path / "run")
    command = [sys.executable, "-c", OWN, run.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout.readline() == "mine\n"
            with pytest.raises(RunError, match=f"in use by process {owner.pid} on "), run.lock():
                pass
        finally:
            owner.kill()
    with run.lock():
        pass
    with run.lock():
        assert not run.started


@pytest.mark.parametrize("started", [False, True])
def test_an_error_of_the_owner_gives_the_folder_back(tmp_path: Path, started: bool) -> None:
    """The lock goes with the block, however that ends, whether the run began or not."""
    run = RunFolder(tmp_path / "run")
    if started:
        run.save({"growth": [1]})
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), run.lock():
            raise KeyboardInterrupt


def test_a_strange_folder(tmp_path: Path) -> None:
    """A folder that holds something else is refused, and nothing is written into it."""
    (tmp_path / "thesis.tex").write_text("x")
    refused = pytest.raises(RunError, match=r"is not empty: it holds `thesis\.tex`")
    with refused, RunFolder(tmp_path).lock():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_kill_at_the_start_leaves(tmp_path: Path) -> None:
    """The lock and a half-written run.json of a killed first command are not strange."""
    (tmp_path / "lock").write_text("process 1 on x")
    (tmp_path / "run.json.tmp").write_text("{")
    with RunFolder(tmp_path).lock():
        assert not RunFolder(tmp_path).started


def test_a_shard_replaces_its_journal(tmp_path: Path) -> None:
    """A unit is finished once its shard is there; its journal goes with that."""
    run = RunFolder(tmp_path)
    run.save(STATE | {"fingerprint": "0c5e", "growth": [10]})
    journal = run.open_journal(INSTRUCTIONS, FIRST)
    journal.append({"index": 0})
    journal.close()
    assert not run.finished(INSTRUCTIONS, FIRST)

    run.write(INSTRUCTIONS, FIRST, arrow_schema(INSTRUCTION_SHARD).empty_table())

    assert run.finished(INSTRUCTIONS, FIRST)
    names = [path.name for path in (tmp_path / "instructions").iterdir()]
    assert names == ["00000.parquet"]


def test_files_of_another_run(run: RunFolder) -> None:
    """Neither a shard nor a journal of a run with another fingerprint is read."""
    run.open_journal(INSTRUCTIONS, Unit(3, 30, 40)).close()
    run.save(run.state() | {"fingerprint": "other"})
    with pytest.raises(ShardError, match="belongs elsewhere"):
        run.instructions(FIRST)
    with pytest.raises(ShardError, match="belongs elsewhere"):
        run.open_journal(INSTRUCTIONS, Unit(3, 30, 40))


def test_a_shard_in_another_units_place(run: RunFolder) -> None:
    """A shard that was copied over another unit's is refused."""
    second = run.units()[1]
    run.shard(RESPONSES, second).write_bytes(run.shard(RESPONSES, FIRST).read_bytes())
    with pytest.raises(ShardError, match=r"'unit': 0.*, expected .*'unit': 1"):
        run.responses(second)


def test_answered(run: RunFolder) -> None:
    """Every kept instruction stands beside its response, in order of index."""
    for unit in run.units():
        drawn = {row["index"]: row for row in run.instructions(unit).to_pylist()}
        kept = [index for index, row in drawn.items() if row["rejection"] is None]

        rows = run.answered(unit).to_pylist()

        assert [row["index"] for row in rows] == kept
        for row in rows:
            assert row["instruction"] == drawn[row["index"]]["instruction"]
            assert row["gen_input_configs"] == drawn[row["index"]]["gen_input_configs"]
    assert sum(run.instructions(unit).num_rows for unit in run.units()) == 25


@pytest.mark.parametrize("change", ["one less", "in disorder"])
def test_answers_to_other_instructions(run: RunFolder, change: str) -> None:
    """Responses that lack one, or stand in another order, are never zipped."""
    answers = run.responses(FIRST)
    order = list(range(answers.num_rows))
    run.write(RESPONSES, FIRST, answers.take(order[1:] if change == "one less" else order[::-1]))

    with pytest.raises(ShardError, match=r"00000\.parquet` answers other instructions than"):
        run.answered(FIRST)


def test_tags_of_other_responses(run: RunFolder) -> None:
    """Tags carry the checksum of the shard that they label, and are refused beside another."""
    tag, stage = TAGS["lengths"], run.state()["tags"]["lengths"]["stage"]
    answers = run.responses(FIRST)
    assert run.read(stage, FIRST, tag.shard)["uuid"].equals(answers["uuid"])

    run.write(RESPONSES, FIRST, answers.slice(1))

    with pytest.raises(ShardError, match=r"belongs elsewhere: it says `{'labelled': "):
        run.read(stage, FIRST, tag.shard)


def test_run_json_is_for_people_too(run: RunFolder) -> None:
    """run.json names its format first, one key a line, and ends in a line end."""
    text = (run.path / "run.json").read_text(encoding="utf-8")
    assert text.startswith('{\n  "format": 3,\n')
    assert text.endswith("\n}\n")

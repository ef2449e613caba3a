"""Rows that repeat others, also of another release: whole runs, through the command line.

What is released is read as anyone would; where a run's own shards are looked at, it says so.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magpie_hub.shards.folder import RunFolder
from tests.run.curated import drawn, kept, names_no_place, rows, steps, times
from tests.run.importing import magpie_hub, refused, release, spec, write
from tests.run.labelling import duplicates, tagged

THEIRS = [
    "Name three rivers of France.",
    "Write a short poem about a red autumn leaf that falls slowly into a quiet pond in the woods.",
    "How long is a piece of string?",
]
OURS = [
    "Why is the sky blue?",
    "  name three RIVERS of France",
    "Write a short poem about a red autumn leaf that falls slowly into a quiet pond in the park.",
    "Explain to a child how it comes that a bicycle stays upright as long as it rolls forward.",
    "why is the sky blue",
    "Explain to a child how it comes that a bicycle stays upright as long as it rolls.",
]
ALONE = [0, 3]
"""Which of OURS stay: 1 and 2 are theirs, 4 and 5 repeat 0 and 3."""
LONG = {"near": {"threshold": 0.3, "bands": 32}}
"""What the scripted engine draws is far apart; so there are near duplicates nevertheless."""


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def theirs() -> None:
    """Make the other release: a file, a run in `others/run`, a release and a dataset's folder."""
    spec(source=rows("theirs.jsonl", THEIRS), tags=[])
    made = magpie_hub("release", "t.yaml", "--run", "others/run", "--to", "others/dist")
    assert made.exit_code == 0, made.stderr
    Path("others/data").mkdir()
    pq.write_table(pa.table({"prompt": THEIRS}), "others/data/train.parquet")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("others/run", "run"),
        ("others/dist/org/t", "t"),
        ("theirs.jsonl", "theirs.jsonl"),
        ("others/data", "data"),
        ("th*s.jsonl", "th*s.jsonl"),
    ],
    ids=["run", "release", "file", "dataset", "glob"],
)
def test_rows_of_another_release_come_first(place: str, name: str) -> None:
    """Theirs win, ours are compared with one another besides, and no place is published."""
    theirs()
    against = [str(Path(place).absolute())]
    before = times("others")

    release(source=rows("ours.jsonl", OURS), tags=[], dedup={"against": against})

    assert kept() == [OURS[n] for n in ALONE]
    assert steps() == [
        ("duplicate", "exact-duplicate", 1),
        ("duplicate", f"exact-duplicate of {name}", 1),
        ("duplicate", "near-duplicate", 1),
        ("duplicate", f"near-duplicate of {name}", 1),
    ]
    assert f"What repeats a row of `{name}` in one" in Path("dist/org/t/README.md").read_text()
    assert times("others") == before
    assert names_no_place()


def test_what_a_row_lost_to_is_written_down() -> None:
    """In the run's shards each repeated row names the one that stays, where, and how like it is."""
    theirs()
    release(source=rows("ours.jsonl", OURS), tags=[], dedup={"against": ["others/run"]})

    found = duplicates(RunFolder(Path("runs/t")))
    others = [row["uuid"] for row in duplicates(RunFolder(Path("others/run")))]
    own = [row["uuid"] for row in found]
    told = [(row["reason"], row["lost_to"], row["release"]) for row in found]
    assert told == [
        (None, None, None),
        ("exact-duplicate", others[0], "run"),
        ("near-duplicate", others[1], "run"),
        (None, None, None),
        ("exact-duplicate", own[0], None),
        ("near-duplicate", own[3], None),
    ]
    assert [row["similarity"] for row in found if row["reason"] == "exact-duplicate"] == [1, 1]
    # Of the pairs of words in the poems 17 of 19 stand in both, of the others 16 of 17.
    near = [row["similarity"] for row in found if row["reason"] == "near-duplicate"]
    assert near == pytest.approx([17 / 19, 16 / 17])


def test_the_index_of_another_run_is_used() -> None:
    """Rows that are signed already are not signed again; those that are not, in our folder."""
    theirs()
    given = {"source": rows("ours.jsonl", OURS), "tags": []}

    release(**given, dedup={"against": ["others/run"]})
    assert not Path("runs/t/against").exists()

    release(**given, dedup={"against": ["others/run"], "near": "high-recall"})
    assert len(list(Path("runs/t/against").rglob("*.parquet"))) == 1
    assert kept() == [OURS[n] for n in ALONE]


def test_a_release_that_changes_is_noticed() -> None:
    """A row more in a file, or in a run, drops the row of ours that repeats it, and no other."""
    theirs()
    given: dict[str, Any] = {"source": rows("ours.jsonl", OURS), "tags": []}
    release(**given, dedup={"against": ["theirs.jsonl"]})
    rows("theirs.jsonl", [*THEIRS, OURS[0]])
    release(**given, dedup={"against": ["theirs.jsonl"]})
    assert kept() == [OURS[3]]


def test_a_run_that_grows_is_noticed() -> None:
    """What another run drew since the last time drops the rows of ours that repeat it."""
    all_of_them, first = drawn("others/whole", 15), drawn("others/grows", 10)
    given: dict[str, Any] = {
        "source": rows("ours.jsonl", [*all_of_them, OURS[0]]),
        "tags": [],
        "dedup": {"against": ["others/grows"], "near": False},
    }
    release(**given)
    assert kept() == [*(text for text in all_of_them if text not in first), OURS[0]]
    assert len(kept()) > 1

    drawn("others/grows", 15)
    release(**given)
    assert kept() == [OURS[0]]


def test_two_releases_of_one_name_are_two() -> None:
    """Folders of the same name are told apart, and rows of both are compared."""
    for number, text in enumerate(THEIRS[:2]):
        rows(f"{number}/old.jsonl", [text])
    against = {"against": ["0/old.jsonl", "1/old.jsonl"]}

    release(source=rows("ours.jsonl", OURS), tags=[], dedup=against)

    assert kept() == [OURS[n] for n in ALONE]
    reasons = [reason for _, reason, _ in steps()]
    assert "exact-duplicate of old.jsonl" in reasons
    assert "near-duplicate of old.jsonl (2)" in reasons


def test_rows_that_are_added_are_signed_alone(tmp_path: Path) -> None:
    """Growth signs the new rows only, and finds all duplicates anew, as if drawn at once."""
    _, run = tagged(tmp_path, 40, tags=[], dedup=LONG)
    before, stage = times(run.path / "index"), run.state()["curated"]["duplicates"]
    tagged(tmp_path, 90, tags=[], dedup=LONG)
    after = times(run.path / "index")
    (tmp_path / "once").mkdir()
    _, at_once = tagged(tmp_path / "once", 90, tags=[], dedup=LONG)

    assert len(before) == 1
    assert len(after) == 2
    assert before.items() < after.items()
    assert run.state()["curated"]["duplicates"] != stage
    assert told(run) == told(at_once)
    assert sum(reason is not None for _, reason, *_ in told(run)) > 10


def told(run: RunFolder) -> list[tuple[Any, ...]]:
    """Return of each answered row what it repeats."""
    names = ("uuid", "reason", "lost_to", "release", "similarity")
    return [tuple(row[name] for name in names) for row in duplicates(run)]


def test_the_same_command_again_writes_nothing() -> None:
    """Without a change a run's files stay as they are, but for what is built from them."""
    theirs()
    given = {"tags": ["lengths"], "dedup": {"against": ["others/run", "theirs.jsonl"]}}
    given |= {"source": rows("ours.jsonl", OURS), "decontaminate": ["others/data"]}
    assert "nothing changed" not in release(**given).stdout
    before = times("runs/t")

    assert "nothing changed: not published" in release(**given).stdout
    for command in ("generate", "tag"):
        assert magpie_hub(command, "t.yaml").exit_code == 0

    after = times("runs/t")
    apart = {path for path in before if before[path] != after[path]}
    assert before.keys() == after.keys()
    assert {Path(path).parts[2] for path in apart} <= {"build"}


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        ({"configs": {"few": {"where": "response_length > 1", "size": 1}}}, set()),
        ({"dedup": {"near": {"threshold": 0.8}}}, {"duplicates"}),
        ({"dedup": {"exact": False}}, {"duplicates"}),
        ({"dedup": {"near": "high-recall"}}, {"duplicates", "index"}),
        ({"dedup": {"against": ["theirs.jsonl"]}}, {"duplicates", "against"}),
        ({"decontaminate": {"benchmarks": ["theirs.jsonl"], "words": 9}}, {"overlaps"}),
        ({"decontaminate": {"benchmarks": ["theirs.jsonl"], "keep": True}}, set()),
        ({"tags": ["lengths", "personal_data"]}, {"tags"}),
    ],
    ids=["filter", "threshold", "exact", "bands", "against", "words", "keep", "tag"],
)
def test_a_change_of_the_spec_touches_what_hangs_on_it(
    change: dict[str, Any], touched: set[str]
) -> None:
    """Only that is computed again, what was there stays, and back again nothing is to be done."""
    given: dict[str, Any] = {"source": rows("ours.jsonl", OURS), "tags": ["lengths"]}
    given["decontaminate"] = [rows("theirs.jsonl", THEIRS)]
    release(**given)
    before = times("runs/t")
    release(**given | change)
    after = times("runs/t")
    release(**given)

    changed = {Path(path).parts[2] for path in after if before.get(path) != after[path]}
    assert changed - {"build"} == touched | {"run.json"}
    stages = {path for path in before if Path(path).parts[2] not in ("build", "card", "run.json")}
    assert all(before[path] == after[path] for path in stages)
    again = times("runs/t")
    assert all(after[path] == again[path] for path in after if path in stages)


@pytest.mark.parametrize(
    ("key", "place", "told"),
    [
        ("against", "none.jsonl", "t.yaml:6: `dedup.against.1`: `none.jsonl` names no file"),
        ("against", "./none", "t.yaml:6: `dedup.against.1`: the dataset `./none` cannot be loaded"),
        ("against", "odd.jsonl", "t.yaml:6: `dedup.against.1`: `odd.jsonl` has no column"),
        ("against", "runs/t", "t.yaml:6: `dedup.against.1`: `runs/t` is this very run"),
        ("against", "empty.jsonl", "t.yaml:6: `dedup.against.1`: there is no row in it that"),
        ("against", "begun", "t.yaml:6: `dedup.against.1`: the run in `begun` is unfinished"),
        ("benchmarks", "none.jsonl", "t.yaml:6: `decontaminate.benchmarks.1`: `none.jsonl` names"),
        ("benchmarks", "./none", "t.yaml:6: `decontaminate.benchmarks.1`: the dataset `./none`"),
        ("benchmarks", "empty.jsonl", "t.yaml:6: `decontaminate.benchmarks.1`: there is no row"),
        ("benchmarks", "odd.jsonl", "t.yaml:6: `decontaminate.benchmarks.1`: `odd.jsonl` has no"),
    ],
)
def test_what_cannot_be_compared_with(key: str, place: str, told: str) -> None:
    """A release or benchmark that is not there, or not whole, is an error at its line."""
    drawn("begun", 5)
    next(Path("begun/responses/default").iterdir()).unlink()
    rows("odd.jsonl", ["Hi"], "problem")
    write("empty.jsonl", {"instruction": None, "response": "Hi"})
    source, known = rows("ours.jsonl", OURS), rows("theirs.jsonl", THEIRS)
    above = {"against": "dedup", "benchmarks": "decontaminate"}[key]

    spec(source=source, **{above: {key: [known, place]}})

    assert told in refused("release", "t.yaml").replace(f"{Path.cwd()}/", "")
    assert not Path("dist").exists()

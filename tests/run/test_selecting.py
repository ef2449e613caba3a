"""Which rows a config takes, from a file of others' rows to what is released; and bad input."""

import random
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest

from tests.run.curated import kept, rows, steps
from tests.run.importing import SCRIPTED, magpie_hub, published, refused, release, spec, write
from tests.run.releasing import fingerprints

LABELS = {
    "input_quality": ("very poor", "poor", "average", "good", "excellent", None),
    "min_neighbor_distance": (0.0, 0.1, 0.5, None),
    "instruct_reward": (-20.0, -12.0, -11.5, -3.0, 2.5, None),
}


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def labelled(count: int) -> list[dict[str, Any]]:
    """Return rows as others publish them: one in ten repeats an earlier one in other letters."""
    draw = random.Random(0)
    made: list[dict[str, Any]] = []
    for number in range(count):
        text = " ".join(f"w{draw.randrange(2000)}" for _ in range(20))
        if number % 10 == 9:
            text = f"  {draw.choice(made)['instruction'].upper()}."
        row = {"uuid": f"row-{number}", "instruction": text if number % 50 else None}
        row["instruction"] = row["instruction"] or ""
        row["response"] = "x" * draw.choice([0, *range(1, 60)])
        made.append(row | {name: draw.choice(values) for name, values in LABELS.items()})
    return made


def test_pro_filter_as_plain_pandas_does_it() -> None:
    """2,000 rows with labels, released: the funnel and the rows of a recount of the source file."""
    source = write("rows.jsonl", *labelled(2000))
    config = {"filter": "pro-filter", "size": 98, "default": True}
    release(source=source, tags=["lengths"], configs={"pro": config})

    left = pd.read_json(source, lines=True, dtype={"uuid": str})
    found: list[tuple[str, str, int]] = []

    def drop(stage: str, reason: str, keep: "pd.Series[bool]") -> None:
        nonlocal left
        found.append((stage, reason, int((~keep).sum())))
        left = left[keep]

    drop("instruction", "unreadable", left["instruction"] != "")
    drop("response", "no-response", left["response"] != "")
    form = left["instruction"].str.strip().str.lower().str.rstrip(".")
    drop("duplicate", "exact-duplicate", ~form.duplicated())
    average = left["input_quality"].isin(["average", "good", "excellent"])
    drop("filter", 'input_quality >= "average"', average)
    drop("filter", "min_neighbor_distance > 0", left["min_neighbor_distance"] > 0)
    drop("filter", "instruct_reward > -12", left["instruct_reward"] > -12)
    left["length"] = left["response"].str.len()
    left["tie"] = [blake2b(name.encode(), digest_size=8).hexdigest() for name in left["uuid"]]
    longest = left.sort_values(["length", "tie"], ascending=[False, True])
    drop("size", "98 by response_length, the highest", left["uuid"].isin(longest["uuid"][:98]))

    assert steps("pro") == found
    assert [row["uuid"] for row in published("pro")] == left["uuid"].tolist()
    assert all(dropped > 30 for _, _, dropped in found)
    lengths = longest["length"].tolist()
    assert lengths[97] == lengths[98], "a tie has to be decided"


def test_a_config_that_ends_empty() -> None:
    """The error shows the whole funnel, and what was built before stays as it was."""
    given: dict[str, Any] = {"source": rows("ours.jsonl", ["Why?", "why", "Who?"])}
    release(**given)
    before = fingerprints(Path())

    spec(**given, configs={"none": {"where": "response_length > 9"}})
    told = refused("build", "t.yaml")

    assert "config `none` ends empty: drawn 3, duplicate: exact-duplicate -1" in told
    assert "where: response_length > 9 -2, left 0" in told
    after = fingerprints(Path())
    assert {name for name in before if before[name] != after[name]} == {"t.yaml", "runs/t/run.json"}


def test_a_size_that_more_rows_are_asked_for_than_there_are() -> None:
    """It is an error with the funnel, or, said so, a warning and a sentence on the card."""
    given: dict[str, Any] = {"source": rows("ours.jsonl", ["Why?", "why", "Who?"])}
    for size in (3, {"at_most": 3}, 2):
        spec(**given, configs={"three": {"size": size}})
        if size == 3:
            told = refused("release", "t.yaml")
            assert "config `three`: `size` asks for 3 rows, and 1 of them are not there" in told
            assert "drawn 3, duplicate: exact-duplicate -1, left 2" in told
            assert "hint: write `size: {at_most: 3}`, or take rows from more files" in told
            continue
        done = magpie_hub("release", "t.yaml")
        assert done.exit_code == 0, done.stderr
        wanted = 3 if size != 2 else 2
        note = f"`size` asks for {wanted} rows and 2 pass: nothing was left to choose"
        assert f"warning: config `three`: {note}" in done.stderr
        assert note.replace("`", "") in Path("dist/org/t/README.md").read_text()
        assert kept("three") == ["Why?", "Who?"]


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        (["lengths"], ('`input_quality >= "average"`', "tag `quality`")),
        (["lengths", "quality"], ("`min_neighbor_distance > 0`", "tag `neighbours`")),
        (["quality", "neighbours"], ("`instruct_reward > -12`", "tag `reward`")),
    ],
)
def test_a_tag_that_a_filter_needs(tags: list[str], told: tuple[str, ...]) -> None:
    """The filter, its rule, the tag that is missing and the command that makes it are named."""
    given = {"generator": SCRIPTED, "instructions": {"rows": 5}}
    release(**given, tags=["lengths"])
    spec(**given, tags=tags, configs={"pro": {"filter": "pro-filter"}})

    error = refused("build", "t.yaml")

    assert "t.yaml:" in error
    for named in ("`configs.pro.filter`", "filter `pro-filter`", *told, "magpie-hub tag SPEC"):
        assert named in error


ODD: dict[str, Any] = {
    "null": None,
    "empty": "",
    "blank": " \n\t ",
    "control": "What does\x00 this\x1b[31m say\u0085?",
    "right to left": "\u202e\u05de\u05d4 \u05d6\u05d4?\u202c",
    "long": "Repeat this sentence without an end in sight. " * 22_000,
    "surrogate": "Half of \ud83d an emoji",
    "marks": "?!",
    "one": "Why?",
}
STAY = ("control", "right to left", "long", "marks", "one")


@pytest.mark.parametrize("near", [True, False], ids=["near", "exact"])
def test_odd_rows_are_compared_like_others(near: bool) -> None:
    """Each stands once, loses to itself in a release, and is found as a benchmark."""
    twice = [*ODD.values(), *ODD.values()]
    source = rows("odd.jsonl", twice)
    dedup: dict[str, Any] = {} if near else {"near": False}
    release(source=source, tags=[], dedup=dedup)
    assert kept() == [ODD[name].strip() for name in STAY]
    faulty = 2 * (len(ODD) - len(STAY))
    assert sum(n for stage, _, n in steps() if stage == "instruction") == faulty
    assert ("duplicate", "exact-duplicate", len(STAY)) in steps()

    other = rows("other.jsonl", [*twice, "What else?"])
    for found in ({"dedup": dedup | {"against": [source]}}, {"decontaminate": [source]}):
        spec(source=other, tags=[], **{"dedup": dedup, **found})
        done = magpie_hub("release", "t.yaml", "--run", "runs/other")
        assert done.exit_code == 0, done.stderr
        assert kept() == ["What else?"]


def test_one_row() -> None:
    """A run of one row has neither duplicates nor neighbours, and is released."""
    source = write("one.jsonl", labelled(2)[1])
    release(source=source, tags=["lengths", "neighbours"], decontaminate=[rows("b.jsonl", ["Hi"])])
    assert len(published()) == 1
    assert steps() == []


@pytest.mark.parametrize(
    "stage",
    [
        *("index", "duplicates", "overlaps"),
        "against",
    ],
)
def test_a_damaged_shard_in_the_middle(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an error that names the file; without the file the same command mends the run."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 16)
    monkeypatch.setattr("magpie_hub.curate.index._BLOCK", 16)
    source, theirs = write("rows.jsonl", *labelled(48)), write("theirs.jsonl", *labelled(40))
    given: dict[str, Any] = {"source": source, "tags": []}
    given["decontaminate"] = [rows("exam.jsonl", ["Hi"])]
    against: dict[str, Any] = {"against": [theirs]}
    release(**given, dedup=against)
    # Index and release are read again for another threshold only.
    changed = against | {"near": {"threshold": 0.8}}
    [middle] = Path("runs/t").glob(f"{stage}/*/00001.parquet")
    whole = middle.read_bytes()
    # What a Parquet file says of itself stands at its end, behind the rows.
    rest = 8 + int.from_bytes(whole[-8:-4], "little")
    middle.write_bytes(whole[:4] + bytes(len(whole) - rest - 4) + whole[-rest:])
    spec(**given, dedup=against if stage in ("duplicates", "overlaps") else changed)

    told = refused("release", "t.yaml")
    assert f"`{middle}` is not a whole Parquet file" in told
    assert "hint: remove the file and run the same command" in told
    middle.unlink()
    assert magpie_hub("release", "t.yaml", "--to", "mended").exit_code == 0
    mended = fingerprints(Path("mended"))
    assert magpie_hub("release", "t.yaml", "--run", "runs/whole", "--to", "whole").exit_code == 0
    assert fingerprints(Path("whole")) == mended

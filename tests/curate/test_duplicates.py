"""What is written of the rows of a run: which repeat another, and which stays in their place."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub.curate import near as nearly
from magpie_hub.curate.beside import DUPLICATE_SHARD
from magpie_hub.curate.duplicates import EXACT, NEAR
from magpie_hub.errors import ShardError
from magpie_hub.records import arrow_schema
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.curation import Dedup
from tests.curate.runs import STAGE, indexed, lost, repeats, run_of
from tests.run.labelling import duplicates, tagged

BOTH, ONLY_EXACT, ONLY_NEAR = Dedup(), Dedup(near=False), Dedup(exact=False)
SKY = "Why is the sky blue at noon, and why is it red at dusk and at dawn?"
SEA = "Name a sea that is warm all the year round, and tell me what lives in it."
ROWS = [
    SKY,
    SEA,
    SKY.upper() + "!!",  # exactly the first, but for case and signs
    SKY.replace("dawn", "night"),  # nearly
    "",
    SKY.replace("?", " too?"),
    "  " + SEA.replace(" ", "\n"),
    "Go on!",
]


def similarity(one: str, other: str) -> float:
    """Return the Jaccard similarity of two texts by their word 2-grams, in plain Python."""
    cut = [re.findall(r"\w+", text.lower()) for text in (one, other)]
    left, right = ({*pairwise(words)} for words in cut)
    return len(left & right) / len(left | right)


@pytest.mark.parametrize(
    ("dedup", "expected"),
    [
        (BOTH, {2: (EXACT, 0), 3: (NEAR, 0), 5: (NEAR, 0), 6: (EXACT, 1)}),
        (ONLY_EXACT, {2: (EXACT, 0), 6: (EXACT, 1)}),
        (ONLY_NEAR, {2: (NEAR, 0), 3: (NEAR, 0), 5: (NEAR, 0), 6: (NEAR, 1)}),
        (Dedup(exact=False, near=False), {}),
    ],
)
def test_exact_and_near(tmp_path: Path, dedup: Dedup, expected: dict[int, tuple[str, int]]) -> None:
    """Each kind is found where it is wanted; a row loses to the first that is the same."""
    found = lost(run_of(tmp_path, ROWS), dedup)

    assert found == {f"row-{i}": (why, f"row-{to}") for i, (why, to) in expected.items()}


@pytest.mark.parametrize("name", ["default", "high-recall"])
def test_the_similarity(tmp_path: Path, name: str) -> None:
    """It is that of the two texts, as plain Python has it; of rows that stay there is none."""
    found = repeats(run_of(tmp_path, ROWS), Dedup.model_validate({"near": name}))

    assert [row["uuid"] for row in found] == [f"row-{i}" for i in range(8) if ROWS[i]]
    for row in found:
        own = [row[name] for name in ("lost_to", "release", "similarity")]
        if row["reason"] is None:
            assert own == [None] * 3
        else:
            texts = [ROWS[int(uuid[-1])] for uuid in (row["uuid"], row["lost_to"])]
            assert row["similarity"] == pytest.approx(similarity(*texts))
            assert row["release"] is None


def test_exactly_what_is_nearly(tmp_path: Path) -> None:
    """What equals a row that is lost to a third is lost to the third, and as nearly."""
    close = SKY.replace("noon", "night")
    found = repeats(run_of(tmp_path, [SKY, close, f"{close}!", SEA]), BOTH)

    assert [row["reason"] for row in found] == [None, NEAR, NEAR, None]
    assert [row["lost_to"] for row in found] == [None, "row-0", "row-0", None]
    assert found[1]["similarity"] == found[2]["similarity"]
    assert found[2]["similarity"] == pytest.approx(similarity(SKY, close))


def test_exact_duplicates_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many copies a row has, only the first of them is looked at for what is near."""
    compared: list[int] = []
    compare = nearly._similarities

    def noting(pairs: np.ndarray, *others: Any) -> np.ndarray:
        compared.append(len(pairs))
        return compare(pairs, *others)

    monkeypatch.setattr(nearly, "_similarities", noting)

    assert len(lost(run_of(tmp_path, [SKY] * 9 + [SEA] * 9), BOTH)) == 16
    assert not any(compared)


def test_rows_that_were_dropped(tmp_path: Path) -> None:
    """A row whose response was dropped repeats nothing, and nothing is lost to it."""
    folder = run_of(tmp_path, [SKY, SKY, "", SKY, f"{SKY}!"], refused=[0, 3])

    found = {row["uuid"]: (row["reason"], row["lost_to"]) for row in repeats(folder, BOTH)}

    assert found == {
        "row-0": (None, None),
        "row-1": (None, None),
        "row-3": (None, None),
        "row-4": (EXACT, "row-1"),
    }


def test_another_release(tmp_path: Path) -> None:
    """Rows of other releases come first, in the order in which they are named; each says whose."""
    old = indexed(run_of(tmp_path / "old", ["x y z", SKY.replace("dawn", "night")]), BOTH)
    older = indexed(run_of(tmp_path / "older", ["Go on."]), BOTH)
    folder = run_of(tmp_path / "new", ROWS)

    found = repeats(folder, BOTH, old=old, older=older)

    said = {
        row["uuid"][-1]: (row["reason"], row["lost_to"], row["release"])
        for row in found
        if row["reason"]
    }
    assert said == {
        "0": (NEAR, "row-1", "old"),
        "2": (NEAR, "row-1", "old"),
        "3": (EXACT, "row-1", "old"),
        "5": (NEAR, "row-1", "old"),
        "6": (EXACT, "row-1", None),
        "7": (EXACT, "row-0", "older"),
    }


@pytest.mark.parametrize("rows", [[], [""], [SKY], ["", "", "", "", SKY], ["?!", "\u2764\ufe0f"]])
def test_few_rows(tmp_path: Path, rows: list[str]) -> None:
    """No row, one row, a unit without any, rows without a word: nothing is lost, nothing fails."""
    folder = run_of(tmp_path, rows)

    assert [row["reason"] for row in repeats(folder, BOTH)] == [None] * sum(map(bool, rows))
    for unit in folder.units():
        assert pq.read_schema(folder.shard(STAGE, unit)).equals(arrow_schema(DUPLICATE_SHARD))


MEGABYTE = " ".join(f"word{n}" for n in range(100_000))
ARABIC = "لماذا تبدو السماء زرقاء في النهار ثم تصبح حمراء عند غروب الشمس كل يوم"
CHINESE = "请用简单的语言解释一下为什么天空在白天是蓝色的而在日落的时候会变成红色"
HINDI = "आसमान दिन में नीला क्यों दिखता है और शाम को सूरज डूबते समय लाल क्यों हो जाता है"


@pytest.mark.parametrize(
    ("text", "close"),
    [
        (MEGABYTE, MEGABYTE.replace("word50000", "x")),
        (f"\x00{SKY}\x1b[0m", f"{SKY.replace(' ', chr(7), 3)} please"),
        (ARABIC, f"\u202b{ARABIC} أجب\u202c"),
        (CHINESE, f"{CHINESE}呢"),
        (HINDI, f"{HINDI} बताओ"),
    ],
)
@pytest.mark.parametrize("backend", ["rensa", None])
def test_strange_texts(tmp_path: Path, text: str, close: str, backend: str | None) -> None:
    """A megabyte, controls, right-to-left and other scripts: what is close is found, no more."""
    dedup = Dedup.model_validate({"near": {"backend": backend}})

    found = lost(run_of(tmp_path, [text, SEA, close, "Go on!"]), dedup)

    assert found == {"row-2": (NEAR, "row-0")}


def test_signs_alone_are_like_nothing(tmp_path: Path) -> None:
    """Rows without a letter are equal or different, and never nearly the same."""
    signs = ["?!", "?!!", "\u2764\ufe0f", "\u2764", "...", "\u2026", "?!"]

    found = lost(run_of(tmp_path, signs), BOTH)

    # NFKC makes three full stops of an ellipsis.
    assert found == {"row-5": (EXACT, "row-4"), "row-6": (EXACT, "row-0")}


EDITS = st.lists(
    st.tuples(st.sampled_from([SKY, SEA]), st.integers(0, 14), st.sampled_from(["x", "y", ""])),
    min_size=1,
    max_size=9,
)


@given(EDITS, st.sampled_from([BOTH, ONLY_EXACT, ONLY_NEAR]))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_stays_stays(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, str]], dedup: Dedup
) -> None:
    """A row loses to one that stays and comes before it; of those that stay, none is lost."""
    rows = [" ".join([*text.split()[:at], word, *text.split()[at:]]) for text, at, word in edits]

    found = repeats(run_of(tmp_path_factory.mktemp("run"), rows), dedup)

    stays = {row["uuid"] for row in found if row["reason"] is None}
    assert "row-0" in stays
    for row in found:
        if row["reason"]:
            assert row["lost_to"] in stays
            assert row["lost_to"] < row["uuid"]
    left = [row for i, row in enumerate(rows) if f"row-{i}" in stays]
    assert lost(run_of(tmp_path_factory.mktemp("run"), left), dedup) == {}


def test_a_generated_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 scripted rows each that is lost names a row that stays, as similar as it says."""
    monkeypatch.setattr("magpie_hub.run.begin.UNIT_ROWS", 100)
    _, run = tagged(tmp_path, 300)

    kept = {unit.number: run.kept(unit) for unit in run.units()}
    texts = {index: text for texts in kept.values() for index, text in texts.items()}
    found: dict[str, dict[str, Any]] = {row["uuid"]: row for row in duplicates(run)}
    gone = [row for row in found.values() if row["reason"]]
    assert len(gone) >= 5
    for row in gone:
        winner = found[row["lost_to"]]
        assert winner["reason"] is None
        assert winner["index"] < row["index"]
        assert row["similarity"] == pytest.approx(
            similarity(texts[row["index"]], texts[winner["index"]])
        )


def test_a_damaged_index(tmp_path: Path) -> None:
    """Damage inside an index shard is an error that names the file; without it, it is made anew.

    A file that was cut short is none, and is made anew at once.
    """
    folder = run_of(tmp_path, ROWS)
    first, second = indexed(folder, BOTH)
    whole = second.read_bytes()
    chunk = pq.read_metadata(second).row_group(0).column(2)
    start = chunk.dictionary_page_offset
    second.write_bytes(
        whole[:start]
        + bytes(chunk.total_compressed_size)
        + whole[start + chunk.total_compressed_size :]
    )

    with pytest.raises(ShardError, match=str(second)) as raised:
        repeats(folder, BOTH)
    assert "remove the file and run the same command" in raised.value.hint
    second.unlink()
    assert len(lost(folder, BOTH)) == 4
    second.write_bytes(whole[:-20])
    before = first.stat().st_mtime_ns
    assert len(lost(folder, BOTH)) == 4
    assert first.stat().st_mtime_ns == before


def test_what_is_compared_is_gone_afterwards(tmp_path: Path) -> None:
    """Nothing but shards and run.json is left behind in the folder of the run."""
    folder: RunFolder = run_of(tmp_path, ROWS)
    repeats(folder, BOTH)

    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in left if path.name != "run.json"} == {".parquet"}

"""An import that is repeated, killed or changed: the same rows again, or an error."""

import signal
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.shards.folder import RunFolder
from tests.run.importing import magpie_hub, pairs, published, refused, release, spec, texts, write
from tests.run.releasing import fingerprints, start


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    """Where a file lies decides nothing: two imports differ in no byte, 1,200 rows in two units."""
    made = []
    for place in ("here", "there/below"):
        source = write(f"{place}/rows.jsonl", *pairs(1200))
        spec(source=source, tags=["lengths", "language", "neighbours"])
        done = magpie_hub("release", "t.yaml", "--run", f"runs/{place}", "--to", f"dist/{place}")
        assert done.exit_code == 0, done.stderr
        made.append(fingerprints(tmp_path / "dist" / place))

    assert made[0] == made[1]
    assert "org/t/raw/train-00000-of-00001.parquet" in made[0]


def test_a_folder_that_changed_is_not_taken_for_what_it_was() -> None:
    """Other rows in a dataset's folder are seen, though the cache of `datasets` has the old."""
    release(source=write("rows.jsonl", *pairs(4)))
    for name in ("dist", "runs"):
        Path(name).rename(f"first-{name}")
    release(source="./first-dist/org/t")
    [parquet] = Path("first-dist/org/t/raw").glob("*.parquet")
    pq.write_table(pq.read_table(parquet).take([3, 2, 1, 0]), parquet)

    assert "no longer those that the run was made from" in refused("release", "t.yaml")
    assert magpie_hub("release", "t.yaml", "--run", "runs/again").exit_code == 0
    assert [texts(row)[1] for row in published()] == [
        "3 it is.",
        "2 it is.",
        "1 it is.",
        "0 it is.",
    ]


def test_a_changed_file_is_refused() -> None:
    """A run keeps to the files that it was made from; put back, they are those again."""
    file = Path(write("rows.jsonl", *pairs(3)))
    release(source="rows.jsonl")
    before = file.read_text()
    file.write_text(before + "\n")

    told = refused("release", "t.yaml")

    assert "`source`: the files are no longer those that the run was made from" in told
    assert "hint: put them back, or start another run with --run DIR" in told
    file.write_text(before)
    assert "nothing changed: not published" in release(source="rows.jsonl").stdout
    assert "`source.files`: the run in `runs/t`" in other_files()


def other_files() -> str:
    """Return what is said of a spec that names one more file."""
    spec(source=["rows.jsonl", write("more.jsonl", *pairs(1))])
    return refused("generate", "t.yaml")


def test_an_import_that_failed_does_not_bind() -> None:
    """Nothing of a failed import is a run yet: files and columns may be corrected."""
    write("rows.jsonl", {"q": "Hi", "a": "Hello"})
    spec(source="rows.jsonl")
    assert "no column that is known to hold an instruction; it has `q`" in refused(
        "release", "t.yaml"
    )
    assert "its rows are not all there yet" in refused("build", "t.yaml")
    write("rows.jsonl", {"q": "Hi", "a": "Hello"}, {"q": "Who?", "a": "Me."})

    columns = {"instruction": "q", "response": "a"}
    release(source={"files": ["rows.jsonl"], "columns": columns})

    assert [texts(row) for row in published()] == [["Hi", "Hello"], ["Who?", "Me."]]


def test_a_killed_import_starts_over(tmp_path: Path) -> None:
    """After kill -9 between two shards the same command gives what an undisturbed one gives."""
    source = write("rows.jsonl", *pairs(5000))
    spec(source=source, tags=[])
    process = start(tmp_path, "release", "t.yaml")
    second = tmp_path / "runs/t/instructions/00001.parquet"
    end = time.monotonic() + 60
    while not second.exists():
        assert time.monotonic() < end, "the import did not begin"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed = RunFolder(tmp_path / "runs/t").state()
    assert killed["growth"] == [], "the import had ended before it was killed"

    release(source=source, tags=[])
    undisturbed = magpie_hub("release", "t.yaml", "--run", "runs/whole", "--to", "whole")

    assert undisturbed.exit_code == 0, undisturbed.stderr
    assert len(published()) == 5000
    assert fingerprints(tmp_path / "dist") == fingerprints(tmp_path / "whole")

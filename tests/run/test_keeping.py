"""A build makes only the configs that have changed."""

from pathlib import Path

import pytest

from magpie_hub.run.building import build
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import finished_run, quiet, spec_file

CONFIGS = {
    "filtered": {"filter": "finished", "default": True},
    "long": {"where": "response_length > 90"},
}


def inodes(run: RunFolder) -> dict[str, int]:
    """Return what the file of each built config is on the disk."""
    files = (run.path / "build").glob("*/*.parquet")
    return {path.parent.name: path.stat().st_ino for path in files}


@pytest.fixture
def built(tmp_path: Path) -> RunFolder:
    """A run of three configs that is built."""
    spec, run = finished_run(tmp_path, configs=CONFIGS)
    build(spec, run, quiet, print)
    return run


def again(run: RunFolder, **changes: object) -> dict[str, int]:
    """Build a run once more, with changes in its spec."""
    path = spec_file(run.path.parent, **{"configs": CONFIGS, **changes})
    build(load(str(path)), run, quiet, print)
    return inodes(run)


def test_only_what_changed_is_made(built: RunFolder) -> None:
    """Another condition makes its config anew; the files and the funnels of others are kept."""
    before, card = inodes(built), (built.path / "build" / "README.md").read_bytes()
    assert again(built) == before
    assert (built.path / "build" / "README.md").read_bytes() == card
    changed = CONFIGS | {"long": {"where": "response_length > 95"}}
    after = again(built, configs=changed)
    assert {name for name in before if before[name] != after[name]} == {"long"}


def test_what_was_touched_is_made_anew(built: RunFolder) -> None:
    """A built file that somebody changed, and records that are damaged, are not relied on."""
    before = inodes(built)
    [file] = (built.path / "build" / "raw").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole + b" ")
    after = again(built)
    assert {name for name in before if before[name] != after[name]} == {"raw"}
    assert file.read_bytes() == whole
    (built.path / "build" / "built.json").write_text("[")
    assert not set(again(built).values()) & set(after.values())


def test_another_dedup_makes_all_anew(built: RunFolder) -> None:
    """What rows repeat decides every config."""
    before = inodes(built)
    assert not set(again(built, dedup={"near": False}).values()) & set(before.values())

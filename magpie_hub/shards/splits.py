"""Which of a config's files are of which split: their names begin with it.

    filtered/train-00000-of-00001.parquet
    filtered/test-00000-of-00001.parquet

Knows no content of a file, and not how rows come to be in a split.
"""

from pathlib import Path

TRAIN, TEST = "train", "test"
"""The split that every config has, and the one that `test:` gives it."""


def split_of(path: str | Path) -> str:
    """Return the split that a file is of, by its name."""
    return Path(path).name.partition("-")[0]


def release_files(folder: Path) -> list[Path]:
    """Return a config's Parquet files in the order of its rows: those of `train` come first."""
    files = folder.glob("*.parquet")
    return sorted(files, key=lambda path: (split_of(path) != TRAIN, path.name))

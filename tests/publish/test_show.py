"""A plan on one screen, whatever it holds; and as data."""

import json
from dataclasses import replace
from typing import Any

import pytest

from magpie_hub.publish import show
from magpie_hub.publish.changes import ConfigChange
from magpie_hub.publish.plan import Plan
from tests.publish.making import Target, release

ROWS = {"a": "1", "b": "2"}
NAMES = [f"config-{n:02}" for n in range(40)]


def planned(**changes: Any) -> Plan:
    """Return the plan of a first release, changed."""
    return replace(Target().plan(release({"raw": ROWS}, aliases={"raw": "all"})), **changes)


def many() -> Plan:
    """Return a plan of forty configs, each with as much to say as there can be."""
    columns = tuple(f"`column_{n}` has another type" for n in range(30))
    drift = {f"label_{n}": 0.5 for n in range(9)}
    changes = [
        ConfigChange(name, "changed", "major", 9, 8, "2.0.0", "1.0.0", 1, 0, 3, columns, drift)
        for name in NAMES
    ]
    changes[5] = ConfigChange("same", "same", "none", 8, 8, "1.0.0", "1.0.0")
    changes[39] = ConfigChange("gone", "deleted", "major", None, 8, None, "1.0.0", removed=8)
    return planned(
        configs=tuple(changes),
        keep=tuple(f"notes/{n}.txt" for n in range(99)),
        notes=("a long note " * 90,) * 9,
    )


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "org/magpie: v1.0.0"),
        ({"before": "0.9.0"}, "org/magpie: v0.9.0 -> v1.0.0 (minor)"),
        (
            {"add": {}, "tagged": True},
            "org/magpie: nothing to do, v1.0.0 is published as it is built",
        ),
        ({"add": {}}, "org/magpie: v1.0.0 is in place; to be verified and given its version"),
        (
            {"level": "none", "tagged": True},
            "org/magpie: what is there is no longer v1.0.0, and is put right",
        ),
    ],
)
def test_the_headline(changes, line):
    """One line says which of the five cases it is."""
    assert show.headline(planned(**changes)) == line
    assert show.table(planned(**changes))[0] == line
    assert show.markdown(planned(**changes)).startswith(f"**{line}**\n")


def test_a_table():
    """Configs in aligned columns, then what is to be uploaded."""
    plan = planned(upload_bytes=1_234, card_diff="", keep=("x",))
    assert show.table(plan)[2:] == [
        "config  version  rows  added  removed  changed",
        "raw       1.0.0     2      2                    new, also `all`",
        "",
        "4 files to upload, 1.2 kB at most; 0 to delete",
        "files of others, kept: `x`",
    ]


def test_markdown():
    """The same as Markdown, with the lines of the card that change, and those of the notes."""
    text = show.markdown(planned(card_diff="--- a\n+++ b\n@@ @@\n-x\n+y\n+z", notes=("Mind this",)))
    assert "| `raw` | 1.0.0 | 2 | 2 |  |  | new, also `all` |\n" in text
    assert "- card: 2 lines added, 1 removed\n- Mind this\n" in text


def test_markdown_fits_one_screen():
    """Forty configs with long notes are at most 40 lines, of which none is endless."""
    lines = show.markdown(many()).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 320
    assert "| and 28 more | | | | | | |" in lines


def test_what_is_lost_is_shown_first():
    """Where configs are left out, they are those that stay; the terminal shows all."""
    changes = [ConfigChange(name, "same", "none", 8, 8, "1.0.0", "1.0.0") for name in NAMES]
    gone = ConfigChange("gone", "deleted", "major", None, 8, None, "1.0.0", removed=8)
    plan = planned(configs=(*changes, gone))
    assert "| `gone` | 1.0.0 | 8 |  | 8 |  | deleted |" in show.markdown(plan)
    assert len(show.table(plan)) >= 41


@pytest.mark.parametrize("name", ["a|b", "a`b", "a\nb", "a\r\n| x | y |", "`", "<b>", "\\|"])
def test_names_that_others_gave(name):
    """No name, of a config or a file, ends a cell, a line or the code that it stands in."""
    change = ConfigChange(name, "kept", rows=3, owner="others")
    text = show.markdown(planned(configs=(change,), keep=(name,)))
    row = next(line for line in text.splitlines() if "kept: of others" in line)
    assert row.replace(r"\|", "").count("|") == 8
    assert row.count("`") == 2
    kept = next(line for line in text.splitlines() if line.startswith("- files of others"))
    assert kept.count("`") == 2
    assert len(show.table(planned(configs=(change,)))) == len(show.table(planned()))


def test_json():
    """All of it is plain data: every config with its counts, every file, the whole difference."""
    data = json.loads(json.dumps(show.as_json(many())))
    assert len(data["configs"]) == 40
    assert data["configs"][0] == {
        "name": "config-00",
        "state": "changed",
        "level": "major",
        "rows": 9,
        "rows_before": 8,
        "version": "2.0.0",
        "version_before": "1.0.0",
        "added": 1,
        "removed": 0,
        "changed": 3,
        "schema": [f"`column_{n}` has another type" for n in range(30)],
        "drift": {f"label_{n}": 0.5 for n in range(9)},
        "means": {},
        "alias": None,
        "owner": "",
    }
    assert (data["to_do"], data["version"], data["before"]) == (True, "1.0.0", None)
    assert len(data["keep"]) == 99
    assert len(data["notes"]) == 9
    assert "raw/train-00000-of-00001.parquet" in data["add"]


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (36_864, "36.9 kB"), (2e12, "2.0 TB")],
)
def test_sizes(bytes_, text):
    """Bytes in thousands, as the Hub shows them."""
    assert show.size(int(bytes_)) == text

"""Imports through the command line, in the current folder: a spec t.yaml, released into ./dist."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner, Result

from magpie_hub.cli import main

SCRIPTED = {"model": "scripted", "engine": "scripted"}


def magpie_hub(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, arguments)


def spec(**keys: Any) -> None:
    """Write t.yaml."""
    Path("t.yaml").write_text(yaml.safe_dump({"repo": "org/t", **keys}, sort_keys=False))


def release(**keys: Any) -> Result:
    """Release a spec into ./dist and return what was said."""
    spec(**keys)
    result = magpie_hub("release", "t.yaml")
    assert result.exit_code == 0, result.stderr
    return result


def refused(*command: str) -> str:
    """Run a command that must fail, and return its error and its hint."""
    result = magpie_hub(*command)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit), result.exception
    error, hint = result.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    return f"{error}\n{hint}"


def published(config: str = "raw") -> list[dict[str, Any]]:
    """Return the rows of a config as they lie in ./dist."""
    rows: list[dict[str, Any]] = pq.read_table(f"dist/org/t/{config}").to_pylist()
    return rows


def texts(row: dict[str, Any]) -> list[str]:
    """Return what a row's messages say."""
    return [message["content"] for message in row["messages"]]


def write(name: str, *rows: dict[str, Any]) -> str:
    """Write JSON lines and return the file's name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def pairs(count: int) -> list[dict[str, Any]]:
    """Return rows that say nothing twice."""
    return [{"instruction": f"Count up to {n}.", "response": f"{n} it is."} for n in range(count)]

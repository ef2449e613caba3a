"""The README's generated blocks: `python -m tests.readme` rewrites them, `test_docs` checks them.

A block stands between two comments: `commands` shows every command with its own help,
`benchmarks` what the benchmarks last found. Everything else in the README is written by hand.
"""

import json
import sys
from pathlib import Path

import click

from magpie_hub.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
RESULTS = Path(__file__).parent / "benchmarks" / "results"


def helps() -> dict[str, str]:
    """Return each command's help as a terminal of 100 columns shows it, "" where it has none."""
    group = click.Context(main, info_name="magpie-hub", **main.context_settings)
    found = {}
    for name in main.list_commands(group):
        command = main.get_command(group, name)
        context = click.Context(command, parent=group, info_name=name, terminal_width=100)
        found[name] = command.get_help(context) if command.help else ""
    return found


def commands() -> str:
    """Return a table of the commands, then every help."""
    group = click.Context(main, info_name="magpie-hub", **main.context_settings)
    rows = [
        f"| `{name}` | {main.get_command(group, name).get_short_help_str(limit=100)} |"
        for name in main.list_commands(group)
    ]
    table = "\n".join(["| command | does |", "| --- | --- |", *rows])
    texts = "\n\n".join(f"```text\n{text}\n```" for text in helps().values())
    return f"\n{table}\n\n<details><summary>Every option</summary>\n\n{texts}\n\n</details>\n\n"


def benchmarks() -> str:
    """Return a table of the results that are kept in `tests/benchmarks/results/`."""
    rows = ["| benchmark | ours | beside it | ratio | goal | met | machine, date |"]
    rows.append("| --- | ---: | ---: | ---: | --- | --- | --- |")
    for path in sorted(RESULTS.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        goal = dict(found["goal"])
        of = goal.pop("of")
        bounds = ", ".join(f"{of} {name.replace('_', ' ')} {goal[name]}" for name in goal)
        met = ("yes" if found["met"] else "no") if bounds else ""
        rows.append(
            f"| `{found['name']}`, {found['unit']} | {found['ours']} | {found['theirs']} |"
            f" {found['ratio']} | {bounds} | {met} |"
            f" {found['machine']}, {found['date']} |"
        )
    return "\n" + "\n".join(rows) + "\n\n"


BLOCKS = {"commands": commands, "benchmarks": benchmarks}


def with_blocks(text: str) -> str:
    """Return the README `text` with its blocks made anew.

    Raises ValueError where a block's comments are missing.
    """
    for name, block in BLOCKS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, rest = text[: text.index(begin)], text[text.index(begin) :]
        text = before + begin + block() + rest[rest.index(end) :]
    return text


if __name__ == "__main__":
    README.write_text(with_blocks(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the generated blocks of {README.name}", file=sys.stderr)

"""The README's generated block: `python -m tests.readme` rewrites it, `test_docs` checks it.

The block stands between two comments and shows every command with its own help. Everything else
in the README is written by hand and is not touched.
"""

import sys
from pathlib import Path

import click

from magpie_hub.cli import main

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- commands -->\n", "<!-- /commands -->\n"


def helps() -> dict[str, str]:
    """Return each command's help as a terminal of 100 columns shows it, "" where it has none."""
    group = click.Context(main, info_name="magpie-hub")
    found = {}
    for name in main.list_commands(group):
        command = main.get_command(group, name)
        context = click.Context(command, parent=group, info_name=name, terminal_width=100)
        found[name] = command.get_help(context) if command.help else ""
    return found


def block() -> str:
    """Return what belongs between the two comments: a table, then every help."""
    group = click.Context(main, info_name="magpie-hub")
    rows = [
        f"| `{name}` | {main.get_command(group, name).get_short_help_str(limit=100)} |"
        for name in main.list_commands(group)
    ]
    table = "\n".join(["| command | does |", "| --- | --- |", *rows])
    texts = "\n\n".join(f"```text\n{text}\n```" for text in helps().values())
    return f"\n{table}\n\n<details><summary>Every option</summary>\n\n{texts}\n\n</details>\n\n"


def with_block(text: str) -> str:
    """Return the README `text` with its block made anew.

    Raises ValueError where one of the two comments is missing.
    """
    before, rest = text[: text.index(BEGIN)], text[text.index(BEGIN) :]
    return before + BEGIN + block() + rest[rest.index(END) :]


if __name__ == "__main__":
    README.write_text(with_block(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote the commands of {README.name}", file=sys.stderr)

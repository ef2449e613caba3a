"""The command line: each command a thin call into the rooms below, and the only place of click.

stdout is data, stderr is talk. Exit codes: 0 done, 1 error, 2 usage, 3 there is something to do,
75 interrupted and resumable. Nothing heavy is imported before a command needs it.
"""

from typing import Any

import click

from magpie_hub import __version__
from magpie_hub.cli import inspect, make, messages, release


class Commands(click.Group):
    """The group: turns what the rooms raise into an error line, a hint line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that was named."""
        with messages.spoken():
            return super().invoke(context)

    def list_commands(self, context: click.Context) -> list[str]:
        """Return the commands in the order in which a person meets them."""
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="magpie-hub")
def main() -> None:
    """Turn an open-weight chat model into a published, reproducible dataset release."""


for command in (
    make.init,
    inspect.template,
    inspect.preview,
    release.release,
    make.generate,
    make.tag,
    make.extend,
    make.build,
    inspect.status,
    release.plan,
    release.publish,
    release.verify,
):
    main.add_command(command)

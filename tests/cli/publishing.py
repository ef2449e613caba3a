"""The commands as they are typed, with a spec of two configs; knows no target."""

from click.testing import CliRunner, Result

from magpie_hub.cli import main

LICENCE = "cc0-1.0"
CONFIGS = {"filtered": {"filter": "finished", "default": True, "alias": "best"}}


def magpie_hub(*arguments: str, code: int = 0) -> Result:
    """Run a command that must end with an exit code."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.stderr
    return result


def made(*commands: str) -> None:
    """Bring the spec through some stages."""
    for command in commands:
        magpie_hub(command, "tiny.yaml")

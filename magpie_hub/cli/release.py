"""The command that does all of it."""

from pathlib import Path

import click

from magpie_hub.cli.make import run_folder, run_option, spec_argument, tag_lines
from magpie_hub.cli.messages import Progress, interruptible, warn
from magpie_hub.errors import TargetError


@click.command()
@spec_argument
@run_option
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dist"),
    metavar="FOLDER",
    help="The folder under which owner/name is put.  [default: ./dist]",
)
def release(spec: str, run_dir: Path | None, target: Path) -> None:
    """Do all of it, going on where it was stopped: from a spec to a release in a folder."""
    from magpie_hub.hub import SMOLLM2
    from magpie_hub.run import graph
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import progress, rate, tags
    from magpie_hub.spec.load import load

    if str(target) == "hub":
        raise TargetError(
            "`--to hub`: publishing to the Hub does not exist yet, expected a folder",
            hint="leave --to out: the release goes to ./dist, laid out as the repository will be",
        )
    loaded = load(spec)
    folder = RunFolder(run_folder(loaded.name, run_dir))
    with interruptible(), Progress() as shown:
        released = graph.release(loaded, folder, target, shown.report, warn)
    for name, funnel in released.built.funnels.items():
        click.echo("\n".join([f"{name}: {funnel.kept:,} rows", *funnel.lines(), ""]))
    default = loaded.default_config
    for line in tag_lines(tags(folder)):
        click.echo(line)
    if loaded.generator is not None:
        click.echo(f"{rate(progress(folder)):,.0f} tokens/s while the model worked")
    click.echo(f"card:  {released.place / 'README.md'}")
    place = released.place if released.place.is_absolute() else f"./{released.place}"
    click.echo(f'load:  load_dataset("{place}", "{default}")')
    click.echo(f"{'done' if released.changed else 'nothing changed'}: not published")
    if loaded.generator is not None and loaded.generator.model == SMOLLM2:
        click.echo("\nA model of 135M parameters is a toy: its rows show the way, not the quality.")
        click.echo("For a real one: magpie-hub init my.yaml --model ID")

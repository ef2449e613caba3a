"""Commands that make something on this machine: a spec, and one stage of a release."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from magpie_hub.cli.messages import Progress, interruptible, say, warn
from magpie_hub.errors import SpecError

if TYPE_CHECKING:
    from magpie_hub.run.graph import Stage
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import Labelled

THERE_IS_SOMETHING_TO_DO = 3
"""The exit code of a command that has found a difference, or something to do."""

spec_argument = click.argument("spec")
run_option = click.option(
    "--run",
    "run_dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run folder.  [default: ./runs/<spec's name>]",
)


def run_folder(spec_name: str, run_dir: Path | None) -> Path:
    """Return the run folder of a spec: the one that was named, or the default."""
    return run_dir or Path("runs") / spec_name


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "preset", metavar="PRESET", help="Start from a release spec of ours.")
@click.option("--model", metavar="ID", help="The generator: a Hub id, ID@REVISION, or a path.")
def init(file: Path, preset: str | None, model: str | None) -> None:
    """Write a short, commented spec to FILE."""
    from magpie_hub.shards.files import write_text
    from magpie_hub.spec.starter import starter

    text = starter(model, preset)
    if file.exists():
        raise SpecError(
            f"`{file}` exists already; it is left as it is", hint="name a file that does not"
        )
    write_text(file, text)
    say(f"wrote {file}; look it through, then: magpie-hub preview {file}")
    if preset and model:
        warn(
            f"all but `generator.model` is as `{preset}` has it: see whether `license`, `engine`,"
            " `judge` and what the comments say suit that model"
        )


@click.command()
@spec_argument
@run_option
def generate(spec: str, run_dir: Path | None) -> None:
    """Draw instructions and answer them, or take in the rows of a `source`."""
    from magpie_hub.run.graph import round_of_rows

    _carry_out(spec, run_dir, round_of_rows)


@click.command()
@spec_argument
@run_option
def tag(spec: str, run_dir: Path | None) -> None:
    """Label the answered rows of a run."""
    from magpie_hub.run.graph import tags as stage
    from magpie_hub.shards.progress import tags
    from magpie_hub.spec.load import load

    name = load(spec).name
    _carry_out(spec, run_dir, stage, begun=True)
    for line in tag_lines(tags(_folder(name, run_dir))):
        click.echo(line)


@click.command()
@spec_argument
@run_option
def extend(spec: str, run_dir: Path | None) -> None:
    """Ask for further turns, or for samples to choose from, of the rows that configs selected."""
    from magpie_hub.run.extending import extend as stage

    _carry_out(spec, run_dir, stage, begun=True)


@click.command()
@spec_argument
@run_option
@click.option("--check", is_flag=True, help="Change nothing; end with 3 where the card differs.")
@click.option("--preview", is_flag=True, help="Also write the card as one HTML file.")
def build(spec: str, run_dir: Path | None, check: bool, preview: bool) -> None:
    """Make each config's Parquet and the card from a finished run."""
    from magpie_hub.run.building import Built
    from magpie_hub.run.building import build as stage

    if check and preview:
        raise click.UsageError("--check changes nothing, and --preview writes a file")
    if check:
        _check_card(spec, run_dir)
        return
    built = _carry_out(spec, run_dir, stage, begun=True)
    assert isinstance(built, Built)
    for name, funnel in built.funnels.items():
        click.echo("\n".join([f"{name}:", *funnel.lines(), ""]))
    click.echo(f"built in {built.folder}")
    if preview:
        from magpie_hub.run.describing import write_preview

        click.echo(f"preview: {write_preview(built.folder)}")


def _check_card(spec: str, run_dir: Path | None) -> None:
    """Print how the built card is not what data, spec and templates give, and end so."""
    from magpie_hub.run.building import differences
    from magpie_hub.spec.load import load

    loaded = load(spec)
    folder = _folder(loaded.name, run_dir)
    folder.state()
    with interruptible(), folder.lock():
        found = differences(loaded, folder)
    if found:
        click.echo("\n".join(found))
        say("the card is not what the data says: `magpie-hub build SPEC` makes it anew")
        raise SystemExit(THERE_IS_SOMETHING_TO_DO)
    say("the card is what the data says")


def _carry_out(spec: str, run_dir: Path | None, stage: "Stage", *, begun: bool = False) -> object:
    from magpie_hub.run.opened import Models
    from magpie_hub.spec.load import load

    loaded = load(spec)
    folder = _folder(loaded.name, run_dir)
    if begun:
        # Before the lock makes a folder where there is no run.
        folder.state()
    with interruptible(), folder.lock(), Progress() as progress, Models() as models:
        return stage(loaded, folder, progress.report, warn, models)


def _folder(spec_name: str, run_dir: Path | None) -> "RunFolder":
    from magpie_hub.shards.folder import RunFolder

    return RunFolder(run_folder(spec_name, run_dir))


def tag_lines(tags: "dict[str, Labelled]") -> list[str]:
    """Return for each tag that a model makes how often it failed, as lines for a terminal."""
    lines = []
    for name, tag in tags.items():
        share = f"{tag.failures / tag.rows:.1%}" if tag.rows else "none"
        lines.append(f"{name:<18}{tag.rows:>9,} rows by {tag.model}, {share} without a label")
        lines += [f"  {rows:,} failed: {reason}" for reason, rows in tag.failed.items()]
        lines += [f"  {tag.retried:,} asked more than once"] if tag.retried else []
        lines += [f"  {tag.cut:,} shown without their middle"] if tag.cut else []
    return lines

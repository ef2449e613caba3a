"""The commands that bring a release to its readers: all of it, the plan, the publish, the check."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie_hub.cli.make import (
    THERE_IS_SOMETHING_TO_DO,
    run_folder,
    run_option,
    spec_argument,
    tag_lines,
)
from magpie_hub.cli.messages import Progress, interruptible, say, warn

if TYPE_CHECKING:
    from magpie_hub.run.publishing import Put


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a decorator that puts several options on a command, in this order."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _to(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--to",
        "target",
        default=default,
        metavar="TARGET",
        help="`hub`, or the folder under which owner/name is put."
        f"  [default: {'./' if default == 'dist' else ''}{default}]",
    )


_delete = click.option(
    "--delete",
    multiple=True,
    metavar="CONFIG",
    help="Agree to the loss of a published config; may be repeated.",
)
_discard_edits = click.option(
    "--discard-edits",
    is_flag=True,
    help="Agree to the loss of edits in the card's generated part.",
)
_create = _options(
    click.option("--create", is_flag=True, help="Make the repository if there is none."),
    click.option("--private", is_flag=True, help="With --create: visible to its owner alone."),
)


@click.command()
@spec_argument
@run_option
@_to("dist")
@_create
@_delete
@_discard_edits
def release(spec: str, run_dir: Path | None, target: str, **wanted: Any) -> None:
    """Do all of it, going on where it was stopped: from a spec to a release in a folder.

    With `--to hub` it is published, too.
    """
    from magpie_hub.hub import SMOLLM2
    from magpie_hub.run import graph
    from magpie_hub.run.publishing import Wanted
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import progress, rate, tags
    from magpie_hub.spec.load import load

    _check_options(target, **wanted)
    loaded = load(spec)
    folder = RunFolder(run_folder(loaded.name, run_dir))
    with interruptible(), Progress() as shown:
        released = graph.release(loaded, folder, Wanted(target, **wanted), shown.report, warn, say)
    for name, funnel in released.built.funnels.items():
        click.echo("\n".join([f"{name}: {funnel.kept:,} rows", *funnel.lines(), ""]))
    for line in tag_lines(tags(folder)):
        click.echo(line)
    if loaded.generator is not None:
        click.echo(f"{rate(progress(folder)):,.0f} tokens/s while the model worked")
    _show_put(released.put, loaded.default_config)
    if loaded.generator is not None and loaded.generator.model == SMOLLM2:
        click.echo("\nA model of 135M parameters is a toy: its rows show the way, not the quality.")
        click.echo("For a real one: magpie-hub init my.yaml --model ID")


@click.command()
@spec_argument
@run_option
@_to("hub")
@click.option("--against", metavar="A", help="Compare with a version, such as v1.0.0, or a folder.")
@_delete
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown, of one screen.")
@click.option("--json", "form", flag_value="json", help="Print JSON, with the card's differences.")
def plan(
    spec: str,
    run_dir: Path | None,
    target: str,
    against: str | None,
    form: str | None,
    **wanted: Any,
) -> None:
    """Show what publishing a built run would change; ends with 3 where there is something to do."""
    from magpie_hub.publish import show
    from magpie_hub.run import publishing
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.spec.load import load

    loaded = load(spec)
    folder = RunFolder(run_folder(loaded.name, run_dir))
    # A repository that is still to be made is as good as an empty one.
    how = publishing.Wanted(target, create=True, **wanted)
    with interruptible():
        planned = publishing.plan(loaded, folder, how, against)
    if form == "json":
        told = {"against": against, **show.as_json(planned)}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    elif form == "markdown":
        click.echo(show.markdown(planned, against), nl=False)
    else:
        click.echo("\n".join(show.table(planned, against)))
    if planned.changes or (planned.to_do and against is None):
        raise SystemExit(THERE_IS_SOMETHING_TO_DO)


@click.command()
@spec_argument
@run_option
@_to("hub")
@_create
@_delete
@_discard_edits
@click.option("--pr", "pull_request", is_flag=True, help="Propose it as a pull request.")
@click.option("--as-of", metavar="vX.Y.Z", help="Publish this version's files again, as the next.")
def publish(spec: str, run_dir: Path | None, target: str, **wanted: Any) -> None:
    """Publish a built run as one commit, check what readers get, and give it its version."""
    from magpie_hub.run import publishing
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.spec.load import load

    _check_options(target, **wanted)
    loaded = load(spec)
    folder = RunFolder(run_folder(loaded.name, run_dir))
    # What is published must not be built anew meanwhile; to go back to a version takes no run.
    with interruptible(), folder.lock() if folder.started else nullcontext():
        put = publishing.publish(loaded, folder, publishing.Wanted(target, **wanted), say)
    _show_put(put, loaded.default_config)


@click.command()
@click.argument("release", metavar="REPO[@VERSION]|FOLDER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(release: str, as_json: bool) -> None:
    """Check a published release from outside: checksums, card, and every row as readers get it."""
    from magpie_hub.publish.check import check

    with interruptible():
        found = check(release)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    for name, rows in found.configs.items():
        click.echo(f"{name}: {rows:,} rows, as built")
    at, kind = (f" at {found.commit}", "") if found.commit else ("", "folder ")
    click.echo(f"{kind}{found.repo} v{found.version}{at}: {found.files} files are as released")


def _check_options(
    target: str, *, create: bool, private: bool, as_of: str | None = None, **_: object
) -> None:
    """Raise a usage error where an option would be passed over in silence."""
    if private and not create:
        raise click.UsageError("--private says how a repository is made: it needs --create")
    if create and target != "hub":
        raise click.UsageError("--create makes a repository: it needs `--to hub`")
    if create and as_of:
        raise click.UsageError("--as-of needs a repository that holds the version, not --create")


def _show_put(put: "Put", default: str) -> None:
    """Say where a release is, how to load it, and what was done."""
    from magpie_hub.publish.show import table

    version = put.plan.version
    if put.place is not None:
        place = put.place if put.place.is_absolute() else f"./{put.place}"
        click.echo(f"card:  {put.place / 'README.md'}")
        click.echo(f'load:  load_dataset("{place}", "{default}")')
        click.echo(f"version: {version}")
        click.echo(f"{'done' if put.plan.changes else 'nothing changed'}: not published")
        return
    click.echo("\n".join([*table(put.plan), ""]))
    if put.pull_request:
        click.echo(f"proposed: {put.pull_request}")
        click.echo("when it is merged, the same command without --pr gives it its version")
        return
    click.echo(f'load: load_dataset("{put.plan.repo}", "{default}", revision="v{version}")')
    click.echo(f"published: v{version}" if put.commit else f"nothing changed: v{version}")

"""Commands that only look: at a template, at a few rows, at a run."""

import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie_hub.cli.make import run_folder, run_option, spec_argument, tag_lines
from magpie_hub.cli.messages import Progress, duration, interruptible, say, warn
from magpie_hub.errors import EngineError, Interrupted

if TYPE_CHECKING:
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import Extension, Labelled
    from magpie_hub.shards.progress import Progress as Stage
    from magpie_hub.spec.model import Spec

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _object(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, Any]:
    try:
        given = json.loads(value or "{}")
    except ValueError as error:
        raise click.BadParameter(f"`{value}` is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise click.BadParameter(f'`{value}`, expected an object, as in {{"thinking": false}}')
    return given


@click.command()
@click.argument("model_or_file")
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="What a template that states the date takes for today.",
)
@click.option(
    "--chat-template-kwargs",
    "given",
    metavar="JSON",
    callback=_object,
    help="""What the template is given besides, such as '{"enable_thinking": false}'.""",
)
@json_option
def template(model_or_file: str, date: Any, given: dict[str, Any], as_json: bool) -> None:
    """Show what is derived from a model's chat template: prefix, turn texts, stop ids.

    MODEL_OR_FILE is a Hub id, a folder with a tokenizer_config.json, a GGUF or a .jinja file.
    """
    from magpie_hub.templates import prefix, sources

    source = replace(sources.load(model_or_file), given=given)
    texts = prefix.derive(source, date=date.date().isoformat() if date else None)
    shown: dict[str, Any] = {
        "prefix": texts.prefix,
        "prefix_with_system": texts.prefix_with_system,
        "between_turns": texts.between_turns,
        "post_query": texts.post_query,
        "end_of_turn": list(texts.end_of_turn),
        "stop_token_ids": prefix.stop_token_ids(source, texts),
        "warnings": [*texts.warnings, *_merges(model_or_file, texts.prefix, texts.post_query)],
    }
    if (texts.prefix_with_system or "").count("SYS") > 1:
        shown["warnings"].append("`SYS` is also part of the text around a system prompt")
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for name, value in shown.items():
        click.echo(f"{name:<20}{json.dumps(value, ensure_ascii=False)}")


def _merges(model: str, *texts: str) -> list[str]:
    """Return over which borders of the texts the model's own tokenizer joins tokens."""
    from magpie_hub.engines import prompt
    from magpie_hub.engines.tokens import Tokenizer
    from magpie_hub.templates.sources import tokenizer_folder

    folder = tokenizer_folder(model)
    if folder is None:
        return []
    try:
        tokenizer = Tokenizer(folder)
    except EngineError as error:
        return [f"the tokens at the borders were not looked at: {error.message}; {error.hint}"]
    return prompt.merges(texts, partial(tokenizer.encode, special=True))


@click.command()
@spec_argument
@click.option("-n", "--rows", default=8, show_default=True, type=click.IntRange(1, 1000))
def preview(spec: str, rows: int) -> None:
    """Take a few rows through model, tags and filters; show them, and keep nothing."""
    from magpie_hub.run import graph
    from magpie_hub.spec.load import load

    loaded = load(spec)
    try:
        with interruptible(), Progress() as progress:
            show = partial(_show_preview, loaded)
            graph.preview(loaded, rows, progress.report, warn, show)
    except Interrupted as signal_:
        say(f"interrupted by {signal_}: nothing was kept")
        raise SystemExit(1) from None
    click.echo("nothing was written")


@click.command()
@click.argument("spec_or_run")
@run_option
@click.option("--rows", default=0, type=click.IntRange(0), help="Show so many answered rows.")
@json_option
def status(spec_or_run: str, run_dir: Path | None, rows: int, as_json: bool) -> None:
    """Show what a run holds so far: progress, reasons for drops, failed labels, pace, rows."""
    from magpie_hub.cli.outlook import as_json as outlook_json
    from magpie_hub.cli.outlook import cost_lines, until_lines, yield_lines
    from magpie_hub.run.outlook import outlook
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import progress
    from magpie_hub.spec.load import load
    from magpie_hub.spec.model import Spec

    folder = RunFolder(Path(spec_or_run))
    if not folder.started:
        folder = RunFolder(run_folder(load(spec_or_run).name, run_dir))
    state = folder.state()
    spec, stages = Spec.model_validate(state["spec"]), progress(folder)
    found, labels, extensions = (
        outlook(spec, folder),
        _labels(spec, folder),
        _extensions(spec, folder),
    )
    counted = state.get("until") if spec.instructions.until else None
    if as_json:
        shown: dict[str, Any] = {name: asdict(stage) for name, stage in stages.items()}
        shown["tags"] = {name: asdict(tag) for name, tag in labels.items()}
        shown["extensions"] = {name: asdict(each) for name, each in extensions.items()}
        click.echo(json.dumps(shown | outlook_json(found, counted), indent=2))
        return
    click.echo("\n".join([*_stage_lines(stages), *tag_lines(labels), *_extended(extensions)]))
    lines = [*yield_lines(found), *until_lines(spec.instructions, counted)]
    click.echo("\n".join([*lines, *cost_lines(found)]))
    for row in _answered(folder, rows):
        _show_row(row)


def _show_preview(spec: "Spec", folder: "RunFolder") -> None:
    """Print a preview's rows and drops, and what the whole spec would take at its pace."""
    from magpie_hub.cli.outlook import amount, stage_lines, yield_lines
    from magpie_hub.run.outlook import outlook
    from magpie_hub.shards.progress import progress

    stages, found = progress(folder), outlook(spec, folder)
    for row in _answered(folder, stages["responses"].rows):
        _show_row(row)
    labels = tag_lines(_labels(spec, folder))
    click.echo("\n".join([*_stage_lines(stages), *labels, *yield_lines(found)]))
    if spec.generator is not None and found.draws is not None:
        seconds = sum(stage.seconds for stage in found.at_end.values())
        click.echo(
            f"{round(found.draws):,} draws would take about {duration(seconds)} on this engine:"
            f" {amount(found.projected)}"
        )
        click.echo("\n".join(stage_lines(found)))


def _labels(spec: "Spec", folder: "RunFolder") -> "dict[str, Labelled]":
    """Return what is known of the tags that models make, in finished shards."""
    from magpie_hub.run.spending import labelled

    return {name: how for name, _, how in labelled(spec, folder)}


def _extensions(spec: "Spec", folder: "RunFolder") -> "dict[str, Extension]":
    """Return the progress of the extensions that were begun."""
    from magpie_hub.run.spending import extended
    from magpie_hub.shards.progress import extension

    asked = extended(spec, folder) if spec.generator is not None else []
    found = {each.name: extension(each.rows) for each in asked}
    return {name: each for name, each in found.items() if each.completions}


def _extended(extensions: "dict[str, Extension]") -> list[str]:
    lines = []
    for name, each in extensions.items():
        lines.append(f"{name}: {each.completions:,} for {each.rows:,} rows, {each.tokens:,} tokens")
        lines += [f"  dropped {rows:,}: {reason}" for reason, rows in each.rejected.items()]
    return lines


def _stage_lines(stages: "dict[str, Stage]") -> list[str]:
    from magpie_hub.shards.progress import rate

    lines = []
    for name, stage in stages.items():
        lines.append(f"{name:<13}{stage.rows:>9,} of {stage.of:,}, {stage.tokens:,} tokens")
        lines += [f"  dropped {rows:,}: {reason}" for reason, rows in stage.rejected.items()]
    kept = stages["responses"].of
    judged = kept + sum(stages["instructions"].rejected.values())
    share = f"{kept / judged:.0%} of {judged:,} instructions are kept" if judged else "none judged"
    pace = rate(stages)
    lines.append(f"{share}; {pace:,.0f} tokens/s" if pace else share)
    return lines


def _answered(folder: "RunFolder", most: int) -> list[dict[str, Any]]:
    from magpie_hub.records import RESPONSES

    rows: list[dict[str, Any]] = []
    for unit in folder.units():
        if len(rows) >= most or not folder.finished(RESPONSES, unit):
            break
        rows += folder.answered(unit).select(["index", "instruction", "response"]).to_pylist()
    return rows[:most]


def _show_row(row: dict[str, Any]) -> None:
    click.echo(f"--- {row['index']}\n{_plain(row['instruction'])}\n>>> {_plain(row['response'])}\n")


def _plain(text: str) -> str:
    """Return a row's text with control characters shown, so that it cannot drive a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)

"""Commands that only look: at a template, at a few rows, at a run."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from magpie_hub.cli.make import run_folder, run_option, spec_argument, tag_lines
from magpie_hub.cli.messages import Progress, duration, interruptible, say, warn
from magpie_hub.errors import Interrupted

if TYPE_CHECKING:
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import Progress as Stage
    from magpie_hub.spec.model import Spec

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@click.argument("model_or_file")
@click.option(
    "--date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="What a template that states the date takes for today.",
)
@json_option
def template(model_or_file: str, date: Any, as_json: bool) -> None:
    """Show what is derived from a model's chat template: prefix, turn texts, stop ids.

    MODEL_OR_FILE is a Hub id, a folder with a tokenizer_config.json, a GGUF or a .jinja file.
    """
    from magpie_hub.templates import prefix, sources

    source = sources.load(model_or_file)
    texts = prefix.derive(source, date=date.date().isoformat() if date else None)
    shown = {
        "prefix": texts.prefix,
        "prefix_with_system": texts.prefix_with_system,
        "between_turns": texts.between_turns,
        "post_query": texts.post_query,
        "end_of_turn": list(texts.end_of_turn),
        "stop_token_ids": prefix.stop_token_ids(source, texts),
        "warnings": list(texts.warnings),
    }
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    for name, value in shown.items():
        click.echo(f"{name:<20}{json.dumps(value, ensure_ascii=False)}")


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
    from magpie_hub.shards.folder import RunFolder
    from magpie_hub.shards.progress import progress, tags
    from magpie_hub.spec.load import load

    folder = RunFolder(Path(spec_or_run))
    if not folder.started:
        folder = RunFolder(run_folder(load(spec_or_run).name, run_dir))
    stages, labelled = progress(folder), tags(folder)
    if as_json:
        shown: dict[str, Any] = {name: asdict(stage) for name, stage in stages.items()}
        shown["tags"] = {name: asdict(tag) for name, tag in labelled.items()}
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo("\n".join([*_stage_lines(stages), *tag_lines(labelled)]))
    for row in _answered(folder, rows):
        _show_row(row)


def _show_preview(spec: "Spec", folder: "RunFolder") -> None:
    """Print a preview's rows and drops, and what the whole spec would take at its pace."""
    from magpie_hub.shards.progress import progress, seconds_for, tags

    stages = progress(folder)
    for row in _answered(folder, stages["responses"].rows):
        _show_row(row)
    click.echo("\n".join([*_stage_lines(stages), *tag_lines(tags(folder))]))
    _show_funnels(folder)
    if spec.generator is not None:
        wanted = spec.instructions.rows
        seconds = seconds_for(stages, wanted)
        click.echo(f"{wanted:,} draws would take about {duration(seconds)} on this engine")


def _show_funnels(folder: "RunFolder") -> None:
    """Print each config's funnel; the run is answered and tagged."""
    from magpie_hub import bundled
    from magpie_hub.spec.model import Spec

    magpie = bundled.builder_module().Magpie
    for name in Spec.model_validate(folder.state()["spec"]).active_configs:
        funnel = magpie(config_name=name, data_dir=folder.path, cache_dir=folder.path).funnel
        click.echo("\n".join([f"{name}:", *(f"  {line}" for line in funnel.lines())]))


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

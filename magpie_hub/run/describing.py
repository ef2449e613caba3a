"""What the build says of its rows: facts, figures and the card, from the Parquet and the run.

    run/build/README.md
    run/build/figures/smollm2/lengths.png ...
    run/build/facts.json

Gathers what a card may state, from all over the run; how it is said is the templates' business.
Opens no engine and decides no row.
"""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import columns
from magpie_hub.curate.filters import FILTERS
from magpie_hub.curate.funnel import Funnel
from magpie_hub.records import INSTRUCTIONS
from magpie_hub.run.curating import curated
from magpie_hub.run.judges import adapter_of
from magpie_hub.run.pins import pins_of
from magpie_hub.run.spending import spent
from magpie_hub.run.wording import user_prompt
from magpie_hub.shards.files import write_text
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import progress, tags
from magpie_hub.spec.configs import AtMost, Turns
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import model_name, public, snapshot
from magpie_hub.tag import free_texts, own_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from magpie_hub.card.cost import Cost
    from magpie_hub.card.render import ConfigCard, Stated

CARD = "README.md"
FACTS = "facts.json"
LIBRARIES = (
    *("magpie-hub", "datasets", "pyarrow", "numpy", "jinja2", "xxhash"),
    *("matplotlib", "pillow"),
)
"""What the bytes of a release depend on besides the spec and the shards."""


def versions() -> dict[str, str]:
    """Return the versions of what the bytes of a release depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def describe(
    spec: Spec, folder: RunFolder, cards: "Sequence[ConfigCard]", rows: "Mapping[str, pa.Table]"
) -> dict[str, bytes]:
    """Return the card, its figures and facts.json by where a build has them.

    cards: of the configs that were built. rows: of each its `uuid` and `content_hash`. Raises
    CardError where the card cannot be made.
    """
    from magpie_hub.card import facts
    from magpie_hub.card.render import figure_path, render

    stated = _stated(spec, folder, cards, rows)
    own = None if spec.card.template is None else Path(spec.card.template)
    files = {CARD: render(stated, own).encode()}
    files |= {figure_path(spec.name, figure.name): figure.png for figure in stated.figures}
    measured = facts.as_json(
        {card.name: card.facts for card in cards},
        {card.name: card.funnel for card in cards},
        tags=stated.tags,
        curation=stated.curation,
        overlaps=stated.overlaps,
        cost=stated.cost,
    )
    text = json.dumps(measured, ensure_ascii=False, indent=2) + "\n"
    return files | {FACTS: text.encode()}


def write_preview(place: Path) -> Path:
    """Write the card of the build in `place` as one HTML file beside it; return the file."""
    from magpie_hub.card.preview import page

    figures = {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.glob("figures/*/*.png"))
    }
    preview = place.parent / "preview.html"
    write_text(preview, page((place / CARD).read_bytes().decode(), figures))
    return preview


def config_card(
    spec: Spec, name: str, place: Path, funnel: Funnel, notes: tuple[str, ...]
) -> "ConfigCard":
    """Return what a card says of the config whose files lie in `place`."""
    from magpie_hub.card.measure import measure
    from magpie_hub.card.render import ConfigCard

    config = spec.active_configs[name]
    size = config.size.at_most if isinstance(config.size, AtMost) else config.size
    chosen = FILTERS[config.filter] if config.filter else None
    return ConfigCard(
        name=name,
        fields=columns.fields(spec.kind_of(config), own_columns(spec.tags)),
        default=name == spec.default_config,
        filter=config.filter,
        funnel=funnel,
        facts=measure(
            place, unscreened=spec.card.samples == "unscreened", texts=free_texts(spec.tags)
        ),
        where=config.where,
        size=size,
        order=chosen.longest if chosen else None,
        alias=config.alias,
        about=config.about,
        notes=notes,
        prompt=_prompt(config.turns),
    )


def _prompt(turns: Turns | None) -> tuple[str, str] | None:
    """Return the system prompt before later user turns: as rows name it, and its text."""
    name, text = (turns.prompt_name, user_prompt(turns)) if turns else (None, None)
    return (name, text) if name and text else None


def _stated(
    spec: Spec, folder: RunFolder, cards: "Sequence[ConfigCard]", rows: "Mapping[str, pa.Table]"
) -> "Stated":
    from magpie_hub.card.figures import draw
    from magpie_hub.card.licences import of_writers
    from magpie_hub.card.overlap import overlaps
    from magpie_hub.card.render import Stated

    rows_ = folder.of_answers(spec.answers_of(spec.active_configs[spec.default_config]).name)
    state, labelled = rows_.state(), {**tags(folder), **tags(rows_)}
    default = next(card for card in cards if card.default)
    models: dict[str, Any] = {
        name: {**asdict(how), "revision": state["tags"][name]["revision"]}
        for name, how in labelled.items()
    }
    if spec.tags.safety is not None and "safety" in models:
        models["safety"]["categories"] = adapter_of(spec).categories
    search = _search(state, rows_) if spec.tags.neighbours is not None else None
    return Stated(
        name=spec.name,
        spec=public(snapshot(spec)),
        pins=state["pins"]
        | {
            **_written(spec, state),
            "neighbours": search,
            "taken": state.get("taken"),
        },
        configs=cards,
        tags=models,
        curation=curated(spec, folder),
        cost=_cost(spec, folder, cards),
        overlaps=dict(sorted(overlaps(rows).items(), key=lambda pair: -pair[1])),
        licences={model_name(model): licence for model, licence in of_writers(spec).values()},
        figures=draw(default.name, default.facts, default.funnel),
    )


def _written(spec: Spec, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return how rows were written: the engine's context, and how they were answered.

    answers: the answer sets with the models that wrote them, where it was not the generator alone.
    reasoning: the marks of those sets that have any; kept: the configs with a column for it.
    """
    if spec.generator is None:
        return {}
    used = spec.used_answers
    named = used if len(used) > 1 or used[0].model is not None else []
    kinds = {name: spec.kind_of(config) for name, config in spec.active_configs.items()}
    sets, reasoning = [], []
    for answers in used:
        pins = pins_of(state, answers.name)
        of = [name for name in kinds if spec.answers_of(spec.active_configs[name]) == answers]
        set_ = {"name": answers.name, "configs": of}
        if answers in named:
            model = model_name(spec.writer_of(answers)[1].model)
            how = {"model": model, "revision": pins.revision, **asdict(pins.responses)}
            sets.append(set_ | how)
        if pins.reasoning is not None:
            kept = [name for name in of if kinds[name].endswith("-reasoning")]
            reasoning.append(set_ | asdict(pins.reasoning) | {"kept": kept})
    return {
        "answers": sets,
        "reasoning": reasoning,
        "context_length": state["engines"][INSTRUCTIONS]["context_length"],
    }


def _cost(spec: Spec, folder: RunFolder, cards: "Sequence[ConfigCard]") -> "Cost":
    """Return what the models took, from the seconds that stand in the shards."""
    from magpie_hub.card.cost import cost

    stages = progress(folder)
    sets = [stage for name, stage in stages.items() if name != "instructions"]
    kept = sum(answers.rows - sum(answers.rejected.values()) for answers in sets)
    return cost(spent(spec, folder), kept, {card.name: card.facts.rows for card in cards})


def _search(state: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """Return by what vectors neighbours were searched, and how."""
    from magpie_hub.shards.parquet import read_labels

    tag = state["tags"]["neighbours"]
    how = read_labels(folder.shard(tag["stage"], folder.units()[0]))
    names = ("index", "recall", "searched_again")
    return {"model": tag["model"], **{name: how.get(name) for name in names}}

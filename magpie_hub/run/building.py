"""The stage behind the model: config files, index of rows and card from finished shards.

    run/build/README.md
    run/build/index.parquet
    run/build/filtered/train-00000-of-00001.parquet
    run/card/facts.json
    run/card/built.json                                   what was built, and from what

No engine is opened here. What is built is a pure function of the spec and the shards.
"""

import importlib.metadata
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import bundled, columns
from magpie_hub.curate.funnel import Funnel
from magpie_hub.records import arrow_schema
from magpie_hub.run import keeping
from magpie_hub.run.begin import begin
from magpie_hub.run.curating import curate, curated
from magpie_hub.run.judges import adapter_of
from magpie_hub.run.opened import Models
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.files import fresh, swap, write_text
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import tags
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import public
from magpie_hub.tag import own_columns

if TYPE_CHECKING:
    from magpie_hub.card.render import ConfigCard

LIBRARIES = ("magpie-hub", "datasets", "pyarrow", "numpy", "jinja2", "xxhash")
"""What the bytes of a release depend on besides the spec and the shards."""


BUILT = Path("card") / "built.json"
"""What the last build made of each config."""


@dataclass(frozen=True, slots=True)
class Built:
    """A built release: its folder, and for each config its rows and its funnel."""

    folder: Path
    funnels: Mapping[str, Funnel]


def build(
    spec: Spec, folder: RunFolder, report: Report, warn: Warn, _: Models | None = None
) -> Built:
    """Make every config's Parquet, the facts and the card; the caller holds the run's lock.

    Raises BuildError where the run is unfinished or a config ends empty; what was built before
    then stays as it was.
    """
    from magpie_hub.card import facts, render
    from magpie_hub.publish import index

    begin(spec, folder, warn)
    state = curate(spec, folder, report, warn)
    place = folder.path / "build"
    new = fresh(place)
    cards, made_before, records = [], keeping.read(folder.path / BUILT), {}
    rows = {}
    for done, name in enumerate(spec.active_configs, 1):
        card, records[name] = _config(spec, folder, name, new / name, made_before)
        rows[name] = index.hash_files(sorted((new / name).glob("*.parquet")))
        cards.append(card)
        for note in cards[-1].notes:
            warn(f"config `{name}`: {note}")
        report("build", done, len(spec.active_configs), 0)
    made = state["pins"] | {
        "context_length": state.get("context_length"),
        "neighbours": _search(state, folder) if spec.tags.neighbours is not None else None,
    }
    models = {
        name: {**asdict(how), "revision": state["tags"][name]["revision"]}
        for name, how in tags(folder).items()
    }
    if spec.tags.safety is not None and "safety" in models:
        models["safety"]["categories"] = adapter_of(spec).categories
    curation = curated(spec, folder)
    page = render.render(public(state["spec"]), made, cards, models, curation)
    write_text(new / "README.md", page)
    index.write(new / "index.parquet", dict(sorted(rows.items())))
    swap(place)
    measured = facts.as_json({card.name: card.facts for card in cards}, models, curation)
    shown = json.dumps(measured, ensure_ascii=False, indent=2) + "\n"
    write_text(folder.path / "card" / "facts.json", shown)
    # Last: what it lists is what the files above were made from.
    keeping.write(folder.path / BUILT, records)
    return Built(place, {card.name: card.funnel for card in cards})


def _config(
    spec: Spec, folder: RunFolder, name: str, place: Path, before: keeping.Record
) -> "tuple[ConfigCard, keeping.Record]":
    """Bring a config's Parquet files into `place`; return what the card says of it, and a record.

    before: the records of the last build, whose files are taken over where nothing has changed.
    """
    from magpie_hub.card.facts import measure
    from magpie_hub.card.render import ConfigCard
    from magpie_hub.shards.parquet import write_release

    magpie = bundled.builder_module().Magpie
    fields = columns.fields(spec.kind, own_columns(spec.tags))
    # The release takes the builder's tables as they come; datasets' cache has no part in it.
    with tempfile.TemporaryDirectory() as cache:
        builder = magpie(cache, config_name=name, data_dir=folder.path)
        old = folder.path / "build" / name
        same = keeping.taken_over(before, name, builder.hash, versions(), old, place)
        if same is None:
            schema = arrow_schema({field.name: field.type for field in fields})
            write_release(place, "train", builder.tables(), schema)
        funnel, notes = same or (builder.funnel, builder.selection.notes)
    card = ConfigCard(
        name=name,
        fields=fields,
        default=name == spec.default_config,
        filter=spec.active_configs[name].filter,
        funnel=funnel,
        facts=measure(place),
        where=builder.config.where,
        size=builder.size,
        alias=spec.active_configs[name].alias,
        notes=notes,
    )
    return card, keeping.record(builder.hash, versions(), place, funnel, notes)


def versions() -> dict[str, str]:
    """Return the versions of what the bytes of a release depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def _search(state: Mapping[str, Any], folder: RunFolder) -> dict[str, Any]:
    """Return by what vectors neighbours were searched, and how."""
    from magpie_hub.shards.parquet import read_labels

    tag = state["tags"]["neighbours"]
    how = read_labels(folder.shard(tag["stage"], folder.units()[0]))
    names = ("index", "recall", "searched_again")
    return {"model": tag["model"], **{name: how.get(name) for name in names}}

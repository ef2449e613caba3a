"""The stage behind the model: config files, index of rows and card from finished shards.

    run/build/README.md, figures/SPEC/*.png, facts.json
    run/build/index.parquet
    run/build/filtered/train-00000-of-00001.parquet
    run/build/built.json                                  what was built, and from what

The folder is swapped in whole. No engine is opened here. What is built is a pure function of the
spec and the shards.
"""

import difflib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import bundled, columns
from magpie_hub.curate.funnel import Funnel
from magpie_hub.errors import BuildError
from magpie_hub.records import arrow_schema
from magpie_hub.run import keeping
from magpie_hub.run.begin import begin
from magpie_hub.run.checking import check
from magpie_hub.run.curating import curate
from magpie_hub.run.describing import config_card, describe, versions
from magpie_hub.run.opened import Models
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.run.until import measure
from magpie_hub.shards.files import fresh, swap
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.splits import release_files
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import card_only, snapshot
from magpie_hub.tag import own_columns

if TYPE_CHECKING:
    from magpie_hub.card.render import ConfigCard

INDEX = "index.parquet"
BUILT = Path("build") / "built.json"
"""What the last build made, in a run folder."""


@dataclass(frozen=True, slots=True)
class Built:
    """A built release: its folder, and for each config its rows and its funnel."""

    folder: Path
    funnels: Mapping[str, Funnel]


def build(
    spec: Spec, folder: RunFolder, report: Report, warn: Warn, _: Models | None = None
) -> Built:
    """Make every config's Parquet, the facts and the card; the caller holds the run's lock.

    Raises BuildError where the run is unfinished, a config ends empty, or the card was edited; what
    was built before then stays as it was.
    """
    from magpie_hub.publish import index

    begin(spec, folder, warn)
    curate(spec, folder, report, warn)
    measure(spec, folder)
    place = folder.path / "build"
    made_before = keeping.read(folder.path / BUILT)
    check_unedited(place, made_before)
    new = fresh(place)
    cards, records, rows = [], {}, {}
    for done, name in enumerate(spec.active_configs, 1):
        card, records[name] = _config(spec, folder, name, new / name, made_before.configs)
        rows[name] = index.hash_files(release_files(new / name))
        cards.append(card)
        for note in card.notes:
            warn(f"config `{name}`: {note}")
        report("build", done, len(spec.active_configs), 0)
    files = describe(spec, folder, cards, rows)
    for name, content in files.items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_bytes(content)
    index.write(new / INDEX, dict(sorted(rows.items())))
    keeping.write(new / BUILT.name, keeping.Record(records, keeping.checksums(new, files)))
    swap(place)
    return Built(place, {card.name: card.funnel for card in cards})


def differences(spec: Spec, folder: RunFolder) -> list[str]:
    """Return, as lines of a diff, how the built card is not what data, spec and templates give.

    Changes nothing. Raises BuildError where it is the data that is not what the spec gives.
    """
    from magpie_hub.publish import index

    check(spec)
    place, record = folder.path / "build", keeping.read(folder.path / BUILT)
    check_built(spec, folder, record)
    cards = [
        config_card(spec, name, place / name, *keeping.told(record.configs[name]))
        for name in spec.active_configs
    ]
    rows = index.read(place / INDEX)
    files = describe(spec, folder, cards, {card.name: rows[card.name] for card in cards})
    found = []
    for name in sorted({*files, *record.card}):
        there = (place / name).read_bytes() if (place / name).is_file() else b""
        if there != (made := files.get(name, b"")):
            found += _compared(name, there, made)
    return found


def check_built(
    spec: Spec, folder: RunFolder, record: keeping.Record, *, exactly: bool = False
) -> None:
    """Raise BuildError unless what was built is all of what spec and shards say now.

    exactly: also in what concerns the card alone.
    """
    state, now = folder.state(), snapshot(spec)
    again = "make it with `magpie-hub build SPEC`: it opens no engine"
    if state["spec"] != now and (exactly or not card_only(state["spec"], now)):
        keys = {**state["spec"], **now}
        changed = [key for key in keys if state["spec"].get(key) != now.get(key)]
        raise BuildError(
            f"`{folder.path}` was made from another state of the spec: `{'`, `'.join(changed)}`"
            " differ",
            hint="`magpie-hub build SPEC` brings the run up to it, or says which command does",
        )
    magpie = bundled.builder_module().Magpie
    for name in spec.active_configs:
        # To open one says what is missing, and which command makes it.
        builder = magpie(config_name=name, data_dir=folder.path)
        if name not in record.configs:
            raise BuildError(f"config `{name}` of `{folder.path}` is not built", hint=again)
        made = record.configs[name]
        files = keeping.files_of(folder.path / "build" / name)
        if (made["hash"], made["files"]) != (builder.hash, files):
            raise BuildError(
                f"config `{name}` of `{folder.path}` was built from other shards, by other code,"
                " or was changed since",
                hint=again,
            )

    if not (folder.path / "build" / INDEX).is_file():
        lost = folder.path / "build" / INDEX
        raise BuildError(f"`{lost}` is missing, expected what was built", hint=again)


def check_unedited(place: Path, record: keeping.Record) -> None:
    """Raise BuildError where a person wrote into card, figures or facts of a build."""
    if edited := keeping.edited(place, record):
        raise BuildError(
            f"`{place / edited}` was changed since it was built, expected it as it was",
            hint="what a person writes belongs into the card that is published, `card:` of the"
            " spec, or templates of one's own; move it there (`magpie-hub build --check SPEC` shows"
            " it), remove the file, and make it with `magpie-hub build SPEC`",
        )


def _compared(name: str, there: bytes, made: bytes) -> list[str]:
    """Return the differing lines of a text, or that a picture differs."""
    if name.endswith(".png"):
        return [f"{name} is not what the facts give"]
    lines = (there.decode(errors="replace").splitlines(), made.decode().splitlines())
    found = [*difflib.unified_diff(*lines, name, f"{name}, made anew", lineterm="", n=1)]
    return found or [f"{name} differs in the ends of its lines"]


def _config(
    spec: Spec, folder: RunFolder, name: str, place: Path, before: Mapping[str, Any]
) -> "tuple[ConfigCard, dict[str, Any]]":
    """Bring a config's Parquet files into `place`; return what the card says of it, and a record.

    before: the records of the last build, whose files are taken over where nothing has changed.
    """
    from magpie_hub.shards.parquet import write_release

    magpie = bundled.builder_module().Magpie
    fields = columns.fields(spec.kind_of(spec.active_configs[name]), own_columns(spec.tags))
    # The release takes the builder's tables as they come; datasets' cache has no part in it.
    with tempfile.TemporaryDirectory() as cache:
        builder = magpie(cache, config_name=name, data_dir=folder.path)
        old = folder.path / "build" / name
        same = keeping.taken_over(before, name, builder.hash, versions(), old, place)
        if same is None:
            schema = arrow_schema({field.name: field.type for field in fields})
            for split in builder.splits:
                write_release(place, split, builder.tables(split), schema)
        funnel, notes = same or (builder.funnel, builder.selection.notes)
    card = config_card(spec, name, place, funnel, notes)
    return card, keeping.record(builder.hash, versions(), place, funnel, notes)

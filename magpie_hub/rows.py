"""A run's answered rows with what stands beside them, as its spec asks: tags, duplicates, overlaps.

Between the shards, which know no tags, and the builder, which decides what is taken: says which
columns there are, joins them, and what is still missing. Opens no model and chooses no row.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from magpie_hub import records
from magpie_hub.curate.beside import CURATED, DUPLICATE, DUPLICATE_OF, OVERLAP
from magpie_hub.curate.extended import Made, by_row, conversation, preference
from magpie_hub.errors import BuildError
from magpie_hub.generate.extensions import Outcome, Place, next_turn, samples_left
from magpie_hub.records import INSTRUCTIONS, Unit
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import DRAWN, IMPORTED, RunFolder
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.joined import Beside, joined
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec
from magpie_hub.spec.snapshot import fingerprint, snapshot
from magpie_hub.tag import TAGS, wanted

REWARDS = {column for name in ("base_response", "base_reward") for column in TAGS[name].columns}
"""Columns that mean something beside the rewards of one model only."""


def counting(spec: Spec) -> str:
    """Return what stands for all of a spec that decides which rows `until` counts."""
    assert spec.instructions.until is not None
    name: str | None = spec.instructions.until.config
    rules = []
    while name is not None:
        config = spec.active_configs[name]
        rules.append([name, config.filter, config.where, config.answers])
        name = config.parent
    whole = snapshot(spec)
    parts = [whole.get(part) for part in ("tags", "judge", "dedup", "decontaminate")]
    return fingerprint([rules, *parts])


def is_counted(spec: Spec, found: Mapping[str, Any], drawn: int) -> bool:
    """Return whether a run's count of kept rows is that of these draws, by what the spec asks."""
    assert spec.instructions.until is not None
    asked = {"rows": spec.instructions.until.rows, "by": counting(spec), "drawn": drawn}
    return asked.items() <= found.items()


class Rows:
    """The answered rows of a run, unit by unit; folder: the run with one of its answer sets."""

    def __init__(self, folder: RunFolder, spec: Spec, *, so_far: bool = False) -> None:
        """Name the rows; nothing is read yet but the run's units.

        so_far: those of the units that are whole, whatever else is to come.
        """
        self.folder, self._spec = folder, spec
        self._tags = wanted(spec.tags)
        self.units = folder.units()
        if so_far:
            self.units = [unit for unit in self.units if self._is_whole(unit)]

    def of(self, unit: Unit, only: set[str] | None = None) -> pa.Table:
        """Return a unit's answered rows with what stands beside them, or `only` some columns."""
        rows = joined(self.folder, unit, self.beside, only)
        for name in (DUPLICATE, DUPLICATE_OF, OVERLAP):
            if name not in rows.column_names:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
        return rows

    @property
    def columns(self) -> set[str]:
        """The columns that there are."""
        there = {*records.RESPONSE_SHARD, *DRAWN, DUPLICATE, DUPLICATE_OF, OVERLAP}
        return there | {column for beside in self.beside for column in beside.columns}

    @cached_property
    def beside(self) -> list[Beside]:
        """What stands beside the answered rows: duplicates, overlaps, tags, and others' labels."""
        found = [
            Beside(stage, shard, names)
            for kind, (shard, names) in CURATED.items()
            if (stage := self._curated(kind)) is not None
        ]
        found += [
            Beside(self._stage(name), tag.shard, {c: c for c in tag.columns}, tag.of_instruction)
            for name, tag in self._tags.items()
        ]
        if self._spec.source is not None:
            # What another reward model gave is not comparable with ours.
            apart = REWARDS if "reward" in self._tags else set()
            apart = apart | {column for beside in found for column in beside.columns}
            brought = {name: name for name in LABELS if name not in apart}
            found.append(Beside(IMPORTED, {"uuid": "string", **LABELS}, brought))
        return found

    @property
    def shards(self) -> list[Path]:
        """The files that the rows are made of."""
        return [place.shard(stage, unit) for place, stage in self._places for unit in self.units]

    @property
    def _places(self) -> list[tuple[RunFolder, str]]:
        """The stages whose shards the rows are made of, each with where these lie."""
        own = [(self.folder, INSTRUCTIONS), (self.folder, self.folder.stage)]
        return own + [(beside.place(self.folder), beside.stage) for beside in self.beside]

    @property
    def stop(self) -> int | None:
        """The index from which on nothing is released, of a run that ended as enough was kept."""
        if self._spec.instructions.until is None:
            return None
        return int(self.folder.state()["until"]["stop"])

    def check_finished(self) -> None:
        """Raise BuildError where rows are to come, or something beside them."""
        self.check_whole()
        until = self._spec.instructions.until
        if until is None:
            return
        drawn, found = self.units[-1].stop, self.folder.state().get("until", {})
        lacks = f"`{self.folder.path}` is unfinished: config `{until.config}`"
        if not is_counted(self._spec, found, drawn):
            raise BuildError(
                f"{lacks}: the rows that it keeps of {drawn:,} draws are not counted",
                hint="count them with `magpie-hub tag SPEC`, or do all with `magpie-hub release"
                " SPEC`",
            )
        if found["stop"] is None:
            raise BuildError(
                f"{lacks}: `until` asks for {until.rows:,} rows: {found['funnel']}",
                hint="draw more with `magpie-hub generate SPEC`, or do all with `magpie-hub"
                " release SPEC`",
            )

    def check_whole(self) -> None:
        """Raise BuildError where something of the rows that were begun is to come."""
        path = self.folder.path
        drawn = self.units[-1].stop if self.units else 0
        imported = self._spec.source is not None
        given = self._spec.instructions
        rows = 1 if imported or given.until is not None else given.rows
        if drawn < rows:
            how = "the rows are not taken in" if imported else f"{drawn} of {rows} rows were begun"
            raise BuildError(
                f"`{path}` is unfinished: {how}",
                hint="finish it with `magpie-hub generate SPEC`",
            )
        for place, stage in self._in_order():
            done = sum(place.finished(stage, unit) for unit in self.units)
            if done < len(self.units):
                kind = stage.partition("/")[0]
                command = {"tags": "tag", "duplicates": "build", "overlaps": "build"}.get(kind)
                raise BuildError(
                    f"`{path}` is unfinished: {done} of {len(self.units)} units of `{stage}` are"
                    " there",
                    hint=f"finish it with `magpie-hub {command or 'generate'} SPEC`",
                )

    def _is_whole(self, unit: Unit) -> bool:
        return all(place.finished(stage, unit) for place, stage in self._in_order())

    def _in_order(self) -> Iterator[tuple[RunFolder, str]]:
        """Yield the places as they are to be finished: what a model is asked for comes first."""
        yield from ((self.folder, INSTRUCTIONS), (self.folder, self.folder.stage))
        for name, tag in self._tags.items():
            yield self.folder.first if tag.of_instruction else self.folder, self._stage(name)
        yield from self._places

    def _curated(self, kind: str) -> str | None:
        """Return where what rows repeat or overlap lies; None where nobody wants to know."""
        dedup: Any = self._spec.dedup
        asked = {"duplicates": dedup.exact or dedup.near, "overlaps": self._spec.decontaminate}
        if not asked[kind]:
            return None
        stage = self.folder.state().get("curated", {}).get(kind)
        if stage is None:
            raise BuildError(
                f"`{self.folder.path}` is unfinished: its rows were not searched for {kind}",
                hint="finish it with `magpie-hub build SPEC`",
            )
        return str(stage)

    def _stage(self, tag: str) -> str:
        """Return where a tag's shards lie; BuildError where it was never made for these rows."""
        found = self.folder.state()["tags"].get(tag)
        if found is None:
            raise BuildError(
                f"`{self.folder.path}` is unfinished: the tag `{tag}` is not made",
                hint="finish it with `magpie-hub tag SPEC`",
            )
        return str(found["stage"])


class ExtendedRows:
    """What became of a config's rows by its extension; name: the config's, asked: what it says."""

    def __init__(self, rows: Rows, name: str, asked: Config) -> None:
        """Name the extension; BuildError where it was never begun."""
        self._rows, self._asked, self._name = rows, asked, name
        stage = rows.folder.state().get("extensions", {}).get(name)
        if stage is None:
            raise self._unfinished("its rows are not extended")
        self._folder = ExtensionFolder(rows.folder, stage)
        self._units = self._folder.units()
        self._scores: dict[str, dict[str, records.Type]] = {}
        if asked.samples is not None:
            tag = asked.samples.scored_by
            found = self._folder.state()["tags"].get(tag, {"stage": None})["stage"]
            if found is None or not all(self._folder.tagged(found, u) for u in self._units):
                raise self._unfinished("its samples are not scored")
            self._scores = {str(found): TAGS[tag].shard}

    @property
    def shards(self) -> list[Path]:
        """The files that the extension is made of."""
        stages = [self._folder.stage, *self._scores]
        return [self._folder.shard(stage, unit) for stage in stages for unit in self._units]

    def made(self, unit: Unit, mask: np.ndarray) -> list[Made]:
        """Return what became of each of a unit's rows that are in the mask.

        Raises BuildError where something of them is still to be asked for.
        """
        names = ["index", "uuid", "instruction", "response", "finish_reason"]
        selected = self._rows.folder.answered(unit, names).filter(pa.array(mask))
        completions = self._folder.of(selected["index"].to_pylist(), self._scores)
        return [self._of(row, found) for row, found in by_row(selected, completions)]

    def _of(self, row: dict[str, Any], completions: list[dict[str, Any]]) -> Made:
        places = {Place(one["number"], one["role"] == "assistant"): one for one in completions}
        done = {
            place: Outcome(one["rejection"], one["finish_reason"]) for place, one in places.items()
        }
        turns, samples = self._asked.turns, self._asked.samples
        if turns is not None:
            if row["finish_reason"] != "length" and next_turn(turns.number, done):
                raise self._unfinished(f"row `{row['uuid']}` has further turns to come")
            return conversation(row, completions, turns)
        assert samples is not None
        if samples_left(samples.number, done):
            raise self._unfinished(f"row `{row['uuid']}` has further samples to come")
        return preference(row, completions, samples)

    def _unfinished(self, what: str) -> BuildError:
        return BuildError(
            f"`{self._rows.folder.path}` is unfinished: config `{self._name}`: {what}",
            hint="finish it with `magpie-hub extend SPEC`",
        )

"""The stage that takes in rows that others made, in place of a model's.

They become the same shards as rows of our own, so that all that follows need not know the
difference. Nothing is lost: what cannot be read is a dropped row with a reason, and is named.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any

from magpie_hub.errors import RunError
from magpie_hub.generate.clean import tidy
from magpie_hub.hub import COMMIT
from magpie_hub.records import (
    INSTRUCTIONS,
    RESPONSES,
    SHARDS,
    Draw,
    Instruction,
    Response,
    Unit,
    arrow_schema,
)
from magpie_hub.run.begin import begin
from magpie_hub.run.opened import Models
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.folder import IMPORTED, RunFolder
from magpie_hub.shards.foreign import Foreign, checksums, read
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.spec.model import Spec
from magpie_hub.spec.source import Source

NAMED = 5
"""How many of the rows that cannot be read are named one by one."""


def take_in(spec: Spec, folder: RunFolder, report: Report, warn: Warn, _: Models) -> None:
    """Bring all rows of the spec's source into the run; the caller holds the folder's lock."""
    state = begin(spec, folder, warn, draws=True)
    assert spec.source is not None
    pinned = state["pins"]["checksums"]
    _check_unchanged(spec.source, pinned)
    if state["growth"]:
        return
    # A file's name is no part of what is in it.
    taking = _Taking(Draw(spec.repo, "source", "\n".join(pinned.values()), spec.seed))
    source = islice(read(spec.source), spec.source.rows)
    number = 0
    while rows := list(islice(source, state["unit_rows"])):
        _write(folder, Unit(number, taking.rows, taking.rows + len(rows)), taking, rows)
        number += 1
        report("rows", taking.rows, taking.rows, 0)
    if not taking.rows:
        raise RunError("`source`: there is no row in it", hint="name another file or dataset")
    taking.say(warn)
    taken = {"rows": taking.rows, "unread": taking.faulty, "shortened": taking.notes}
    folder.save({**folder.state(), "growth": [taking.rows], "taken": taken})
    begin(spec, folder, warn)


def _check_unchanged(source: Source, pinned: dict[str, str]) -> None:
    """Raise RunError where files are no longer what was taken in; on the Hub, commits stay."""
    on_hub = any(COMMIT.fullmatch(checksum) for checksum in pinned.values())
    if not on_hub and checksums(source) != pinned:
        raise RunError(
            "`source`: the files are no longer those that the run was made from",
            hint="put them back, or start another run with --run DIR",
        )


@dataclass(slots=True)
class _Taking:
    """What has to be known of all rows before a row."""

    draw: Draw
    rows: int = 0
    uuids: set[bytes] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    faulty: int = 0
    notes: int = 0

    def instruction(self, row: Foreign) -> Instruction:
        """Return the row's half that stands in the user's place."""
        text = tidy(row.instruction)
        reason = "unreadable" if row.fault else None if text else "empty"
        if row.fault:
            self.faulty += 1
            self.faults += [f"{row.place}: {row.fault}"][: NAMED - len(self.faults)]
        self.notes += row.note is not None
        return Instruction(
            index=self.rows,
            instruction=text,
            raw_instruction=None,
            sanitised=(),
            rejection=reason,
            duplicate_of=None,
            error=f"{row.place}: {row.fault}" if row.fault else None,
            gen_input_configs=None,
            **_COMPLETION,
        )

    def response(self, row: Foreign) -> Response:
        """Return the row's other half."""
        text = tidy(row.response or "")
        return Response(
            index=self.rows,
            uuid=self._uuid(row),
            model=row.model,
            instruction_tokens=None,
            response=text,
            reasoning=None,
            rejection=None if text else "no-response",
            error=row.note,
            gen_response_configs=None,
            **(_COMPLETION | {"finish_reason": row.finish_reason}),
        )

    def say(self, warn: Warn) -> None:
        """Name the rows that could not be read, and say what was left out of others."""
        if self.faulty:
            more = f"; and {self.faulty - NAMED:,} more" if self.faulty > NAMED else ""
            of = f"{self.faulty:,} of {self.rows:,} rows"
            warn(f"{of} cannot be read, and are dropped: {'; '.join(self.faults)}{more}")
        if self.notes:
            warn(
                f"{self.notes:,} of {self.rows:,} rows hold more than an instruction and its"
                " response: of several turns the first was taken, of several responses the best"
            )

    def _uuid(self, row: Foreign) -> str:
        own = row.uuid or ""
        mark = blake2b(own.encode(errors="replace"), digest_size=8).digest()
        if not own or mark in self.uuids:
            return self.draw.uuid(self.rows)
        self.uuids.add(mark)
        return own


_COMPLETION: dict[str, Any] = {
    "finish_reason": None,
    "prompt_tokens": None,
    "completion_tokens": None,
    "seconds": None,
}


def _write(folder: RunFolder, unit: Unit, taking: _Taking, rows: Iterable[Foreign]) -> None:
    instructions, responses, labels = [], [], []
    for row in rows:
        instructions.append(taking.instruction(row))
        if instructions[-1].rejection is None:
            responses.append(taking.response(row))
            labels.append(row.labels)
        taking.rows += 1
    for stage, made in ((INSTRUCTIONS, instructions), (RESPONSES, responses)):
        folder.write(stage, unit, _table(map(asdict, made), SHARDS[stage]))
    brought = ({"uuid": row.uuid, **own} for row, own in zip(responses, labels, strict=True))
    folder.write(IMPORTED, unit, _table(brought, {"uuid": "string", **LABELS}))


def _table(rows: Iterator[dict[str, Any]], columns: dict[str, Any]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist(list(rows), schema=arrow_schema(columns))

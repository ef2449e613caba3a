"""Asks one open engine for all the tags that it makes, row by row, over all units of a run.

A finished row is in a journal before anything else happens; a unit's shard replaces its journal.
The queue stays full over the borders of units and tags. Knows neither prompts nor specs.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from magpie_hub.engines.base import Completion, Engine, Request
from magpie_hub.generate.schedule import Key
from magpie_hub.records import MODEL_TAG_SHARD, Unit, arrow_schema
from magpie_hub.run.reporting import Report
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import Journal
from magpie_hub.tag import Tag
from magpie_hub.tag.asked import Asker

_NOT_ASKED = dict.fromkeys(("attempts", "cut", "prompt_tokens", "completion_tokens"), 0)


@dataclass(frozen=True, slots=True)
class Made:
    """A tag that a model makes: where its shards lie, and the model as rows name it."""

    tag: Tag
    stage: str
    model: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A tag that an engine makes, and how it is asked."""

    made: Made
    asker: Asker


@dataclass(slots=True)
class Unfinished:
    """A unit whose tag is being made: its rows, and what is known of each so far."""

    made: Made
    unit: Unit
    rows: list[dict[str, Any]]
    journal: Journal
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    left: int = 0


@dataclass(slots=True)
class _Question:
    """A row that is being asked about."""

    asker: Asker
    unit: Unfinished
    index: int
    prompt: tuple[int, ...]
    entry: dict[str, Any]


def ask(asked: Iterable[Asked], engine: Engine, folder: RunFolder, report: Report) -> None:
    """Bring the tags to all rows of the run."""
    work = _Work(list(asked), folder, report)
    try:
        for completion in engine.complete(work.next):
            work.accept(completion)
    finally:
        work.close()


class _Work:
    """What remains to be asked, in order, and what is being asked."""

    def __init__(self, asked: list[Asked], folder: RunFolder, report: Report) -> None:
        self._asked, self._folder, self._report = asked, folder, report
        self._again: deque[_Question] = deque()
        self._asking: dict[Key, _Question] = {}
        self._fresh = self._questions()
        self._open: dict[int, Unfinished] = {}
        self._told = {each.made.tag.name: _Told() for each in asked}

    def next(self) -> Request | None:
        """Return the next request: those that failed go first, since their unit waits for them."""
        question = self._again.popleft() if self._again else next(self._fresh, None)
        if question is None:
            return None
        work, attempt = question.unit, question.entry["attempts"]
        key = Key(work.made.stage, work.unit, question.index)
        self._asking[key] = question
        seed = _seed(work.rows[question.index]["uuid"], work.made.tag.name, attempt)
        return question.asker.request(key, question.prompt, seed, attempt)

    def accept(self, completion: Completion) -> None:
        """Take in an answer: the row is finished, or is asked again."""
        key: Any = completion.key
        question = self._asking.pop(key)
        work, entry = question.unit, question.entry
        entry["attempts"] += 1
        for name in ("prompt_tokens", "completion_tokens", "seconds"):
            entry[name] += getattr(completion, name)
        told = self._told[work.made.tag.name]
        told.tokens += completion.completion_tokens
        answer = question.asker.read(completion)
        if answer.values is None and entry["attempts"] < question.asker.attempts:
            self._again.append(question)
            return
        entry |= {"engine": completion.engine, "engine_version": completion.engine_version}
        entry["values"], entry["failure"] = answer.values, answer.failure
        raw = (completion.text or completion.error).encode(errors="replace").decode()
        entry["raw"] = raw if answer.values is None else None
        work.journal.append(entry)
        work.entries[question.index] = entry
        work.left -= 1
        told.done, told.failed = told.done + 1, told.failed + (answer.values is None)
        self._tell(work.made)
        if not work.left:
            self._finish(work)

    def close(self) -> None:
        """Close the journals of what is not finished."""
        for work in self._open.values():
            work.journal.close()

    def _questions(self) -> Iterator[_Question]:
        units = self._folder.units()
        rows = {unit: self._folder.answers(unit) for unit in units}
        for asked in self._asked:
            told = self._told[asked.made.tag.name]
            told.total = sum(rows.values())
            for unit in units:
                if self._folder.tagged(asked.made.stage, unit):
                    told.done += rows[unit]
                else:
                    yield from self._of_unit(asked, unit)
            self._tell(asked.made)

    def _of_unit(self, asked: Asked, unit: Unit) -> Iterator[_Question]:
        work = begun(asked.made, unit, self._folder)
        self._open[id(work)] = work
        told = self._told[asked.made.tag.name]
        told.done += len(work.rows) - work.left
        told.failed += sum(entry["failure"] is not None for entry in work.entries.values())
        if not work.left:
            self._finish(work)
        for index, row in enumerate(work.rows):
            if row["rejection"] is None and index not in work.entries:
                texts = {name: row[name] for name in ("instruction", "response")}
                prompt, cut = asked.asker.prompt(texts)
                entry = {"index": index, **_NOT_ASKED, "seconds": 0.0, "cut": cut}
                yield _Question(asked.asker, work, index, prompt, entry)

    def _finish(self, work: Unfinished) -> None:
        del self._open[id(work)]
        finish(work, self._folder)

    def _tell(self, made: Made) -> None:
        told = self._told[made.tag.name]
        self._report(f"tag {made.tag.name}", told.done, told.total, told.tokens, told.failed)


@dataclass(slots=True)
class _Told:
    done: int = 0
    total: int = 0
    tokens: int = 0
    failed: int = 0


def begun(made: Made, unit: Unit, folder: RunFolder) -> Unfinished:
    """Return a unit with what its journal knows; rows that were dropped are not asked about."""
    columns = ["uuid", "instruction", "response", "rejection"]
    rows = folder.answered(unit).select(columns).to_pylist()
    journal = folder.open_journal(made.stage, unit)
    work = Unfinished(made, unit, rows, journal)
    work.entries = {entry["index"]: entry for entry in journal.entries}
    work.left = sum(row["rejection"] is None for row in rows) - len(work.entries)
    return work


def finish(work: Unfinished, folder: RunFolder) -> None:
    """Write the shard of a unit of which every row is known; its journal goes."""
    import pyarrow as pa

    tag = work.made.tag
    rows = []
    for index, row in enumerate(work.rows):
        entry = work.entries.get(index)
        if entry is None:
            rows.append({"uuid": row["uuid"], **_NOT_ASKED})
            continue
        named = {tag.generator: work.made.model} if tag.generator else {}
        how = {name: entry.get(name) for name in MODEL_TAG_SHARD}
        rows.append({"uuid": row["uuid"], **(entry["values"] or {}), **named, **how})
    work.journal.close()
    table = pa.Table.from_pylist(rows, schema=arrow_schema(tag.shard))
    folder.write(work.made.stage, work.unit, table)


def _seed(uuid: str, tag: str, attempt: int) -> int:
    digest = blake2b(f"{uuid}\n{tag}\n{attempt}".encode(), digest_size=4).digest()
    return min(int.from_bytes(digest, "big"), 2**32 - 2)

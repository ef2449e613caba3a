"""The run folder: where each unit's files lie, who may write there, and what the run is.

    run/run.json                        spec, population, resolved revision, versions
    run/instructions/00000.parquet      a finished shard
    run/instructions/00001.journal      the unit in progress
    run/responses/default/00000.parquet
    run/tags/language/5d1f.../00000.parquet   row for row beside the shard that it labels

The truth about progress: what is not here remains to be done. Knows nothing of models, of the
order of stages, or of why a row is kept.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import records
from magpie_hub.errors import RunError, ShardError
from magpie_hub.records import ANSWERS, INSTRUCTIONS, RESPONSES, Unit
from magpie_hub.shards.files import known_sha256, make_folder, write_text
from magpie_hub.shards.journal import Journal

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 3
DRAWN = ("instruction", "gen_input_configs", "raw_instruction", "sanitised")
"""What answered rows have from the shard of their instructions."""
IMPORTED = "tags/imported/1"
"""The stage of the labels that rows of others' making brought."""
ASKED = ("instructions", "responses/", "extensions/")
"""How the stages of what the generator is asked for begin; all others stand beside their rows."""
BESIDE = ("tags", "curated")
"""What run.json says of that which stands beside the rows."""
KEYS = {"spec", "population", "pins", "models", "tags", "fingerprint", "growth", "unit_rows"}


def units(growth: Sequence[int], unit_rows: int) -> list[Unit]:
    """Return the units, of at most `unit_rows`, of a run that grew to each of `growth` in turn.

    No unit reaches over a point of growth, so a finished shard never changes.
    """
    found: list[Unit] = []
    start = 0
    for stop in growth:
        while start < stop:
            end = min(start + unit_rows, stop)
            found.append(Unit(len(found), start, end))
            start = end
    return found


class RunFolder:
    """A run folder by its path; `state` is the content of its run.json.

    What stands beside its rows (tags, duplicates) stands beside those of one answer set, the run's
    first unless another is named: then all of that, and what run.json says of it, lies apart.
    """

    def __init__(self, path: Path, rows: str | None = None) -> None:
        """Name a run folder; nothing is read or made yet.

        rows: the stage of other rows than those of the first answer set.
        """
        self.path = path
        self._rows = rows

    @property
    def stage(self) -> str:
        """The stage of the rows that tags stand beside."""
        return self._rows or RESPONSES

    def of_answers(self, name: str) -> "RunFolder":
        """Return the run with the rows of an answer set, and what stands beside them."""
        first = name == self.state().get("first", ANSWERS)
        return RunFolder(self.path, None if first else f"responses/{name}")

    @property
    def first(self) -> "RunFolder":
        """The run with the rows of its first answer set."""
        return RunFolder(self.path)

    @property
    def is_first(self) -> bool:
        """Whether what stands beside the rows of the first answer set is seen here."""
        return self._rows is None

    @property
    def started(self) -> bool:
        """Whether there is a run here."""
        return (self.path / "run.json").exists()

    def state(self) -> dict[str, Any]:
        """Return run.json; RunError where it is missing or not ours."""
        path = self.path / "run.json"
        try:
            state = json.loads(path.read_bytes())
            if state["format"] != FORMAT:
                raise ValueError(
                    f"its format is {state['format']}, expected {FORMAT}: another version made it"
                )
            if missing := KEYS - state.keys():
                raise ValueError(f"it lacks `{min(missing)}`")
        except FileNotFoundError:
            raise RunError(
                f"there is no run in `{self.path}`",
                hint="make one with `magpie-hub generate SPEC`, or name another with --run",
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"`{path}` is not the run.json of a run: {error}",
                hint="restore the file from a copy, go on with the version that made it, or start"
                " over in another folder with --run",
            ) from error
        return dict(state) if self._rows is None else self._seen(state)

    def _seen(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return run.json with what it says of the rows of this view."""
        first = {key: value for key, value in state.items() if key not in BESIDE}
        return {"tags": {}, **first, **state.get("views", {}).get(self._rows, {})}

    def _unseen(self, state: Mapping[str, object]) -> dict[str, object]:
        """Return run.json as it is for the first answer set, with what a view says in its place."""
        whole = RunFolder(self.path).state()
        own = {key: state[key] for key in BESIDE if key in state}
        views = {**whole.get("views", {}), self._rows: own}
        first = {key: whole[key] for key in BESIDE if key in whole}
        return {**{k: v for k, v in state.items() if k not in BESIDE}, **first, "views": views}

    def save(self, state: Mapping[str, object]) -> None:
        """Write run.json."""
        state = state if self._rows is None else self._unseen(state)
        text = json.dumps({"format": FORMAT, **state}, ensure_ascii=False, indent=2)
        path = self.path / "run.json"
        if not path.exists() or path.read_bytes() != f"{text}\n".encode():
            write_text(path, text + "\n")

    def units(self) -> list[Unit]:
        """Return the units of the run."""
        state = self.state()
        return units(state["growth"], state["unit_rows"])

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Own the folder; RunError names who does, where it is another process.

        The system releases the lock when its owner dies.
        """
        if self.path.exists() and not self.started and any(self._strangers()):
            raise RunError(
                f"`{self.path}` is no run folder and is not empty: it holds"
                f" `{next(self._strangers())}`",
                hint="name another folder with --run",
            )
        make_folder(self.path)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.read(descriptor, 200).decode(errors="replace").strip()
                raise RunError(
                    f"`{self.path}` is in use by {owner or 'another process'}",
                    hint="wait for it or stop it, then run the same command; or use another"
                    " folder with --run",
                ) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {os.uname().nodename}".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _strangers(self) -> Iterator[str]:
        ours = {"lock", "run.json.tmp"}
        return (entry.name for entry in self.path.iterdir() if entry.name not in ours)

    def shard(self, stage: str, unit: Unit) -> Path:
        """Return where a unit's shard of a stage lies, such as `instructions`."""
        beside = self._rows is not None and not stage.startswith(ASKED)
        place = self.path / "beside" / self.stage if beside else self.path
        return place / stage / f"{unit.number:05d}.parquet"

    def journal(self, stage: str, unit: Unit) -> Path:
        """Return where the journal of a unit in progress lies."""
        return self.shard(stage, unit).with_suffix(".journal")

    def open_journal(self, stage: str, unit: Unit) -> Journal:
        """Open the journal of a unit in progress; it must be one of this run and unit."""
        return Journal(self.journal(stage, unit), self._labels(stage, unit))

    def finished(self, stage: str, unit: Unit) -> bool:
        """Whether the unit's shard of a stage is there."""
        return self.shard(stage, unit).exists()

    def write(self, stage: str, unit: Unit, table: "pa.Table", **labels: object) -> None:
        """Write a finished shard; its journal, which it replaces, goes."""
        from magpie_hub.shards.parquet import write_shard

        write_shard(self.shard(stage, unit), table, self._labels(stage, unit) | labels)
        self.journal(stage, unit).unlink(missing_ok=True)

    def read(
        self,
        stage: str,
        unit: Unit,
        columns: Mapping[str, records.Type],
        only: Sequence[str] | None = None,
    ) -> "pa.Table":
        """Return a finished shard, or `only` some columns of it: see `parquet.read_shard`.

        What stands beside the responses is checked against their shard as it now is.
        """
        from magpie_hub.shards.parquet import read_shard

        schema = records.arrow_schema(dict(columns))
        return read_shard(self.shard(stage, unit), schema, self._labels(stage, unit), only)

    def instructions(self, unit: Unit, only: Sequence[str] | None = None) -> "pa.Table":
        """Return a unit's instruction shard: one row for every index."""
        return self.read(INSTRUCTIONS, unit, records.INSTRUCTION_SHARD, only)

    def responses(self, unit: Unit, only: Sequence[str] | None = None) -> "pa.Table":
        """Return a unit's response shard: one row for every kept instruction."""
        return self.read(self.stage, unit, records.RESPONSE_SHARD, only)

    def kept(self, unit: Unit) -> dict[int, str]:
        """Return the kept instructions of a unit by their index."""
        rows = self._kept(unit)
        texts = rows["instruction"].to_pylist()
        return dict(zip(rows["index"].to_pylist(), texts, strict=True))

    def answered(self, unit: Unit, only: Sequence[str] | None = None) -> "pa.Table":
        """Return the kept instructions of a unit zipped with their responses.

        Columns: those of the response shard, and those of `DRAWN`; or `only` some of these, and
        `index`.
        """
        drawn = [name for name in DRAWN if only is None or name in only]
        kept = self._kept(unit, ["index", "rejection", *drawn])
        answers = self.responses(unit, None if only is None else ["index", *only])
        if not kept["index"].equals(answers["index"]):
            raise ShardError(
                f"`{self.shard(self.stage, unit)}` answers other instructions than"
                f" `{self.shard(INSTRUCTIONS, unit)}` holds",
                hint="remove the first file and run the same command: it is made again",
            )
        for name in drawn:
            answers = answers.append_column(name, kept[name])
        return answers

    def answers(self, unit: Unit) -> int:
        """Return how many rows a unit's response shard has, without reading them."""
        from magpie_hub.shards.parquet import count_rows

        return count_rows(self.shard(self.stage, unit))

    def labelled(self, unit: Unit) -> str:
        """Return the checksum of the shard that a unit's tags, and all else, stand beside."""
        return known_sha256(self.shard(self.stage, unit))

    def tagged(self, stage: str, unit: Unit) -> bool:
        """Whether a unit's tag shard is there, for the response shard as it now is."""
        from magpie_hub.shards.parquet import read_labels

        path = self.shard(stage, unit)
        return path.exists() and read_labels(path).get("labelled") == self.labelled(unit)

    def _kept(self, unit: Unit, only: Sequence[str] | None = None) -> "pa.Table":
        import pyarrow.compute as pc

        drawn = self.instructions(unit, only)
        return drawn.filter(pc.is_null(drawn["rejection"]))

    def _labels(self, stage: str, unit: Unit) -> dict[str, object]:
        labels = {"run": self.state()["fingerprint"], "stage": stage, "unit": unit.number}
        if stage.startswith("responses/"):
            # Answers belong to these instructions, not to others that were drawn in their place.
            labels["answers"] = known_sha256(self.shard(INSTRUCTIONS, unit))
        elif not stage.startswith(ASKED):
            labels["labelled"] = self.labelled(unit)
        return labels

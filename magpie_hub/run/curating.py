"""The stage between the rows and their tags: which repeat others, and which overlap a benchmark.

What it finds is written beside the rows; nothing is taken away here. Knows where other releases and
benchmarks are read from, and not how rows are compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from magpie_hub.curate import duplicates, index
from magpie_hub.curate.beside import OVERLAP_SHARD
from magpie_hub.curate.contamination import Benchmarks, Overlap
from magpie_hub.curate.signatures import backend
from magpie_hub.errors import RunError
from magpie_hub.records import arrow_schema
from magpie_hub.run.labels import known, views
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.foreign import checksums, read
from magpie_hub.shards.foreign_datasets import label
from magpie_hub.spec.curation import Decontaminate, Near
from magpie_hub.spec.model import Spec
from magpie_hub.spec.source import Source

CODE = 1
"""Raised when the same settings find something else."""
EXAMPLES, LONGEST = 3, 200
"""How many overlaps with a benchmark are shown, and their most characters."""


def curate(spec: Spec, folder: RunFolder, report: Report, warn: Warn) -> dict[str, Any]:
    """Find what rows repeat and overlap, write down where that lies, and return run.json.

    The rows of each answer set that is used: one may lack a row of which another is a copy. The
    caller holds the folder's lock and has begun the run. Raises RunError where rows are to come.
    """
    for rows in views(spec, folder):
        _curate(spec, rows, report, warn)
    return folder.state()


def _curate(spec: Spec, folder: RunFolder, report: Report, warn: Warn) -> None:
    units = folder.units()
    if not units or not all(folder.finished(folder.stage, unit) for unit in units):
        raise RunError(
            f"`{folder.path}` is unfinished: its rows are not all there yet",
            hint="finish them with `magpie-hub generate SPEC`",
        )
    found = {"duplicates": _duplicates(spec, folder, report, warn)}
    if spec.decontaminate is not None:
        found["overlaps"] = _overlaps(spec, spec.decontaminate, folder, report, warn)
    state = folder.state()
    folder.save(state | {"curated": found})
    # Rows that repeat others are no neighbours.
    folder.save(folder.state() | {"tags": known(spec, folder, state["models"])})


def check_releases(spec: Spec, folder: RunFolder) -> None:
    """Raise SpecError for a release or a benchmark, on this machine, that cannot be read."""
    named = {"dedup.against": spec.dedup.against}
    if spec.decontaminate is not None:
        named["decontaminate.benchmarks"] = spec.decontaminate.benchmarks
    for place, sources in named.items():
        for number, source in enumerate(sources):
            with spec.placed(f"{place}.{number}"):
                _Release(source).check(folder)


def _duplicates(spec: Spec, folder: RunFolder, report: Report, warn: Warn) -> str | None:
    """Return the stage that says what rows repeat; None where nobody wants to know."""
    dedup, near = spec.dedup, spec.dedup.near or None
    if not (dedup.exact or near):
        return None
    releases = _releases(dedup.against)
    decided = [CODE, dedup.exact, index.name(near), near and near.threshold]
    decided += [folder.labelled(unit) for unit in folder.units()]
    for number, (name, release) in enumerate(releases.items()):
        with spec.placed(f"dedup.against.{number}"):
            decided += [name, release.content]
    stage = f"duplicates/{_digest(decided)}"
    if not all(folder.tagged(stage, unit) for unit in folder.units()):
        against = {}
        for number, (name, release) in enumerate(releases.items()):
            with spec.placed(f"dedup.against.{number}"):
                against[name] = release.indexed(folder, near)
                _check_found(against[name])
            _say(name, release.faults(), warn)
        units = folder.units()
        for done, unit in enumerate(units, 1):
            index.of_unit(folder, unit, near)
            report("duplicates", done, len(units), 0)
        own = [folder.shard(index.stage(near), unit) for unit in units]
        duplicates.write(folder, stage, duplicates.parts(against, own), dedup)
    return stage


def _releases(sources: Sequence[Source]) -> "dict[str, _Release]":
    """Return releases by what they are called in public, each by a name of its own."""
    found: dict[str, _Release] = {}
    for release in map(_Release, sources):
        again = sum(release.label == other.label for other in found.values())
        found[f"{release.label} ({again + 1})" if again else release.label] = release
    return found


def _say(name: str, faults: list[str], warn: Warn) -> None:
    """Name the rows of a release or a benchmark with which nothing can be compared."""
    if faults:
        warn(f"`{name}`: {len(faults):,} rows cannot be read, and are not compared: {faults[0]}")


def _check_found(rows: Iterable[object]) -> None:
    """Raise RunError where there is nothing to compare with, so that no card says there was."""
    if not any(True for _ in rows):
        raise RunError(
            "there is no row in it that can be read", hint="name another file or dataset, or none"
        )


@dataclass(frozen=True, slots=True)
class _Release:
    """Rows elsewhere, as a spec names them: the folder of a run, a dataset, files."""

    source: Source

    @property
    def label(self) -> str:
        """What it is called where it may be published: no folder above it."""
        if self.source.dataset is not None:
            return label(self.source.dataset)
        first, *others = self.source.files or []
        name = Path(first).name
        return f"{name} and {len(others)} more" if others else name

    def check(self, folder: RunFolder) -> None:
        """Raise where it cannot be read, has rows to come, or is the run in `folder` itself.

        What lies on the Hub is not looked at.
        """
        run = self._run
        if run is None:
            # The label of a folder is looked for, that of a dataset on the Hub is its name.
            if self.label and self.source.files is not None:
                _check_found(islice(read(self.source), 1))
            return
        if self.source != Source(dataset=self.source.dataset):
            raise RunError(
                f"`{self.source.dataset}` is a run, of which all rows count",
                hint="leave `rows`, `columns`, `config`, `split` and `revision` out",
            )
        if run.path.resolve() == folder.path.resolve():
            raise RunError(
                f"`{self.source.dataset}` is this very run, whose rows would all repeat themselves",
                hint="name another run or release, or take it out",
            )
        units = run.units()
        if not units or not all(run.finished(run.stage, unit) for unit in units):
            raise RunError(
                f"the run in `{self.source.dataset}` is unfinished: its rows are not all there yet",
                hint="finish it with `magpie-hub generate` and its own spec",
            )

    @property
    def content(self) -> str:
        """What names its rows: other rows, another name."""
        if self._run is None:
            how = self.source.model_dump(exclude={"dataset", "files"})
            return str((sorted(checksums(self.source).items()), how))
        return " ".join(self._run.labelled(unit) for unit in self._run.units())

    def indexed(self, folder: RunFolder, near: Near | None) -> list[Path]:
        """Return the files of its index: its own, or one made in the folder of the run."""
        if self._run is not None:
            stage = index.stage(near)
            if all(self._run.tagged(stage, unit) for unit in self._run.units()):
                return [self._run.shard(stage, unit) for unit in self._run.units()]
        place = folder.path / "against" / _digest([index.name(near), self.content])
        return index.of_rows(place, self.rows(), near)

    @property
    def _run(self) -> RunFolder | None:
        run = RunFolder(Path(self.source.dataset or "").expanduser())
        return run if self.source.dataset and run.started else None

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield uuid, or place where there is none, and instruction of all that can be read."""
        if self._run is None:
            for row in islice(read(self.source), self.source.rows):
                if not row.fault:
                    yield row.uuid or row.place, row.instruction
            return
        for unit in self._run.units():
            rows = self._run.answered(unit, ("uuid", "instruction", "rejection"))
            rows = rows.filter(rows["rejection"].is_null())
            yield from zip(rows["uuid"].to_pylist(), rows["instruction"].to_pylist(), strict=True)

    def faults(self) -> list[str]:
        """Return the rows that cannot be read, with their place."""
        if self._run is not None:
            return []
        found = islice(read(self.source), self.source.rows)
        return [f"{row.place}: {row.fault}" for row in found if row.fault]


def _overlaps(
    spec: Spec, asked: Decontaminate, folder: RunFolder, report: Report, warn: Warn
) -> str:
    """Return the stage that says which benchmark a row overlaps."""
    releases = _releases(asked.benchmarks)
    decided: list[Any] = [CODE, asked.words, *releases]
    for number, release in enumerate(releases.values()):
        with spec.placed(f"decontaminate.benchmarks.{number}"):
            decided.append(release.content)
    stage = f"overlaps/{_digest(decided)}"
    units = folder.units()
    if all(folder.tagged(stage, unit) for unit in units):
        return stage
    prompts = {}
    for number, (name, release) in enumerate(releases.items()):
        with spec.placed(f"decontaminate.benchmarks.{number}"):
            prompts[name] = [instruction for _, instruction in release.rows()]
            _check_found(prompts[name])
        _say(name, release.faults(), warn)
    benchmarks = Benchmarks(prompts, words=asked.words)
    for done, unit in enumerate(units, 1):
        if not folder.tagged(stage, unit):
            rows = folder.answered(unit, ("uuid", "instruction", "rejection"))
            dropped = rows["rejection"].is_valid().to_pylist()
            overlaps = [
                None if gone else overlap
                for gone, overlap in zip(
                    dropped, benchmarks.overlaps(rows["instruction"].to_pylist()), strict=True
                )
            ]
            table = _table(rows["uuid"].to_pylist(), overlaps)
            folder.write(stage, unit, table, prompts=benchmarks.sizes)
        report("benchmarks", done, len(units), 0)
    return stage


def _table(uuids: list[str], overlaps: list[Overlap | None]) -> Any:
    import pyarrow as pa

    rows = [
        {"uuid": uuid}
        | (
            {}
            if overlap is None
            else {name: getattr(overlap, name) for name in list(OVERLAP_SHARD)[1:]}
        )
        for uuid, overlap in zip(uuids, overlaps, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(OVERLAP_SHARD))


def curated(spec: Spec, folder: RunFolder) -> dict[str, Any]:
    """Return what a card may say of how rows were compared.

    backend: what signed them. against: the releases that they were compared with. overlaps: by
    benchmark its prompts, the rows of the run that overlap it, and some of what they share.
    """
    near, stage = spec.dedup.near, folder.state()["curated"].get("overlaps")
    return {
        "backend": backend(near) if near else None,
        "against": list(_releases(spec.dedup.against)),
        "overlaps": _report(folder, stage) if stage else {},
    }


def _report(folder: RunFolder, stage: str) -> dict[str, Any]:
    from magpie_hub.shards.parquet import read_labels

    units = folder.units()
    prompts: Any = read_labels(folder.shard(stage, units[0]))["prompts"]
    found: dict[str, Any] = {
        name: {"prompts": count, "rows": 0, "examples": []} for name, count in prompts.items()
    }
    for unit in units:
        table = folder.read(stage, unit, OVERLAP_SHARD, ["benchmark", "shared"])
        for row in table.filter(table["benchmark"].is_valid()).to_pylist():
            overlap = found[row["benchmark"]]
            overlap["rows"] += 1
            if len(overlap["examples"]) < EXAMPLES:
                overlap["examples"].append(row["shared"][:LONGEST])
    return found


def _digest(decided: list[Any]) -> str:
    return blake2b("\n".join(map(str, decided)).encode(), digest_size=8).hexdigest()

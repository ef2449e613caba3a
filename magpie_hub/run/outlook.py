"""What a run keeps and costs so far, and what it will have cost at its end.

The yields of every rule as they are measured, the pace of every model, and both carried on to what
the spec asks for. From files alone: it can be asked while a run goes on, takes no lock and opens no
engine. What is not known yet is left out by name, never guessed.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from magpie_hub import bundled
from magpie_hub.card.cost import Amount, Spent, total
from magpie_hub.curate.funnel import Funnel
from magpie_hub.errors import BuildError
from magpie_hub.generate.extensions import Outcome, Place, next_turn
from magpie_hub.run.judges import makers
from magpie_hub.run.labels import concerns, views
from magpie_hub.run.spending import Extended, extended, spent
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import Progress, extension, progress
from magpie_hub.spec.configs import AtMost
from magpie_hub.spec.model import Spec
from magpie_hub.tag import wanted


@dataclass(frozen=True, slots=True)
class Yield:
    """What a config selects of the draws so far.

    of: rows that it chose from, draws or those of the config that it is made of. passed: of these,
    those that pass its rules; of them a size takes some. funnel: from the draws to the rows.
    open: rows whose response came to its own end, so that a conversation can go on.
    """

    of: int
    passed: int
    funnel: Funnel
    open: int

    @property
    def rules(self) -> list[dict[str, object]]:
        """Of each step its stage, its reason, and the share of rows that it lets pass."""
        return [
            {
                "stage": step.stage,
                "reason": step.reason,
                "dropped": step.dropped,
                "yield": step.left / (step.left + step.dropped) if step.left else 0.0,
            }
            for step in self.funnel.steps
        ]


@dataclass(frozen=True, slots=True)
class Outlook:
    """Where a run stands, and where it goes.

    so_far, at_end: what its models took, by stage. lacking: stages that are to come and of which
    neither pace nor number is known; `at_end` is without what they will take. draws: in all, None
    where that is not known. yields: by config; unmeasured: why there are none.
    """

    so_far: Mapping[str, Spent]
    at_end: Mapping[str, Spent]
    lacking: tuple[str, ...]
    draws: float | None
    yields: Mapping[str, Yield]
    unmeasured: str

    @property
    def spent(self) -> Amount:
        """What the run cost so far."""
        return total(self.so_far.values())

    @property
    def projected(self) -> Amount:
        """What it will have cost at its end."""
        return total(self.at_end.values())

    @property
    def seconds_left(self) -> float:
        """The engine seconds that are to come."""
        seconds = (sum(s.seconds for s in stages.values()) for stages in (self.at_end, self.so_far))
        end, now = seconds
        return max(0.0, end - now)

    @property
    def tokens_per_second(self) -> float:
        """What all models together wrote in a second of an engine; 0 before anything is in."""
        seconds = sum(stage.seconds for stage in self.so_far.values())
        return sum(s.tokens for s in self.so_far.values()) / seconds if seconds else 0.0

    def rows_per_hour(self, config: str) -> float:
        """Return the rows that a config keeps for each engine-hour so far."""
        hours = self.spent.engine_hours
        return self.yields[config].funnel.kept / hours if hours else 0.0


def outlook(spec: Spec, folder: RunFolder) -> Outlook:
    """Return where a run stands; spec: what it is to come to, where that is more than it asks."""
    try:
        yields, unmeasured = measured(spec, folder), ""
        if not yields:
            unmeasured = "no rows are answered and labelled yet"
    except BuildError as error:
        yields, unmeasured = {}, error.message
    now, stages = spent(spec, folder), progress(folder)
    draws = _draws(spec, folder, yields)
    end, lacking = dict[str, Spent](), list[str]()
    for name, number, like in _to_come(spec, folder, now, stages, yields, draws):
        done = now.get(name) or Spent(like.model, 0, 0, 0.0, like.price_per_hour)
        if number is None or (number > done.requests and not (done.requests or like.requests)):
            lacking.append(name)
        else:
            end[name] = _carried(done, like, number)
    return Outlook(now, {**now, **end}, tuple(lacking), draws, yields, unmeasured)


def measured(spec: Spec, folder: RunFolder) -> dict[str, Yield]:
    """Return the yields of a run, else of its units that are whole; BuildError where none is."""
    found: dict[str, Yield] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name, config in spec.active_configs.items():
            builder = _builder(cache, name, folder)
            if not builder.units:
                return {}
            selection, cut = builder.selection, 0
            rows = folder.of_answers(spec.answers_of(config).name)
            for unit, mask in zip(builder.units, selection.masks, strict=True):
                if config.turns is not None:
                    reasons = rows.answered(unit, ["finish_reason"])["finish_reason"].filter(mask)
                    cut += reasons.to_pylist().count("length")
            passed = sum(int(mask.sum()) for mask in selection.passed)
            kept = selection.funnel.kept
            found[name] = Yield(selection.of, passed, selection.funnel, kept - cut)
    return found


def _builder(cache: str, name: str, folder: RunFolder) -> Any:
    magpie = bundled.builder_module().Magpie
    try:
        return magpie(cache, config_name=name, data_dir=folder.path, extended=False)
    except BuildError:
        return magpie(cache, config_name=name, data_dir=folder.path, so_far=True)


def _draws(spec: Spec, folder: RunFolder, yields: Mapping[str, Yield]) -> float | None:
    """Return how many draws there will be in all."""
    given = spec.instructions
    if spec.source is not None or given.until is None:
        return _rows(spec, folder)
    if _stop(spec, folder) is not None:
        return float(folder.state()["growth"][-1])
    known = yields.get(given.until.config)
    if known is None:
        return None
    share = known.passed / known.funnel.drawn
    return min(given.most, given.until.rows / share) if share else float(given.most)


def _stop(spec: Spec, folder: RunFolder) -> int | None:
    """Return where the release of a run ends that keeps as many rows as it is to."""
    until, found = spec.instructions.until, folder.state().get("until", {})
    return found["stop"] if until is not None and found.get("rows") == until.rows else None


def _rows(spec: Spec, folder: RunFolder) -> float:
    if spec.source is None:
        return float(spec.instructions.rows)
    taken = (folder.state()["growth"] or [0])[-1]
    return float(max(taken, spec.source.rows or 0))


def _to_come(
    spec: Spec,
    folder: RunFolder,
    now: Mapping[str, Spent],
    stages: Mapping[str, Progress],
    yields: Mapping[str, Yield],
    draws: float | None,
) -> Iterator[tuple[str, float | None, Spent]]:
    """Yield the stages that ask a model, with how many requests each will have asked in all.

    With them a stage whose pace is theirs as long as they have none of their own.
    """
    drawn = stages["instructions"]
    judged = stages["responses"].of + sum(drawn.rejected.values())
    kept = None if draws is None or not judged else draws * stages["responses"].of / judged
    if spec.generator is not None:
        yield "instructions", draws, now["instructions"]
        for name in (name for name in stages if name != "instructions"):
            yield name, kept, now[name]
    for name, tag, answers in _labels(spec, folder):
        done = stages[answers]
        answered = 1 - sum(done.rejected.values()) / done.rows if done.rows else None
        number = None if kept is None or answered is None else kept * answered
        price = makers(spec)[tag].section.price_per_hour
        yield name, number, now.get(name) or Spent(makers(spec)[tag].name, 0, 0, 0.0, price)
    for each in extended(spec, folder) if spec.generator is not None else ():
        rows = _selected(spec, each, yields, _stop(spec, folder) or draws)
        yield from _extension(spec, each, now, rows)


def _labels(spec: Spec, folder: RunFolder) -> Iterator[tuple[str, str, str]]:
    """Yield the tags that models make: as `spent` calls them, their names, the rows they are of."""
    for rows in views(spec, folder):
        other = "" if rows.is_first else " " + rows.stage.partition("/")[2]
        for tag in makers(spec):
            if concerns(spec, wanted(spec.tags)[tag], rows):
                yield f"{tag}{other}", tag, f"responses{other}"


def _extension(
    spec: Spec, each: Extended, now: Mapping[str, Spent], rows: float | None
) -> Iterator[tuple[str, float | None, Spent]]:
    """Yield an extension, and the scores of its samples; rows: that are extended."""
    answers = spec.answers_of(each.config)
    written = now["responses" if answers is spec.responses[0] else f"responses {answers.name}"]
    if each.config.turns is not None:
        both = _exchange(now["instructions"], written)
        yield each.name, rows and _turns(each, rows), now.get(each.name) or both
        return
    assert each.config.samples is not None
    tag, number = each.config.samples.scored_by, each.config.samples.number
    samples = None if rows is None else rows * number
    yield each.name, samples, now.get(each.name) or written
    done, name = extension(each.rows), f"{tag} of {each.name}"
    # What was dropped is not scored.
    scored = 1 - sum(done.rejected.values()) / max(done.completions, 1)
    price = makers(spec)[tag].section.price_per_hour
    other = now.get(tag) or Spent(makers(spec)[tag].name, 0, 0, 0.0, price)
    yield name, samples and samples * scored, now.get(name) or other


def _turns(each: Extended, rows: float) -> float:
    """Return how many completions further turns are; those to come are taken to be all made."""
    assert each.config.turns is not None
    number = each.config.turns.number
    done, found = extension(each.rows), dict[int, dict[Place, Outcome]]()
    for one in each.rows.plan().to_pylist():
        place = Place(one["number"], one["role"] == "assistant")
        how = Outcome(one["rejection"], one["finish_reason"])
        found.setdefault(one["index"], {})[place] = how
    whole = 2 * (number - 1)
    ended = [places for places in found.values() if not next_turn(number, places)]
    to_come = whole * (max(rows, done.rows) - len(ended))
    return sum(map(len, ended)) + to_come


def _exchange(asked: Spent, answered: Spent) -> Spent:
    """Return what one request of each of two stages takes, together as two requests."""
    if not (asked.requests and answered.requests):
        return replace(answered, requests=0, tokens=0, seconds=0.0)
    return replace(
        answered,
        requests=2,
        tokens=asked.tokens / asked.requests + answered.tokens / answered.requests,
        seconds=asked.seconds / asked.requests + answered.seconds / answered.requests,
    )


def _selected(
    spec: Spec, each: Extended, yields: Mapping[str, Yield], draws: float | None
) -> float | None:
    """Return how many rows an extension is made for: those of the largest of its configs."""
    # Of none that passed so far, nothing tells how many will.
    if draws is None or not any(name in yields and yields[name].passed for name in each.configs):
        return None
    rows = {name: _rows_of(spec, name, yields, draws) for name in each.configs}
    if each.config.turns is None:
        return max(rows.values())
    kept = {name: max(yields[name].funnel.kept, 1) for name in rows}
    return max(number * yields[name].open / kept[name] for name, number in rows.items())


def _rows_of(spec: Spec, name: str, yields: Mapping[str, Yield], draws: float) -> float:
    config, found = spec.active_configs[name], yields[name]
    of = draws if config.parent is None else _rows_of(spec, config.parent, yields, draws)
    if config.size is None:
        # Quotas may take fewer than pass.
        return of * found.funnel.kept / found.of if found.of else 0.0
    size = config.size.at_most if isinstance(config.size, AtMost) else config.size
    return min(float(size), of * found.passed / found.of if found.of else 0.0)


def _carried(done: Spent, like: Spent, number: float) -> Spent:
    """Return what a stage will have taken for so many requests, at its pace or another's."""
    left = max(0.0, round(number) - done.requests)
    pace = left / like.requests if left else 0.0
    return replace(
        done,
        requests=done.requests + left,
        tokens=done.tokens + like.tokens * pace,
        seconds=done.seconds + like.seconds * pace,
    )

"""The stage that labels: every unit of answered rows gets a shard for every tag that it lacks.

Tags that are computed come first, then those of the model that is open already, then those of other
models, each opened once, at last the neighbours. Knows how each kind of tag is made, and none of
what it says.
"""

from collections.abc import Container
from dataclasses import dataclass
from functools import partial
from typing import Any

from magpie_hub.engines.base import Engine
from magpie_hub.engines.scoring import Scorer
from magpie_hub.records import Unit
from magpie_hub.run.asking import Asked, Made, ask
from magpie_hub.run.begin import begin
from magpie_hub.run.comparing import compare, embed
from magpie_hub.run.curating import curate
from magpie_hub.run.judges import Maker, Pin, makers, stop_ids, weights
from magpie_hub.run.labels import concerns, embedder_key, views, write_known
from magpie_hub.run.opened import Models
from magpie_hub.run.reporting import Report, Warn
from magpie_hub.run.scoring import Scored, score
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import EmbedderSection
from magpie_hub.tag import TAGS, Tag, wanted
from magpie_hub.tag.asked import Asker, Encode
from magpie_hub.tag.base_response import BaseResponse
from magpie_hub.tag.embedders import open_embedder
from magpie_hub.tag.exchange import Exchange, Guard
from magpie_hub.tag.judge import Judge


@dataclass(frozen=True, slots=True)
class _Job:
    """A tag that a model makes, and where its shards lie."""

    tag: Tag
    stage: str
    maker: Maker
    pin: Pin

    @property
    def made(self) -> Made:
        return Made(self.tag, self.stage, self.maker.name)


def tag(spec: Spec, folder: RunFolder, report: Report, warn: Warn, models: Models) -> None:
    """Label the answered rows of a run with the spec's tags; the caller holds its lock."""
    begin(spec, folder, warn, tags=True)
    state = curate(spec, folder, report, warn)
    every = views(spec, folder)
    for rows in every[1:]:
        _say_unlabelled(rows, warn)
    for name, each in wanted(spec.tags).items():
        for rows in every:
            if each.module and concerns(spec, each, rows):
                _compute(each, state["tags"][name]["stage"], rows, report)
    stages = {name: tag_["stage"] for name, tag_ in state["tags"].items()}
    for jobs in _groups(_jobs(spec, state), models):
        for rows in every:
            theirs = [job for job in jobs if concerns(spec, job.tag, rows)]
            if not all(_is_made(rows, job.stage) for job in theirs):
                _make(theirs, stages, rows, report, models)
    if spec.tags.neighbours is not None:
        # An embedder may want the memory that the last model has.
        models.close()
        _embed(spec, spec.tags.neighbours.embedder, folder, report)
        for rows in every:
            stages = {name: each["stage"] for name, each in rows.state()["tags"].items()}
            if concerns(spec, TAGS["neighbours"], rows):
                compare(stages["neighbours"], stages["embedding"], rows, report)


def _say_unlabelled(rows: RunFolder, warn: Warn) -> None:
    """Count the rows of an answer set whose instruction is labelled with none of the first."""
    lacking = 0
    for unit in rows.units():
        own, first = (
            view.responses(unit, ["rejection"])["rejection"].is_null().to_pylist()
            for view in (rows, rows.first)
        )
        lacking += sum(kept and not there for kept, there in zip(own, first, strict=True))
    if lacking:
        warn(
            f"{lacking:,} rows of `{rows.stage}` get no label of their instruction from a model:"
            " the first answers to these were dropped"
        )


def label(spec: Spec, rows: RunFolder, name: str, report: Report, models: Models) -> None:
    """Label other rows of a run, such as sampled responses, with one tag that a model makes."""
    state = rows.state()
    [job] = (job for job in _jobs(spec, state, [name]))
    if not _is_made(rows, job.stage):
        _make([job], {name: job.stage}, rows, report, models)


def _compute(tag: Tag, stage: str, folder: RunFolder, report: Report) -> None:
    units = folder.units()
    for done, unit in enumerate(units, 1):
        if not folder.tagged(stage, unit):
            folder.write(stage, unit, tag.label(folder.answered(unit)))
        report(f"tag {tag.name}", done, len(units), 0)


def _is_made(folder: RunFolder, stage: str) -> bool:
    return all(folder.tagged(stage, unit) for unit in folder.units())


def _jobs(spec: Spec, state: dict[str, Any], only: Container[str] | None = None) -> list[_Job]:
    tags = wanted(spec.tags)
    return [
        _Job(
            tags[name],
            state["tags"][name]["stage"],
            maker,
            Pin.from_json(state["models"][maker.key]),
        )
        for name, maker in makers(spec).items()
        if only is None or name in only
    ]


def _groups(jobs: list[_Job], models: Models) -> list[list[_Job]]:
    """Return the jobs by the model that has to be open for them; what is open goes first.

    Reward models go last: they score what a base model has answered.
    """
    groups: dict[tuple[bool, str, str, str], list[_Job]] = {}
    for job in jobs:
        engine = job.maker.section.engine
        options = str(sorted(engine.options.items(), key=str))
        key = (job.maker.role == "reward", engine.name, options, job.pin.revision)
        groups.setdefault(key, []).append(job)

    def rank(key: tuple[bool, str, str, str]) -> tuple[bool, bool]:
        is_open = any(models.is_for(job.maker.section) for job in groups[key])
        return key[0], not is_open

    return [groups[key] for key in sorted(groups, key=rank)]


def _make(
    jobs: list[_Job], stages: dict[str, str], folder: RunFolder, report: Report, models: Models
) -> None:
    """Make the tags of one model; stages: where every tag's shards lie."""
    maker = jobs[0].maker
    place = weights(maker, jobs[0].pin)
    if maker.role == "reward":
        scorer = models.scorer(maker.section, place)
        score([_scored(job, scorer, stages, folder) for job in jobs], scorer, folder, report)
    else:
        engine = models.engine(maker.section, place)
        ask([Asked(job.made, _asker(job, engine)) for job in jobs], engine, folder, report)


def _asker(job: _Job, engine: Engine) -> Asker:
    special = partial(engine.encode, special=True)
    plain = partial(engine.encode, special=False)
    stop, context = stop_ids(job.pin, special), engine.context_length
    if job.maker.adapter is not None:
        return Guard(job.maker.adapter, _exchange(job, special, plain), stop, context)
    texts = [tuple(special(text)) for text in job.pin.texts]
    if job.tag.question is not None:
        return Judge(job.tag.question, texts[0], texts[1], stop, plain, context)
    return BaseResponse(texts[0], stop, plain, context)


def _scored(job: _Job, scorer: Scorer, stages: dict[str, str], folder: RunFolder) -> Scored:
    special = partial(scorer.encode, special=True)
    exchange = _exchange(job, special, partial(scorer.encode, special=False))
    read = partial(_scored_texts, job.tag.name, folder, stages)
    return Scored(job.made, exchange, read, partial(_rewards, job.tag.name))


def _exchange(job: _Job, special: Encode, plain: Encode) -> Exchange:
    before, between, after = job.pin.texts
    return Exchange((before, between, after), job.pin.controls, special, plain)


def _scored_texts(
    tag: str, folder: RunFolder, stages: dict[str, str], unit: Unit, rows: list[dict[str, Any]]
) -> None:
    """Add to rows what is scored: the response, or what the base model answered."""
    if tag == "reward":
        for row in rows:
            row["scored"] = row["response"]
        return
    answers, rewards = (
        folder.read(stages[name], unit, TAGS[name].shard) for name in ("base_response", "reward")
    )
    columns = (answers["base_output"].to_pylist(), rewards["instruct_reward"].to_pylist())
    for row, output, reward in zip(rows, *columns, strict=True):
        row["scored"], row["instruct_reward"] = output, reward


def _rewards(tag: str, row: dict[str, Any], number: float) -> dict[str, object]:
    """Return the labels that a score stands for."""
    if tag == "reward":
        return {"instruct_reward": number}
    reward = row["instruct_reward"]
    difference = None if reward is None else reward - number
    return {"base_reward": number, "reward_difference": difference}


def _embed(spec: Spec, given: EmbedderSection, folder: RunFolder, report: Report) -> None:
    state = folder.state()
    made = state["tags"].get("embedding")
    if made is None or not _is_made(folder, made["stage"]):
        embedder = open_embedder(given.name, given.options)
        # Vectors of two models are never compared: with another one all rows get theirs anew.
        state["models"][embedder_key(given)] = {"revision": embedder.revision}
        folder.save(state)
        write_known(spec, folder, state["models"])
        state = folder.state()
        embed(state["tags"]["embedding"]["stage"], embedder, folder, report)

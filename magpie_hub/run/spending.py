"""What the models of a run took so far, stage by stage, from what stands in its files.

The card states it, and `status` shows it while a run goes on. Takes no lock and opens no engine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from magpie_hub.card.cost import Spent
from magpie_hub.run.judges import makers
from magpie_hub.run.labels import extension_stage, views
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import (
    Labelled,
    Progress,
    answer_sets,
    extension,
    progress,
    tags,
)
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model
from magpie_hub.spec.snapshot import model_name


@dataclass(frozen=True, slots=True)
class Extended:
    """The extension of a config, and of others that ask for the same.

    configs: their names. rows: the shards of its completions.
    """

    configs: tuple[str, ...]
    config: Config
    rows: ExtensionFolder

    @property
    def name(self) -> str:
        """What it is called, such as `turns of Pro-MT`."""
        kind = "turns" if self.config.turns is not None else "samples"
        return f"{kind} of {', '.join(self.configs)}"


def extended(spec: Spec, folder: RunFolder) -> list[Extended]:
    """Return the extensions that a spec asks for, begun or not."""
    state, found = folder.state(), dict[tuple[str, str], list[str]]()
    for name, config in spec.extended.items():
        stage = extension_stage(spec, config, state)
        found.setdefault((spec.answers_of(config).name, stage), []).append(name)
    return [
        Extended(
            tuple(names),
            spec.active_configs[names[0]],
            ExtensionFolder(folder.of_answers(answers), stage),
        )
        for (answers, stage), names in found.items()
    ]


def spent(spec: Spec, folder: RunFolder) -> dict[str, Spent]:
    """Return what each stage took whose model was asked for something, by the stage's name.

    That is `instructions`, `responses`, `responses NAME` for other answer sets, each tag that a
    model makes, those of other answer sets as `TAG NAME`, and extensions with their scores.
    An extension that no config of the spec asks for any more is not counted.
    """
    found = _of_labels(spec, folder)
    if spec.generator is None:
        return found
    stages = progress(folder)
    rows = {"instructions": _written(spec.generator, stages["instructions"])}
    for name, answers in zip(answer_sets(folder), spec.responses, strict=True):
        rows[name] = _written(spec.writer_of(answers)[1], stages[name])
    return rows | found | _of_extensions(spec, folder)


def labelled(spec: Spec, folder: RunFolder) -> Iterator[tuple[str, str, Labelled]]:
    """Yield the tags that models made: what each is called here, its own name, and its labels."""
    for rows in views(spec, folder):
        name = "" if rows.is_first else " " + rows.stage.partition("/")[2]
        for tag, how in tags(rows).items():
            yield f"{tag}{name}", tag, how


def _written(section: Model, done: Progress) -> Spent:
    name, price = model_name(section.model), section.price_per_hour
    return Spent(name, done.rows, done.tokens, done.seconds, price)


def _of_labels(spec: Spec, folder: RunFolder) -> dict[str, Spent]:
    made_by = makers(spec)
    return {name: _labels(made_by[tag].section, how) for name, tag, how in labelled(spec, folder)}


def _of_extensions(spec: Spec, folder: RunFolder) -> dict[str, Spent]:
    found, made_by = {}, makers(spec)
    for each in extended(spec, folder):
        done, section = extension(each.rows), spec.writer_of(spec.answers_of(each.config))[1]
        name, price = model_name(section.model), section.price_per_hour
        if done.completions:
            found[each.name] = Spent(name, done.completions, done.tokens, done.seconds, price)
            for tag, how in tags(each.rows).items():
                found[f"{tag} of {each.name}"] = _labels(made_by[tag].section, how)
    return found


def _labels(section: Model, how: Labelled) -> Spent:
    price = section.price_per_hour
    return Spent(how.model, how.rows, how.completion_tokens, how.seconds, price)

"""The check of a spec's names: engines, system prompts, rules, filters, columns and tags.

What each room of the house knows is asked of that room. Opens nothing and reads no run folder.
"""

from collections.abc import Iterable
from math import gcd, prod

from magpie_hub.columns import KINDS, fields
from magpie_hub.curate.filters import FILTERS
from magpie_hub.curate.where import parse
from magpie_hub.engines import engine_class
from magpie_hub.engines.options import nearest
from magpie_hub.generate.sanitise import RULES
from magpie_hub.records import INSTRUCTION_SHARD, MODEL_TAG_SHARD, RESPONSE_SHARD
from magpie_hub.run.judges import adapter_of, check_options
from magpie_hub.run.wording import prompt_texts
from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.foreign_rows import MAPPED
from magpie_hub.spec.model import Spec
from magpie_hub.tag import TAGS, own_columns, wanted
from magpie_hub.tag import own as own_tag
from magpie_hub.tag.embedders import check_embedder
from magpie_hub.tag.judge import check_prompt
from magpie_hub.tag.safety import check as check_adapter
from magpie_hub.tag.schemas import check as check_schema

LONGEST_CYCLE = 100_000
"""The most rows in which the draws go round their settings."""


def check(spec: Spec) -> None:
    """Raise SpecError for a name in the spec that no room of the house knows."""
    if spec.generator is not None:
        writers = dict(spec.writer_of(answers) for answers in spec.responses)
        for place, section in {"generator": spec.drawn_from, **writers}.items():
            with spec.placed(f"{place}.engine"):
                engine_class(section.engine.name).check_options(section.engine.options)
    if spec.source is not None:
        _check_columns(spec, spec.source.columns)
    _check_draws(spec)
    _check_tags(spec)
    for name in spec.active_configs:
        _check_config(spec, name)
    _check_until(spec)


def _check_until(spec: Spec) -> None:
    """Raise SpecError where `until` cannot be reached, or counts what changes with the draws."""
    until = spec.instructions.until
    if until is None:
        return
    if spec.instructions.most < until.rows:
        raise spec.fault(
            "instructions.at_most",
            f"`{spec.instructions.most}`, and each draw keeps one row at most, expected at least"
            f" the {until.rows:,} rows of `until`",
            hint="raise it: some of what is drawn is always dropped",
        )
    name = spec.active_configs[until.config].parent
    while name is not None:
        config = spec.active_configs[name]
        if config.size is not None or (config.filter and FILTERS[config.filter].quotas):
            raise spec.fault(
                "instructions.until.config",
                f"`{until.config}` is made of `{name}`, which takes some of its rows by size or"
                " quotas, expected a config that is made of all that pass",
                hint=f"count `{name}` instead, or make `{until.config}` of what it is made of",
            )
        name = config.parent


def _check_draws(spec: Spec) -> None:
    """Raise SpecError for settings of the draws that name or weigh what cannot be."""
    prompt_texts(spec)
    given = spec.instructions
    for number, name in enumerate(given.sanitise):
        if name not in RULES:
            raise spec.fault(
                f"instructions.sanitise.{number}",
                f"there is no rule `{name}`; expected one of `{'`, `'.join(RULES)}`",
                hint=nearest(name, list(RULES)),
            )
    weights = [[cell.weight for cell in given.sampling]]
    weights.append([prompt.weight for prompt in given.system_prompts.values()] or [1])
    if (length := prod(sum(each) // gcd(*each) for each in weights)) > LONGEST_CYCLE:
        raise spec.fault(
            "instructions",
            f"the weights of `sampling` and `system_prompts` come out even in {length:,} rows,"
            f" expected at most {LONGEST_CYCLE:,}",
            hint="round them to numbers with a common divisor, such as 300, 300 and 100",
        )


def _check_config(spec: Spec, name: str) -> None:
    """Raise SpecError for a config whose filter or condition asks for what is not there."""
    config, place = spec.active_configs[name], f"configs.{name}"
    if config.samples is not None and getattr(spec.tags, config.samples.scored_by) is None:
        raise spec.fault(
            f"{place}.samples",
            f"samples are scored by the tag `{config.samples.scored_by}`, which `tags:` lacks",
            hint=f"add `{config.samples.scored_by}` to `tags:`, or choose another `scored_by`",
        )
    if config.filter is not None and config.filter not in FILTERS:
        raise spec.fault(
            f"{place}.filter",
            f"there is no filter `{config.filter}`; expected one of `{'`, `'.join(FILTERS)}`",
            hint="correct the name, or leave the key out to keep every answered row",
        )
    columns = FILTERS[config.filter].columns if config.filter else ()
    if lacking := _lacking(spec, columns):
        column, tag = lacking
        rules = (rule for rule in FILTERS[str(config.filter)].rules if column in rule.columns)
        rule = next(
            (f"has the rule `{rule}`, whose column" for rule in rules), f"needs `{column}`, which"
        )
        raise spec.fault(
            f"{place}.filter",
            f"the filter `{config.filter}` {rule} comes from the tag `{tag}`",
            hint=f"add `{tag}` to `tags:` and run `magpie-hub tag SPEC`, or choose another filter",
        )
    if config.where is not None:
        published = fields("sft", own_columns(spec.tags))
        types = {field.name: field.type for field in published if field.name != "messages"}
        with spec.placed(f"{place}.where"):
            condition = parse(config.where, types | {"instruction": "string", "response": "string"})
        if lacking := _lacking(spec, condition.columns):
            column, tag = lacking
            raise spec.fault(
                f"{place}.where",
                f"`{config.where}` needs the column `{column}`, which comes from the tag `{tag}`",
                hint=f"add `{tag}` to `tags:` and run `magpie-hub tag SPEC`",
            )


def _lacking(spec: Spec, columns: Iterable[str]) -> tuple[str, str] | None:
    """Return the first column whose tag the spec does not ask for, and that tag."""
    asked = wanted(spec.tags)
    for column in columns:
        # Rows that others made may bring the labels of theirs.
        if spec.source is None or column not in LABELS:
            for tag in TAGS.values():
                if column in tag.columns and tag.name not in asked:
                    return column, tag.name
    return None


def _check_columns(spec: Spec, columns: Iterable[str]) -> None:
    known = sorted(MAPPED) + list(LABELS)
    for name in columns:
        if name not in known:
            raise spec.fault(
                f"source.columns.{name}",
                f"`{name}` is no column of ours, expected one of `{'`, `'.join(sorted(MAPPED))}`,"
                " or a label",
                hint=nearest(name, known),
            )


def _check_tags(spec: Spec) -> None:
    """Raise SpecError for a tag that cannot be made as the spec says."""
    taken = {field.name for fields in KINDS.values() for field in fields}
    for shard in (INSTRUCTION_SHARD, RESPONSE_SHARD, MODEL_TAG_SHARD):
        taken |= shard.keys()
    for name, own in spec.tags.own.items():
        place = f"tags.{name}"
        if not name.isidentifier() or name in TAGS:
            raise spec.fault(place, f"`{name}` cannot be a tag's name", hint="choose another")
        with spec.placed(f"{place}.schema"):
            check_schema(f"{place}.schema", own.answer)
        if f"{name}_generator" in own.answer["properties"]:
            raise spec.fault(
                f"{place}.schema",
                f"the column `{name}_generator` names the judge",
                hint="give the property another name",
            )
        with spec.placed(f"{place}.prompt"):
            check_prompt(f"{place}.prompt", own.prompt)
        for column in own_tag(name, own).columns:
            if column in taken:
                raise spec.fault(
                    f"{place}.schema",
                    f"the column `{column}` is there already",
                    hint="give the property another name",
                )
            taken.add(column)
    check_options(spec)
    if spec.tags.safety is not None:
        with spec.placed("tags.safety.adapter"):
            check_adapter(adapter_of(spec))
    if spec.tags.neighbours is not None:
        embedder = spec.tags.neighbours.embedder
        with spec.placed("tags.neighbours.embedder"):
            check_embedder(embedder.name, embedder.options)

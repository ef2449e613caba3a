"""Where the shards of tags and extensions lie, by all that decides them; written down in run.json.

So that whoever reads them need not know how they are made, and labels of another judge, prompt or
set of rows, or turns at another temperature, are never taken for these. Opens no model.
"""

from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from magpie_hub.run.judges import Maker, makers
from magpie_hub.run.pins import pins_of
from magpie_hub.run.wording import user_prompt
from magpie_hub.shards.extension import ExtensionFolder
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.configs import Config
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import EmbedderSection
from magpie_hub.spec.snapshot import fingerprint, model_name, public
from magpie_hub.tag import Tag, wanted
from magpie_hub.tag.base_response import question
from magpie_hub.tag.safety import Adapter

Pinned = dict[str, dict[str, Any]]
"""What is resolved of the models that tag, by what they are kept under in run.json."""


def known(spec: Spec, folder: RunFolder, pinned: Pinned) -> dict[str, dict[str, Any]]:
    """Return for each tag that the spec asks for its stage and the name of its model.

    A tag is left out as long as something that decides its labels is not known.
    """
    found: dict[str, dict[str, Any]] = {}
    made_by = makers(spec)
    for name, tag in wanted(spec.tags).items():
        decided = _decided(spec, folder, pinned, tag, made_by.get(name), found)
        if decided is not None:
            model = made_by[name].name if name in made_by else _embedder_name(spec, tag)
            revision = pinned[made_by[name].key]["revision"] if name in made_by else None
            found[name] = {"stage": tag.stage(*decided), "model": model, "revision": revision}
    return found


def views(spec: Spec, folder: RunFolder) -> list[RunFolder]:
    """Return the run with each answer set that a config is made of; with the first always.

    Beside the rows of the first stand the labels of the instructions alone.
    """
    names = [answers.name for answers in (spec.responses[0], *spec.used_answers)]
    return [folder.of_answers(name) for name in dict.fromkeys(names)]


def concerns(spec: Spec, tag: Tag, rows: RunFolder) -> bool:
    """Return whether a tag is made for the rows of an answer set, one of `views`."""
    if tag.of_instruction:
        return rows.is_first
    return not rows.is_first or spec.responses[0] in spec.used_answers


def write_known(spec: Spec, folder: RunFolder, pinned: Pinned) -> None:
    """Write down where tags and extensions of the answer sets that are used lie.

    Of tags as far as it is known.
    """
    for rows in views(spec, folder):
        rows.save({**rows.state(), "tags": known(spec, rows, pinned)})
    state = folder.state()
    stages = {name: extension_stage(spec, each, state) for name, each in spec.extended.items()}
    folder.save({**state, "extensions": stages})
    for name, config in spec.extended.items():
        samples = extension(spec, name, folder)
        # Two configs may have the same samples, scored by two models.
        by = {
            other.samples.scored_by
            for each, other in spec.extended.items()
            if other.samples and stages[each] == stages[name]
        }
        tags = {tag: how for tag, how in known(spec, samples, pinned).items() if tag in by}
        if config.samples:
            samples.save({**samples.state(), "tags": tags})


def extension(spec: Spec, name: str, folder: RunFolder) -> ExtensionFolder:
    """Return where the extension of a config lies, of a run in which it is written down."""
    answers = spec.answers_of(spec.extended[name]).name
    return ExtensionFolder(folder.of_answers(answers), folder.state()["extensions"][name])


def extension_stage(spec: Spec, config: Config, state: Mapping[str, Any]) -> str:
    """Return where a config's extension lies: by all that decides its completions.

    Not by how many turns or samples: of more, those that are there are the first.
    """
    given, answers = config.turns or config.samples, spec.answers_of(config)
    assert given is not None
    pins = pins_of(state, answers.name)
    decided: dict[str, object] = {"answers": answers.name, "responses": asdict(pins.responses)}
    decided |= {"temperature": given.temperature, "top_p": given.top_p, "of": pins.revision}
    if config.turns is None:
        return f"extensions/samples-{fingerprint(decided)}"
    decided |= {"prompt": user_prompt(config.turns), "tokens": spec.instructions.max_tokens}
    return f"extensions/turns-{fingerprint(decided)}"


def embedder_key(section: EmbedderSection) -> str:
    """Return what an embedder's pin is kept under in run.json."""
    options = sorted((key, str(value)) for key, value in section.options.items())
    return f"embedder {section.name} {options}"


def _decided(
    spec: Spec,
    folder: RunFolder,
    pinned: Pinned,
    tag: Tag,
    maker: Maker | None,
    found: dict[str, dict[str, Any]],
) -> tuple[object, ...] | None:
    """Return what decides a tag's labels besides itself; None where that is not known yet."""
    if tag.module:
        return ()
    if tag.name == "neighbours":
        rows, embedding = _rows(folder), found.get("embedding")
        unique = folder.state().get("curated", {}).get("duplicates")
        return None if rows is None or embedding is None else (embedding["stage"], rows, unique)
    if tag.role == "embedder":
        assert spec.tags.neighbours is not None
        pin = pinned.get(embedder_key(spec.tags.neighbours.embedder))
        return None if pin is None else (pin["revision"],)
    assert maker is not None
    pin = pinned.get(maker.key)
    if pin is None:
        return None
    # Rows name the model, so that the same weights under another name make other labels.
    model = (maker.name, pin["revision"])
    if tag.name == "base_response":
        return (*model, question())
    if tag.name == "base_reward":
        both = [found.get(name) for name in ("reward", "base_response")]
        return None if None in both else (*model, *(one["stage"] for one in both if one))
    return (*model, *_form(maker.adapter))


def _form(adapter: Adapter | None) -> tuple[object, ...]:
    """Return what an adapter reads an answer by; what categories mean changes no verdict."""
    if adapter is None:
        return ()
    return (adapter.safe, adapter.unsafe, adapter.content, adapter.max_tokens)


def _embedder_name(spec: Spec, tag: Tag) -> str | None:
    """Return what made the vectors, as it may be published."""
    if spec.tags.neighbours is None or tag.name not in ("embedding", "neighbours"):
        return None
    given = spec.tags.neighbours.embedder
    model = public({"embedder": given.options})["embedder"].get("model")
    return model_name(str(model)) if model else given.name


def _rows(folder: RunFolder) -> str | None:
    """Return what stands for all answered rows of a run; None where some are still to come."""
    units = folder.units()
    if not all(folder.finished(folder.stage, unit) for unit in units):
        return None
    marks = "\n".join(folder.labelled(unit) for unit in units)
    return blake2b(marks.encode(), digest_size=8).hexdigest()

"""What a run draws from: resolved once, pinned in run.json, and never mixed with another.

The model's revision, the texts around the user's words, and the sampling, with what the spec
leaves to the model filled in. Generation reads these pins and never the template again. Knows no
files of a run.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import hub
from magpie_hub.engines import engine_class
from magpie_hub.engines.base import Sampling
from magpie_hub.errors import RunError
from magpie_hub.generate.reasoning import Reasoning
from magpie_hub.run.models import Model as Found
from magpie_hub.run.models import Opener, end_marks
from magpie_hub.run.weights import find, revision_of
from magpie_hub.spec.model import Responses, Spec
from magpie_hub.spec.sections import Model

if TYPE_CHECKING:
    from magpie_hub.templates.sources import TemplateSource


@dataclass(frozen=True, slots=True)
class Pins:
    """What is resolved of a generator.

    revision: of the weights. commit: of a model on the Hub. prefix: the text up to where the user's
    words begin. post_query: from the end of the user's words to where the answer begins. ends: the
    texts that end a turn.
    controls: the texts of the template's control tokens. responses: how responses are sampled.
    reasoning: the marks of a thinking model. warnings: what was seen of the template that a person
    should know.
    """

    revision: str
    commit: str | None
    prefix: str
    post_query: str
    ends: tuple[str, ...]
    controls: tuple[str, ...]
    responses: Sampling
    reasoning: Reasoning | None
    warnings: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pins":
        """Return the pins of a run.json; RunError where they are not of this version."""
        try:
            lists = {name: tuple(data[name]) for name in ("ends", "controls", "warnings")}
            marks = data["reasoning"] and Reasoning(**data["reasoning"])
            sampling = Sampling(**data["responses"])
            return cls(**{**data, **lists, "responses": sampling, "reasoning": marks})
        except (KeyError, TypeError) as error:
            raise RunError(
                f"the `pins` of run.json are not those of this version: {error}",
                hint="start over in another folder with --run",
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Return the pins as plain data for run.json."""
        return asdict(self)


def weights(spec: Spec, pins: Pins) -> Path | None:
    """Return what the generator's engine opens, at the revision that the run began with.

    Raises RunError where the weights are no longer those. Of a folder on the Hub none are fetched
    before that is known.
    """
    opener = engine_class(spec.drawn_from.engine.name)
    return same_weights(spec.drawn_from, opener, pins.revision, pins.commit, "generator.model")


def same_weights(
    section: Model,
    opener: Opener,
    revision: str,
    commit: str | None,
    place: str,
    otherwise: str = "start another run with --run DIR",
) -> Path | None:
    """Return what a model's engine opens; RunError where it is no longer of that revision.

    place: the key in the spec. otherwise: what a person may do besides putting them back. Of a
    folder on the Hub no weights are fetched before it is known.
    """
    path = find(section, opener.weights, revision=commit, small=True)
    if (found := revision_at(section, path)) != revision:
        raise RunError(
            f"`{place}`: the run was made with the weights `{revision}`, now they are"
            f" `{found}` (`{path}`); what two models made is never mixed",
            hint=f"put the weights back, or {otherwise}",
        )
    return find(section, opener.weights, revision=commit)


def resolve(spec: Spec, model: Found, *, date: str) -> Pins:
    """Return the pins of a spec's generator, once nothing stands in the way of generating.

    model: as the check of all models found it. date: YYYY-MM-DD, what a template that states the
    date will say for the whole run.
    """
    source, texts = model.source, model.texts
    section = spec.drawn_from
    place = model.folder or find(section, engine_class(section.engine.name).weights)
    return Pins(
        revision=revision_at(section, place),
        commit=hub.commit_of(place) if place else None,
        prefix=texts.prefix,
        post_query=texts.post_query,
        ends=end_marks(source, texts),
        controls=_controls(source, texts.end_of_turn),
        responses=_sampling(spec.responses, source.generation_config),
        reasoning=_reasoning(source, texts.post_query, date),
        warnings=texts.warnings,
    )


def revision_at(section: Model, path: Path | None) -> str:
    """Return the revision of the weights: what they hold, whatever name they were had by."""
    return section.engine.name if path is None else revision_of(path)


def _controls(source: "TemplateSource", ends: tuple[str, ...]) -> tuple[str, ...]:
    """Return the control tokens that the template itself writes.

    A vocabulary has many more, such as `<filename>`, which a user may well type.
    """
    written = {text for text in source.special_ids if text and text in source.chat_template}
    return tuple(sorted(written.union(ends, filter(None, [source.eos_token]))))


def _reasoning(source: "TemplateSource", post_query: str, date: str) -> Reasoning | None:
    from magpie_hub.templates import reasoning

    marks = reasoning.marks(source, post_query, date=date)
    if marks is None:
        return None
    opening, closing = marks
    # Where an answer has a header of its own, it stands at the end of the closing mark.
    header = closing.rpartition(post_query.strip())[2] if post_query.strip() in closing else ""
    return Reasoning(opening, closing, post_query.rstrip().endswith(opening), header)


def _sampling(given: Responses, model: Mapping[str, object]) -> Sampling:
    """Return how responses are sampled: the spec, else the model's own defaults, else greedy."""
    own, own_top_p = model.get("temperature"), model.get("top_p")
    sampled = model.get("do_sample") is not False and isinstance(own, int | float)
    temperature = float(own) if sampled and isinstance(own, int | float) else 0.0
    top_p = float(own_top_p) if isinstance(own_top_p, int | float) else 1.0
    return Sampling(
        temperature=temperature if given.temperature is None else given.temperature,
        top_p=top_p if given.top_p is None else given.top_p,
        max_tokens=given.max_tokens,
    )

"""The models that write a run's rows: resolved once, pinned in run.json, and never mixed.

A model's revision, the texts around the user's words, and the sampling, with what the spec
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
from magpie_hub.run.models import Opener, controls, end_marks, marks_in
from magpie_hub.run.weights import find, revision_of
from magpie_hub.spec.generation import Responses
from magpie_hub.spec.sections import Model

if TYPE_CHECKING:
    from magpie_hub.templates.sources import TemplateSource


@dataclass(frozen=True, slots=True)
class Pins:
    """What is resolved of a model that writes rows.

    revision: of the weights. commit: of a model on the Hub. date: that the template saw. prefix:
    the text up to where the user's words begin; prefixes: the same with each system prompt. before:
    in front of an instruction that is answered. post_query: from the end of the user's words to
    where the answer begins. ends: the texts that end a turn. controls: the texts of the template's
    control tokens, and its marks in plain text; marks: all control tokens in these texts.
    responses: how responses are sampled. reasoning: the marks of a thinking model. warnings: what
    was seen of the template that a person should know.
    """

    revision: str
    commit: str | None
    date: str
    prefix: str
    prefixes: dict[str, str]
    before: str
    post_query: str
    ends: tuple[str, ...]
    controls: tuple[str, ...]
    marks: tuple[str, ...]
    responses: Sampling
    reasoning: Reasoning | None
    warnings: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pins":
        """Return the pins of a run.json; RunError where they are not of this version."""
        try:
            lists = {name: tuple(data[name]) for name in ("ends", "controls", "marks", "warnings")}
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


def pins_of(state: Mapping[str, Any], answers: str) -> Pins:
    """Return the pins of the model that writes an answer set, of a run's state."""
    return Pins.from_json(state.get("answers", {}).get(answers, state["pins"]))


def weights(place: str, section: Model, pins: Pins) -> Path | None:
    """Return what the engine of a model that writes rows opens, at the revision of its first rows.

    place: what names the model in the spec. Raises RunError where the weights are no longer those.
    """
    opener = engine_class(section.engine.name)
    return same_weights(section, opener, pins.revision, pins.commit, f"{place}.model")


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


def resolve(section: Model, answers: Responses, model: Found, *, date: str) -> Pins:
    """Return the pins of a model that writes rows, once nothing stands in the way of generating.

    answers: how it is to respond. model: as the check of all models found it. date: YYYY-MM-DD,
    what a template that states the date will say for the whole run.
    """
    source, wording = model.source, model.texts
    texts, prefixes = wording.texts, wording.prefixes.values()
    place = model.folder or find(section, engine_class(section.engine.name).weights)
    return Pins(
        revision=revision_at(section, place),
        commit=hub.commit_of(place) if place else None,
        date=date,
        prefix=wording.prefix,
        prefixes=dict(wording.prefixes),
        before=wording.before,
        post_query=wording.post_query,
        ends=end_marks(source, texts),
        controls=controls(source, texts),
        marks=marks_in(source, [wording.prefix, wording.before, wording.post_query, *prefixes]),
        responses=sampling(answers, model),
        reasoning=_reasoning(source, texts.post_query, date),
        warnings=texts.warnings,
    )


def revision_at(section: Model, path: Path | None) -> str:
    """Return the revision of the weights: what they hold, whatever name they were had by."""
    return section.engine.name if path is None else revision_of(path)


def _reasoning(source: "TemplateSource", post_query: str, date: str) -> Reasoning | None:
    from magpie_hub.templates import reasoning

    marks = reasoning.marks(source, post_query, date=date)
    if marks is None:
        return None
    opening, closing = marks
    # Where an answer has a header of its own, it stands at the end of the closing mark.
    header = closing.rpartition(post_query.strip())[2] if post_query.strip() in closing else ""
    return Reasoning(opening, closing, post_query.rstrip().endswith(opening), header)


def sampling(given: Responses, model: Found) -> Sampling:
    """Return how responses are sampled: the spec, else the model's own defaults, else greedy."""
    defaults = model.source.generation_config
    own, own_top_p = defaults.get("temperature"), defaults.get("top_p")
    sampled = defaults.get("do_sample") is not False and isinstance(own, int | float)
    temperature = float(own) if sampled and isinstance(own, int | float) else 0.0
    top_p = float(own_top_p) if isinstance(own_top_p, int | float) else 1.0
    return Sampling(
        temperature=temperature if given.temperature is None else given.temperature,
        top_p=top_p if given.top_p is None else given.top_p,
        max_tokens=given.max_tokens,
    )

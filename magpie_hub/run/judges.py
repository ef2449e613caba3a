"""The models that tag: which makes which tag, and what each is asked with, pinned once for a run.

Knows what a judge, a guard, a reward model and a base model need of their chat templates. Opens
none of them and knows no shards.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub import hub
from magpie_hub.engines import engine_class
from magpie_hub.engines.scoring import scorer_class
from magpie_hub.errors import EngineError
from magpie_hub.run.models import Model as Found
from magpie_hub.run.models import Need, Opener, chat, end_marks, marks_in
from magpie_hub.run.pins import revision_at, same_weights
from magpie_hub.run.weights import find
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model
from magpie_hub.spec.snapshot import model_name
from magpie_hub.spec.tags import RewardTag, SafetyTag
from magpie_hub.tag import Role, Tag, wanted
from magpie_hub.tag.base_response import BaseResponse
from magpie_hub.tag.safety import ADAPTERS, Adapter
from magpie_hub.tag.schemas import longest

if TYPE_CHECKING:
    from magpie_hub.templates.sources import TemplateSource

Texts = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""The fixed texts of a prompt in their order, the texts that end an answer, and the control tokens
in the former."""


@dataclass(frozen=True, slots=True)
class Maker:
    """The model behind a tag, in its role; place: the key in the spec that names it."""

    role: Role
    section: Model
    place: str
    adapter: Adapter | None = None

    @property
    def opener(self) -> Opener:
        """What runs it."""
        name = self.section.engine.name
        return scorer_class(name) if self.role == "reward" else engine_class(name)

    @property
    def key(self) -> str:
        """What its pins are kept under in run.json."""
        file = self.section.engine.options.get("file", "")
        content = self.adapter.content if self.adapter else ""
        parts = (self.role, self.opener.weights, content, self.section.model, file)
        return " ".join(str(part) for part in parts if part)

    @property
    def name(self) -> str:
        """The model as rows name it."""
        return model_name(self.section.model)


@dataclass(frozen=True, slots=True)
class Pin:
    """What is resolved of a model that tags; texts, ends and controls as in `Texts`."""

    revision: str
    commit: str | None
    texts: tuple[str, ...]
    ends: tuple[str, ...]
    controls: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Pin":
        """Return the pin that `to_json` wrote."""
        lists = {name: tuple(data[name]) for name in ("texts", "ends", "controls")}
        return cls(**{**data, **lists})

    def to_json(self) -> dict[str, Any]:
        """Return the pin as plain data for run.json."""
        return asdict(self)


def makers(spec: Spec) -> dict[str, Maker]:
    """Return the model behind each tag that has one, by the tag's name; SpecError where none is."""
    found = {}
    for name, tag in wanted(spec.tags).items():
        if tag.role is not None and tag.role != "embedder":
            found[name] = _maker(spec, name, tag)
    return found


def _maker(spec: Spec, name: str, tag: Tag) -> Maker:
    tags = spec.tags
    if tag.role == "guard" and tags.safety is not None:
        section = _section(tags.safety)
        return Maker("guard", section, "tags.safety", adapter_of(spec))
    if tag.role == "reward" and tags.reward is not None:
        section = _section(tags.reward)
        return Maker("reward", section, "tags.reward")
    if tag.role == "base" and tags.reward is not None and tags.reward.base is not None:
        return Maker("base", tags.reward.base, "tags.reward.base")
    own = getattr(tags.asked[name], "judge", None)
    places = {f"tags.{name}.judge": own, "judge": spec.judge, "generator": spec.generator}
    for place, section_ in places.items():
        if section_ is not None:
            return Maker("judge", section_, place)
    raise spec.fault(
        f"tags.{name}",
        f"the tag `{name}` needs a judge, and nothing names one",
        hint="add `judge: {model: ..., engine: ...}` to the spec",
    )


def _section(tag: SafetyTag | RewardTag) -> Model:
    return Model(model=tag.model, engine=tag.engine, price_per_hour=tag.price_per_hour)


def adapter_of(spec: Spec) -> Adapter:
    """Return how the spec's guard answers; SpecError for a name that nothing has."""
    assert spec.tags.safety is not None
    given = spec.tags.safety.adapter
    if given is None:
        second = "guard-2" in spec.tags.safety.model.lower()
        given = "llama-guard-2" if second else "llama-guard"
    if not isinstance(given, str):
        return Adapter(**given.model_dump())
    if given not in ADAPTERS:
        raise spec.fault(
            "tags.safety.adapter",
            f"there is no adapter `{given}`; expected one of `{'`, `'.join(ADAPTERS)}`, or a map",
            hint="write how the guard answers: {safe: ..., unsafe: ..., categories: {...}}",
        )
    return ADAPTERS[given]


def need(spec: Spec, name: str, maker: Maker) -> Need:
    """Return what a tag needs of its model before anything is asked."""
    tag = wanted(spec.tags)[name]
    tokens = BaseResponse.max_tokens if maker.role == "base" else 0
    if tag.question is not None:
        tokens = longest(tag.question.schema)
    read = partial(_texts, maker=maker)
    named = f"an answer to the tag {name}"
    return Need(maker.section, maker.opener, read, tokens, named, maker.role == "base")


def pin(maker: Maker, model: Found) -> Pin:
    """Return the pin of a model that the check found."""
    place = model.folder or find(maker.section, maker.opener.weights)
    texts, ends, controls = model.texts
    return Pin(
        revision=revision_at(maker.section, place),
        commit=hub.commit_of(place) if place else None,
        texts=texts,
        ends=ends,
        controls=controls,
    )


def weights(maker: Maker, pinned: Pin) -> Path | None:
    """Return what the model's engine opens, at the revision of the first labels that it made."""
    return same_weights(
        maker.section,
        maker.opener,
        pinned.revision,
        pinned.commit,
        f"{maker.place}.model",
        otherwise="name the new ones by another path: their labels are made anew",
    )


def stop_ids(pinned: Pin, encode: Callable[[str], list[int]]) -> tuple[int, ...]:
    """Return the token ids that end an answer; encode: token ids of a template's text."""
    ids = (encode(end) for end in pinned.ends)
    return tuple(one[0] for one in ids if len(one) == 1)


def _texts(source: "TemplateSource", date: str, *, maker: Maker) -> Texts:
    """Return what a model in its role needs of its template; TemplateError where it has it not."""
    from magpie_hub.templates.conversation import around

    eos = (source.eos_token,) if source.eos_token else ()
    if maker.role == "judge":
        texts = chat(source, date)
        return (texts.prefix, texts.post_query), end_marks(source, texts), ()
    if maker.role == "base":
        return (source.bos_token or "",), eos, ()
    is_guard = maker.role == "guard"
    content = maker.adapter.content if maker.adapter else "text"
    found = around(source, date=date, generation_prompt=is_guard, content=content)
    given = (found.before, found.between, found.after)
    return given, eos if is_guard else (), marks_in(source, given)


def check_options(spec: Spec) -> None:
    """Raise SpecError for an engine of a tag's model that is unknown or has unknown options."""
    for maker in makers(spec).values():
        try:
            maker.opener.check_options(maker.section.engine.options)
        except EngineError as error:
            raise spec.fault(f"{maker.place}.engine", error.message, hint=error.hint) from error

"""What a person may write under `tags:`: a list of names, or a map with each tag's own keys.

Knows which tags there are and what each may be told; not how one is made.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Field, model_serializer, model_validator

from magpie_hub.spec.sections import (
    Embedder,
    EmbedderSection,
    Engine,
    EngineSection,
    Model,
    Price,
    Section,
    wrong,
)
from magpie_hub.spec.wording import shown

DEFAULT = ("lengths", "language")


class PlainTag(Section):
    """A tag that needs no model and has no keys."""


class JudgeTag(Section):
    """A tag that a judge makes. judge: unset, the spec's `judge`, else its generator."""

    judge: Model | None = None


class OwnTag(JudgeTag):
    """A judge's tag of the spec's own.

    prompt: a Jinja template, or a file of one. schema: the JSON Schema of the answer, or a file of
    one; each property becomes a column.
    """

    prompt: Annotated[str, Field(min_length=1)]
    answer: Annotated[dict[str, Any], Field(alias="schema")]


class RewardTag(Section):
    """A reward model's number. base: a base model to compare with, for `reward_difference`."""

    model: Annotated[str, Field(min_length=1)] = "sfairXC/FsfairX-LLaMA3-RM-v0.1"
    engine: Engine = EngineSection(name="vllm")
    price_per_hour: Price | None = None
    base: Model | None = None


class Adapter(Section):
    """How a guard model's answer is read.

    safe, unsafe: regular expressions of the whole answer; a group `categories` of the latter holds
    the codes.
    """

    safe: str
    unsafe: str
    categories: dict[str, str] = {}
    content: Literal["text", "parts"] = "text"
    max_tokens: Annotated[int, Field(ge=1, le=10**4)] = 32


class SafetyTag(Section):
    """A guard model's verdict. adapter: how it answers, by name or as data; unset, by its model."""

    model: Annotated[str, Field(min_length=1)] = "meta-llama/Llama-Guard-3-8B"
    engine: Engine = EngineSection(name="vllm")
    price_per_hour: Price | None = None
    adapter: str | Adapter | None = None


class NeighboursTag(Section):
    """How near the nearest instruction of the run is. embedder: what makes vectors."""

    embedder: Embedder = EmbedderSection()


class Tags(Section, extra="allow"):
    """The tags of a spec; a name that is none of these is a tag of its own."""

    __pydantic_extra__: dict[str, OwnTag]

    lengths: PlainTag | None = None
    language: PlainTag | None = None
    personal_data: PlainTag | None = None
    quality: JudgeTag | None = None
    difficulty: JudgeTag | None = None
    category: JudgeTag | None = None
    response_quality: JudgeTag | None = None
    safety: SafetyTag | None = None
    reward: RewardTag | None = None
    neighbours: NeighboursTag | None = None

    @property
    def own(self) -> dict[str, OwnTag]:
        """The tags that the spec makes up itself."""
        return dict(self.__pydantic_extra__ or {})

    @property
    def asked(self) -> dict[str, Section]:
        """The tags that are wanted, by name, in the order in which they are made."""
        known = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: tag for name, tag in known.items() if tag is not None} | self.own

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Return a list of names as the map that it stands for; a tag without keys has none."""
        if isinstance(value, list):
            return cls._named(value)
        if not isinstance(value, dict):
            return value
        given = {name: {} if tag is None else tag for name, tag in value.items()}
        for name, tag in given.items():
            is_own = isinstance(tag, dict) and tag.keys() & {"prompt", "schema"}
            if name not in cls.model_fields and not is_own:
                raise wrong(
                    f"tags.{name}",
                    f"unknown tag, expected one of `{'`, `'.join(cls.model_fields)}`, or one of"
                    " your own with a `prompt` and a `schema`",
                    hint=_nearest(name),
                )
        return given

    @classmethod
    def _named(cls, names: list[object]) -> dict[str, object]:
        for index, name in enumerate(names):
            if not isinstance(name, str) or name not in cls.model_fields:
                raise wrong(
                    f"tags.{index}",
                    f"{shown(name)}, expected one of `{'`, `'.join(cls.model_fields)}`",
                    hint=_nearest(name),
                )
        if len(set(names)) < len(names):
            raise wrong("tags", f"{shown(names)} repeats itself, expected each tag once")
        return {str(name): {} for name in names}

    @model_serializer(mode="wrap")
    def _only_asked(self, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {name: tag for name, tag in write(self).items() if tag is not None}


def _nearest(name: object) -> str:
    near = get_close_matches(str(name), Tags.model_fields, n=1)
    return f"did you mean `{near[0]}`?" if near else ""

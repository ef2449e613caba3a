"""What a section of a spec is, and the one that names a model; both are used all over a spec.

Knows pydantic's ways, and no key of the spec's top level.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError


class Section(BaseModel):
    """A part of a spec: unknown keys are errors, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def wrong(path: str, message: str, hint: str = "") -> PydanticCustomError:
    """Return the error of a check that sees more than one value; `path` is its place."""
    # pydantic gives a model validator's error no place, so that the error carries its own.
    context = {"path": path, "message": message, "hint": hint}
    return PydanticCustomError("wrong", "{message}", context)


def _by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class NamedSection(BaseModel):
    """A choice by `name`; other keys go to what it names, by its own names."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys besides `name`, as written."""
        return dict(self.model_extra or {})


class EngineSection(NamedSection):
    """Which engine runs a model; a name alone will do."""

    name: str = "llama_cpp"


class EmbedderSection(NamedSection):
    """What makes vectors of texts; a name alone will do."""

    name: str = "static"


Engine = Annotated[EngineSection, BeforeValidator(_by_name)]
Embedder = Annotated[EmbedderSection, BeforeValidator(_by_name)]


Price = Annotated[float, Field(gt=0)]
"""US dollars for an hour of one engine, on however many GPUs it runs."""


class Model(Section):
    """A model and what runs it. model: a Hub id, `ID@REVISION`, or a path to local weights."""

    model: Annotated[str, Field(min_length=1)]
    engine: Engine = EngineSection()
    price_per_hour: Price | None = None

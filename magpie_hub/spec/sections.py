"""What a section of a spec is, and the one that names a model; both are used all over a spec.

Knows pydantic's ways, and no key of the spec's top level.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
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


def _given(values: dict[str, object]) -> dict[str, object]:
    if values.keys() & {"messages", "add_generation_prompt"}:
        raise PydanticCustomError("given", "names of ours")
    return values


Given = Annotated[dict[str, bool | int | float | str], AfterValidator(_given)]
"""What a chat template is given besides, by the names that it reads."""


class Writer(Model):
    """A model that writes rows. chat_template_kwargs: what its chat template is given."""

    chat_template_kwargs: Given = {}


class Generator(Writer):
    """The model that writes the rows.

    prefix: the text in front of the user's words, verbatim, instead of what the chat template
    gives. system_turn: the template's own system prompt is replaced by this one.
    """

    prefix: Annotated[str, Field(min_length=1)] | None = None
    system_turn: Annotated[str, Field(min_length=1)] | None = None

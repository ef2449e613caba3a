"""What a person may write in a spec, with its defaults; checked by pydantic.

Knows the keys, their types and their bounds. It does not read files (`load`), does not know
which engines, tags or filters exist in code (`run` checks those names against the rooms that
own them), and holds no key that does not work yet.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic_core import PydanticCustomError

from magpie_hub.errors import SpecError
from magpie_hub.spec.wording import fault, shown

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
RESERVED = ("data", "figures", "README.md", "index.parquet", "release.json")
"""What a config cannot be called: the Hub takes `data`, a release the others."""
REPO = re.compile(rf"{NAME.pattern}/{NAME.pattern}")


class Section(BaseModel):
    """A part of a spec: unknown keys are errors, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _engine_by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class EngineSection(BaseModel):
    """Which engine runs a model; keys besides `name` go to the engine by its own names."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str = "llama_cpp"

    @property
    def options(self) -> dict[str, Any]:
        """The keys besides `name`, as written."""
        return dict(self.model_extra or {})


class Generator(Section):
    """The model that writes instructions and responses.

    model: a Hub id, `ID@REVISION`, or a path to local weights.
    """

    model: Annotated[str, Field(min_length=1)]
    engine: Annotated[EngineSection, BeforeValidator(_engine_by_name)] = EngineSection()


class SamplingCell(Section):
    """One setting of the sampler; of several, each gets rows in proportion to its weight."""

    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    weight: Annotated[int, Field(ge=1, le=1000)] = 1


class Instructions(Section):
    """How many instructions are drawn, and how.

    rows: draws, before anything is dropped. max_tokens: the most tokens of one instruction.
    """

    rows: Annotated[int, Field(ge=1, le=10**9)] = 1000
    sampling: Annotated[list[SamplingCell], Field(min_length=1)] = [SamplingCell()]
    max_tokens: Annotated[int, Field(ge=1, le=10**6)] = 1024


class Responses(Section):
    """How instructions are answered; what is unset comes from the model's generation_config.

    reasoning: whether a thinking model's is published in a column of its own, or dropped.
    """

    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10**6)] = 4096
    reasoning: Literal["drop", "keep"] = "drop"


class Config(Section):
    """A named subset of the rows, as `datasets` means the word.

    filter: the name of a rule set; without one, every answered row. default: what
    `load_dataset` opens when no config is named.
    """

    filter: str | None = None
    default: bool = False


Tag = Literal["lengths", "language"]


class Spec(Section):
    """A whole spec. `name` is the file's stem or the preset's name, and no key of the file."""

    repo: str
    license: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    generator: Generator
    instructions: Instructions = Instructions()
    responses: Responses = Responses()
    tags: list[Tag] = ["lengths", "language"]
    configs: dict[str, Config | Literal[False]] = {}

    _name: str = PrivateAttr(default="spec")
    _file: str = PrivateAttr(default="spec")
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's stem or the preset's name; the default run folder is called after it."""
        return self._name

    @property
    def active_configs(self) -> dict[str, Config]:
        """The configs to build, `raw` among them unless it is switched off."""
        given = {"raw": Config()} | self.configs
        return {name: config for name, config in given.items() if config is not False}

    @property
    def kind(self) -> str:
        """The kind of the published rows, as `records` knows it."""
        return "sft-reasoning" if self.responses.reasoning == "keep" else "sft"

    @property
    def default_config(self) -> str:
        """The config that `load_dataset` opens when none is named."""
        marked = [name for name, config in self.active_configs.items() if config.default]
        return marked[0] if marked else next(iter(self.active_configs))

    def fault(self, path: str, message: str, *, hint: str) -> SpecError:
        """Return the error that says where in the file `path` (dotted keys) stands."""
        return fault(self._file, self._lines, path, message, hint=hint)

    @model_validator(mode="after")
    def _names_and_defaults(self) -> Self:
        if not REPO.fullmatch(self.repo) or re.search(r"--|\.\.|\.git$", self.repo):
            raise _wrong("repo", f"{shown(self.repo)} is no repository, expected `owner/name`")
        for name, config in self.configs.items():
            if not NAME.fullmatch(name) or name in RESERVED:
                raise _wrong(
                    f"configs.{name}",
                    f"{shown(name)} is no config name, expected letters, digits, `_`, `.` and"
                    f" `-`, and none of `{'`, `'.join(RESERVED)}`, which are taken",
                )
            if config is False and name != "raw":
                raise _wrong(f"configs.{name}", "`false`, expected a map: only `raw` can be off")
        if len(set(self.tags)) < len(self.tags):
            raise _wrong("tags", f"{shown(self.tags)} repeats itself, expected each tag once")
        if not self.active_configs:
            raise _wrong("configs", "`raw` is off and nothing else is there, expected a config")
        defaults = [name for name, config in self.active_configs.items() if config.default]
        if len(defaults) > 1:
            raise _wrong("configs", f"{shown(', '.join(defaults))} are default, expected one")
        return self


def _wrong(path: str, message: str) -> PydanticCustomError:
    # pydantic gives a model validator's error no place, so that the error carries its own.
    return PydanticCustomError("wrong", "{message}", {"path": path, "message": message})

"""What a person may write in a spec, with its defaults; checked by pydantic.

Knows the keys, their types and their bounds. It does not read files (`load`), does not know
which engines, tags or filters exist in code (`run` checks those names against the rooms that
own them), and holds no key that does not work yet.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from magpie_hub.errors import MagpieError, SpecError
from magpie_hub.spec.card import Card
from magpie_hub.spec.configs import Config, check_extensions, check_parents
from magpie_hub.spec.curation import Decontaminate, Dedup
from magpie_hub.spec.generation import AnswerSets, Instructions, Responses, check_sets
from magpie_hub.spec.sections import Generator, Model, Section, Writer, wrong
from magpie_hub.spec.source import Source
from magpie_hub.spec.tags import DEFAULT, Tags
from magpie_hub.spec.wording import fault, shown

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
VERSION = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})")
RESERVED = (
    *("data", "figures", "README.md", "index.parquet", "release.json"),
    *("facts.json", "built.json"),
)
"""What a config cannot be called: the Hub takes `data`, a release or a build the others."""
REPO = re.compile(rf"{NAME.pattern}/{NAME.pattern}")


class Spec(Section):
    """A whole spec. `name` is the file's stem or the preset's name, and no key of the file.

    version: what the next release is to be called; without it, the change decides.
    """

    repo: str
    version: str | None = None
    license: str | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    generator: Generator | None = None
    source: Source | None = None
    instructions: Instructions = Instructions()
    responses: AnswerSets = [Responses()]
    judge: Model | None = None
    tags: Tags = Tags.model_validate(list(DEFAULT))
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate | None = None
    configs: dict[str, Config | Literal[False]] = {}
    card: Card = Card()

    _name: str = PrivateAttr(default="spec")
    _file: str = PrivateAttr(default="spec")
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's stem or the preset's name; the default run folder is called after it."""
        return self._name

    @property
    def drawn_from(self) -> Generator:
        """The generator of a spec that has one."""
        assert self.generator is not None
        return self.generator

    @property
    def active_configs(self) -> dict[str, Config]:
        """The configs to build, `raw` among them unless it is switched off."""
        given = {"raw": Config()} | self.configs
        return {name: config for name, config in given.items() if config is not False}

    def answers_of(self, config: Config) -> Responses:
        """Return the answer set of a config: the one that it names, else the first."""
        named = (answers for answers in self.responses if answers.name == config.answers)
        return next(named, self.responses[0])

    def writer_of(self, answers: Responses) -> tuple[str, Writer]:
        """Return the model that writes an answer set, behind the place that names it."""
        if answers.model is None:
            return "generator", self.drawn_from
        number = self.responses.index(answers)
        place = f"responses.{number}" if len(self.responses) > 1 else "responses"
        return place, answers.answered_by(self.drawn_from)

    @property
    def used_answers(self) -> list[Responses]:
        """The answer sets that a config is made of, in their order."""
        used = [self.answers_of(config) for config in self.active_configs.values()]
        return [answers for answers in self.responses if answers in used]

    @property
    def extended(self) -> dict[str, Config]:
        """The configs whose rows get further turns or samples, by name."""
        active = self.active_configs.items()
        return {name: config for name, config in active if config.turns or config.samples}

    def kind_of(self, config: Config) -> str:
        """Return the kind of a config's published rows, as `columns` knows it."""
        keeps = self.answers_of(config).reasoning == "keep" and config.kind == "sft"
        return f"{config.kind}-reasoning" if keeps else config.kind

    @property
    def default_config(self) -> str:
        """The config that `load_dataset` opens when none is named."""
        marked = [name for name, config in self.active_configs.items() if config.default]
        # What is called `default` is opened, whatever the card says.
        called = [name for name in self.active_configs if name == "default"]
        return [*marked, *called, *self.active_configs][0]

    def fault(self, path: str, message: str, *, hint: str) -> SpecError:
        """Return the error that says where in the file `path` (dotted keys) stands."""
        return fault(self._file, self._lines, path, message, hint=hint)

    @contextmanager
    def placed(self, path: str) -> Iterator[None]:
        """Say of what is wrong with a key's value where in the file the key stands."""
        try:
            yield
        except MagpieError as error:
            message = error.message.removeprefix(f"`{path}`: ")
            raise self.fault(path, message, hint=error.hint) from error

    @model_validator(mode="after")
    def _generated_or_imported(self) -> Self:
        if self.generator is None and self.source is None:
            raise wrong("generator", "missing, expected a value")
        if self.source is not None:
            for key in ("generator", "instructions", "responses"):
                if key in self.model_fields_set:
                    raise wrong(key, "it has no meaning beside `source`", hint="remove it")
        check_sets(self.responses)
        return self

    @model_validator(mode="after")
    def _configs_fit(self) -> Self:
        configs = self.active_configs
        names = [answers.name for answers in self.responses]
        for name, config in configs.items():
            check_extensions(name, config)
            if self.generator is None and name in self.extended:
                key = "turns" if config.turns else "samples"
                message = "it needs a `generator` to ask, and the rows are those of a `source`"
                raise wrong(f"configs.{name}.{key}", message, hint="remove it")
            if config.answers is not None and config.answers not in names:
                message = f"{shown(config.answers)}, expected one of `{'`, `'.join(names)}`"
                raise wrong(f"configs.{name}.answers", message)
        check_parents(configs, names[0])
        until = self.instructions.until
        if until is not None and until.config not in configs:
            message = f"{shown(until.config)}, expected one of `{'`, `'.join(configs)}`"
            raise wrong("instructions.until.config", message)
        return self

    @model_validator(mode="after")
    def _names_and_defaults(self) -> Self:
        if not REPO.fullmatch(self.repo) or re.search(r"--|\.\.|\.git$", self.repo):
            raise wrong("repo", f"{shown(self.repo)} is no repository, expected `owner/name`")
        if self.version is not None and not VERSION.fullmatch(self.version):
            raise wrong("version", f"{shown(self.version)} is no version, expected `x.y.z`")
        taken = set(self.active_configs)
        for name, config in self.configs.items():
            _check_name(f"configs.{name}", name)
            if config is False and name != "raw":
                raise wrong(f"configs.{name}", "`false`, expected a map: only `raw` can be off")
            if config is not False and config.alias is not None:
                _check_name(f"configs.{name}.alias", config.alias)
                if config.alias in taken:
                    message = f"{shown(config.alias)} names a config already, expected a new name"
                    raise wrong(f"configs.{name}.alias", message)
                taken.add(config.alias)
        if not self.active_configs:
            raise wrong("configs", "`raw` is off and nothing else is there, expected a config")
        defaults = [name for name, config in self.active_configs.items() if config.default]
        if len(defaults) > 1:
            raise wrong("configs", f"{shown(', '.join(defaults))} are default, expected one")
        if "default" in taken and self.default_config != "default":
            message = "`default` is what `load_dataset` opens, expected no other default beside it"
            raise wrong("configs", message, hint="give one of the two another name")
        return self


def _check_name(place: str, name: str) -> None:
    if not NAME.fullmatch(name) or name in RESERVED:
        raise wrong(
            place,
            f"{shown(name)} is no config name, expected letters, digits, `_`, `.` and `-`, and"
            f" none of `{'`, `'.join(RESERVED)}`, which are taken",
        )

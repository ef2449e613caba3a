"""What a person may write of one config: which rows, how they are extended, what it is called.

Knows the keys and their bounds; not which filters and columns there are.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from magpie_hub.spec.generation import NONE, Temperature, TopP
from magpie_hub.spec.sections import Section, wrong

FOLLOW_UP = "follow-up"
"""The name of our system prompt for later user turns."""


class AtMost(Section):
    """A size that fewer rows may have."""

    at_most: Annotated[int, Field(ge=1)]


Size = Annotated[int, Field(ge=1)] | AtMost


class Turns(Section):
    """Conversations of several turns.

    number: of turns, the first among them. at_least: rows with fewer are dropped. system_prompt:
    stands in front of what the user writes and is never shown to a response: ours, none, or a text.
    temperature, top_p: of what the user writes, as for instructions.
    """

    number: Annotated[int, Field(ge=2, le=20)]
    at_least: Annotated[int, Field(ge=1, le=20)] = 1
    system_prompt: Annotated[str, Field(min_length=1)] = FOLLOW_UP
    temperature: Temperature = 1.0
    top_p: TopP = 1.0

    @property
    def prompt_name(self) -> str | None:
        """The name of the system prompt as rows say it; None where there is none."""
        if self.system_prompt == NONE:
            return None
        return FOLLOW_UP if self.system_prompt == FOLLOW_UP else "custom"


class Samples(Section):
    """Several responses to each row, of which the best is chosen and the worst rejected.

    number: of responses. scored_by: the tag that scores them. margin: the least difference.
    """

    number: Annotated[int, Field(ge=2, le=64)]
    temperature: Annotated[float, Field(gt=0, le=5)] = 0.8
    top_p: TopP = 1.0
    scored_by: Literal["reward", "response_quality"] = "reward"
    margin: Annotated[float, Field(ge=0)] = 0.0


def _number(value: object) -> object:
    return {"number": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Config(Section):
    """A named subset of the rows, as `datasets` means the word.

    from: another config, whose rows this one is made of. filter: the name of a rule set; without
    one, every row that repeats none. where: a further condition, such as `language == 'ZH'`. size:
    how many rows, before any is dropped by its extension; the filter says which. answers: the set
    of answers. turns: further turns for its rows. samples: preferences instead of responses. test:
    the share of rows, by their instruction, that are a split of their own. default: what
    `load_dataset` opens when no config is named. alias: a second name for the same files. freeze:
    whether a change of its published rows is an error. about: in a sentence, what it is for.
    """

    parent: Annotated[str | None, Field(alias="from")] = None
    filter: str | None = None
    where: str | None = None
    size: Size | None = None
    answers: str | None = None
    turns: Annotated[Turns, BeforeValidator(_number)] | None = None
    samples: Annotated[Samples, BeforeValidator(_number)] | None = None
    test: Annotated[float, Field(gt=0, lt=1)] | None = None
    default: bool = False
    alias: str | None = None
    freeze: bool = False
    about: Annotated[str, Field(min_length=1)] | None = None

    @property
    def kind(self) -> str:
        """The kind of its rows."""
        if self.samples is not None:
            return "preference"
        return "sft" if self.turns is None else "multi-turn"


def check_extensions(name: str, config: Config) -> None:
    """Raise where what a config says of turns and samples does not go together."""
    place = f"configs.{name}"
    if config.turns is not None and config.samples is not None:
        raise wrong(f"{place}.samples", "it stands beside `turns`, expected one of the two")
    if config.test is not None and config.samples is None:
        raise wrong(f"{place}.test", "it has no meaning without `samples`", hint="remove it")
    if config.turns is not None and config.turns.at_least > config.turns.number:
        message = f"`{config.turns.at_least}`, expected at most `number`, {config.turns.number}"
        raise wrong(f"{place}.turns.at_least", message)


def check_parents(configs: Mapping[str, Config], first: str) -> None:
    """Raise where `from` names no config, one with an extension, or goes round in a circle.

    Or one of another answer set; first: the set of a config that names none.
    """
    for name, config in configs.items():
        seen, at = [name], config
        while at.parent is not None:
            place = f"configs.{seen[-1]}.from"
            if at.parent not in configs:
                raise wrong(place, f"`{at.parent}`, expected one of `{'`, `'.join(configs)}`")
            if at.parent in seen:
                raise wrong(place, f"`{at.parent}` is made of this config, expected another")
            seen.append(at.parent)
            at = configs[at.parent]
            if at.turns is not None or at.samples is not None:
                message = f"`{seen[-1]}` has extensions of its own, expected a config without"
                raise wrong(place, message, hint="name the config that it is made of")
        parent = configs.get(config.parent or name, config)
        if (theirs := parent.answers or first) != (ours := config.answers or first):
            raise wrong(
                f"configs.{name}.from",
                f"`{config.parent}` has the answers `{theirs}`, expected a config of `{ours}`",
                hint=f"write `answers: {theirs}`, or name a config of the same answers",
            )

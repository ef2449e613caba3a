"""What a person may write of drawing and answering: `instructions:` and `responses:`.

Knows the keys and their bounds; not which system prompts, rules and engines there are.
"""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from magpie_hub.records import ANSWERS
from magpie_hub.spec.grids import GRIDS
from magpie_hub.spec.sections import Engine, EngineSection, Given, Price, Section, Writer, wrong
from magpie_hub.spec.wording import shown

NONE = "none"
"""The name of no system prompt."""

Weight = Annotated[int, Field(ge=1, le=10**6)]
Temperature = Annotated[float, Field(ge=0, le=5)]
TopP = Annotated[float, Field(gt=0, le=1)]
Tokens = Annotated[int, Field(ge=1, le=10**6)]


class SamplingCell(Section):
    """One setting of the sampler; of several, each gets rows in proportion to its weight."""

    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    weight: Weight = 1


def _grid(value: object) -> object:
    """Return the cells that a grid's name stands for."""
    if not isinstance(value, str):
        return value
    if value not in GRIDS:
        message = f"{shown(value)}, expected one of `{'`, `'.join(GRIDS)}`, or a list of settings"
        raise wrong("instructions.sampling", message)
    return [
        {"temperature": temperature, "top_p": top_p, "weight": weight}
        for temperature, top_p, weight in GRIDS[value]
    ]


class SystemPrompt(Section):
    """A system prompt in front of draws. text: of one's own; without it the name is one of ours."""

    weight: Weight = 1
    text: Annotated[str, Field(min_length=1)] | None = None


def _by_name(value: object) -> object:
    if not isinstance(value, list):
        return value
    if not all(isinstance(name, str) for name in value):
        message = f"{shown(value)}, expected names, or a map of names to `weight` and `text`"
        raise wrong("instructions.system_prompts", message)
    if twice := [name for name in value if value.count(name) > 1]:
        message = f"{shown(twice[0])} is there twice, expected each name once"
        hint = f"write a weight, as in `{{{twice[0]}: {{weight: 2}}}}`"
        raise wrong("instructions.system_prompts", message, hint=hint)
    return {name: {} for name in value}


class Until(Section):
    """Draw until a config keeps so many rows by its rules before its size.

    config: its name. rows: how many, which are the first ones in the order of the draws.
    """

    config: str
    rows: Annotated[int, Field(ge=1, le=10**9)]


class Instructions(Section):
    """How many instructions are drawn, and how.

    rows: draws, before anything is dropped. until: goes on until enough is kept, with `at_most` so
    many draws. sampling: a grid by name, or its cells. system_prompts: names with weights; none of
    them is shown to a response. sanitise: rules that mend what was drawn, by name. max_tokens: the
    most tokens of one instruction. bad_first_tokens: texts, each of one token, or ids, that none
    begins with; first_token_temperature: that the first token alone is drawn at.
    """

    rows: Annotated[int, Field(ge=1, le=10**9)] = 1000
    until: Until | None = None
    at_most: Annotated[int, Field(ge=1, le=10**9)] | None = None
    sampling: Annotated[
        list[SamplingCell], Field(min_length=1, max_length=1000), BeforeValidator(_grid)
    ] = [SamplingCell()]
    system_prompts: Annotated[dict[str, SystemPrompt], BeforeValidator(_by_name)] = {}
    sanitise: list[str] = []
    max_tokens: Tokens = 1024
    bad_first_tokens: list[Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0)]] = []
    first_token_temperature: Temperature | None = None

    @property
    def most(self) -> int:
        """The most draws there can be."""
        return self.rows if self.at_most is None else self.at_most

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if (self.until is None) != (self.at_most is None):
            key = "at_most" if self.at_most is None else "until"
            raise wrong(
                f"instructions.{key}",
                "missing, expected both `until` and `at_most`, or neither",
                hint="write it as in `{until: {config: X, rows: 1000}, at_most: 5000}`",
            )
        if self.until is not None and "rows" in self.model_fields_set:
            raise wrong("instructions.rows", "it has no meaning beside `until`", hint="remove it")
        return self

    @model_validator(mode="after")
    def _prompts_are_texts(self) -> Self:
        given = self.system_prompts.get(NONE)
        if given is not None and given.text is not None:
            message = "`none` stands for no system prompt, expected no `text`"
            raise wrong("instructions.system_prompts.none", message)
        return self


class Responses(Section):
    """How instructions are answered: one answer set. What is unset comes from the model.

    name: of the answer set, where there are several. model: that answers, if not the generator;
    engine, price_per_hour and chat_template_kwargs are that one's.
    reasoning: whether a thinking model's is published in a column of its own, or dropped.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = ANSWERS
    model: Annotated[str, Field(min_length=1)] | None = None
    engine: Engine | None = None
    price_per_hour: Price | None = None
    chat_template_kwargs: Given = {}
    temperature: Temperature | None = None
    top_p: TopP | None = None
    max_tokens: Tokens = 4096
    reasoning: Literal["drop", "keep"] = "drop"

    def answered_by(self, generator: Writer) -> Writer:
        """Return the model that answers."""
        if self.model is None:
            return generator
        engine = EngineSection() if self.engine is None else self.engine
        return Writer(
            model=self.model,
            engine=engine,
            price_per_hour=self.price_per_hour,
            chat_template_kwargs=self.chat_template_kwargs,
        )


def _sets(value: object) -> object:
    """Return the answer sets; a map is the only one."""
    return [value] if isinstance(value, dict) else value


AnswerSets = Annotated[list[Responses], Field(min_length=1), BeforeValidator(_sets)]


def check_sets(sets: list[Responses]) -> None:
    """Raise where two answer sets have one name, or one has an engine and no model.

    Only the first can be called `default`: so the folder of a run's first set is called.
    """
    for number, answers in enumerate(sets):
        place = f"responses.{number}" if len(sets) > 1 else "responses"
        if answers.name in {other.name for other in sets[:number]}:
            message = f"`{answers.name}` names two answer sets, expected another name"
            raise wrong(f"{place}.name", message)
        if number and answers.name == ANSWERS:
            message = f"`{ANSWERS}` is not the first answer set, expected another name"
            raise wrong(f"{place}.name", message)
        for key in ("engine", "price_per_hour", "chat_template_kwargs"):
            if answers.model is None and getattr(answers, key):
                message = "it has no meaning without a `model`, which would answer"
                raise wrong(f"{place}.{key}", message, hint="add the model, or remove it")

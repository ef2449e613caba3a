"""What a person may write of duplicates and of benchmarks: `dedup:` and `decontaminate:`.

Knows the keys and their bounds; not how a duplicate is found.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from magpie_hub.spec.sections import Section, wrong
from magpie_hub.spec.source import Source

NEAR = {"default": {}, "high-recall": {"bands": 32, "threshold": 0.6}}
"""Near duplicates by name: settings that go together."""


class Near(Section):
    """How near duplicates are found.

    backend: what signs texts; unset, `text-dedup` where it runs (Python 3.12), else `rensa`. words:
    of a shingle; characters: of a shingle where words are not separated by spaces. hashes: of a
    signature, in so many bands. threshold: the least Jaccard similarity.
    """

    backend: Literal["text-dedup", "rensa"] | None = None
    words: Annotated[int, Field(ge=1, le=10)] = 2
    characters: Annotated[int, Field(ge=1, le=50)] = 5
    hashes: Annotated[int, Field(ge=1, le=1024)] = 128
    bands: Annotated[int, Field(ge=1, le=1024)] = 16
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.7

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        if isinstance(value, str):
            if value not in NEAR:
                raise wrong(
                    "dedup.near",
                    f"`{value}`, expected one of `{'`, `'.join(NEAR)}`, a map, or false",
                )
            return NEAR[value]
        return value

    @property
    def rows(self) -> int:
        """The hashes of a band."""
        return self.hashes // self.bands

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.characters < self.words:
            raise wrong("dedup.near.characters", f"`{self.characters}`, expected at least `words`")
        if self.hashes % self.bands:
            message = f"`{self.bands}`, expected a divisor of `hashes`, which is {self.hashes}"
            raise wrong("dedup.near.bands", message, hint="write it as in `bands: 16`")
        return self


class Dedup(Section):
    """Which instructions are the same.

    exact: on their normal form. against: other runs (folders), releases (folders, datasets on the
    Hub) and files, whose rows come first.
    """

    exact: bool = True
    near: Near | Literal[False] = Near()
    against: list[Source] = []

    @model_validator(mode="after")
    def _compared(self) -> Self:
        if self.against and not (self.exact or self.near):
            raise wrong(
                "dedup.against",
                "nothing is compared, since `exact` and `near` are both off",
                hint="switch one of them on, or remove `against`",
            )
        return self


class Decontaminate(Section):
    """The benchmarks that instructions must not overlap.

    benchmarks: files, or datasets on the Hub. words: how many in a row are an overlap. keep: rows
    that overlap are only marked.
    """

    benchmarks: Annotated[list[Source], Field(min_length=1)]
    words: Annotated[int, Field(ge=3, le=100)] = 13
    keep: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            return {"benchmarks": [value]}
        return {"benchmarks": value} if isinstance(value, list) else value

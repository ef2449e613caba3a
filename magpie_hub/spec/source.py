"""Where rows are read from that others made, wherever a spec names such a place.

Knows the keys and what a bare name stands for; reads nothing.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from magpie_hub.spec.sections import Section, wrong

_FILES = (".json", ".jsonl", ".parquet", ".csv")


class Source(Section):
    """Rows that others made: a dataset, or files.

    dataset: as `load_dataset` names it, with `config`, `split` and `revision`. files: paths, with
    `*` for many. columns: our names to theirs, where they are not recognised. rows: the most that
    are taken.
    """

    dataset: Annotated[str, Field(min_length=1)] | None = None
    files: Annotated[list[str], Field(min_length=1)] | None = None
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    columns: dict[str, str] = {}
    rows: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            is_file = value.removesuffix(".gz").endswith(_FILES) or "*" in value
            return {"files": [value]} if is_file else {"dataset": value}
        return {"files": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.dataset is None) == (self.files is None):
            raise wrong("source", "it must name either a `dataset` or `files`")
        return self

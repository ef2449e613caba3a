"""Tags: labels on rows, each computed once and kept in shards of its own.

`TAGS` says which columns a tag makes, `wanted` which tags a spec asks for. Where a tag's shards
lie changes with all that decides its labels, and with nothing else: changing a filter never labels
a row again. Knows nothing of files, and opens no model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from magpie_hub.records import MODEL_TAG_SHARD, Type
from magpie_hub.spec.tags import OwnTag, Tags
from magpie_hub.tag.judge import Question, question, used
from magpie_hub.tag.schemas import whole

if TYPE_CHECKING:
    import pyarrow as pa

Role = Literal["judge", "guard", "reward", "base", "embedder"]
"""What a model is to a tag."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag's columns and how they come to be.

    columns: the published ones. module: whose `label` computes them from answered rows. role: of
    the model that makes them instead; generator: the column that names it. question: for a judge.
    hidden: columns of its shards that are not published.
    """

    name: str
    columns: dict[str, Type]
    module: str = ""
    version: int = 1
    role: Role | None = None
    generator: str = ""
    question: Question | None = None
    hidden: dict[str, Type] = field(default_factory=dict)

    def stage(self, *decided_by: object) -> str:
        """Return where its shards lie in a run folder, by all that decides the labels."""
        parts = [self.name, self.version, *decided_by]
        if self.question is not None:
            parts += [self.question.prompt, sorted(self.question.schema.items())]
        digest = blake2b("\n".join(map(str, parts)).encode(), digest_size=8).hexdigest()
        return f"tags/{self.name}/{digest}"

    @property
    def shard(self) -> dict[str, Type]:
        """The columns of its shards: the row's uuid, the labels, and how they were made."""
        how = MODEL_TAG_SHARD if self.counts_failures else {}
        return {"uuid": "string", **self.columns, **self.hidden, **how}

    @property
    def of_instruction(self) -> bool:
        """Whether it concerns the instruction alone: then it is made once for all answer sets."""
        if self.question is not None:
            return "response" not in used(self.question.prompt)
        return self.name in ("language", "embedding")

    @property
    def counts_failures(self) -> bool:
        """Whether a model may fail to give the label."""
        return self.role is not None and self.role != "embedder"

    def label(self, rows: "pa.Table") -> "pa.Table":
        """Return the tag shard of answered rows, row for row, for a tag that is computed.

        rows: a table with `uuid`, `instruction`, `response` and `completion_tokens`.
        """
        import pyarrow as pa

        from magpie_hub.records import arrow_schema

        labels = import_module(self.module).label(rows)
        return pa.table({"uuid": rows["uuid"], **labels}, schema=arrow_schema(self.shard))


def _judged(name: str, generator: str, asked: Question) -> Tag:
    columns = {**asked.columns, generator: "string"}
    return Tag(name, columns, role="judge", generator=generator, question=asked)


TAGS = {
    tag.name: tag
    for tag in (
        Tag(
            "lengths",
            {
                "instruction_length": "int64",
                "response_length": "int64",
                "response_tokens": "int64",
            },
            "magpie_hub.tag.lengths",
        ),
        Tag(
            "language",
            {"language": "string", "language_confidence": "float64"},
            "magpie_hub.tag.language",
            version=2,
        ),
        Tag("personal_data", {"personal_data": ["string"]}, "magpie_hub.tag.personal_data"),
        _judged("quality", "quality_generator", question("quality")),
        _judged("difficulty", "difficulty_generator", question("difficulty")),
        _judged("category", "task_category_generator", question("category")),
        _judged("response_quality", "response_quality_generator", question("response_quality")),
        Tag(
            "safety",
            {"safety": "string", "safety_categories": ["string"], "safety_generator": "string"},
            role="guard",
            generator="safety_generator",
        ),
        Tag(
            "reward",
            {"instruct_reward": "float64", "reward_model": "string"},
            role="reward",
            generator="reward_model",
        ),
        Tag("base_response", {"base_output": "string"}, role="base"),
        Tag(
            "base_reward",
            {"base_reward": "float64", "reward_difference": "float64"},
            role="reward",
        ),
        Tag("embedding", {}, role="embedder", hidden={"vector": ["float32"]}),
        Tag(
            "neighbours",
            {
                "min_neighbor_distance": "float64",
                "repeat_count": "int64",
                "min_similar_uuid": "string",
            },
        ),
    )
}
"""The tags of the house; `base_response`, `base_reward` and `embedding` come with others."""


def wanted(tags: Tags) -> dict[str, Tag]:
    """Return the tags that a spec asks for and those that they need, in the order of making."""
    names = list(tags.asked)
    if tags.reward is not None and tags.reward.base is not None:
        names += ["base_response", "base_reward"]
    if tags.neighbours is not None:
        names.insert(names.index("neighbours"), "embedding")
    return {name: TAGS.get(name) or own(name, tags.own[name]) for name in names}


def own(name: str, section: OwnTag) -> Tag:
    """Return a tag that a spec makes up itself."""
    return _judged(name, f"{name}_generator", Question(section.prompt, whole(section.answer)))


def own_columns(tags: Tags) -> dict[str, tuple[Type, str]]:
    """Return type and meaning of the published columns of a spec's own tags."""
    found: dict[str, tuple[Type, str]] = {}
    for name, section in tags.own.items():
        for column, type_ in own(name, section).columns.items():
            part: Mapping[str, Any] = section.answer["properties"].get(column, {})
            found[column] = (type_, str(part.get("description") or f"Of the tag {name}."))
    return found


def free_texts(tags: Tags) -> set[str]:
    """Return the columns of a spec's own tags that hold what a judge wrote in its own words."""
    found = set()
    for section in tags.own.values():
        for column, part in section.answer["properties"].items():
            item = part.get("items", part)
            if item.get("type") == "string" and "enum" not in item:
                found.add(column)
    return found

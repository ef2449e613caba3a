"""Tags: labels on rows, each computed once and kept in shards of its own.

`TAGS` says which columns a tag makes. A tag's fingerprint changes with its VERSION alone, so that
changing a filter never labels a row again. Knows nothing of files.
"""

from dataclasses import dataclass
from hashlib import blake2b
from importlib import import_module
from typing import TYPE_CHECKING

from magpie_hub.records import Type

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag's columns, and the module whose `label` makes them from answered rows."""

    name: str
    columns: dict[str, Type]
    module: str
    version: int

    @property
    def stage(self) -> str:
        """Where its shards lie in a run folder."""
        print_ = blake2b(f"{self.name}\n{self.version}".encode(), digest_size=8).hexdigest()
        return f"tags/{self.name}/{print_}"

    @property
    def shard(self) -> dict[str, Type]:
        """The columns of its shards: the row's uuid, then the labels."""
        return {"uuid": "string", **self.columns}

    def label(self, rows: "pa.Table") -> "pa.Table":
        """Return the tag shard of answered rows, row for row.

        rows: a table with `uuid`, `instruction`, `response` and `completion_tokens`.
        """
        import pyarrow as pa

        from magpie_hub.records import arrow_schema

        labels = import_module(self.module).label(rows)
        return pa.table({"uuid": rows["uuid"], **labels}, schema=arrow_schema(self.shard))


TAGS = {
    tag.name: tag
    for tag in (
        Tag(
            "lengths",
            {"instruction_length": "int64", "response_length": "int64", "response_tokens": "int64"},
            "magpie_hub.tag.lengths",
            version=1,
        ),
        Tag("language", {"language": "string"}, "magpie_hub.tag.language", version=1),
    )
}

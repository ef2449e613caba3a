"""What flows: the records between the stages, the name of a draw, and the one schema per kind.

Knows neither files nor models. The columns of a release are data here; the builder's features,
the Parquet schema and the card's field table all come from them. One row of kind `sft`:

    {"messages": [{"role": "user", "content": "Why is the sky blue?"},
                  {"role": "assistant", "content": "Because air scatters ..."}],
     "instruction_length": 20, ..., "uuid": "5e0c...", "model": "org/model", ...}
"""

import uuid
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

NAMESPACE = uuid.UUID("8a6c3bd4-5f0e-4d4e-9a35-6d61677069e5")
ANSWERS = "default"
"""The name of the one answer set there is."""
INSTRUCTIONS = "instructions"
RESPONSES = f"responses/{ANSWERS}"
"""The stages that ask a model, by the folders that their shards lie in."""

Type = str | dict[str, "Type"] | list["Type"]
"""An Arrow type as data: a primitive's name, a struct as a map, a list as a list of one."""

MESSAGES: Type = [{"role": "string", "content": "string"}]
_DRAWN: dict[str, Type] = {
    "temperature": "float64",
    "top_p": "float64",
    "max_tokens": "int64",
    "seed": "int64",
    "engine": "string",
    "engine_version": "string",
    "revision": "string",
}
INPUT_CONFIGS: Type = {"prefix": "string", **_DRAWN}
RESPONSE_CONFIGS: Type = {**_DRAWN}
_COMPLETION: dict[str, Type] = {
    "finish_reason": "string",
    "prompt_tokens": "int64",
    "completion_tokens": "int64",
    "seconds": "float64",
    "error": "string",
}

INSTRUCTION_SHARD: dict[str, Type] = {
    "index": "int64",
    "instruction": "string",
    "rejection": "string",
    "duplicate_of": "int64",
    **_COMPLETION,
    "gen_input_configs": INPUT_CONFIGS,
}
RESPONSE_SHARD: dict[str, Type] = {
    "index": "int64",
    "uuid": "string",
    "response": "string",
    "reasoning": "string",
    "rejection": "string",
    **_COMPLETION,
    "gen_response_configs": RESPONSE_CONFIGS,
}
SHARDS = {INSTRUCTIONS: INSTRUCTION_SHARD, RESPONSES: RESPONSE_SHARD}
"""The columns of the shards of each stage that asks a model."""


@dataclass(frozen=True, slots=True)
class Field:
    """A published column. upstream: its name in the Magpie-Align datasets, "" if they lack it."""

    name: str
    type: Type
    group: Literal["text", "tag", "provenance"]
    meaning: str
    upstream: str = ""


SFT = (
    Field(
        "messages",
        MESSAGES,
        "text",
        "The conversation: the instruction as user, the response as assistant.",
        "conversations (from/value)",
    ),
    Field(
        "instruction_length",
        "int64",
        "tag",
        "Characters of the instruction.",
        "instruction_length",
    ),
    Field("response_length", "int64", "tag", "Characters of the response.", "response_length"),
    Field(
        "response_tokens",
        "int64",
        "tag",
        "Tokens that the generator wrote, its reasoning included.",
    ),
    Field(
        "finish_reason",
        "string",
        "tag",
        "stop where the response ended by itself, length where it was cut at its limit.",
    ),
    Field(
        "language",
        "string",
        "tag",
        "Language of the instruction, upper-case ISO 639-1 (639-3 where that has none).",
        "language",
    ),
    Field("uuid", "string", "provenance", "Names the draw; the same for a repeated run.", "uuid"),
    Field("model", "string", "provenance", "The generator.", "model"),
    Field(
        "gen_input_configs",
        INPUT_CONFIGS,
        "provenance",
        "How the instruction was drawn: prefix, sampling, seed, engine, revision.",
        "gen_input_configs",
    ),
    Field(
        "gen_response_configs",
        RESPONSE_CONFIGS,
        "provenance",
        "How the response was drawn.",
        "gen_response_configs",
    ),
)
REASONING = Field(
    "reasoning",
    "string",
    "text",
    "What the model thought before it responded; null where it did not.",
)
KINDS = {"sft": SFT, "sft-reasoning": (SFT[0], REASONING, *SFT[1:])}


@dataclass(frozen=True, slots=True)
class Unit:
    """A range of indices, [start, stop), whose rows are one shard."""

    number: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One draw: what the model wrote in the user's place, and whether it is kept.

    rejection: the reason why it is not, or None. duplicate_of: the index of the earlier
    instruction with the same normal form, where the reason is that one. error: what the engine
    said, where it failed the request.
    """

    index: int
    instruction: str
    rejection: str | None
    duplicate_of: int | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None
    gen_input_configs: dict[str, object]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a kept instruction; `rejection` as for an instruction.

    reasoning: what a thinking model wrote before it answered.
    """

    index: int
    uuid: str
    response: str
    reasoning: str | None
    rejection: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None
    gen_response_configs: dict[str, object]


@dataclass(frozen=True, slots=True)
class Draw:
    """What names the draws of a run: together with an index, it gives a row's uuid and seeds.

    revision: the commit of a model on the Hub, else `sha256:...` of the weights' content. seed: the
    spec's.
    """

    repo: str
    model: str
    revision: str
    seed: int

    def uuid(self, index: int, answers: str = ANSWERS) -> str:
        """Return the row's uuid: unique by construction, the same on every engine."""
        return str(uuid.uuid5(NAMESPACE, self._name(index, answers)))

    def seed_of(self, index: int, purpose: str) -> int:
        """Return the sampler's seed (32 bits) of one completion; `purpose` is its stage."""
        digest = blake2b(self._name(index, purpose).encode(), digest_size=4).digest()
        # llama.cpp reads the highest 32-bit value as "draw a random seed".
        return min(int.from_bytes(digest, "big"), 2**32 - 2)

    def _name(self, index: int, part: str) -> str:
        parts = (self.repo, f"{self.model}@{self.revision}", str(self.seed), str(index), part)
        return "\n".join(parts)


def arrow_schema(columns: dict[str, Type]) -> "pa.Schema":
    """Return columns that are written as data as a pyarrow schema."""
    import pyarrow as pa

    return pa.schema([(name, _arrow_type(type_)) for name, type_ in columns.items()])


def columns(kind: str) -> dict[str, Type]:
    """Return the published columns of a kind, in order: text, tags, provenance."""
    return {field.name: field.type for field in KINDS[kind]}


def type_name(type_: Type) -> str:
    """Return a type as the card's field table shows it, such as `list<struct<role, content>>`."""
    if isinstance(type_, str):
        return type_
    if isinstance(type_, list):
        return f"list<{type_name(type_[0])}>"
    return f"struct<{', '.join(type_)}>"


def _arrow_type(type_: Type) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(type_, str):
        return pa.type_for_alias(type_)
    if isinstance(type_, list):
        return pa.list_(_arrow_type(type_[0]))
    return pa.struct([(name, _arrow_type(part)) for name, part in type_.items()])

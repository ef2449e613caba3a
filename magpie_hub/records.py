"""What flows: the records between the stages, the name of a draw, and the schemas of the shards.

Knows neither files nor models. The published columns stand in `columns`.
"""

import uuid
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

NAMESPACE = uuid.UUID("8a6c3bd4-5f0e-4d4e-9a35-6d61677069e5")
ANSWERS = "default"
"""The name of an answer set where there is but one."""
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
INPUT_CONFIGS: Type = {
    "prefix": "string",
    "system_prompt": "string",
    "bad_first_tokens": ["int64"],
    "first_token_temperature": "float64",
    **_DRAWN,
}
RESPONSE_CONFIGS: Type = {**_DRAWN}
TURN_CONFIGS: Type = [
    {
        "turn": "int64",
        "role": "string",
        "system_prompt": "string",
        "finish_reason": "string",
        **_DRAWN,
    }
]
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
    "raw_instruction": "string",
    "sanitised": ["string"],
    "rejection": "string",
    "duplicate_of": "int64",
    **_COMPLETION,
    "gen_input_configs": INPUT_CONFIGS,
}
RESPONSE_SHARD: dict[str, Type] = {
    "index": "int64",
    "uuid": "string",
    "model": "string",
    "instruction_tokens": "int64",
    "response": "string",
    "reasoning": "string",
    "rejection": "string",
    **_COMPLETION,
    "gen_response_configs": RESPONSE_CONFIGS,
}
EXTENSION_SHARD: dict[str, Type] = {
    "index": "int64",
    "base": "string",
    "number": "int64",
    "role": "string",
    "text": "string",
    "rejection": "string",
    **_COMPLETION,
    "gen_configs": {"system_prompt": "string", **_DRAWN},
}
"""What the shard of an extension holds: one row for each completion, by index and number.

base: what stands for the exchange that was extended. number: the turn, of which that exchange is
the first; or the sample, from 1. role: who speaks.
"""
MODEL_TAG_SHARD: dict[str, Type] = {
    "failure": "string",
    "raw": "string",
    "attempts": "int64",
    "cut": "int64",
    "prompt_tokens": "int64",
    "completion_tokens": "int64",
    "seconds": "float64",
    "engine": "string",
    "engine_version": "string",
}
"""What the shard of a tag that asks a model holds besides `uuid` and the labels.

failure: why there is no label, with the `raw` text that was written instead; null where there is
one. attempts: 0 for a row that was not asked, being dropped already. cut: characters of the row
that the model was not shown. The numbers are the sums over all attempts.
"""
SHARDS = {INSTRUCTIONS: INSTRUCTION_SHARD, RESPONSES: RESPONSE_SHARD}
"""The columns of the shards of each stage that asks a model."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A range of indices, [start, stop), whose rows are one shard."""

    number: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One draw: what the model wrote in the user's place, and whether it is kept.

    raw_instruction: what was drawn, where the rules named in `sanitised` rewrote it. rejection: the
    reason why it is not kept, or None. duplicate_of: the index of the earlier
    instruction with the same normal form, where the reason is that one. error: what the engine
    said, where it failed the request. What concerns the model is None in rows that others made.
    """

    index: int
    instruction: str
    raw_instruction: str | None
    sanitised: tuple[str, ...]
    rejection: str | None
    duplicate_of: int | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    error: str | None
    gen_input_configs: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a kept instruction; `rejection` as for an instruction.

    model: what wrote it, as rows name it. instruction_tokens: by its tokenizer.
    reasoning: what a thinking model wrote before it answered.
    """

    index: int
    uuid: str
    model: str | None
    instruction_tokens: int | None
    response: str
    reasoning: str | None
    rejection: str | None
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    error: str | None
    gen_response_configs: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Extended:
    """One completion of an extension: a later turn's words, or a sampled response.

    rejection: why it is not kept; of a turn, why the conversation ends here.
    """

    index: int
    base: str
    number: int
    role: str
    text: str
    rejection: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    error: str | None
    gen_configs: dict[str, object]


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


def exchange_hash(instruction: str, response: str) -> str:
    """Return what stands for an exchange: what extends another one is none of this."""
    return blake2b(f"{instruction}\0{response}".encode(), digest_size=8).hexdigest()


def arrow_schema(columns: dict[str, Type]) -> "pa.Schema":
    """Return columns that are written as data as a pyarrow schema."""
    import pyarrow as pa

    return pa.schema([(name, _arrow_type(type_)) for name, type_ in columns.items()])


def _arrow_type(type_: Type) -> "pa.DataType":
    import pyarrow as pa

    if isinstance(type_, str):
        return pa.type_for_alias(type_)
    if isinstance(type_, list):
        return pa.list_(_arrow_type(type_[0]))
    return pa.struct([(name, _arrow_type(part)) for name, part in type_.items()])

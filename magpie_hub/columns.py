"""The published columns: the one schema of each kind of rows, as data.

The builder's features, the Parquet schema and the card's field table all come from here. Order:
text, tags, provenance. One row of kind `sft`:

    {"messages": [{"role": "user", "content": "Why is the sky blue?"},
                  {"role": "assistant", "content": "Because air scatters ..."}],
     "instruction_length": 20, ..., "uuid": "5e0c...", "model": "org/model", ...}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from magpie_hub.records import (
    INPUT_CONFIGS,
    MESSAGES,
    RESPONSE_CONFIGS,
    TURN_CONFIGS,
    Type,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A published column. upstream: its name in the Magpie-Align datasets, "" if they lack it."""

    name: str
    type: Type
    group: Literal["text", "tag", "provenance"]
    meaning: str
    upstream: str = ""


_TEXTS: Type = ["string"]
_TAGS: tuple[tuple[str, Type, str, str], ...] = (
    (
        "instruction_length",
        "int64",
        "Characters of the instruction.",
        "instruction_length",
    ),
    ("response_length", "int64", "Characters of the response.", "response_length"),
    (
        "instruction_tokens",
        "int64",
        "Tokens of the instruction, by those of the model that responded.",
        "",
    ),
    (
        "response_tokens",
        "int64",
        "Tokens that the model wrote, its reasoning included.",
        "",
    ),
    (
        "finish_reason",
        "string",
        "stop where the response ended by itself, length where it was cut at its limit.",
        "",
    ),
    (
        "language",
        "string",
        "Language of the instruction, upper-case ISO 639-1 (639-3 where that has none).",
        "language",
    ),
    ("language_confidence", "float64", "How sure the detector of the language is, 0 to 1.", ""),
    (
        "task_category",
        "string",
        "What kind of task the instruction sets, of twelve.",
        "task_category",
    ),
    ("other_task_category", _TEXTS, "Further kinds that fit.", "other_task_category"),
    ("task_category_generator", "string", "The judge of the category.", "task_category_generator"),
    (
        "difficulty",
        "string",
        "very easy, easy, medium, hard or very hard.",
        "difficulty",
    ),
    ("intent", "string", "What the user wants, in the judge's words.", "intent"),
    ("knowledge", "string", "What one must know to answer, in the judge's words.", "knowledge"),
    ("difficulty_generator", "string", "The judge of the difficulty.", "difficulty_generator"),
    (
        "input_quality",
        "string",
        "Of the instruction: very poor, poor, average, good or excellent.",
        "input_quality",
    ),
    ("quality_explanation", "string", "Why, in the judge's words.", "quality_explanation"),
    ("quality_generator", "string", "The judge of the quality.", "quality_generator"),
    ("response_quality", "int64", "Of the response: 1 (useless) to 5 (nothing to add).", ""),
    ("response_quality_explanation", "string", "Why, in the judge's words.", ""),
    ("response_quality_generator", "string", "The judge of the response.", ""),
    (
        "instruct_reward",
        "float64",
        "What the reward model gives the response.",
        "instruct_reward",
    ),
    ("reward_model", "string", "The reward model.", "reward_model"),
    ("base_output", "string", "What a base model answers.", "base_output"),
    ("base_reward", "float64", "What the reward model gives that answer.", "base_reward"),
    (
        "reward_difference",
        "float64",
        "instruct_reward less base_reward.",
        "reward_difference",
    ),
    ("safety", "string", "safe or unsafe, of instruction and response together.", "llama_guard_2"),
    ("safety_categories", _TEXTS, "The guard's codes of what is unsafe.", "llama_guard_2"),
    ("safety_generator", "string", "The guard model.", ""),
    (
        "personal_data",
        _TEXTS,
        "Kinds of personal data seen in the row: card, email, key, phone.",
        "",
    ),
    (
        "min_neighbor_distance",
        "float64",
        "Squared distance of the instruction's unit vector to the nearest other row's.",
        "min_neighbor_distance",
    ),
    (
        "repeat_count",
        "int64",
        "Other rows within a squared distance of 0.05.",
        "repeat_count",
    ),
    (
        "min_similar_uuid",
        "string",
        "The earliest of those rows and this one; null where there are none.",
        "min_similar_uuid",
    ),
    (
        "benchmark_overlap",
        "string",
        "The benchmark that the instruction overlaps; null where it overlaps none.",
        "",
    ),
)

_MESSAGES = Field(
    "messages",
    MESSAGES,
    "text",
    "The conversation: the instruction as user, the response as assistant.",
    "conversations (from/value)",
)
_LABELS = tuple(Field(name, type_, "tag", meaning, up) for name, type_, meaning, up in _TAGS)
_DRAW = (
    Field("uuid", "string", "provenance", "Names the draw; the same for a repeated run.", "uuid"),
    Field("model", "string", "provenance", "The model that wrote the response.", "model"),
    Field(
        "gen_input_configs",
        INPUT_CONFIGS,
        "provenance",
        "How the instruction was drawn: prefix, system prompt, sampling, seed, engine, revision.",
        "gen_input_configs",
    ),
    Field(
        "raw_instruction",
        "string",
        "provenance",
        "The instruction as it was drawn, where rules rewrote it.",
        "raw_instruction",
    ),
    Field("sanitised", _TEXTS, "provenance", "The rules that rewrote the instruction.", ""),
)
_ANSWERED = Field(
    "gen_response_configs",
    RESPONSE_CONFIGS,
    "provenance",
    "How the response was drawn.",
    "gen_response_configs",
)
SFT = (_MESSAGES, *_LABELS, *_DRAW, _ANSWERED)
REASONING = Field(
    "reasoning",
    "string",
    "text",
    "What the model thought before it responded; null where it did not.",
)
MULTI_TURN = (
    _MESSAGES,
    *_LABELS,
    Field("turns", "int64", "tag", "Exchanges of user and assistant in the conversation."),
    Field(
        "turns_end",
        "string",
        "tag",
        "Why the conversation has fewer turns than were asked for; null where it has all.",
    ),
    *_DRAW,
    _ANSWERED,
    Field("gen_turn_configs", TURN_CONFIGS, "provenance", "How the later turns were drawn."),
)
ABOUT_RESPONSE = {
    *("response_length", "response_tokens", "finish_reason"),
    *("response_quality", "response_quality_explanation", "response_quality_generator"),
    *("instruct_reward", "reward_model", "base_output", "base_reward", "reward_difference"),
    *("safety", "safety_categories", "safety_generator", "personal_data"),
}
"""Tags that say something of the one response, which a preference does not hold."""
PREFERENCE = (
    Field("prompt", MESSAGES, "text", "The instruction, as a conversation of one message."),
    Field("chosen", MESSAGES, "text", "The best of the sampled responses.", "chosen"),
    Field("rejected", MESSAGES, "text", "The worst of the sampled responses.", "rejected"),
    Field("chosen_reward", "float64", "tag", "The score of the chosen response."),
    Field("rejected_reward", "float64", "tag", "The score of the rejected response."),
    Field("margin", "float64", "tag", "chosen_reward less rejected_reward."),
    Field("samples", "int64", "tag", "Responses that were sampled, kept and scored."),
    Field("scorer", "string", "tag", "The model that scored them.", "reward_model"),
    *(field for field in _LABELS if field.name not in ABOUT_RESPONSE),
    *_DRAW,
    Field("gen_chosen_configs", RESPONSE_CONFIGS, "provenance", "How the chosen one was drawn."),
    Field("gen_rejected_configs", RESPONSE_CONFIGS, "provenance", "How the rejected one was."),
)
KINDS = {
    "sft": SFT,
    "sft-reasoning": (SFT[0], REASONING, *SFT[1:]),
    "multi-turn": MULTI_TURN,
    "preference": PREFERENCE,
}


def fields(kind: str, own: Mapping[str, tuple[Type, str]]) -> tuple[Field, ...]:
    """Return the published columns of a kind, in order.

    own: type and meaning of the columns of tags that a spec makes up itself, by their names; they
    come last among the tags.
    """
    named = KINDS[kind]
    extra = tuple(Field(name, type_, "tag", meaning) for name, (type_, meaning) in own.items())
    front = tuple(field for field in named if field.group != "provenance")
    return (*front, *extra, *(field for field in named if field.group == "provenance"))


def type_name(type_: Type) -> str:
    """Return a type as the card's field table shows it, such as `list<struct<role, content>>`."""
    if isinstance(type_, str):
        return type_
    if isinstance(type_, list):
        return f"list<{type_name(type_[0])}>"
    return f"struct<{', '.join(type_)}>"

"""The labels that a row of others' making brings: which columns, of what type, from which set.

A label that is outside its set or of another type is left out: nobody's row is lost for it. Knows
the names that upstream's columns have drifted through, but no text of the row.
"""

import math
import re
from typing import Any

from magpie_hub.records import Type

LABELS: dict[str, Type] = {
    "task_category": "string",
    "other_task_category": ["string"],
    "task_category_generator": "string",
    "difficulty": "string",
    "intent": "string",
    "knowledge": "string",
    "difficulty_generator": "string",
    "input_quality": "string",
    "quality_explanation": "string",
    "quality_generator": "string",
    "response_quality": "int64",
    "response_quality_explanation": "string",
    "response_quality_generator": "string",
    "instruct_reward": "float64",
    "reward_model": "string",
    "base_output": "string",
    "base_reward": "float64",
    "reward_difference": "float64",
    "safety": "string",
    "safety_categories": ["string"],
    "safety_generator": "string",
    "language": "string",
    "language_confidence": "float64",
    "personal_data": ["string"],
    "min_neighbor_distance": "float64",
    "repeat_count": "int64",
    "min_similar_uuid": "string",
}
"""The published columns of ours that a row may bring, with their Arrow types."""

_SETS = {
    "task_category": (
        *("Information seeking", "Reasoning", "Planning", "Editing", "Coding & Debugging", "Math"),
        *("Role playing", "Data analysis", "Creative writing", "Advice seeking", "Brainstorming"),
        "Others",
    ),
    "difficulty": ("very easy", "easy", "medium", "hard", "very hard"),
    "input_quality": ("very poor", "poor", "average", "good", "excellent"),
    "safety": ("safe", "unsafe"),
}
_SPELLED = {name: {label.casefold(): label for label in labels} for name, labels in _SETS.items()}
# Upstream's prompt says "Others", its notebook "Other".
_SPELLED["task_category"]["other"] = "Others"
_LANGUAGE = re.compile(r"[A-Z]{2,3}")
_UNSAFE = re.compile(r"unsafe(?:\s+(S\d{1,2}(?:\s*,\s*S\d{1,2})*))?")
_GUARD_2 = "meta-llama/Meta-Llama-Guard-2-8B"
_WHOLE = 2**53
"""Below it, a float holds every whole number."""


def labels(row: dict[str, Any]) -> dict[str, Any]:
    """Return the labels of a row under our names, in the types of `LABELS`.

    Upstream's `llama_guard_2` gives the columns of safety, where the row has not got ours.
    """
    given = LABELS.keys() & row.keys()
    found = {name: label for name in given if (label := _label(name, row[name])) is not None}
    if "safety" not in found:
        found |= _guarded(row.get("llama_guard_2"))
    similar = name_of(row.get("min_similar_conversation_id"))
    return {"min_similar_uuid": similar, **found} if similar else found


def text_of(value: object) -> str | None:
    """Return a text that is not empty and can be written as UTF-8; None for anything else."""
    if not isinstance(value, str) or not value:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def name_of(value: object) -> str | None:
    """Return what names a row: a text, or a whole number as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(value)


def number_of(value: object) -> float | None:
    """Return a finite number, also one that stands as text, as in CSV."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _label(name: str, value: object) -> object:
    if name == "min_similar_uuid":
        return name_of(value)
    if LABELS[name] == "string":
        return _word(name, text_of(value))
    if LABELS[name] == ["string"]:
        texts = [text_of(item) for item in value] if isinstance(value, list) else [None]
        return None if None in texts else texts
    number = number_of(value)
    if number is None or LABELS[name] == "float64":
        return number
    return int(number) if number.is_integer() and abs(number) < _WHOLE else None


def _word(name: str, label: str | None) -> str | None:
    """Return a label in the spelling of its set, if it has one."""
    if label and name in _SPELLED:
        return _SPELLED[name].get(label.strip().casefold())
    return label if name != "language" or (label and _LANGUAGE.fullmatch(label)) else None


def _guarded(verdict: object) -> dict[str, Any]:
    """Return what Llama Guard's words say: `safe`, or `unsafe` and the codes of categories."""
    words = verdict.strip() if isinstance(verdict, str) else ""
    unsafe = _UNSAFE.fullmatch(words)
    if words != "safe" and not unsafe:
        return {}
    codes = re.findall(r"S\d+", unsafe[1] or "") if unsafe else []
    return {"safety": words[:6].strip(), "safety_categories": codes, "safety_generator": _GUARD_2}

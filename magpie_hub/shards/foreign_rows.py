"""One row that others made, understood by its columns: one exchange and the labels beside it.

Knows the shapes that datasets of conversations come in, and the names that Magpie's published
columns have drifted through. It never guesses: where two columns could be the instruction, or
something stood beside it when it was answered, the row has a fault. Knows no files.

    {"conversation_id": 7, "input": "Hi", "output": "Hello", "llama_guard_2": "safe"}
        -> Foreign(uuid="7", instruction="Hi", response="Hello", labels={"safety": "safe", ...})
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from magpie_hub.shards.foreign_labels import LABELS, labels, name_of, number_of, text_of
from magpie_hub.spec.wording import shown

_CHATS = ("messages", "conversations", "conversation")
_ASKED = ("instruction", "prompt", "question", "input")
_ANSWERED = ("response", "output", "completion", "answer", "chosen")
_SEVERAL = ("responses", "rewards_armorm")
_LEFT_OUT = ("rejected", "instruction_2")
_BESIDE = ("context", "passage", "choices", "options")
_SET_UP = ("system", "system_prompt", "tools")
_NAMES = ("uuid", "conversation_id", "id")
_WRITERS = ("model", "gen_response_configs", "gen_input_configs", "gen_input_config")

SHAPES = frozenset((*_CHATS, *_ASKED, "chosen"))
"""A row is of a known shape if it has one of these columns."""
COLUMNS = SHAPES | {
    *(*_ANSWERED, *_SEVERAL, *_LEFT_OUT, *_BESIDE, *_SET_UP, *_NAMES, *_WRITERS),
    *("finish_reason", "llama_guard_2", "min_similar_conversation_id", *LABELS),
}
"""Every column that is looked at; others need not be read."""
MAPPED = frozenset(("instruction", "response", "messages", "uuid", "model", "finish_reason"))
"""Which of our columns `columns:` may give others' names to."""

_ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
_KINDS: dict[type, str] = {
    str: "text",
    list: "a list",
    dict: "an object",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Foreign:
    """A row that others made; with a `fault` it could not be read, and the instruction is "".

    place: "rows.jsonl:12" (line), "rows.json: item 12" or "org/x train row 12"; all count from 1.
    uuid: the row's own, whatever its form. model: who wrote the response. labels: columns of
    `LABELS` that the row brings; what is missing or outside its set is left out. note: what else
    was left out, such as "4 further messages".
    """

    place: str
    uuid: str | None
    instruction: str
    response: str | None
    model: str | None
    finish_reason: str | None
    labels: dict[str, Any]
    fault: str | None
    note: str | None


class Unreadable(Exception):
    """Why a row cannot be read; readers of files also hand it on in the row's place."""


_Exchange = tuple[str, str | None, str | None]
"""Instruction, response, note."""


def understand(place: str, row: object, columns: Mapping[str, str]) -> Foreign:
    """Return what a row says, or its fault; columns: our names to theirs, over recognition.

    row: an object as JSON has it, anything else that stood in its place, or an `Unreadable`.
    """
    uuid = None
    try:
        if isinstance(row, Unreadable):
            raise row
        if not isinstance(row, dict):
            raise Unreadable(f"it is {_kind(row)}, expected an object")
        row = _renamed(row, columns) if columns else row
        uuid = next((name for key in _NAMES if (name := name_of(row.get(key)))), None)
        instruction, response, note = _exchange(row)
    except Unreadable as fault:
        return Foreign(place, uuid, "", None, None, None, {}, str(fault), None)
    model = None if response is None else _writer(row)
    finish = text_of(row.get("finish_reason"))
    return Foreign(place, uuid, instruction, response, model, finish, labels(row), None, note)


def _renamed(row: dict[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """Return the row under our names; what would be recognised in their place is gone."""
    mapped = {ours: row.get(theirs) for ours, theirs in columns.items()}
    gone: set[str] = set()
    if columns.keys() & {"instruction", "messages"}:
        gone.update(_CHATS, _ASKED, _BESIDE, ("chosen", "rejected"))
    if columns.keys() & {"response", "messages"}:
        gone.update(_CHATS, _ANSWERED, _SEVERAL, ("rejected",))
    return {name: value for name, value in row.items() if name not in gone} | mapped


def _exchange(row: dict[str, Any]) -> _Exchange:
    for name in _SET_UP:
        if not _empty(row.get(name)):
            raise Unreadable(_system(f"its `{name}` stood"))
    for name in _CHATS:
        if not _empty(row.get(name)):
            return _from_chat(row[name], name)
    prompt, chosen = row.get("prompt"), row.get("chosen")
    if isinstance(prompt, list):
        prompt = prompt + _listed(chosen or row.get("completion") or [])
    elif isinstance(chosen, list) and _empty(row.get("responses")):
        prompt = chosen
    else:
        return _from_columns(row)
    instruction, response, note = _from_chat(prompt, "messages")
    return instruction, response, _and_rejected(note, row)


def _from_columns(row: dict[str, Any]) -> _Exchange:
    if not row.keys() & SHAPES:
        raise Unreadable("it has no column that is known")
    asked = _only(row, _ASKED)
    if asked is None:
        raise Unreadable("it has no instruction")
    for name in _BESIDE:
        if not _empty(row.get(name)):
            raise Unreadable(f"its `{name}` stood beside its `{asked}` and would be lost")
    instruction = _instruction(row[asked], f"`{asked}`")
    if not _empty(row.get("responses")):
        return instruction, *_best(_listed(row["responses"]), row.get("rewards_armorm"))
    answered = _only(row, _ANSWERED)
    response = answered and _text(row[answered], f"`{answered}`")
    turns = None if _empty(row.get("instruction_2")) else "further turns"
    return instruction, response, _and_rejected(turns, row)


def _only(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """Return which of the columns the row has; two of them are for a person to choose from."""
    found = [name for name in names if not _empty(row.get(name))]
    if len(found) > 1:
        raise Unreadable(
            f"it has both `{found[0]}` and `{found[1]}`; `columns:` must say which is meant"
        )
    return found[0] if found else None


def _best(responses: list[Any], rewards: object) -> tuple[str | None, str | None]:
    """Return the response of the highest reward, the first without rewards, and the note."""
    scores = [_score(reward) for reward in rewards] if isinstance(rewards, list) else []
    if scores and len(scores) != len(responses):
        raise Unreadable(f"it has {len(responses)} responses and {len(scores)} rewards")
    best = scores.index(max(scores)) if scores else 0
    response = _text(responses[best], f"response {best + 1}")
    return response or None, _further(len(responses) - 1, "response")


def _score(reward: object) -> float:
    found = number_of(reward.get("score") if isinstance(reward, dict) else reward)
    return -math.inf if found is None else found


def _from_chat(chat: object, name: str) -> _Exchange:
    said = [_message(message, number) for number, message in enumerate(_listed(chat), start=1)]
    while said and said[0][0] == "system" and _empty(said[0][1]):
        del said[0]
    roles = [role for role, _ in said[:2]]
    if "system" in roles:
        raise Unreadable(_system("a system prompt stood"))
    if not roles:
        raise Unreadable(f"its `{name}` holds no message")
    if roles[0] == "assistant":
        raise Unreadable("it begins with a message by the assistant")
    if roles == ["user", "user"]:
        raise Unreadable("it begins with two messages by the user")
    instruction = _instruction(said[0][1], "first message")
    response = _text(said[1][1], "second message") if len(said) > 1 else None
    return instruction, response or None, _further(len(said) - 2, "message")


def _message(message: object, number: int) -> tuple[str, object]:
    """Return who speaks, `user`, `assistant` or `system`, and what stands there as text."""
    if not isinstance(message, dict):
        raise Unreadable(f"message {number} is {_kind(message)}, expected an object")
    role = message.get("role") or message.get("from")
    if message.get("tool_calls") or message.get("function_call"):
        raise Unreadable(f"message {number} calls tools")
    content = message.get("value") if message.get("content") is None else message["content"]
    if role == "system":
        return "system", content
    if not isinstance(role, str) or role not in _ROLES:
        speaker = shown(role) if isinstance(role, str) else "nobody"
        raise Unreadable(f"message {number} is by {speaker}, expected the user or the assistant")
    return _ROLES[role], content


def _system(what: str) -> str:
    return f"{what} before its instruction, and the response may answer that too"


def _further(count: int, what: str) -> str | None:
    return f"{count} further {what}{'s' if count > 1 else ''}" if count > 0 else None


def _and_rejected(note: str | None, row: dict[str, Any]) -> str | None:
    rejected = None if _empty(row.get("rejected")) else _further(1, "response")
    return ", ".join(filter(None, (note, rejected))) or None


def _instruction(value: object, what: str) -> str:
    if not (text := _text(value, what)).strip():
        raise Unreadable("its instruction is empty")
    return text


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"its {what} is {_kind(value)}, expected text")
    if value and text_of(value) is None:
        raise Unreadable(f"its {what} holds half a character (a lone surrogate)")
    return value


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable(f"it has {_kind(value)} where a list was expected")
    return value


def _empty(value: object) -> bool:
    return value is None or value in ("", [])


def _kind(value: object) -> str:
    return _KINDS.get(type(value), f"of the type {type(value).__name__}")


def _writer(row: dict[str, Any]) -> str | None:
    """Return who wrote the response; the one that is named for it goes before the row's."""
    answering = _first_object(row, "gen_response_configs")
    asking = _first_object(row, "gen_input_configs", "gen_input_config")
    said = answering.get("output_generator"), row.get("model"), asking.get("input_generator")
    return next((name for value in said if (name := text_of(value))), None)


def _first_object(row: dict[str, Any], *keys: str) -> dict[str, Any]:
    return next((value for key in keys if isinstance(value := row.get(key), dict)), {})

"""An engine that answers from a seed, for tests, documentation and dry runs; it has no weights.

A request behind the user's header gets an instruction, in mid-conversation a follow-up; one behind
the assistant's gets an answer. A system prompt other than the template's own shows in what the
user writes. The text depends on (seed, prompt, how the first token is drawn) alone, cut at
max_tokens, never on order or time. Time is virtual: `seconds` is made from tokens, so that whatever
is computed from it is the same again.
It shares its control tokens with its own template and knows nothing else of templates.

Nothing that it writes goes into a published dataset: the words are in `scripted_words`.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from magpie_hub.engines import scripted_words as words
from magpie_hub.engines.base import Completion, Engine, FinishReason, FirstToken, Request
from magpie_hub.engines.options import bounded, read_options
from magpie_hub.errors import EngineError

CONTROL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
END = CONTROL.index("<|im_end|>")
DEFAULT_SYSTEM = "You follow a script."
CONTROL_NAMES = re.compile("(" + "|".join(map(re.escape, CONTROL)) + ")")
FAULTS = ("empty", "cut", "loops", "leaks", "colons", "duplicates")
ANSWER_FAULTS = ("empty", "cut")
TEMPLATE = """\
{%- if messages[0]['role'] != 'system' %}
{{- '<|im_start|>system\\nYou follow a script.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['reasoning_content'] %}
{{- '<think>\\n' + message['reasoning_content'] + '\\n</think>\\n\\n' }}
{%- endif %}
{{- message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""


@dataclass(frozen=True, slots=True)
class Options:
    """What a spec may write beside `name: scripted`.

    duplicates, empty, cut, loops, leaks, colons: the share of instructions that repeat a
    popular one, are empty, end at the token limit, repeat one phrase, hold a control token's
    name, end in a colon. Answers are only ever empty or cut. thoughts: the share of answers that
    begin with reasoning. garbled: the share of answers asked for as JSON that are none, or not of
    the form that was asked for.
    capacity: requests in flight. latency: real seconds slept for each completion.
    tokens_per_second: the virtual speed. shuffle: completions come back in another order than
    requests went in. transcript: a file that gets one JSON line for each request.
    """

    duplicates: float = bounded(0.03, 0, 1)
    empty: float = bounded(0.03, 0, 1)
    cut: float = bounded(0.03, 0, 1)
    loops: float = bounded(0.03, 0, 1)
    leaks: float = bounded(0.03, 0, 1)
    colons: float = bounded(0.03, 0, 1)
    thoughts: float = bounded(0.0, 0, 1)
    garbled: float = bounded(0.0, 0, 1)
    capacity: int = bounded(32, 1)
    latency: float = bounded(0.0, 0)
    tokens_per_second: float = bounded(1000.0, 1)
    shuffle: bool = True
    transcript: str | None = None

    def __post_init__(self) -> None:
        if sum(self.rate(fault) for fault in FAULTS) > 1:
            raise EngineError(
                f"the rates `{'`, `'.join(FAULTS)}` of the engine `scripted` add up to more"
                " than `1`, expected at most 1",
                hint="lower one of them",
            )

    def rate(self, fault: str) -> float:
        """Return the share of instructions that have this fault."""
        share: float = getattr(self, fault)
        return share


class Scripted(Engine):
    """A deterministic stand-in for a model; see the module's docstring."""

    name = "scripted"
    weights = "none"
    chat_template = TEMPLATE
    version = "1"
    context_length = 1_000_000
    vocabulary = len(CONTROL) + 256

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        self._options = read_options(Options, self.name, options)
        self._waiting: list[Request] = []
        self._order = Random(0)
        self.capacity = self._options.capacity

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    def encode(self, text: str, *, special: bool) -> list[int]:
        pieces = CONTROL_NAMES.split(text) if special else [text]
        return [token for piece in pieces for token in _tokens(piece, special)]

    def submit(self, request: Request) -> None:
        if self._options.transcript is not None:
            _append(Path(self._options.transcript), request)
        self._waiting.append(request)

    def take(self) -> Completion:
        time.sleep(self._options.latency)
        last = len(self._waiting) if self._options.shuffle else 1
        return self._answer(self._waiting.pop(int(self._order.random() * last)))

    def close(self) -> None:
        self._waiting.clear()

    def _answer(self, request: Request) -> Completion:
        text, reason = _write(request, self._options)
        if request.first is not None:
            text = _opened(text, request.seed, request.first)
        tokens = words.tokens(text)
        most = min(request.sampling.max_tokens, self.context_length - len(request.prompt))
        if len(tokens) > most:
            tokens, reason = tokens[:most], "length"
        return Completion(
            key=request.key,
            text="".join(tokens),
            finish_reason=reason,
            prompt_tokens=len(request.prompt),
            completion_tokens=len(tokens),
            seconds=len(tokens) / self._options.tokens_per_second,
            engine=self.name,
            engine_version=self.version,
        )


def _write(request: Request, options: Options) -> tuple[str, FinishReason]:
    prompt = _decode(request.prompt)
    draw = Random(f"{request.seed} {prompt}")
    if request.json_schema is not None:
        return _judge(json.loads(request.json_schema), draw, options)
    fault = _fault(draw.random(), options)
    before = prompt.removesuffix("<|im_start|>assistant\n")
    if before == prompt:
        return _spoil(_asked(prompt, draw), fault, draw)
    question = before.rpartition("<|im_start|>user\n")[2].partition("<|im_end|>")[0]
    fault = fault if fault in ANSWER_FAULTS else None
    text, reason = _spoil(words.answer(question, draw), fault, draw)
    if options.thoughts and draw.random() < options.thoughts:
        text = words.thought(question) + text
    return text, reason


def _asked(prompt: str, draw: Random) -> str:
    """Return what a user writes, behind the system prompt and the turns that there are."""
    _, answered, latest = prompt.rpartition("<|im_start|>assistant\n")
    later = answered and "<|im_start|>user\n" in latest
    text = words.follow_up(draw) if later else words.instruction(draw)
    opening, _, behind = prompt.partition("<|im_start|>system\n")
    system = behind.partition("<|im_end|>")[0]
    return text if opening or system in ("", DEFAULT_SYSTEM) else words.about(system, text)


def _opened(text: str, seed: int, first: FirstToken) -> str:
    """Return the text behind a first word that is drawn as a first token should be.

    An empty text has the end mark for its first token, and stays empty unless that is banned.
    """
    if not text and END not in first.banned:
        return text
    allowed = [word for word in words.OPENERS if _tokens(word, False)[0] not in first.banned]
    draw = Random(f"{seed} {first.temperature} {sorted(first.banned)}")
    return f"{words.opener(allowed, draw)} {text}".rstrip() if allowed else ""


def _judge(schema: dict[str, Any], draw: Random, options: Options) -> tuple[str, FinishReason]:
    """Return an answer in JSON, or what judges write instead of one."""
    found: Any = words.instance(schema, draw)
    text = json.dumps(found)
    if draw.random() >= options.garbled:
        return text, "stop"
    spoilt: tuple[tuple[str, FinishReason], ...] = (
        (text[: len(text) // 2], "length"),
        ("I would rather talk about the sea.", "stop"),
        (json.dumps({"answer": found}), "stop"),
        (json.dumps(dict.fromkeys(found, None)), "stop"),
        ("", "stop"),
    )
    return spoilt[int(draw.random() * len(spoilt))]


def _fault(drawn: float, options: Options) -> str | None:
    for fault in FAULTS:
        drawn -= options.rate(fault)
        if drawn < 0:
            return fault
    return None


def _spoil(text: str, fault: str | None, draw: Random) -> tuple[str, FinishReason]:
    match fault:
        case "empty":
            return "", "stop"
        case "cut":
            tokens = words.tokens(text)
            return "".join(tokens[: len(tokens) * 2 // 3]), "length"
        case "loops":
            return text + " and so on," * 40, "stop"
        case "leaks":
            return f"{text}<|im_end|>\n<|im_start|>assistant\nCertainly.", "stop"
        case "colons":
            return text.rstrip(".?。") + ":", "stop"
        case "duplicates":
            return words.popular(draw), "stop"
    return text, "stop"


def _tokens(piece: str, special: bool) -> list[int]:
    if special and piece in CONTROL:
        return [CONTROL.index(piece)]
    return [byte + len(CONTROL) for byte in piece.encode()]


def _decode(prompt: tuple[int, ...]) -> str:
    shift = len(CONTROL)
    data = b"".join(
        CONTROL[token].encode() if token < shift else bytes([token - shift]) for token in prompt
    )
    return data.decode(errors="replace")


def _append(path: Path, request: Request) -> None:
    # One write a line, so that a process that is killed leaves whole lines. Keys are the
    # caller's: plain values, or dataclasses of them.
    line = json.dumps({"key": request.key, "seed": request.seed}, default=asdict) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line.encode())
    os.close(file)

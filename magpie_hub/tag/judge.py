"""Tags by a judge: a prompt, and a JSON Schema that its answer must satisfy.

The form of the answer is asked of the engine and checked here all the same, since a server may not
keep to it. Knows the prompts beside it and those of a spec; no engine, no chat template, no file of
a run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magpie_hub.engines.base import Completion
from magpie_hub.errors import EngineError, SpecError
from magpie_hub.records import Type
from magpie_hub.spec.wording import shown
from magpie_hub.tag.asked import Answer, Asker, Encode, Row, fit
from magpie_hub.tag.schemas import columns_of, longest, whole

if TYPE_CHECKING:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

ATTEMPTS = 3
TEXTS = {"instruction", "response"}
"""What a prompt may show of a row."""
PROMPTS = Path(__file__).with_name("prompts")
_LARGEST = 2**53
_ONE_LABEL = {"other": "Others"}
"""What judges write for a label, in lower case, beside the label itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a judge is asked: a Jinja template of a row's texts, and the schema of its answer."""

    prompt: str
    schema: Mapping[str, Any]

    @property
    def columns(self) -> dict[str, Type]:
        """The columns that the answer fills, by property."""
        return columns_of(self.schema)


def question(name: str) -> Question:
    """Return one of our own questions: `quality`, `difficulty`, `category`, `response_quality`."""
    text = (PROMPTS / f"{name}.json").read_text(encoding="utf-8")
    prompt = (PROMPTS / f"{name}.jinja").read_text(encoding="utf-8")
    return Question(prompt, whole(json.loads(text)))


class Judge(Asker):
    """Asks a judge one question.

    before, after: token ids around the user's words. encode: a text's ids, without control tokens.
    context_length: tokens of prompt and answer together.
    """

    attempts = ATTEMPTS

    def __init__(
        self,
        question: Question,
        before: tuple[int, ...],
        after: tuple[int, ...],
        stop: tuple[int, ...],
        encode: Encode,
        context_length: int,
    ) -> None:
        self._question = question
        self._before, self._after, self.stop = before, after, stop
        self._encode = encode
        self.max_tokens = longest(question.schema)
        self.json_schema = json.dumps(question.schema, ensure_ascii=False)
        self._most = context_length - self.max_tokens
        self._template = compiled(question.prompt)
        self._names = used(question.prompt)

    def prompt(self, row: Row) -> tuple[tuple[int, ...], int]:
        def tokens(texts: Sequence[str]) -> tuple[int, ...]:
            text = _filled(self._template, dict(zip(self._names, texts, strict=True)))
            return (*self._before, *self._encode(text), *self._after)

        return fit(tokens, [row[name] for name in self._names], self._most)

    def read(self, completion: Completion) -> Answer:
        if completion.finish_reason == "error":
            return Answer(None, "engine-error")
        try:
            found = parsed(completion.text)
        except ValueError:
            return Answer(None, "cut-off" if completion.finish_reason == "length" else "no-json")
        values = {name: tidied(value, part) for name, value, part in self._parts(found)}
        return Answer(values) if self._fits(values) else Answer(None, "wrong-form")

    def _parts(self, found: dict[str, Any]) -> list[tuple[str, Any, Mapping[str, Any]]]:
        parts = self._question.schema["properties"]
        return [(name, found.get(name), part) for name, part in parts.items()]

    def _fits(self, values: Mapping[str, Any]) -> bool:
        is_valid = bool(validator(self.json_schema or "").is_valid(values))
        return is_valid and all(map(_storable, values.values()))


def parsed(text: str) -> dict[str, Any]:
    """Return the JSON object in a text, whatever stands around it; ValueError where none is."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1], strict=False) if 0 <= start < end else None
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def tidied(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value in the form of its schema, where only the form is at fault.

    A label may come in other capitals, or as "Other" for "Others"; text has no outer space.
    """
    if isinstance(value, float) and value.is_integer() and schema.get("type") != "number":
        return int(value)
    if isinstance(value, list) and "items" in schema:
        items = [tidied(item, schema["items"]) for item in value]
        # Not by a set: what a judge writes need not be hashable.
        return [item for place, item in enumerate(items) if item not in items[:place]]
    if not isinstance(value, str):
        return value
    text = value.encode(errors="replace").decode().strip()
    if text in schema.get("enum", ()):
        return text
    labels = {label.lower(): label for label in schema.get("enum", ()) if isinstance(label, str)}
    named = labels.get(text.lower()) or labels.get(_ONE_LABEL.get(text.lower(), "").lower())
    return named or text


def _storable(value: Any) -> bool:
    """Whether a column of whole numbers or of floats holds the value exactly."""
    items = value if isinstance(value, list) else [value]
    return all(abs(item) < _LARGEST for item in items if isinstance(item, int | float))


@cache
def validator(schema: str) -> Any:
    """Return the check of a JSON Schema that is given as text."""
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema))


def compiled(prompt: str) -> "jinja2.Template":
    """Return a prompt as a template; jinja2.TemplateError where it is none."""
    return _environment().from_string(prompt)


def used(prompt: str) -> list[str]:
    """Return the names that a prompt asks for, in order; jinja2.TemplateError as above."""
    from jinja2.meta import find_undeclared_variables

    return sorted(find_undeclared_variables(_environment().parse(prompt)))


def check_prompt(place: str, prompt: str) -> None:
    """Raise SpecError where a prompt of a spec cannot be used; `place` is the key in the spec."""
    import jinja2

    try:
        names = used(prompt)
    except jinja2.TemplateError as error:
        why = str(error).partition("\n")[0]
        raise SpecError(
            f"`{place}`: it is no Jinja template: {why}", hint="correct the template"
        ) from error
    if not names or set(names) - TEXTS:
        raise SpecError(
            f"`{place}`: it uses `{'`, `'.join(names)}`, expected `instruction` or `response`",
            hint="write {{ instruction }} and {{ response }} where a row's texts belong",
        )
    for text in ("", "Hello"):
        try:
            _filled(compiled(prompt), dict.fromkeys(names, text))
        except EngineError as error:
            said = f"`{place}`: it cannot be filled in: {error.__cause__}"
            raise SpecError(said, hint=error.hint) from error


def _filled(template: "jinja2.Template", texts: Mapping[str, str]) -> str:
    import jinja2

    try:
        return template.render(texts)
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise EngineError(
            f"a judge's prompt cannot be filled in with {shown(str(texts))}: {error}",
            hint="use `instruction` and `response` as texts, which may be empty, and no parts of"
            " them that may be missing",
        ) from error


def _environment() -> "ImmutableSandboxedEnvironment":
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)

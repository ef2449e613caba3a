"""The child process that runs a foreign chat template; `sandbox` starts it, nobody imports it.

It reads one JSON object from stdin and writes one list to stdout. It gives the template what
transformers gives it, and takes away what would make two renderings differ (chance). It knows
nothing of this package, so that it starts fast: Jinja and the standard library alone.
"""

import json
import resource
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.ext import loopcontrols as LoopControls
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

# What a template's own expressions can raise.
FAULTS = (
    *(jinja2.TemplateError, SyntaxError, MemoryError, RuntimeError),
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
)


class Generation(Extension):
    """`{% generation %}`, which marks a model's own words for training and prints them as is."""

    tags = {"generation"}  # noqa: RUF012 (Jinja declares it as the instance's)

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the block's content in a scope of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


def limit(cpu_seconds: int, memory: int) -> None:
    """Bound this process: CPU time, bytes of address space, and no file can be written."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(date: str) -> ImmutableSandboxedEnvironment:
    """Return what a template is compiled in; `date` (YYYY-MM-DD) is the day it sees, at 00:00."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, LoopControls]
    )
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = raise_exception
    made.globals["strftime_now"] = datetime.fromisoformat(date).strftime
    del made.filters["random"], made.globals["lipsum"]
    return made


def to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Return JSON as transformers writes it: Jinja's own filter would escape `<` and `&`."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def raise_exception(message: object) -> None:
    """Refuse a conversation: templates call this."""
    raise jinja2.TemplateError(str(message))


def bounded(template: jinja2.Template, variables: Mapping[str, object], most: int) -> str:
    """Return what the template writes; ValueError where that is longer than `most` or no text."""
    parts, length = [], 0
    for part in template.generate(variables):
        parts.append(part)
        length += len(part)
        if length > most:
            raise ValueError(f"it writes more than {most} characters")
    text = "".join(parts)
    text.encode()  # raises for half a surrogate pair, which is no text to any tokenizer
    return text


def reason(error: Exception) -> str:
    """Return an exception's kind and message; a template chooses the message, so it is cut."""
    return f"{type(error).__name__}: {error}"[:300].removesuffix(": ")


def attempt(template: jinja2.Template, variables: dict[str, object], most: int) -> dict[str, str]:
    """Return the text that the template writes, or why it writes none."""
    try:
        return {"text": bounded(template, variables, most)}
    except FAULTS as error:
        return {"error": reason(error)}


def main() -> None:
    """Render every conversation on stdin; one that fails does not touch the others."""
    job: dict[str, Any] = json.load(sys.stdin)
    conversations = job["conversations"]
    limit(job["cpu_seconds"], job["memory"])
    try:
        template = environment(job["date"]).from_string(job["chat_template"])
    except FAULTS as error:
        results = [{"error": reason(error)}] * len(conversations)
    else:
        results = [
            attempt(template, job["variables"] | {"messages": conversation}, job["most"])
            for conversation in conversations
        ]
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()

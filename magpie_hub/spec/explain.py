"""From pydantic's list of errors to the one error that a person reads.

Knows how pydantic reports (types, places, branches of a union), and keeps all of it out of the
message. Imports pydantic at the top: `load`, the only caller, is itself imported lazily.
"""

import difflib

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from magpie_hub.errors import SpecError
from magpie_hub.spec import (
    card,
    configs,
    curation,
    generation,
    model,
    sections,
    source,
    tags,
)
from magpie_hub.spec.document import Document
from magpie_hub.spec.wording import fault, shown

EXAMPLES = {
    "repo": "owner/name",
    "version": "1.0.0",
    "license": "apache-2.0",
    "seed": "0",
    "generator": "{model: HuggingFaceTB/SmolLM2-135M-Instruct}",
    "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "engine": "{name: llama_cpp}",
    "name": "llama_cpp",
    "instructions": "{rows: 1000}",
    "rows": "1000",
    "sampling": "[{temperature: 1.0, top_p: 0.99}]",
    "temperature": "1.0",
    "top_p": "0.99",
    "weight": "1",
    "system_prompts": "[mathematics, code]",
    "text": "Your users ask about chess.",
    "until": "{config: filtered, rows: 1000}",
    "sanitise": "[labels, answers, unfinished]",
    "bad_first_tokens": '["#", "##"]',
    "first_token_temperature": "1.2",
    "prefix": "'<|im_start|>user\\n'",
    "system_turn": "You are a helpful assistant.",
    "chat_template_kwargs": "{enable_thinking: false}",
    "from": "raw",
    "answers": "default",
    "turns": "2",
    "samples": "5",
    "number": "5",
    "at_least": "2",
    "system_prompt": "follow-up",
    "scored_by": "reward",
    "margin": "0.1",
    "test": "0.02",
    "max_tokens": "1024",
    "responses": "{temperature: 0, max_tokens: 4096}",
    "reasoning": "keep",
    "source": "./rows.jsonl",
    "dataset": "org/dataset",
    "files": "[./rows.jsonl]",
    "config": "default",
    "split": "train",
    "revision": "main",
    "columns": "{instruction: question, response: answer}",
    "judge": "{model: meta-llama/Llama-3.1-8B-Instruct, engine: vllm}",
    "tags": "[lengths, language]",
    **dict.fromkeys(tags.Tags.model_fields, "{}"),
    "prompt": "./mood.jinja",
    "schema": "./mood.json",
    "base": "{model: meta-llama/Meta-Llama-3-8B, engine: vllm}",
    "adapter": "llama-guard",
    "safe": "safe",
    "unsafe": "unsafe\\s+(?P<categories>.*)",
    "categories": "{S1: violent crimes}",
    "content": "text",
    "embedder": "static",
    "dedup": "{near: high-recall}",
    "exact": "true",
    "near": "{threshold: 0.7}",
    "against": "[org/magpie]",
    "backend": "rensa",
    "words": "5",
    "characters": "5",
    "hashes": "128",
    "bands": "16",
    "threshold": "0.7",
    "decontaminate": "[./arena-hard.jsonl]",
    "benchmarks": "[./arena-hard.jsonl]",
    "keep": "true",
    "configs": "{filtered: {filter: finished, default: true}}",
    "filter": "finished",
    "where": "language == 'EN'",
    "size": "300000",
    "at_most": "300000",
    "default": "true",
    "alias": "filtered-300k",
    "freeze": "true",
    "about": "for supervised fine-tuning",
    "price_per_hour": "2.5",
    "card": "{samples: unscreened}",
    "title": "Magpie SmolLM2",
    "card.samples": "unscreened",
    "template": "my-cards/",
    "results": "[{benchmark: IFEval, model: org/m, score: 58.2, measured_by: org}]",
    "benchmark": "IFEval",
    "score": "58.2",
    "measured_by": "org",
    "link": "https://example.com/results",
    "licences": "{org/m: {license: apache-2.0}}",
    "notice": "Built with Qwen",
    "restriction": "no commercial use",
    "allows": "[cc-by-nc-4.0, other]",
    "contact": "data@example.com",
}
"""Each key of a spec with a value that is right, for hints."""

_SECTIONS: dict[str, type[BaseModel]] = {
    "": model.Spec,
    "generator": sections.Generator,
    "engine": sections.EngineSection,
    "source": source.Source,
    "judge": sections.Model,
    "base": sections.Model,
    "tags": tags.Tags,
    **{f"tags.{name}": tags.JudgeTag for name in ("quality", "difficulty", "category")},
    "tags.response_quality": tags.JudgeTag,
    **{f"tags.{name}": tags.PlainTag for name in ("lengths", "language", "personal_data")},
    "tags.reward": tags.RewardTag,
    "tags.safety": tags.SafetyTag,
    "tags.neighbours": tags.NeighboursTag,
    "tags.NAME": tags.OwnTag,
    "embedder": sections.EmbedderSection,
    "instructions": generation.Instructions,
    "instructions.sampling": generation.SamplingCell,
    "instructions.system_prompts.NAME": generation.SystemPrompt,
    "until": generation.Until,
    "responses": generation.Responses,
    "dedup": curation.Dedup,
    "near": curation.Near,
    "decontaminate": curation.Decontaminate,
    "configs.NAME": configs.Config,
    "size": configs.AtMost,
    "turns": configs.Turns,
    "samples": configs.Samples,
    **dict.fromkeys(("against", "benchmarks"), source.Source),
    "adapter": tags.Adapter,
    "card": card.Card,
    "card.results": card.Result,
    "card.licences.NAME": card.Licence,
}

_TYPES = {
    "string_type": "text",
    "string_too_short": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "too_short": "at least one item",
    "too_long": "fewer items",
    "string_pattern_mismatch": "a name of lower-case letters, digits, `.`, `_` and `-`",
    "dict_type": "a map",
    "link": "a link that begins with `https://` or `http://`",
    "contact": "a link that begins with `https://`, or an e-mail address",
    "model_type": "a map",
    "given": "names other than `messages` and `add_generation_prompt`, which are given always",
    "greater_than_equal": "at least {ge:.12g}",
    "greater_than": "more than {gt:.12g}",
    "less_than_equal": "at most {le:.12g}",
    "less_than": "less than {lt:.12g}",
}

_OF_TEXT = ("literal_error", "link", "contact")
"""Faults of a value that is text, as it should be."""
_HOMES = 3
"""How many of the sections that have a key are named to whom it stands elsewhere."""

_Path = tuple[str | int, ...]


def explain(error: ValidationError, document: Document, file: str) -> SpecError:
    """Return the error for the first fault: an unknown key before all, then by line.

    An unknown key goes first because it is often the misspelt form of one that is missing.
    """
    found = [(_path(detail, document), detail) for detail in error.errors(include_url=False)]
    # Of a union's branches the one that got further is the one that was meant.
    above = {path[:length] for path, _ in found for length in range(len(path))}
    deepest = [(path, detail) for path, detail in found if path not in above]
    path, detail = min(deepest, key=lambda one: _rank(one[0], one[1], document))
    dotted = ".".join(map(str, path))
    if detail["type"] == "extra_forbidden":
        message, hint = _unknown(path)
    elif detail["type"] == "wrong":
        dotted, message = detail["ctx"]["path"], detail["ctx"]["message"]
        hint = detail["ctx"]["hint"] or _example(tuple(dotted.split(".", 1)))
    else:
        expected = [_expected(other) for place, other in deepest if place == path]
        message = f"{_found(detail)}, expected {' or '.join(dict.fromkeys(expected))}"
        hint = _nearest(detail) or _example(path)
    return fault(file, document.lines, dotted, message, hint=hint)


def _path(detail: ErrorDetails, document: Document) -> _Path:
    """Return the error's place without the names that pydantic gives to a union's branches."""
    here: object = document.data
    path: _Path = ()
    for part in detail["loc"]:
        if isinstance(here, dict) and part in here:
            here = here[str(part)]
        elif isinstance(here, list) and isinstance(part, int):
            here = here[part]
        elif detail["type"] != "missing" or part != detail["loc"][-1]:
            continue
        path += (part,)
    return path


def _rank(path: _Path, detail: ErrorDetails, document: Document) -> tuple[bool, int]:
    line = document.lines.get(".".join(map(str, path)), 1)
    return detail["type"] != "extra_forbidden", line


def _found(detail: ErrorDetails) -> str:
    value = detail["input"]
    if detail["type"] == "missing":
        return "missing"
    if value is None or value == "":
        return "empty"
    # `5` and "5" look alike where only the type is at fault.
    is_text = isinstance(value, str) and detail["type"] not in _OF_TEXT
    return f"{shown(value)} is text" if is_text else shown(value)


def _expected(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "a value"
    if detail["type"] == "literal_error":
        return str(detail["ctx"]["expected"]).replace("'", "`").replace("False", "`false`")
    return _TYPES[detail["type"]].format(**detail.get("ctx", {}))


def _unknown(path: _Path) -> tuple[str, str]:
    key, known = str(path[-1]), _keys(_SECTIONS[_section(path[:-1])])
    expected = f"one of `{'`, `'.join(known)}`" if known else "none"
    message = f"unknown key, expected {expected}"
    if near := difflib.get_close_matches(key, known, n=1):
        return message, f"did you mean `{near[0]}`?"
    homes = [name or "top level" for name, section in _SECTIONS.items() if key in _keys(section)]
    named = " or ".join(map(shown, homes[:_HOMES]))
    return message, f"it belongs to {named}" if homes else "remove it"


def _section(path: _Path) -> str:
    """Return the key of `_SECTIONS` for the place of a map."""
    if path[:1] == ("configs",) and path[-1] not in ("size", "turns", "samples"):
        return "configs.NAME"
    if path[:2] == ("instructions", "system_prompts"):
        return "instructions.system_prompts.NAME"
    if path[:2] == ("card", "licences"):
        return "card.licences.NAME"
    dotted = ".".join(part for part in path if isinstance(part, str))
    last = dotted.rpartition(".")[2]
    # An engine, a judge and the like have the same keys wherever they stand.
    shared = last if last in _SECTIONS else "tags.NAME"
    return dotted if dotted in _SECTIONS else shared


def _keys(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _nearest(detail: ErrorDetails) -> str:
    if detail["type"] != "literal_error" or not isinstance(detail["input"], str):
        return ""
    names = str(detail["ctx"]["expected"]).split("'")[1::2]
    near = difflib.get_close_matches(detail["input"], names, n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def _example(path: _Path) -> str:
    """Return a hint with a right value of the key, or of the nearest one above that is known."""
    for place in range(len(path), 0, -1):
        dotted, key = ".".join(map(str, path[:place])), path[place - 1]
        if (known := dotted if dotted in EXAMPLES else key) in EXAMPLES:
            return f"write it as in `{key}: {EXAMPLES[str(known)]}`"
    return ""

r"""From the text of a spec to plain data, and the line on which each key stands.

Takes less of YAML than YAML allows, so that a spec means the same to every reader and costs no
more than its length: no anchors, no tags, one document, decimal numbers, and no word that is a
boolean to some readers only. Does not know which keys exist.

    "repo: org/x\nconfigs:\n  raw: {}\n"
    Document({"repo": "org/x", "configs": {"raw": {}}},
             {"": 1, "repo": 1, "configs": 2, "configs.raw": 3})

Imports yaml at the top: `load`, the only caller, is itself imported lazily.
"""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import yaml

from magpie_hub.errors import SpecError
from magpie_hub.spec.wording import fault, shown

DEEPEST = 20
"""How many maps and lists may stand inside one another."""

_WORDS = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_HALF_BOOLEAN = re.compile("y|yes|n|no|on|off", re.IGNORECASE)
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_KINDS = {bool: "a boolean", type(None): "empty", int: "a number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Document:
    """The data of a spec, and dotted path (`instructions.sampling.0.top_p`) to line from 1."""

    data: dict[str, Any]
    lines: dict[str, int]


class _Refused(yaml.MarkedYAMLError):
    """YAML that a spec may not use; `context` is the key's path, `note` the hint."""

    def __init__(self, at: yaml.Mark | None, problem: str, hint: str, path: str = "") -> None:
        super().__init__(path, None, problem, at, hint)


class _Composer(yaml.SafeLoader):
    """Composes nodes; refuses before it builds, so that a file of aliases costs nothing."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            problem = f"{shown(f'{mark}{event.anchor}')} points elsewhere, expected plain values"
            hint = "write the values out; in front of text, `&` and `*` need quotes"
            raise _Refused(event.start_mark, problem, hint)
        if event.tag is not None:
            hint = "remove the tag; in front of text, `!` needs quotes"
            tag = shown(event.tag.replace("tag:yaml.org,2002:", "!!"))
            raise _Refused(event.start_mark, f"{tag} is a tag, expected plain values", hint)
        if self.depth > DEEPEST:
            hint = "look for brackets that are never closed"
            problem = f"maps and lists stand more than {DEEPEST} deep, expected fewer"
            raise _Refused(event.start_mark, problem, hint)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read(text: str, file: str) -> Document:
    """Return the data and the lines of a spec's text.

    file: the name that errors give. Raises SpecError, which names the line, for text that is
    not YAML, for YAML that a spec may not use, and for a top level that is not a map.
    """
    if control := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, control.start()) + 1
        problem = f"the control character {shown(control[0])}, expected text"
        raise fault(file, {"": line}, "", problem, hint="remove it; an editor may not show it")
    try:
        return _document(yaml.compose(text, _Composer))
    except _Refused as error:
        path, line = error.context or "", _line(error.problem_mark)
        # Placed by its own mark, not by its path: of two equal keys the second is at fault.
        hint = error.note or ""
        raise fault(file, {path: line}, path, str(error.problem), hint=hint) from None
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, text, file) from None
    except (ValueError, OverflowError):
        # PyYAML leaves escapes beyond Unicode, such as "\UFFFFFFFF", to chr().
        hint = "look for `\\U` in double quotes; single quotes keep it as it is"
        message = "an escape that is no character, expected text"
        raise fault(file, {}, "", message, hint=hint) from None


def _not_yaml(error: yaml.MarkedYAMLError, text: str, file: str) -> SpecError:
    line = _line(error.problem_mark)
    if error.context == "expected a single document in the stream":
        message, hint = "a second document, expected one", "remove the `---`"
        return fault(file, {"": line}, "", message, hint=hint)
    rows = text.splitlines()
    row = rows[line - 1].strip() if line <= len(rows) else "the end of the file"
    problem = "a tab, expected spaces" if "'\\t'" in str(error.problem) else error.problem
    message = f"{shown(row)} cannot be read as YAML ({problem}), expected `key: value`"
    hint = "check indentation, quotes and brackets on this line and the one above"
    return fault(file, {"": line}, "", message, hint=hint)


def _line(mark: yaml.Mark | None) -> int:
    return mark.line + 1 if mark else 1


def _document(root: yaml.Node | None) -> Document:
    example = "the shortest spec has `repo: owner/name` and `generator: {model: ID}`"
    if root is None:
        raise _Refused(None, "the file is empty, expected a map of keys", example)
    if not isinstance(root, yaml.MappingNode):
        found = _value(root, "", {})
        kind = "a list" if isinstance(found, list) else shown(found)
        raise _Refused(root.start_mark, f"the file holds {kind}, expected a map of keys", example)
    lines = {"": 1}
    return Document(_map(root, "", lines), lines)


def _value(node: yaml.Node, path: str, lines: dict[str, int]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _map(node, path, lines)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path)
    return [_item(item, f"{path}.{i}", lines) for i, item in enumerate(node.value)]


def _item(node: yaml.Node, path: str, lines: dict[str, int]) -> Any:
    lines[path] = _line(node.start_mark)
    return _value(node, path, lines)


def _map(node: yaml.MappingNode, path: str, lines: dict[str, int]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _key(key_node, path)
        below = f"{path}.{key}" if path else key
        if key in data:
            problem = f"the key {shown(key)} stands twice, first on line {lines[below]}"
            raise _Refused(key_node.start_mark, problem, "remove one of the two", below)
        lines[below] = _line(key_node.start_mark)
        data[key] = _value(value_node, below, lines)
    return data


def _key(node: yaml.Node, path: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        problem = "a key is a map or a list, expected a name"
        raise _Refused(node.start_mark, problem, "write `key: value`", path)
    key = _scalar(node, path)
    if isinstance(key, str) and key:
        return key
    kind = _KINDS.get(type(key), "empty")
    problem = f"the key {shown(node.value)} is {kind}, expected a name"
    raise _Refused(node.start_mark, problem, 'put the key in quotes, as in `"1": ...`', path)


def _scalar(node: yaml.ScalarNode, path: str) -> str | int | float | bool | None:
    text = str(node.value)
    if node.style is not None:
        return _text(node, path)
    if text in _WORDS:
        return _WORDS[text]
    if _HALF_BOOLEAN.fullmatch(text):
        problem = f"{shown(text)} is a boolean to some readers of YAML and text to others"
        hint = f'write `true` or `false`, or quotes where it is a name: `"{text}"`'
        raise _Refused(node.start_mark, f"{problem}, expected a plain word", hint, path)
    if not _WHOLE.fullmatch(text) and not _DECIMAL.fullmatch(text):
        return _text(node, path)
    number = float(text.replace("_", ""))
    if math.isinf(number) or (abs(number) >= 2**63):
        hint = "write a smaller number, or put it in quotes where it is a name"
        problem = f"{shown(text)} is too large, expected less than 2^63"
        raise _Refused(node.start_mark, problem, hint, path)
    return int(text.replace("_", "")) if _WHOLE.fullmatch(text) else number


def _text(node: yaml.ScalarNode, path: str) -> str:
    text = str(node.value)
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t" for c in text):
        hint = "remove the escape that stands for it"
        problem = f"{shown(text)} holds a control character, expected plain text"
        raise _Refused(node.start_mark, problem, hint, path)
    return text

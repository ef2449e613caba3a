"""What a card says in numbers: of each line with a digit its numbers, and what is in back-ticks.

The words between them are for others to read; the heading that they stand under, and the order of
all, count. Fenced texts are kept whole; YAML, in front and of the spec, by its leaves. Knows no
data.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

LITERALS = (
    *("https://arxiv.org/abs/2406.08464", "xu2025magpie", "{2025}", "for 1,000 rows"),
    *("25 % | median | 75 % | 95 %", "1 (very poor) to 5 (excellent)", "1 (very easy) to 5 (very"),
    "[Apache License 2.0](https://www.apache.org/licenses/LICENSE-2.0)",
)
"""Words with digits that measure nothing."""
FRONT, SPEC = "front matter", "## Make it again"
"""The headings of what is YAML."""
MEASURED = ("license", "language", "pretty_name", "size_categories", "configs", "dataset_info")
"""The keys of the front matter that say anything of this release."""
WHOLE = "```"
"""The beginning of what is kept whole."""
_WORD = re.compile(r"`[^`]+`|[^\s|()\[\]]*\d[^\s|()\[\]]*(?: (?:%|kB|MB|GB)(?!\w))?")


def said(card: str, names: Iterable[str]) -> list[str]:
    """Return what a card says, line by line; names: texts whose digits measure nothing."""
    _, front, body = re.split(r"^---\n", card, maxsplit=2, flags=re.MULTILINE)
    known = {
        key: value for key, value in yaml.load(front, yaml.CSafeLoader).items() if key in MEASURED
    }
    return told([*((FRONT, leaf) for leaf in leaves(known)), *_lines(body)], names)


def told(lines: Iterable[tuple[str, str]], names: Iterable[str]) -> list[str]:
    """Return of each (heading, line) with a digit the heading and the words that count."""
    literals = sorted((*LITERALS, *names), key=len, reverse=True)
    found = []
    for heading, line in lines:
        words = line if line.startswith(WHOLE) else _words(line, literals)
        found += [f"{heading}: {words}"] if words else []
    return found


def text(content: str) -> str:
    """Return a fenced text as one line; an end of line at its end makes no difference."""
    return WHOLE + json.dumps(content.removesuffix("\n"), ensure_ascii=False)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Yield the plain values in a tree, behind their paths."""
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        if isinstance(item, Mapping | list):
            yield from leaves(item, f"{path}{key}.")
        else:
            yield f"{WHOLE}{path}{key}: {item}"


def _lines(body: str) -> Iterator[tuple[str, str]]:
    heading, ticks, fenced = "", "", [""]
    for line in body.split("\n"):
        if ticks and line != ticks:
            fenced.append(line)
        elif ticks:
            yield from ((heading, each) for each in _fenced(heading, *fenced))
            ticks = ""
        elif opening := re.fullmatch(r"(`{3,})(\w+)", line):
            ticks, fenced = opening[1], [opening[2]]
        else:
            heading = line if line.startswith("## ") else heading
            yield heading, line


def _fenced(heading: str, kind: str, *lines: str) -> Iterable[str]:
    if kind == "text":
        return [text("\n".join(lines))]
    return leaves(yaml.load("\n".join(lines), yaml.CSafeLoader)) if heading == SPEC else lines


def _words(line: str, literals: Iterable[str]) -> str:
    plain = re.sub(r"\\([\\`*_{}\[\]#+!|~$])", r"\1", html.unescape(line))
    for literal in literals:
        plain = plain.replace(literal, "")
    words = " ".join(word.strip('.,;:!<>/"') for word in _WORD.findall(plain))
    return words if re.search(r"\d", words) else ""

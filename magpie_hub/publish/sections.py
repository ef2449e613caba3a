"""Merging what the card of one spec says with the card that a repository has.

What stands outside of `marks` was written by a person and stays, letter by letter. In the part of a
spec, which each publish makes anew, what a person wrote at the places for it stays; what was edited
elsewhere in it is told, by a checksum of the part as we wrote it. Knows nothing of front matter.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote

from magpie_hub import marks
from magpie_hub.publish.manifest import Entry

_LATEST = 20
"""How many versions the card lists; release.json has them all."""
_ADVICE = (
    "<!-- Made anew by each release. What stands before or behind these marks is kept, and what is"
    " between two marks `keep`. -->\n"
)


def content(body: str, name: str) -> str:
    """Return what a spec's part says, without its marks; "" where there is none."""
    if (place := marks.find(body, marks.of_spec(name))) is None:
        return ""
    lines = body[slice(*place)].splitlines(keepends=True)[1:-1]
    return re.sub(r"\A<!-- Made anew by .*-->[ \t]*\r?\n", "", "".join(lines))


def bare(body: str, name: str) -> str:
    """Return what a spec's part says without what a person wrote at the places for it."""
    return marks.filled(content(body, name), {})


def unpinned(body: str, name: str, version: str) -> str:
    """Return `bare` with its version left open again, where it pins one."""
    text = bare(body, name)
    for pin in ('revision="{}"', "revision: {}\n"):
        text = text.replace(pin.format(f"v{version}"), pin.format(marks.VERSION))
    return text


def checksum(body: str, name: str) -> str:
    """Return the SHA-256 of what a spec's part says of itself; "" where there is none.

    What a person wrote at the places for it is left out, and so are blanks and other characters at
    the ends of lines that an editor may have changed.
    """
    lines = re.sub(r"[ \t]*\r?\n", "\n", bare(body, name)).strip("\n")
    return sha256(lines.encode()).hexdigest() if lines else ""


def edited(theirs: str, ours: str, written: Mapping[str, Entry]) -> list[str]:
    """Return the specs whose part was edited in `theirs` and is another one in `ours`.

    written: by name, what a manifest says of each spec; one of before issues no `card`.
    """
    there = {name: checksum(theirs, name) for name, entry in written.items() if "card" in entry}
    return [
        name
        for name, found in there.items()
        if marks.find(theirs, marks.of_spec(name))
        and found not in (written[name]["card"], checksum(ours, name))
    ]


def log_checksum(body: str) -> str | None:
    """Return the SHA-256 of the list of versions, but for blank lines; None where there is none."""
    if (place := marks.find(body, marks.CHANGELOG)) is None:
        return None
    lines = body[slice(*place)].splitlines()[1:-1]
    words = "\n".join(line.rstrip() for line in lines if line.strip())
    return sha256(words.encode()).hexdigest()


def log_is_edited(theirs: str, written: str | None) -> bool:
    """Return whether the list of versions in `theirs` is another one than we wrote.

    written: its checksum, which a manifest of before lacks.
    """
    return None not in (written, found := log_checksum(theirs)) and found != written


def homeless(theirs: str, ours: str, name: str, gone: Iterable[str] = ()) -> dict[str, str]:
    """Return what a person wrote at places that there are no more, by `NAME` of which spec.

    ours: what the spec `name` says now. gone: specs whose parts go.
    """
    places = marks.kept(ours)
    written = {spec: marks.kept(content(theirs, spec)) for spec in (name, *gone)}
    return {
        f"`{place}` of `{quote(spec, safe='')}`": text
        for spec, texts in written.items()
        for place, text in texts.items()
        if text.strip() and not (spec == name and place in places)
    }


def merge(theirs: str, ours: str, name: str, changelog: str, gone: Sequence[str] = ()) -> str:
    """Return `theirs` with the part of the spec `name`, the changelog, and none of `gone`."""
    body, text = theirs, marks.filled(ours, marks.kept(ours) | marks.kept(content(theirs, name)))
    for other in gone:
        if part := marks.find(body, marks.of_spec(other)):
            body = body[: part[0]] + body[part[1] :].removeprefix("\n")
    body = _placed(body, marks.of_spec(name), text, name)
    for place, words in homeless(theirs, ours, name, gone).items():
        start = (marks.find(body, marks.CHANGELOG) or (len(body),))[0]
        note = f"<!-- Written at {place}, a place that its card no longer has. -->\n\n"
        head = _apart(body[:start])
        body = head + note + words.strip("\r\n") + "\n\n" + body[start:]
    return _placed(body, marks.CHANGELOG, changelog)


def changelog(repo: str, entries: Sequence[Entry]) -> str:
    """Return the part that lists the versions, the newest first."""
    lines = ["## Versions", ""]
    lines += [f'Each stays as it is: `load_dataset("{repo}", ..., revision="vX.Y.Z")`.', ""]
    for entry in entries[:_LATEST]:
        lines += [
            f"### {entry['version']}",
            "",
            *(f"- {' '.join(line.split())}" for line in entry["changes"]),
            "",
        ]
    if len(entries) > _LATEST:
        lines += [f"The {len(entries) - _LATEST} before them are listed in `release.json`.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _placed(body: str, pair: marks.Pair, text: str, spec: str | None = None) -> str:
    """Return a body with a part replaced, else put before the changelog, else at the end.

    spec: whose part it is, if it is not the changelog.
    """
    place, end = marks.find(body, pair), len(body)
    log = marks.find(body, marks.CHANGELOG) or (end, end)
    start, stop = place or (log[0], log[0])
    head, tail = body[:start], body[stop:]
    if place is None:
        head, tail = _apart(head), "\n" + tail if tail else ""
    if spec is not None and "<!-- magpie-hub: " in head:
        text = _titled(text, spec)
    advice = _ADVICE if spec is not None else ""
    return head + pair[0] + advice + "\n" + text.strip("\n") + "\n" + pair[1] + tail


def _apart(head: str) -> str:
    """Return what stands before a part, ending in an empty line."""
    ends = len(head) - len(head.rstrip("\n"))
    return head + "\n" * (2 - ends) if head.strip() else "\n"


def _titled(text: str, name: str) -> str:
    """Return a part that stands behind another spec's with its own spec's name in its title."""
    title, line, rest = text.strip("\n").partition("\n")
    if not title.startswith("# "):
        return text
    suffix = ": " + re.sub(r"[^\w .-]", "", name)
    return text if title.endswith(suffix) else f"{title}{suffix}{line}{rest}"

"""Versions of datasets: x.y.z, where the schema is major, the rows minor, the card a patch.

Knows nothing of how a change is found.
"""

from typing import Literal

from magpie_hub.errors import TargetError

Level = Literal["none", "patch", "minor", "major"]
LEVELS: tuple[Level, ...] = ("none", "patch", "minor", "major")
FIRST = "1.0.0"


def parts(version: str) -> tuple[int, int, int]:
    """Return a version's numbers, by which versions are ordered."""
    major, minor, patch = map(int, version.split("."))
    return major, minor, patch


def largest(*levels: Level) -> Level:
    """Return the largest of some levels."""
    return max(levels, key=LEVELS.index, default="none")


def raised(version: str, level: Level) -> str:
    """Return the version that follows by a change of this level."""
    major, minor, patch = parts(version)
    after = {
        "none": (major, minor, patch),
        "patch": (major, minor, patch + 1),
        "minor": (major, minor + 1, 0),
        "major": (major + 1, 0, 0),
    }
    return ".".join(map(str, after[level]))


def between(old: str, new: str) -> Level:
    """Return the level of the change from one version to a later one."""
    pairs = zip(LEVELS[:0:-1], parts(old), parts(new), strict=True)
    return next((level for level, before, after in pairs if before != after), "none")


def following(last: str | None, level: Level, asked: str | None) -> str:
    """Return what the next release is called.

    last: the last version that was published; None before the first. asked: what the spec says.
    Raises TargetError where that is taken, or lower than the change asks for.
    """
    least = FIRST if last is None else raised(last, level)
    if asked is None:
        return least
    if last is not None and parts(asked) <= parts(last) and level != "none":
        taken = "is published already" if asked == last else f"is lower than the published {last}"
        raise TargetError(
            f"`version: {asked}` {taken}, and there are changes; expected at least {least}",
            hint=f"write `version: {least}` in the spec, or leave the key out",
        )
    if last is not None and parts(asked) < parts(least):
        raise TargetError(
            f"`version: {asked}` is too low for a {level} change of {last}; expected at least"
            f" {least}",
            hint=f"write `version: {least}` in the spec, or leave the key out: schema changes are"
            " major, changed rows minor, the card alone a patch",
        )
    return asked

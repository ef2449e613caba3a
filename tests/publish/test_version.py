"""Versions follow from what changes; a spec may ask for more, never for less."""

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.version import between, following, largest, parts, raised


@pytest.mark.parametrize(
    ("level", "version"),
    [("none", "1.9.3"), ("patch", "1.9.4"), ("minor", "1.10.0"), ("major", "2.0.0")],
)
def test_each_level_raises_its_number(level, version):
    """A number is raised, and those behind it begin at zero; `between` is the way back."""
    assert raised("1.9.3", level) == version
    assert between("1.9.3", version) == level


def test_versions_are_numbers():
    """1.10.0 is later than 1.9.0, which as text it would not be."""
    assert max(["1.9.0", "1.10.0"], key=parts) == "1.10.0"


def test_the_largest_level():
    """The largest of several changes decides; of none there is no change."""
    assert largest("patch", "major", "minor") == "major"
    assert largest() == "none"


@pytest.mark.parametrize(
    ("last", "level", "asked", "version"),
    [
        (None, "minor", None, "1.0.0"),
        (None, "minor", "0.1.0", "0.1.0"),
        ("1.0.0", "patch", None, "1.0.1"),
        ("1.0.0", "minor", None, "1.1.0"),
        ("1.0.0", "minor", "1.1.0", "1.1.0"),
        ("1.0.0", "patch", "3.0.0", "3.0.0"),
    ],
)
def test_what_follows(last, level, asked, version):
    """Without a wish it is the least that the change allows; the wish may be higher."""
    assert following(last, level, asked) == version


@pytest.mark.parametrize(
    ("level", "asked", "message"),
    [
        ("patch", "1.2.0", "`version: 1.2.0` is published already"),
        ("patch", "1.1.9", "`version: 1.1.9` is lower than the published 1.2.0"),
        ("minor", "1.2.1", "`version: 1.2.1` is too low for a minor change of 1.2.0"),
        ("major", "1.9.0", "`version: 1.9.0` is too low for a major change of 1.2.0"),
    ],
)
def test_a_version_that_cannot_be(level, asked, message):
    """One that is taken, or less than the change asks for, is an error that names the least."""
    with pytest.raises(TargetError, match=message) as caught:
        following("1.2.0", level, asked)
    least = raised("1.2.0", level)
    assert caught.value.message.endswith(f"expected at least {least}")
    assert f"write `version: {least}` in the spec" in caught.value.hint

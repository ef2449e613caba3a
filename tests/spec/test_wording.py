"""How values and places appear in messages."""

import pytest

from magpie_hub.spec.wording import fault, shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("org/x", "`org/x`"),
        ("\x1b[31m\n", r"`\x1b[31m\n`"),
        ("x" * 61, f"`{'x' * 57}...`"),
        (True, "`true`"),
        ({"a": [1]}, '`{"a": [1]}`'),
    ],
)
def test_shown(value: object, expected: str) -> None:
    """A value stands on one short line, without characters that steer a terminal."""
    assert shown(value) == expected


def test_fault_falls_back_to_the_nearest_key_above() -> None:
    """A key that is not in the file is placed at the map in which it should be."""
    error = fault("s.yaml", {"": 1, "generator": 4}, "generator.model", "missing", hint="write it")

    assert error.message == "s.yaml:4: `generator.model`: missing"
    assert error.hint == "write it"

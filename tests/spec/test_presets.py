"""The specs that can be named instead of a path."""

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec import presets
from magpie_hub.spec.load import load


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_a_spec(name: str) -> None:
    """What ships by name loads, under that name."""
    assert load(name).name == name


def test_the_demo_is_there() -> None:
    """The README's first command names a preset that exists."""
    assert presets.path("smollm2").read_text(encoding="utf-8").startswith("# ")


def test_an_unknown_name() -> None:
    """A misspelt preset is answered with the nearest one and the list."""
    with pytest.raises(SpecError) as caught:
        presets.path("smolm2")

    assert "`smolm2` is neither a file nor a preset" in caught.value.message
    assert "`smollm2`" in caught.value.message
    assert caught.value.hint == "did you mean `smollm2`?"

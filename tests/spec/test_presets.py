"""The specs that can be named instead of a path."""

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec import presets
from magpie_hub.spec.load import load


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_a_spec(name: str) -> None:
    """What ships by name loads, under that name."""
    assert load(name).name == name


# Draws (at most, where they go on until enough is kept), and the size of each config that has one.
PUBLISHED = {
    "air": (3_000_000, {"filtered": 300_000}),
    "code": (600_000, {"finished": 300_000}),
    "math": (600_000, {"finished": 300_000}),
    "pro": (1_000_000, {"filtered": 300_000}),
    "pro-dpo": (1_000_000, {"preferences": 100_000}),
    # So many go on, of which 300,000 are to be left.
    "pro-mt": (1_000_000, {"conversations": 330_000}),
    "qwen-chinese": (1_000_000, {"chinese": 200_000}),
    "reasoning": (400_000, {"llama3-70b": 150_000}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name: str) -> None:
    """The releases have the sizes of the datasets that they are made after."""
    spec = load(name)
    found = {}
    for config, given in spec.active_configs.items():
        if given.size is not None:
            found[config] = given.size if isinstance(given.size, int) else given.size.at_most
    if spec.instructions.until is not None:
        found[spec.instructions.until.config] = spec.instructions.until.rows
    assert (spec.instructions.most, found) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_says_how_it_is_used(name: str) -> None:
    """A spec opens with what it makes, how it is copied, what it costs and what to change first."""
    opening = presets.path(name).read_text(encoding="utf-8").partition("\n\n")[0]
    assert f"magpie-hub init mine.yaml --from {name} " in opening
    assert "# What it costs: " in opening
    assert "# What to change first: " in opening


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_revision_is_stated(name: str) -> None:
    """A run finds the revisions itself and keeps them; none is written from memory."""
    assert "@" not in presets.path(name).read_text(encoding="utf-8").replace("ID@REVISION", "")


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

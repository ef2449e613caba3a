"""Engines by name, and their options: what is wrong is said before anything is opened."""

import subprocess
import sys

import pytest

from magpie_hub.engines import ENGINES, engine_class, open_engine
from magpie_hub.engines.base import Engine
from magpie_hub.errors import EngineError


@pytest.mark.parametrize("name", ENGINES)
def test_every_name_has_its_class(name):
    """A name of the table leads to the engine that goes by it."""
    found = engine_class(name)
    assert issubclass(found, Engine)
    assert found.name == name


def test_unknown_engine_names_the_nearest():
    """A slip in an engine's name is answered with the name that was meant."""
    with pytest.raises(EngineError, match="`lama_cpp` is not known") as caught:
        open_engine("lama_cpp", None, {})
    assert caught.value.hint == "did you mean `llama_cpp`?"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("llama_cpp", {"paralel": 4}, "no option `paralel`"),
        ("llama_cpp", {"parallel": "4"}, "`parallel` of the engine `llama_cpp` is `4`, expected a"),
        ("llama_cpp", {"parallel": 257}, "is `257`, expected a whole number of at least 1 and at"),
        ("llama_cpp", {"threads": True}, "is `True`, expected a whole number of at least 1"),
        ("llama_cpp", {"context": 0}, "`context` of the engine `llama_cpp` is `0`"),
        ("scripted", {"cut": 1.5}, "is `1.5`, expected a number of at least 0 and at most 1"),
        ("scripted", {"shuffle": 1}, "is `1`, expected true or false"),
        ("scripted", {"cut": 0.6, "empty": 0.6}, "add up to more than `1`"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    """An unknown name, a wrong type and a number out of bounds are each named."""
    with pytest.raises(EngineError, match=message):
        engine_class(name).check_options(options)


def test_unknown_option_names_the_nearest():
    """A slip in an option's name is answered with the name that was meant."""
    with pytest.raises(EngineError) as caught:
        engine_class("llama_cpp").check_options({"paralel": 4})
    assert caught.value.hint == "did you mean `parallel`?"


def test_good_options_pass():
    """Whole numbers are taken where a rate is expected, and everything may be left out."""
    engine_class("scripted").check_options({"empty": 0, "latency": 1, "shuffle": False})
    engine_class("llama_cpp").check_options({})


def test_options_are_checked_without_the_library():
    """Checking the options of `llama_cpp` does not import xllamacpp."""
    script = (
        "import sys; from magpie_hub.engines import engine_class;"
        "engine_class('llama_cpp').check_options({'parallel': 4, 'file': 'a.gguf'});"
        "sys.exit('xllamacpp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

"""One model is open at a time: asked for again it is the same, another takes its place."""

import pytest

from magpie_hub.engines.base import Engine
from magpie_hub.errors import EngineError
from magpie_hub.run.opened import Models
from magpie_hub.spec.sections import EngineSection, Model

PLAIN = Model(model="scripted", engine=EngineSection(name="scripted"))
ANOTHER_NAME = Model(model="judge", engine=EngineSection(name="scripted"))
NARROW = Model(model="scripted", engine=EngineSection.model_validate(
    {"name": "scripted", "capacity": 1}
))  # fmt: skip


def is_closed(engine: Engine) -> bool:
    """Return whether an engine has dropped what it was asked."""
    return not engine._waiting  # type: ignore[attr-defined]


def hold(engine: Engine) -> Engine:
    """Give an engine something that closing it drops."""
    engine._waiting.append(None)  # type: ignore[attr-defined]
    return engine


def test_the_same_model_is_opened_once() -> None:
    """What a stage has opened is given to the next, also where a spec names it otherwise."""
    with Models() as models:
        first = hold(models.engine(PLAIN, None))
        assert models.engine(PLAIN, None) is first
        assert models.engine(ANOTHER_NAME, None) is first
        assert models.is_for(PLAIN)
        assert not models.is_for(ANOTHER_NAME)
        assert not is_closed(first)
    assert is_closed(first)


def test_another_takes_its_place() -> None:
    """Never are two open: the first is closed before the second, and opened anew when asked for."""
    with Models() as models:
        first = hold(models.engine(PLAIN, None))
        second = models.engine(NARROW, None)
        assert is_closed(first)
        assert second.capacity == 1
        assert models.engine(PLAIN, None) is not first


def test_after_an_error_it_is_closed_too() -> None:
    """A stage that fails leaves nothing open, and closing twice or nothing is fine."""
    models = Models()
    models.close()
    opened = []

    def fail() -> None:
        with models:
            opened.append(hold(models.engine(PLAIN, None)))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert is_closed(opened[0])
    assert not models.is_for(PLAIN)
    models.close()


def test_a_scorer_takes_the_place_of_an_engine() -> None:
    """What completes and what scores are two models, also where the spec's section is one."""
    with Models() as models:
        first = hold(models.engine(PLAIN, None))
        scorer = models.scorer(PLAIN, None)
        assert is_closed(first)
        assert models.scorer(ANOTHER_NAME, None) is scorer
        assert models.engine(PLAIN, None) is not first


def test_what_cannot_score() -> None:
    """An engine that only completes is no scorer, which is said before anything is opened."""
    llama = Model(model="x.gguf", engine=EngineSection(name="llama_cpp"))
    with Models() as models, pytest.raises(EngineError, match="`llama_cpp` cannot score"):
        models.scorer(llama, None)

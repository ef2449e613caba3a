"""The one model that is open: a stage that asks for it again gets it, another takes its place.

So no model is loaded twice for stages that follow each other, and never are two in memory. Knows no
stage.
"""

from pathlib import Path
from types import TracebackType
from typing import Self

from magpie_hub.engines import open_engine
from magpie_hub.engines.base import Engine
from magpie_hub.engines.scoring import Scorer, open_scorer
from magpie_hub.spec.sections import Model


class Models:
    """Opens models, one at a time; a context manager that closes the last."""

    def __init__(self) -> None:
        """Open nothing yet."""
        self._what: object = None
        self._section: Model | None = None
        self._open: Engine | Scorer | None = None

    def engine(self, section: Model, weights: Path | None) -> Engine:
        """Return a model that completes; weights: what its engine opens."""
        if not isinstance(self._open, Engine) or self._what != _what(section, weights):
            self.close()
            engine = section.engine
            self._keep(open_engine(engine.name, weights, engine.options), section, weights)
        assert isinstance(self._open, Engine)
        return self._open

    def scorer(self, section: Model, weights: Path | None) -> Scorer:
        """Return a model that scores."""
        if not isinstance(self._open, Scorer) or self._what != _what(section, weights):
            self.close()
            engine = section.engine
            self._keep(open_scorer(engine.name, weights, engine.options), section, weights)
        assert isinstance(self._open, Scorer)
        return self._open

    def is_for(self, section: Model) -> bool:
        """Whether the model that is open was opened for such a section of the spec."""
        return self._section == section

    def close(self) -> None:
        """Close the model that is open, if one is."""
        model, self._open, self._section, self._what = self._open, None, None, None
        if model is not None:
            model.close()

    def _keep(self, opened: Engine | Scorer, section: Model, weights: Path | None) -> None:
        self._open, self._section, self._what = opened, section, _what(section, weights)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _what(section: Model, weights: Path | None) -> object:
    return (section.engine.name, section.engine.options, weights)

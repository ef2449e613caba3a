"""Our side: `generate` as a release runs it, on an engine that is open before the clock starts.

Every request comes from the schedule, every completion goes into a journal and every finished unit
into a shard, in a run folder that is gone afterwards. Knows no other side.
"""

import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice, product
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from magpie_hub.engines import engine_class, open_engine
from magpie_hub.engines.base import Completion, Engine, Request
from magpie_hub.records import INSTRUCTIONS
from magpie_hub.run.begin import begin
from magpie_hub.run.generation import generate
from magpie_hub.run.opened import Models
from magpie_hub.run.weights import find
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model
from tests.benchmarks.sides import Round

VERBS = ("Explain", "Summarize", "Write a short poem about", "Write a quiz about")
TOPICS = (
    "the tides", "how bread rises", "solar panels", "the French Revolution", "binary search",
    "photosynthesis", "inflation", "the rules of chess", "earthquakes", "sleep", "vaccines",
    "the water cycle", "black holes", "recursion in Python", "the Silk Road", "bees",
)  # fmt: skip
READERS = (
    "a child of ten", "a busy manager", "a retired teacher", "a curious neighbour",
    "a student of physics", "a farmer", "a new colleague", "someone who doubts it",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """What is generated, from SmolLM2 or a model with its template.

    model: as a spec names it. engine: as a spec writes it, options and all. rows: how many
    completions. instructions: whether those are instructions, or responses to `questions`.
    tokens: the most of one completion. stop: token ids that end one besides the template's.
    """

    model: str
    engine: dict[str, Any]
    rows: int
    instructions: bool
    tokens: int
    stop: tuple[int, ...] = ()


def questions(count: int) -> list[str]:
    """Return different instructions, of which there are 512."""
    texts = [
        f"{verb} {topic} for {reader}." for reader, topic, verb in product(READERS, TOPICS, VERBS)
    ]
    return list(islice(texts, count))


def ours(work: Work) -> Generator[Round]:
    """Yield rounds for ever, each a run of its own."""
    spec = _spec(work)
    engine = spec.drawn_from.engine
    weights = find(spec.drawn_from, engine_class(engine.name).weights)
    with TemporaryDirectory() as scratch:
        begun = _begun(spec, work, Path(scratch, "begun"))
        with open_engine(engine.name, weights, engine.options) as model:
            while True:
                with TemporaryDirectory() as folder:
                    copytree(begun.path, folder, dirs_exist_ok=True)
                    yield _round(spec, work, RunFolder(Path(folder)), model)


def _round(spec: Spec, work: Work, folder: RunFolder, model: Engine) -> Round:
    clocked = Clocked(model, work)
    generate(spec, folder, _unread, _warn, Ready(clocked))
    return clocked.round


class Clocked:
    """An open engine as `generate` sees it: asked for `work.rows` completions, with a clock on."""

    def __init__(self, engine: Engine, work: Work) -> None:
        self._engine = engine
        self._work = work
        self._requests: list[Request] = []
        self.round = Round([], 0, 0, 0.0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def complete(self, source: Callable[[], Request | None]) -> Iterator[Completion]:
        """Yield completions; the clock runs until the last has been dealt with."""
        done: list[Completion] = []
        start = perf_counter()
        for completion in self._engine.complete(lambda: self._next(source)):
            done.append(completion)
            yield completion
        seconds = perf_counter() - start
        good = [completion for completion in done if completion.finish_reason != "error"]
        tokens = sum(completion.completion_tokens for completion in good)
        self.round = Round(self._requests, len(good), tokens, seconds)

    def _next(self, source: Callable[[], Request | None]) -> Request | None:
        # Instructions alone: the answers, which the schedule asks for next, are not drawn.
        if len(self._requests) == self._work.rows or (request := source()) is None:
            return None
        request = replace(request, stop=request.stop + self._work.stop)
        self._requests.append(request)
        return request


class Ready(Models):
    """The one model of a stage, which is open before the stage begins and stays so."""

    def __init__(self, engine: Clocked) -> None:
        super().__init__()
        self._engine: Any = engine

    def engine(self, section: Model, weights: Path | None) -> Engine:
        """Return the engine, whatever was asked for."""
        return self._engine


def _spec(work: Work) -> Spec:
    return Spec.model_validate(
        {
            "repo": "org/benchmark",
            "generator": {"model": work.model, "engine": work.engine},
            "instructions": {
                "rows": work.rows,
                "sampling": [{"temperature": 1.0, "top_p": 1.0}],
                "max_tokens": work.tokens,
            },
            "responses": {"max_tokens": work.tokens},
        }
    )


def _begun(spec: Spec, work: Work, path: Path) -> RunFolder:
    """Return a run that has its pins, and the instructions in its journal if they are given."""
    folder = RunFolder(path)
    begin(spec, folder, _warn, draws=True)
    if not work.instructions:
        [unit] = folder.units()
        journal = folder.open_journal(INSTRUCTIONS, unit)
        for index, text in enumerate(questions(work.rows)):
            drawn = Completion(None, text, "stop", 0, 0, 0.0, spec.drawn_from.engine.name, "")
            journal.append({"index": index, **asdict(drawn)})
        journal.close()
    return folder


def _unread(*_: object) -> None:
    """Report no progress."""


def _warn(warning: str) -> None:
    print(warning, file=sys.stderr)

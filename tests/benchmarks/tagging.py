"""The tags of a judge: our layer beside the bare engine, and one question beside three.

SmolLM2 judges made-up instructions that somebody is said to have answered, so that no row has to be
drawn. Knows no goal.
"""

import json
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from shutil import copytree
from tempfile import TemporaryDirectory
from typing import Any

from magpie_hub import hub
from magpie_hub.engines import engine_class, open_engine
from magpie_hub.engines.base import Engine
from magpie_hub.run.begin import begin
from magpie_hub.run.importing import take_in
from magpie_hub.run.opened import Models
from magpie_hub.run.tagging import tag
from magpie_hub.run.weights import find
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import Labelled, tags
from magpie_hub.spec.model import Spec
from magpie_hub.tag.judge import question
from tests.benchmarks import Pair
from tests.benchmarks.bare_llama_cpp import SLOTS, THREADS, bare
from tests.benchmarks.ours import Clocked, Ready, Work, questions
from tests.benchmarks.sides import Round, alternate

ROWS = 16
NAMES = ("quality", "category")
CONTEXT = 1024
"""Room for each prompt with its longest answer; for all three in one, twice that."""

SEPARATE = ("quality", "difficulty", "category")
COMBINED = Path(__file__).with_name("combined.jinja")
FIELDS = {
    "quality_explanation": "rating_explanation",
    "input_quality": "input_rating",
    "intent": "intention",
    "knowledge": "skills",
    "difficulty": "hardness",
    "task_category": "task_type",
    "other_task_category": "other_task_type",
}
"""Columns of ours by a name of as many tokens, since a spec's own tag cannot take theirs."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What is judged, and by whom; tags, model and engine as a spec writes them."""

    tags: list[str] | dict[str, Any]
    rows: int
    engine: dict[str, Any]
    model: str = hub.SMOLLM2


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that has its rows and pins, and the judge, which is open."""

    spec: Spec
    folder: RunFolder
    engine: Engine

    def round(self) -> tuple[Round, dict[str, Labelled]]:
        """Tag a copy of the run; return what was asked, and what the run then says of each tag."""
        clocked = Clocked(self.engine, Work("", {}, sys.maxsize, instructions=False, tokens=0))
        with TemporaryDirectory() as place:
            copytree(self.folder.path, place, dirs_exist_ok=True)
            copy = RunFolder(Path(place))
            tag(self.spec, copy, _unread, _warn, Ready(clocked))
            return clocked.round, tags(copy)


def llama_cpp_tags() -> Pair:
    """Return labels/s of two tags; the bare side is sent all that ours sent, retries too.

    It has every request at once, where ours prepares each in its turn and learns of a retry when
    the answer is there; and it reads no answer. Both sides set GOMP_SPINCOUNT as our engine does:
    with the library's default the bare side falls far behind beside any other busy process.
    """
    # Read when the library is loaded, which both processes have yet to do.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    ours = partial(tagged, Judging(list(NAMES), ROWS, _engine(SLOTS, CONTEXT, threads=THREADS)))
    theirs = partial(bare, hub.gguf(hub.SMOLLM2), context=CONTEXT)
    labels = ROWS * len(NAMES)
    return Pair("tags/s", *alternate(ours, theirs, 5, lambda _: labels), _versions())


def judge_combined() -> Pair:
    """Return CPU seconds a row of one question for all fields, beside a question for each tag."""
    return _compared("CPU seconds/row", "seconds")


def judge_combined_prompt_tokens() -> Pair:
    """Return the tokens of the prompts, most of which a slot knows from an earlier row."""
    return _compared("prompt tokens/row", "prompt_tokens")


def judge_combined_completion_tokens() -> Pair:
    """Return the tokens of the answers."""
    return _compared("new tokens/row", "completion_tokens")


def judge_combined_labelled() -> Pair:
    """Return the share of questions that got a label."""
    return _compared("share of questions", "labelled")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a round took, a row; labelled: the share of its questions that did not fail."""

    seconds: float
    prompt_tokens: float
    completion_tokens: float
    labelled: float


def _compared(unit: str, figure: str) -> Pair:
    combined, separate = ([getattr(done, figure) for done in side] for side in _rounds())
    return Pair(unit, combined, separate, _versions())


@cache
def _rounds() -> tuple[list[Judged], list[Judged]]:
    """Return three rounds of one question and of three, in turn, each on an engine of its own.

    In each a slot reads the fixed words of a question once for four rows, where in a long run it
    does so for thousands. On one thread, since of several each uses CPU while it waits for others.
    """
    engine = _engine(4, 2 * CONTEXT, threads=1)
    one, three = Judging(_combined(), 16, engine), Judging(list(SEPARATE), 16, engine)
    pairs = [(_judged(one), _judged(three)) for _ in range(3)]
    return [combined for combined, _ in pairs], [separate for _, separate in pairs]


def _judged(judging: Judging) -> Judged:
    with _begun(judging) as begun:
        before = _cpu_seconds()
        done, told = begun.round()
        used = _cpu_seconds() - before
    rows, made = judging.rows, told.values()
    for name, one in told.items():
        print(f"{name}: failed {one.failed}, asked again {one.retried}", file=sys.stderr)
    print(f"{done.seconds / rows:.2f} s/row by the clock", file=sys.stderr)
    return Judged(
        used / rows,
        sum(one.prompt_tokens for one in made) / rows,
        sum(one.completion_tokens for one in made) / rows,
        1 - sum(one.failures for one in made) / sum(one.rows for one in made),
    )


def _combined() -> dict[str, Any]:
    """Return a spec's own tag that asks for the fields of all three."""
    asked = [question(name).schema["properties"] for name in SEPARATE]
    parts = {FIELDS[name]: part for one in asked for name, part in one.items()}
    prompt = COMBINED.read_text(encoding="utf-8")
    return {"combined": {"prompt": prompt, "schema": {"properties": parts}}}


def tagged(judging: Judging) -> Generator[Round]:
    """Yield rounds for ever, each of a run that has its rows and no label yet."""
    with _begun(judging) as begun:
        while True:
            done, _ = begun.round()
            # A key is a row and its open journal, which no other process can be given.
            yield replace(done, requests=[replace(asked, key=None) for asked in done.requests])


@contextmanager
def _begun(judging: Judging) -> Iterator[Begun]:
    """Take in the rows and open the judge."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch, "rows.jsonl")
        rows = [{"instruction": text, "response": "."} for text in questions(judging.rows)]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        spec = Spec.model_validate(
            {
                "repo": "org/benchmark",
                "source": {"files": [str(file)]},
                "judge": {"model": judging.model, "engine": judging.engine},
                "tags": judging.tags,
            }
        )
        folder = RunFolder(Path(scratch, "run"))
        take_in(spec, folder, _unread, _warn, Models())
        begin(spec, folder, _warn, tags=True)
        assert spec.judge is not None
        name, options = spec.judge.engine.name, spec.judge.engine.options
        weights = find(spec.judge, engine_class(name).weights)
        with open_engine(name, weights, options) as engine:
            yield Begun(spec, folder, engine)


def _engine(slots: int, context: int, *, threads: int) -> dict[str, Any]:
    return {"name": "llama_cpp", "parallel": slots, "context": context, "threads": threads}


def _cpu_seconds() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("magpie-hub", "xllamacpp")}


def _unread(*_: Any, **__: Any) -> None:
    """Report no progress."""


def _warn(warning: str) -> None:
    print(warning, file=sys.stderr)

"""How a model answers the instructions of a run, or goes on with its rows: of pins, and open.

Wires what is pinned of the model to an engine's tokens. Knows no files and no order of stages.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from magpie_hub.engines import prompt
from magpie_hub.engines.base import Engine, Sampling
from magpie_hub.errors import EngineError, TemplateError
from magpie_hub.generate.responses import Responses
from magpie_hub.records import Draw
from magpie_hub.run.pins import Pins, pins_of
from magpie_hub.spec.generation import Responses as Given
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Model
from magpie_hub.spec.snapshot import model_name


@dataclass(frozen=True, slots=True)
class Writer:
    """The model that writes an answer set of a run.

    name: of the set. draw: of the instructions. place: what names the model in the spec.
    """

    name: str
    draw: Draw
    place: str
    section: Model
    pins: Pins


def writer(spec: Spec, state: Mapping[str, Any], answers: Given) -> Writer:
    """Return the model that writes an answer set, as it is pinned in a run's state."""
    draw = draw_of(spec, Pins.from_json(state["pins"]))
    return Writer(answers.name, draw, *spec.writer_of(answers), pins_of(state, answers.name))


def draw_of(spec: Spec, pins: Pins) -> Draw:
    """Return what names the draws of a run; pins: of its generator."""
    return Draw(spec.repo, model_name(spec.drawn_from.model), pins.revision, spec.seed)


def responses(
    by: Writer, model: Engine, marks: Sequence[str] = (), sampling: Sampling | None = None
) -> Responses:
    """Return how instructions are answered.

    marks: control tokens of texts that are not among the pins. sampling: another than the pins'.
    """
    special, plain = (partial(model.encode, special=flag) for flag in (True, False))
    pins = by.pins
    _, stop = stops(pins, special)
    known = sorted({*pins.marks, *marks}, key=len, reverse=True)
    return Responses(
        by.draw,
        model=model_name(by.section.model),
        revision=pins.revision,
        before=pins.before,
        after=pins.post_query,
        stop=stop,
        sampling=drawable(model, sampling or pins.responses),
        controls=pins.controls,
        tokens=lambda pieces: prompt.tokens(pieces, known, special, plain),
        reasoning=pins.reasoning,
        answers=by.name,
    )


def drawable(model: Engine, sampling: Sampling) -> Sampling:
    """Return a sampling that an open model can draw by; EngineError for one that it cannot."""
    if sampling.temperature > model.hottest:
        raise EngineError(
            f"the temperature `{sampling.temperature:g}` is too high for the engine `{model.name}`,"
            f" expected at most {model.hottest:g}",
            hint="lower it; rows that were drawn already stay",
        )
    return sampling


def long_ends(pins: Pins, encode: Callable[[str], list[int]]) -> tuple[str, ...]:
    """Return the texts that end a turn and are several tokens, so that no engine stops at them."""
    return tuple(end for end in pins.ends if len(encode(end)) > 1)


def stops(pins: Pins, encode: Callable[[str], list[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the token ids that end an instruction, and those that end a response.

    encode: token ids of a template's text. Raises TemplateError where nothing would end one.
    """
    ends = {end: encode(end) for end in pins.ends}
    # A mark that stands between the reasoning and the answer does not end a response.
    between = pins.reasoning.closing if pins.reasoning else ""
    stop = tuple(ids[0] for ids in ends.values() if len(ids) == 1)
    answer_stop = tuple(i[0] for end, i in ends.items() if len(i) == 1 and end not in between)
    if not stop or not answer_stop:
        raise TemplateError(
            f"none of the texts that end a turn (`{'`, `'.join(pins.ends)}`) is one token of the"
            " model, so that nothing would end an instruction or a response",
            hint="choose a model whose chat template closes turns with a token of its own",
        )
    return stop, answer_stop

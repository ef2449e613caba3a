"""Responses: the model answers the instructions that it wrote.

Knows the texts around the instruction as token ids, and a way to encode the instruction without
letting its words become control tokens. Knows no template, no engine and no file.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.clean import response_fault, tidy
from magpie_hub.generate.instructions import drawn
from magpie_hub.generate.reasoning import Reasoning
from magpie_hub.records import RESPONSES, Draw, Response


@dataclass(frozen=True, slots=True)
class Responses:
    """How a run's responses are drawn.

    before, after: token ids in front of the instruction and behind it (the post-query text).
    encode: an instruction's token ids, with no control token among them. reasoning: the marks of a
    thinking model's, None for others.
    """

    draw: Draw
    before: tuple[int, ...]
    after: tuple[int, ...]
    stop: tuple[int, ...]
    sampling: Sampling
    controls: tuple[str, ...]
    encode: Callable[[str], list[int]]
    reasoning: Reasoning | None = None

    def request(self, index: int, instruction: str, key: Hashable) -> Request:
        """Return the request that answers instruction `index`."""
        return Request(
            key=key,
            prompt=(*self.before, *self.encode(instruction), *self.after),
            sampling=self.sampling,
            seed=self._seed(index),
            stop=self.stop,
        )

    def record(self, index: int, completion: Completion) -> Response:
        """Return what is kept of a completion: the response, or the reason against it."""
        thought, answer = None, completion.text
        if self.reasoning is not None and completion.finish_reason != "error":
            thought, answer = self.reasoning.split(completion.text)
        text = tidy(answer)
        return Response(
            index=index,
            uuid=self.draw.uuid(index),
            model=self.draw.model,
            instruction_tokens=self._instruction_tokens(completion),
            response=text,
            reasoning=tidy(thought or "") or None,
            rejection=self._fault(completion, thought, text),
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=completion.seconds,
            error=completion.error or None,
            gen_response_configs=drawn(self.sampling, self._seed(index), completion, self.draw),
        )

    def _fault(self, completion: Completion, thought: str | None, text: str) -> str | None:
        if thought is not None and not text and completion.finish_reason == "length":
            return "unfinished-reasoning"
        # Of what is published the reasoning may be part.
        return response_fault(completion, f"{thought or ''}{text}" if text else "", self.controls)

    def _instruction_tokens(self, completion: Completion) -> int | None:
        if completion.finish_reason == "error":
            return None
        return completion.prompt_tokens - len(self.before) - len(self.after)

    def _seed(self, index: int) -> int:
        return self.draw.seed_of(index, RESPONSES)

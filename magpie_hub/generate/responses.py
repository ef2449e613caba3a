"""Responses: a model answers instructions, most often those that it wrote itself.

Knows the texts around the instruction, and a way to make token ids of them without letting words
become control tokens. Knows no template, no engine and no file.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.clean import response_fault, tidy
from magpie_hub.generate.instructions import drawn
from magpie_hub.generate.reasoning import Reasoning
from magpie_hub.records import ANSWERS, Draw, Response

Pieces = Sequence[tuple[str, bool]]
"""A prompt's texts in their order, and of each whether it is the template's own."""


@dataclass(frozen=True, slots=True)
class Responses:
    """How an answer set is drawn.

    draw: of the instructions. model, revision: what answers, as rows say it. before, after: the
    texts in front of the instruction and behind it. tokens: a prompt's token ids, with no control
    token among the words. answers: the set's name. reasoning: the marks of a thinking model's, None
    for others.
    """

    draw: Draw
    model: str
    revision: str
    before: str
    after: str
    stop: tuple[int, ...]
    sampling: Sampling
    controls: tuple[str, ...]
    tokens: Callable[[Pieces], tuple[int, ...]]
    reasoning: Reasoning | None = None
    answers: str = ANSWERS

    def request(self, index: int, instruction: str, key: Hashable) -> Request:
        """Return the request that answers instruction `index`."""
        return Request(
            key=key,
            prompt=self.tokens([(self.before, True), (instruction, False), (self.after, True)]),
            sampling=self.sampling,
            seed=self._seed(index),
            stop=self.stop,
        )

    def record(self, index: int, completion: Completion) -> Response:
        """Return what is kept of a completion: the response, or the reason against it."""
        thought, text = self.read(completion)
        return Response(
            index=index,
            uuid=self.draw.uuid(index, self.answers),
            model=self.model,
            instruction_tokens=self._instruction_tokens(completion),
            response=text,
            reasoning=tidy(thought or "") or None,
            rejection=self.fault(completion, thought, text),
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=completion.seconds,
            error=completion.error or None,
            gen_response_configs=drawn(self.sampling, self._seed(index), completion, self.revision),
        )

    def read(self, completion: Completion) -> tuple[str | None, str]:
        """Return (reasoning, response), the latter tidied; None where the model did not reason."""
        thought, answer = None, completion.text
        if self.reasoning is not None and completion.finish_reason != "error":
            thought, answer = self.reasoning.split(completion.text)
        return thought, tidy(answer)

    def fault(self, completion: Completion, thought: str | None, text: str) -> str | None:
        """Return the reason why what was read is not kept, or None."""
        if thought is not None and not text and completion.finish_reason == "length":
            return "unfinished-reasoning"
        # Of what is published the reasoning may be part.
        return response_fault(completion, f"{thought or ''}{text}" if text else "", self.controls)

    def _instruction_tokens(self, completion: Completion) -> int | None:
        if completion.finish_reason == "error":
            return None
        around = self.tokens([(self.before, True), ("", False), (self.after, True)])
        return completion.prompt_tokens - len(around)

    def _seed(self, index: int) -> int:
        return self.draw.seed_of(index, f"responses/{self.answers}")

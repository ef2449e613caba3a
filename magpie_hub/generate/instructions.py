"""Instructions: the model completes the bare prefix and so writes what a user would.

Knows the prefix as token ids and the cycle of sampling cells; knows no template, no engine and
no file. Nothing of ours is in the prompt but the prefix.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from math import gcd

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.clean import instruction_fault, tidy
from magpie_hub.records import INSTRUCTIONS, Draw, Instruction


def cycle(cells: Sequence[tuple[Sampling, int]]) -> tuple[Sampling, ...]:
    """Return the fixed cycle in which indices take their sampling cell.

    Of the smallest whole weights (300:300:100 is 3:3:1), dealt out in turn, so that every
    multiple of the cycle is exact and growing a run changes no earlier row.
    """
    divisor = reduce(gcd, [weight for _, weight in cells])
    left = [weight // divisor for _, weight in cells]
    turns: list[Sampling] = []
    while any(left):
        for i, (cell, _) in enumerate(cells):
            if left[i]:
                turns.append(cell)
                left[i] -= 1
    return tuple(turns)


@dataclass(frozen=True, slots=True)
class Instructions:
    """How a run's instructions are drawn.

    prefix: the text up to where the user's words begin; prompt: its token ids. stop: the ids that
    end the user's turn. cells: the cycle of sampling cells. controls: texts of control tokens.
    """

    draw: Draw
    prefix: str
    prompt: tuple[int, ...]
    stop: tuple[int, ...]
    cells: tuple[Sampling, ...]
    controls: tuple[str, ...]

    def request(self, index: int, key: Hashable) -> Request:
        """Return the request that draws instruction `index`."""
        return Request(
            key=key,
            prompt=self.prompt,
            sampling=self._sampling(index),
            seed=self._seed(index),
            stop=self.stop,
        )

    def record(self, index: int, completion: Completion) -> Instruction:
        """Return what is kept of a completion: the instruction, or the reason against it."""
        text = tidy(completion.text)
        return Instruction(
            index=index,
            instruction=text,
            rejection=instruction_fault(completion, text, self.controls),
            duplicate_of=None,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=completion.seconds,
            error=completion.error or None,
            gen_input_configs={
                "prefix": self.prefix,
                **drawn(self._sampling(index), self._seed(index), completion, self.draw),
            },
        )

    def _sampling(self, index: int) -> Sampling:
        return self.cells[index % len(self.cells)]

    def _seed(self, index: int) -> int:
        return self.draw.seed_of(index, INSTRUCTIONS)


def drawn(sampling: Sampling, seed: int, completion: Completion, draw: Draw) -> dict[str, object]:
    """Return how a completion was drawn, as both kinds of shard record it."""
    return {
        **asdict(sampling),
        "seed": seed,
        "engine": completion.engine,
        "engine_version": completion.engine_version,
        "revision": draw.revision,
    }

"""Instructions: the model completes the bare prefix and so writes what a user would.

Knows prefixes as token ids and the cycle of settings; knows no template, no engine and no file.
Nothing of ours is in the prompt but the prefix, with a system prompt where one was asked for.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from math import gcd
from typing import TypeVar

from magpie_hub.engines.base import Completion, FirstToken, Request, Sampling
from magpie_hub.generate.clean import response_fault, text_fault, within_turn
from magpie_hub.generate.sanitise import ENDINGS, sanitise
from magpie_hub.records import INSTRUCTIONS, Draw, Instruction

T = TypeVar("T")


def cycle(weighted: Sequence[tuple[T, int]]) -> tuple[T, ...]:
    """Return the fixed cycle in which indices take their setting.

    Of the smallest whole weights (300:300:100 is 3:3:1), dealt out in turn, so that every
    multiple of the cycle is exact and growing a run changes no earlier row.
    """
    divisor = reduce(gcd, [weight for _, weight in weighted])
    left = [weight // divisor for _, weight in weighted]
    turns: list[T] = []
    while any(left):
        for i, (setting, _) in enumerate(weighted):
            if left[i]:
                turns.append(setting)
                left[i] -= 1
    return tuple(turns)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Where a user's words begin.

    text: all of it; tokens: its ids, cut where the model can go on. left: the end of the text that
    is not in the tokens, since a tokenizer joins it with a word; the model writes it.
    system_prompt: the name of the one in it.
    """

    text: str
    tokens: tuple[int, ...]
    left: str = ""
    system_prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of the draws: how it is sampled, behind which prefix."""

    sampling: Sampling
    prefix: Prefix


@dataclass(frozen=True, slots=True)
class Instructions:
    """How a run's instructions are drawn.

    stop: the ids that end the user's turn; ends: the texts of several tokens that do. cells: the
    cycle of settings. controls: texts of control tokens. first: how the first token is drawn, where
    otherwise. rules: names of those that mend what was drawn.
    """

    draw: Draw
    stop: tuple[int, ...]
    cells: tuple[Cell, ...]
    controls: tuple[str, ...]
    ends: tuple[str, ...] = ()
    first: FirstToken | None = None
    rules: tuple[str, ...] = ()

    def request(self, index: int, key: Hashable) -> Request:
        """Return the request that draws instruction `index`."""
        cell = self._cell(index)
        return Request(
            key=key,
            prompt=cell.prefix.tokens,
            sampling=cell.sampling,
            seed=self._seed(index),
            stop=self.stop,
            first=self.first,
        )

    def record(self, index: int, completion: Completion) -> Instruction:
        """Return what is kept of a completion: the instruction, or the reason against it."""
        cell = self._cell(index)
        begun = completion.text.removeprefix(cell.prefix.left)
        raw, ended = within_turn(begun, self.ends)
        cut = completion.finish_reason == "length" and not ended
        text, rules = sanitise(raw, self.rules, cut=cut)
        return Instruction(
            index=index,
            instruction=text,
            raw_instruction=raw if rules else None,
            sanitised=rules,
            rejection=self._fault(completion, raw, text, cut and not ENDINGS & {*rules}),
            duplicate_of=None,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            seconds=completion.seconds,
            error=completion.error or None,
            gen_input_configs={
                "prefix": cell.prefix.text,
                "system_prompt": cell.prefix.system_prompt,
                "bad_first_tokens": list(self.first.banned) if self.first else None,
                "first_token_temperature": self.first.temperature if self.first else None,
                **drawn(cell.sampling, self._seed(index), completion, self.draw.revision),
            },
        )

    def _fault(self, completion: Completion, raw: str, text: str, cut: bool) -> str | None:
        # A rule may take away what leaked, but not that the model had left its turn.
        return response_fault(completion, raw, self.controls) or text_fault(text, cut=cut)

    def _cell(self, index: int) -> Cell:
        return self.cells[index % len(self.cells)]

    def _seed(self, index: int) -> int:
        return self.draw.seed_of(index, INSTRUCTIONS)


def drawn(
    sampling: Sampling, seed: int, completion: Completion, revision: str
) -> dict[str, object]:
    """Return how a completion was drawn, as all kinds of shard record it.

    revision: of the model that wrote it.
    """
    return {
        **asdict(sampling),
        "seed": seed,
        "engine": completion.engine,
        "engine_version": completion.engine_version,
        "revision": revision,
    }

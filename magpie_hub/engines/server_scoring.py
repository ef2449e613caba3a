"""Scoring by vLLM servers that run already: `vllm serve MODEL --runner pooling`.

Texts go out as token ids to `/classify`, and raw logits come back. Load and faults are handled as
for completions, by `server_pool`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from magpie_hub.engines.asynchronous import AsyncScorer
from magpie_hub.engines.options import read_options
from magpie_hub.engines.scoring import Score
from magpie_hub.engines.server import Options
from magpie_hub.engines.server_calls import Line, Refusal, part
from magpie_hub.engines.server_dialects import Served, identify, reference_ids
from magpie_hub.engines.tokens import Tokenizer
from magpie_hub.errors import EngineError


class ServerScorer(AsyncScorer):
    """A classification or reward model on servers that are not ours."""

    name = "server"
    weights = "tokenizer"

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        assert weights is not None
        given = read_options(Options, self.name, options)
        tokenizer = Tokenizer(weights)
        encode = partial(tokenizer.encode, special=False)
        self._pool = given.pool(partial(_look, model=given.model, encode=encode))
        super().__init__(tokenizer)
        with ExitStack() as opened:
            opened.callback(self.close)
            self.loop.wait_for(self._pool.open())
            opened.pop_all()
        served = [place.served for place in self._pool.places]
        self.version = ", ".join(sorted({each.version for each in served}))
        self.context_length = min(each.context_length for each in served)

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    async def shutdown(self) -> None:
        await self._pool.close()

    async def score_one(self, prompt: Sequence[int]) -> Score:
        async def work(line: Line, served: Served) -> tuple[float, ...]:
            return await _classify(line, served, prompt)

        try:
            return Score(await self._pool.ask(work))
        except Refusal as refusal:
            return Score((), str(refusal))


async def _look(line: Line, model: str | None, encode: Callable[[str], list[int]]) -> Served:
    """Return what is served, after one short text was scored there."""
    try:
        served = await identify(line, model)
        if served.kind != "vllm":
            raise EngineError(
                f"the server `{line.url}` is {served.version}, expected vLLM for scoring",
                hint="serve the model with `vllm serve MODEL --runner pooling`",
            )
        await _classify(line, served, await reference_ids(line, served, encode))
    except Refusal as refusal:
        raise EngineError(
            f"the server `{line.url}` does not score: {refusal}",
            hint="serve a classification or reward model: `vllm serve MODEL --runner pooling`",
        ) from refusal
    return served


async def _classify(line: Line, served: Served, prompt: Sequence[int]) -> tuple[float, ...]:
    if not prompt:
        raise Refusal("an empty text has no score")
    body = {"model": served.model, "input": list(prompt), "use_activation": False}
    # Without the activation these are no probabilities, whatever vLLM calls them.
    logits = part(await line.ask("/classify", body), list, "data", 0, "probs")
    return tuple(map(float, logits))

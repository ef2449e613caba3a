"""vLLM's asynchronous engine: models in transformers' format, on GPUs (or on a CPU, for tests).

We talk to it in token ids, ask for the finished completion only, and turn ids into text ourselves.
How vLLM's processes start and end is `vllm_client`'s. Knows nothing of chat templates, and nothing
of the Hub: weights are a path to a folder. vLLM is imported when a model is opened.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

from magpie_hub.engines.asynchronous import Answer, AsyncEngine, AsyncScorer
from magpie_hub.engines.base import Completion, FinishReason, Request
from magpie_hub.engines.scoring import Score
from magpie_hub.engines.tokens import Tokenizer, model_folder
from magpie_hub.engines.vllm_client import (
    Client,
    Refused,
    check_names,
    check_options,
    library_version,
)
from magpie_hub.errors import EngineError

Ids = tuple[int, ...]

_OTHER_MODELS = {"hf_overrides", "model_impl", "trust_remote_code"}
"""Options that change which code runs a model."""


class Vllm(AsyncEngine):
    """A model that vLLM runs.

    The same seed gives the same text only in a batch of the same composition: vLLM computes the
    requests of a step together, and rounding differs with their number.
    """

    name = "vllm"
    weights = "folder"
    hottest = 2.0

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        folder = model_folder(weights)
        check_options(options)
        self._tokenizer = Tokenizer(folder)
        super().__init__()
        self._client = Client.open(self.loop.events, folder, options, runner="generate")
        self.version = self._client.version
        self.context_length = self._client.context_length
        self.vocabulary = self._client.vocabulary
        # Twice what runs at once: a finished request's place is taken within the same step.
        self.capacity = 2 * self._client.capacity

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        check_options(options)

    @classmethod
    def check_library(
        cls, options: Mapping[str, object], architectures: Sequence[str]
    ) -> Iterator[EngineError]:
        try:
            check_names(options)
        except EngineError as error:
            yield error
        # What a model is run as may be said otherwise.
        judged = "vllm" in sys.modules and not options.keys() & _OTHER_MODELS
        if judged and architectures and not any(map(_is_known, architectures)):
            yield EngineError(
                f"vLLM {library_version()} does not know the architecture"
                f" `{'`, `'.join(architectures)}`",
                hint="upgrade vllm, or choose another model or engine",
            )

    @classmethod
    def context_limit(cls, options: Mapping[str, object]) -> int | None:
        limit = options.get("max_model_len")
        # Less than 1 leaves it to vLLM.
        return limit if isinstance(limit, int) and limit > 0 else None

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self._tokenizer.encode(text, special=special)

    async def answer(self, request: Request) -> Answer:
        prompt = request.prompt + request.written
        try:
            output = (await self._client.generate(prompt, _sampling(request))).outputs[0]
            text, reason, ids = self._outcome(output, request.written)
            fault, count = "", len(request.written) + len(output.token_ids)
        except Refused as refusal:
            text, reason, ids, fault, count = "", "error", (), str(refusal), 0
        done = Completion(
            key=request.key,
            text=text,
            finish_reason=reason,
            prompt_tokens=len(request.prompt),
            completion_tokens=count,
            seconds=0.0,
            engine=self.name,
            engine_version=self.version,
            error=fault,
        )
        return done, ids

    def _outcome(self, output: Any, written: Ids) -> tuple[str, FinishReason, Ids]:
        ids = tuple(output.token_ids)
        match output.finish_reason:
            case "stop":
                # The last token is the one that ended it, a stop of the request or the model's.
                return self._tokenizer.decode(written + ids[:-1]), "stop", ids[:-1]
            case "length":
                # The end may be a character of which only the first bytes were written.
                return self._tokenizer.decode(written + ids).rstrip("\ufffd"), "length", ids
        raise EngineError(
            f"vLLM ended a request by `{output.finish_reason}`, as it does when it is shut down",
            hint="the same command goes on where it stopped",
        )

    async def shutdown(self) -> None:
        await self._client.stop()


class VllmScorer(AsyncScorer):
    """A model that vLLM runs for classification; options are vLLM's, as for completions."""

    name = "vllm"

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        folder = model_folder(weights)
        check_options(options)
        super().__init__(Tokenizer(folder))
        self._client = Client.open(self.loop.events, folder, options, runner="pooling")
        self.version = self._client.version
        self.context_length = self._client.context_length

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        check_options(options)

    @classmethod
    def check_library(
        cls, options: Mapping[str, object], architectures: Sequence[str]
    ) -> Iterator[EngineError]:
        return Vllm.check_library(options, architectures)

    @classmethod
    def context_limit(cls, options: Mapping[str, object]) -> int | None:
        return Vllm.context_limit(options)

    async def shutdown(self) -> None:
        await self._client.stop()

    async def score_one(self, prompt: Sequence[int]) -> Score:
        from vllm import PoolingParams

        try:
            # Without its activation the head gives what it computed.
            params = PoolingParams(task="classify", use_activation=False)
            output = await self._client.pool(prompt, params)
        except Refused as refusal:
            return Score((), str(refusal))
        return Score(tuple(output.outputs.data.float().reshape(-1).tolist()))


def _is_known(architecture: str) -> bool:
    """Return whether vLLM runs a class of transformers, by itself or through transformers."""
    import transformers
    from vllm.model_executor.models import ModelRegistry

    if architecture in ModelRegistry.get_supported_archs():
        return True
    model = getattr(transformers, architecture, None)
    return model is not None and bool(model.is_backend_compatible())


def _sampling(request: Request) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    schema = request.json_schema
    banned = request.first.banned if request.first else ()
    return SamplingParams(
        temperature=request.sampling.temperature,
        top_p=request.sampling.top_p,
        max_tokens=request.sampling.max_tokens,
        seed=request.seed,
        stop_token_ids=list(request.stop),
        logit_bias=dict.fromkeys(banned, -inf) or None,
        structured_outputs=StructuredOutputsParams(json=json.loads(schema)) if schema else None,
        # One output at the end, as ids: streaming and decoding it step by step costs time.
        output_kind=RequestOutputKind.FINAL_ONLY,
        detokenize=False,
    )

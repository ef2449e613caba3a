"""Models that give numbers for a text: sequence classification and reward models.

A scorer works on token ids and returns raw logits, one a label, as the model's head gives them: no
softmax, no sigmoid, so that every backend says the same and nothing is lost. Here are what they
share and the backend on transformers; `vllm`, `server` and `scripted_scoring` hold theirs.

Knows nothing of chat templates, of what a label means, or of where scores are kept.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from magpie_hub.engines.base import Weights
from magpie_hub.engines.options import bounded, nearest, read_options
from magpie_hub.engines.tokens import Tokenizer, model_folder
from magpie_hub.errors import EngineError

SCORERS: dict[str, str] = {
    "transformers": "magpie_hub.engines.scoring:TransformersScorer",
    "vllm": "magpie_hub.engines.vllm:VllmScorer",
    "server": "magpie_hub.engines.server_scoring:ServerScorer",
    "scripted": "magpie_hub.engines.scripted_scoring:ScriptedScorer",
}


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of one text.

    logits: raw, in the order of the model's labels; empty where `error` says why.
    """

    logits: tuple[float, ...]
    error: str = ""


class Scorer(ABC):
    """A model that is open for scoring; a context manager that closes it."""

    name: ClassVar[str]
    """The backend's name in a spec."""
    weights: ClassVar[Weights] = "folder"
    """What the caller has to find for it."""
    chat_template: ClassVar[str | None] = None
    """None: a model that scores has its own, or none."""
    version: str
    """The version of the library that runs the model."""
    context_length: int
    """The most tokens that a text may have."""

    @abstractmethod
    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        """Open the model; raises EngineError when it cannot be."""

    @classmethod
    @abstractmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        """Raise EngineError for an option that is unknown or has a wrong value."""

    @classmethod
    def check_library(
        cls, options: Mapping[str, object], architectures: Sequence[str]
    ) -> Iterator[EngineError]:
        """Yield what the installed library has against the options, or against a model."""
        yield from ()

    @classmethod
    def context_limit(cls, options: Mapping[str, object]) -> int | None:
        """Return to how many tokens of context the options limit a model; None for its own."""
        return None

    @abstractmethod
    def encode(self, text: str, *, special: bool) -> list[int]:
        """Return the token ids of `text`, without a BOS; `special` as in `Engine.encode`."""

    @abstractmethod
    def score(self, prompts: Sequence[Sequence[int]]) -> list[Score]:
        """Return the scores of token ids, in their order.

        One that is too long fails alone. Raises EngineError where the model stopped answering.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the model."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def scorer_class(name: str) -> type[Scorer]:
    """Return the class behind a scorer's name, without importing the library that it runs on.

    Raises EngineError for an unknown name.
    """
    if name not in SCORERS:
        raise EngineError(
            f"the engine `{name}` cannot score, expected one of `{'`, `'.join(SCORERS)}`",
            hint=nearest(name, SCORERS),
        )
    module, _, attribute = SCORERS[name].partition(":")
    found: type[Scorer] = getattr(import_module(module), attribute)
    return found


def open_scorer(name: str, weights: Path | None, options: Mapping[str, object]) -> Scorer:
    """Open a model for scoring; close it with `with` or `close()`.

    weights: the model's folder, as transformers saves it; None for a scorer that has none. options:
    as a spec wrote them.
    Raises EngineError: unknown name or option, library not installed, not a model that scores.
    """
    return scorer_class(name)(weights, options)


@dataclass(frozen=True, slots=True)
class Options:
    """What a spec may write beside `name: transformers`.

    batch_tokens: tokens of a batch, padding counted. device, dtype: torch's names for them; unset,
    the first GPU or else the CPU, and the type that the weights are saved in.
    """

    batch_tokens: int = bounded(16384, 1)
    device: str | None = None
    dtype: str | None = None


class TransformersScorer(Scorer):
    """A model of transformers with a sequence-classification head, in this process."""

    name = "transformers"

    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        given = read_options(Options, self.name, options)
        folder = model_folder(weights)
        self._tokenizer = Tokenizer(folder)
        self._model, self.version = _load(folder, given)
        self._batch_tokens = given.batch_tokens
        self.context_length = _context_length(self._model)

    @classmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        read_options(Options, cls.name, options)

    def encode(self, text: str, *, special: bool) -> list[int]:
        return self._tokenizer.encode(text, special=special)

    def score(self, prompts: Sequence[Sequence[int]]) -> list[Score]:
        scores = [self._refusal(len(prompt)) for prompt in prompts]
        fitting = [index for index, score in enumerate(scores) if not score.error]
        for batch in batches(
            [(len(prompts[index]), index) for index in fitting], self._batch_tokens
        ):
            for index, logits in zip(batch, self._logits([prompts[i] for i in batch]), strict=True):
                scores[index] = Score(tuple(logits))
        return scores

    def close(self) -> None:
        self._model = None

    def _refusal(self, length: int) -> Score:
        if 0 < length <= self.context_length:
            return Score(())
        return Score((), f"{length} tokens, expected 1 to {self.context_length}")

    def _logits(self, prompts: Sequence[Sequence[int]]) -> list[list[float]]:
        import torch

        # A causal model is read at the last token that is not padding, found by the padding's id:
        # an id that ends one of the prompts, as end-of-turn marks do, would hide that token.
        last = {prompt[-1] for prompt in prompts}
        padding = next(token for token in range(len(last) + 1) if token not in last)
        self._model.config.get_text_config().pad_token_id = padding
        width = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[padding] * (width - len(prompt))] for prompt in prompts])
        mask = torch.tensor([[1] * len(p) + [0] * (width - len(p)) for p in prompts])
        device = self._model.device
        with torch.inference_mode():
            outputs = self._model(input_ids=ids.to(device), attention_mask=mask.to(device))
        logits: list[list[float]] = outputs.logits.float().cpu().tolist()
        return logits


def batches(lengths: Sequence[tuple[int, int]], most_tokens: int) -> Iterator[list[int]]:
    """Yield batches of indices, longest texts first, so that little of a batch is padding.

    lengths: (tokens, index). A batch has at most `most_tokens` tokens with its padding, and at
    least one text.
    """
    batch: list[int] = []
    width = 0
    for length, index in sorted(lengths, reverse=True):
        if batch and width * (len(batch) + 1) > most_tokens:
            yield batch
            batch = []
        if not batch:
            width = length
        batch.append(index)
    if batch:
        yield batch


def _context_length(model: Any) -> int:
    """Return the most tokens that a model has places for."""
    most: int = model.config.get_text_config().max_position_embeddings
    embeddings = getattr(model.base_model, "embeddings", None)
    # RoBERTa and its kin count their places from behind the padding's.
    places = getattr(embeddings, "position_embeddings", None)
    padding = getattr(places, "padding_idx", None)
    return most if padding is None else most - padding - 1


def _load(weights: Path, options: Options) -> tuple[Any, str]:
    """Return the model and the version of transformers."""
    try:
        import torch
        import transformers
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the engine `transformers` needs the library `{error.name}`, which is not installed",
            hint='run: pip install "magpie-hub[score]"',
        ) from error
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
            weights, dtype=options.dtype or "auto", output_loading_info=True
        )
        model = model.eval().to(device)
    except (AssertionError, AttributeError, OSError, RuntimeError, ValueError) as error:
        raise EngineError(
            f"transformers cannot open `{weights}` for scoring on `{device}`: {error}",
            hint="name a sequence-classification or reward model, and a device that is there",
        ) from error
    if report["missing_keys"]:
        # transformers fills a head that is not in the files with random numbers.
        raise EngineError(
            f"`{weights}` has no weights for `{'`, `'.join(sorted(report['missing_keys']))}`,"
            " expected a trained head",
            hint="name a sequence-classification or reward model, not a chat model",
        )
    return model, transformers.__version__

"""What every engine does: requests in, completions out as they finish.

An engine works on token ids. It knows nothing of chat templates, of what a prompt means, or of
where completions are kept. There is no barrier: whenever a place is free the engine asks its
source for the next request, so the queue stays full across shards.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from magpie_hub.errors import EngineError

FinishReason = Literal["stop", "length", "error"]
Weights = Literal["none", "gguf", "folder", "tokenizer"]
"""What an engine opens: nothing; a GGUF file; a folder as transformers saves a model; such a folder
of which the tokenizer's files are enough, or a GGUF file (the weights are on a server)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: temperature first, then top_p, and nothing else.

    temperature: 0 is greedy. top_p: in (0, 1]. max_tokens: the most new tokens, at least 1.
    """

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class FirstToken:
    """How the first token of a completion is drawn, where otherwise than those behind it.

    temperature: of this token; None is that of the sampling. banned: token ids that it never is.
    """

    temperature: float | None
    banned: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to complete; `key` is the caller's and comes back on the completion.

    prompt: token ids, passed to the model as they are (no BOS is added).
    stop: token ids that end the completion and are no part of it.
    json_schema: the JSON Schema, as JSON text, that the completion must satisfy; not with `first`.
    first: how the first token is drawn; None is as the others.
    written: token ids that the completion begins with, which the model goes on behind; they count
    as its own, but not against max_tokens.
    """

    key: Hashable
    prompt: tuple[int, ...]
    sampling: Sampling
    seed: int
    stop: tuple[int, ...]
    json_schema: str | None = None
    first: FirstToken | None = None
    written: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model wrote.

    text: without the end mark; control tokens written in mid-text stay visible.
    finish_reason: "stop" (ended by itself), "length" (cut at max_tokens), "error".
    seconds: the engine's busy time that this completion accounts for; over a run they add up
    to the time that the engine was open for work.
    error: why there is no text, where finish_reason is "error".
    """

    key: Hashable
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    engine: str
    engine_version: str
    error: str = ""


class Engine(ABC):
    """A model that is open for completions; a context manager that closes it."""

    name: ClassVar[str]
    """The engine's name in a spec."""
    weights: ClassVar[Weights]
    """What the caller has to find for it."""
    chat_template: ClassVar[str | None] = None
    """A Jinja chat template, where the engine stands in for a model that has none."""
    version: str
    """The version of the library that runs the model."""
    context_length: int
    """The most tokens that prompt and completion may have together."""
    capacity: int
    """How many requests are kept in flight."""
    vocabulary: int
    """How many token ids there are; they begin at 0."""
    hottest: float = 5.0
    """The highest temperature that it takes."""

    @abstractmethod
    def __init__(self, weights: Path | None, options: Mapping[str, object]) -> None:
        """Open the model; raises EngineError when it cannot be."""

    @classmethod
    @abstractmethod
    def check_options(cls, options: Mapping[str, object]) -> None:
        """Raise EngineError for an option that is unknown or has a wrong value.

        Needs neither the model nor its library.
        """

    @classmethod
    def check_library(
        cls,
        options: Mapping[str, object],
        architectures: Sequence[str],
    ) -> Iterator[EngineError]:
        """Yield what the installed library has against the options, or against a model.

        architectures: as the weights name them, `llama` in a GGUF, `LlamaForCausalLM` in a folder;
        none where the model is not known.
        """
        yield from ()

    @classmethod
    def context_limit(cls, options: Mapping[str, object]) -> int | None:
        """Return to how many tokens of context the options limit a model; None for its own."""
        return None

    @abstractmethod
    def encode(self, text: str, *, special: bool) -> list[int]:
        """Return the token ids of `text`, without a BOS.

        special: whether the names of control tokens in `text` become those tokens. Only for
        text that comes from a chat template, never for what a model or a person wrote.
        """

    def check_first(self, first: FirstToken) -> None:
        """Raise EngineError where a first token cannot be drawn like that; asks for nothing."""
        for token in first.banned:
            if not 0 <= token < self.vocabulary:
                raise EngineError(
                    f"the first token that is banned is `{token}`, expected an id of the model's"
                    f" `{self.vocabulary:,}` tokens, 0 to {self.vocabulary - 1}",
                    hint="correct `bad_first_tokens`; the ids are those of the generator's own"
                    " tokenizer",
                )
        if first.temperature is not None and not 0 <= first.temperature <= self.hottest:
            raise EngineError(
                f"the temperature of the first token is `{first.temperature:g}`, expected a number"
                f" of at least 0 and, by the engine `{self.name}`, at most {self.hottest:g}",
                hint="correct `first_token_temperature`, or leave it out",
            )

    @abstractmethod
    def submit(self, request: Request) -> None:
        """Start one request; called only while fewer than `capacity` are in flight."""

    @abstractmethod
    def take(self) -> Completion:
        """Wait for the next finished request and return its completion."""

    @abstractmethod
    def close(self) -> None:
        """Release the model; what is in flight is dropped."""

    def complete(self, source: Callable[[], Request | None]) -> Iterator[Completion]:
        """Yield completions as they finish, until the source is dry and nothing is in flight.

        source: returns the next request, or None when there is none at present. It is asked
        again after each completion, since a completion may be what the next request needs.
        A prompt that no model could take is a completion with finish reason "error".
        """
        in_flight = 0
        while True:
            while in_flight < self.capacity and (request := source()) is not None:
                if refused := self._refused(request):
                    yield refused
                    continue
                self.submit(request)
                in_flight += 1
            if not in_flight:
                return
            completion = self.take()
            in_flight -= 1
            yield completion

    def _refused(self, request: Request) -> Completion | None:
        # Said here of all engines: some of the libraries would say it, and some would stop.
        size = len(request.prompt)
        strange = [token for token in request.prompt if not 0 <= token < self.vocabulary]
        if size >= self.context_length:
            reason = f"the prompt has {size} tokens, more than fit into {self.context_length}"
        elif strange:
            reason = (
                f"the prompt has the token id {strange[0]}, of {self.vocabulary} that there are"
            )
        else:
            return None
        return Completion(
            request.key, "", "error", size, 0, 0.0, self.name, self.version, error=reason
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

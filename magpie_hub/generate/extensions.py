"""Extensions of rows: further turns of their conversations, or several samples of their response.

Each says of a row what is still to be asked, makes the request, and records what came of it. Knows
no template, no engine and no file; which rows are extended, others decide.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.clean import instruction_fault, within_turn
from magpie_hub.generate.instructions import drawn
from magpie_hub.generate.responses import Responses
from magpie_hub.records import Extended, exchange_hash

USER, ASSISTANT = "user", "assistant"


@dataclass(frozen=True, slots=True)
class Base:
    """A row that is extended: the exchange that it begins with."""

    index: int
    instruction: str
    response: str


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a row's extension a completion stands; of a turn the user speaks first."""

    number: int
    answers: bool = True

    @property
    def role(self) -> str:
        """Who speaks."""
        return ASSISTANT if self.answers else USER


class Outcome(NamedTuple):
    """What of a completion says whether others come behind it."""

    rejection: str | None
    finish_reason: str | None


Done = Mapping[Place, Extended]


class Extension(Protocol):
    """What is made of a row besides its first exchange."""

    def missing(self, done: Done) -> list[Place]:
        """Return what can be asked now, of what is done so far."""

    def request(self, base: Base, done: Done, place: Place, key: Hashable) -> Request:
        """Return the request for what stands at `place`."""

    def record(self, base: Base, done: Done, place: Place, completion: Completion) -> Extended:
        """Return what is kept of a completion."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Further turns: the model writes the user's words behind the text between turns, and answers.

    texts: for each number of turns the texts around its words. prompted: the same with a system
    prompt in front, for what the user writes only; `texts` where there is none. user: how that is
    sampled; stop: what ends it, and ends: the same as texts of several tokens. left: the end of a
    text that is left to the model, since a tokenizer joins it with a word. system_prompt: the name
    of the prompt.
    """

    number: int
    answer: Responses
    texts: Sequence[tuple[str, ...]]
    prompted: Sequence[tuple[str, ...]]
    user: Sampling
    stop: tuple[int, ...]
    ends: tuple[str, ...] = ()
    left: Callable[[str], str] = lambda _: ""
    system_prompt: str | None = None

    def missing(self, done: Done) -> list[Place]:
        """Return the one completion that comes next; none where the conversation has ended."""
        return next_turn(self.number, done)

    def request(self, base: Base, done: Done, place: Place, key: Hashable) -> Request:
        """Return the request for the next words of a conversation."""
        said = [base.instruction, base.response]
        said += [done[earlier].text for earlier in sorted(done) if earlier < place]
        texts = self._texts(place)
        pieces: list[tuple[str, bool]] = []
        for text, words in zip(texts, said, strict=False):
            pieces += [(text, True), (words, False)]
        last = texts[len(said)]
        pieces.append((last if place.answers else last.removesuffix(self.left(last)), True))
        return Request(
            key=key,
            prompt=self.answer.tokens(pieces),
            sampling=self.answer.sampling if place.answers else self.user,
            seed=self._seed(base, place),
            stop=self.answer.stop if place.answers else self.stop,
        )

    def record(self, base: Base, done: Done, place: Place, completion: Completion) -> Extended:
        """Return a turn's words, or the reason why the conversation ends here."""
        if place.answers:
            return _answered(self.answer, base, place, completion, self._seed(base, place))
        begun = completion.text.removeprefix(self.left(self._texts(place)[-2]))
        text, ended_itself = within_turn(begun, self.ends)
        said = [base.instruction, *(one.text for one in done.values() if one.role == USER)]
        cut = completion.finish_reason == "length" and not ended_itself
        fault = instruction_fault(completion, text, self.answer.controls, cut=cut)
        if fault is None and text.casefold() in map(str.casefold, said):
            fault = "repeats-a-turn"
        seed = self._seed(base, place)
        how = drawn(self.user, seed, completion, self.answer.revision)
        how = {"system_prompt": self.system_prompt, **how}
        return _extended(base, place, completion, text, fault, how)

    def _texts(self, place: Place) -> tuple[str, ...]:
        return tuple((self.texts if place.answers else self.prompted)[place.number - 1])

    def _seed(self, base: Base, place: Place) -> int:
        part = f"turns/{self.answer.answers}/{place.number}/{place.role}"
        return self.answer.draw.seed_of(base.index, part)


@dataclass(frozen=True, slots=True)
class Samples:
    """Several responses to one instruction, each with a seed of its own."""

    number: int
    answer: Responses

    def missing(self, done: Done) -> list[Place]:
        """Return the samples that are not there; they do not wait for each other."""
        return samples_left(self.number, done)

    def request(self, base: Base, done: Done, place: Place, key: Hashable) -> Request:
        """Return the request for one sample."""
        asked = self.answer.request(base.index, base.instruction, key)
        return replace(asked, seed=self._seed(base, place))

    def record(self, base: Base, done: Done, place: Place, completion: Completion) -> Extended:
        """Return a sampled response, or the reason against it."""
        return _answered(self.answer, base, place, completion, self._seed(base, place))

    def _seed(self, base: Base, place: Place) -> int:
        part = f"samples/{self.answer.answers}/{place.number}"
        return self.answer.draw.seed_of(base.index, part)


def next_turn(number: int, done: Mapping[Place, Outcome | Extended]) -> list[Place]:
    """Return the place that comes next in a conversation of `number` turns; none at its end."""
    if not done:
        return [Place(2, answers=False)]
    last = max(done)
    if ended(done[last]) or (last.answers and last.number >= number):
        return []
    return [Place(last.number + last.answers, answers=not last.answers)]


def samples_left(number: int, done: Collection[Place]) -> list[Place]:
    """Return the places of the samples that are not there, of `number`."""
    return [place for n in range(1, number + 1) if (place := Place(n)) not in done]


def ended(last: Outcome | Extended) -> str | None:
    """Return why a conversation does not go on behind its last words, or None."""
    if last.rejection is not None:
        return last.rejection
    # To go on behind half an answer would teach that such answers are answers.
    return "cut-at-limit" if last.finish_reason == "length" else None


def _answered(
    answer: Responses, base: Base, place: Place, completion: Completion, seed: int
) -> Extended:
    thought, text = answer.read(completion)
    how = {"system_prompt": None, **drawn(answer.sampling, seed, completion, answer.revision)}
    fault = answer.fault(completion, thought, text)
    return _extended(base, place, completion, text, fault, how)


def _extended(
    base: Base,
    place: Place,
    completion: Completion,
    text: str,
    fault: str | None,
    how: dict[str, object],
) -> Extended:
    return Extended(
        index=base.index,
        base=exchange_hash(base.instruction, base.response),
        number=place.number,
        role=place.role,
        text=text,
        rejection=fault,
        finish_reason=completion.finish_reason,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        seconds=completion.seconds,
        error=completion.error or None,
        gen_configs=how,
    )

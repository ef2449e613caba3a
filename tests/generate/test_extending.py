"""Extensions of rows: what comes next, what a prompt holds, and which unit is finished when."""

from random import Random
from typing import Any

import pytest

from magpie_hub.engines.base import Completion, Request, Sampling
from magpie_hub.generate.extending import Extending, Row, Unit
from magpie_hub.generate.extensions import (
    Base,
    Outcome,
    Place,
    Samples,
    Turns,
    next_turn,
    samples_left,
)
from magpie_hub.generate.responses import Responses
from magpie_hub.records import Draw

DRAW = Draw("org/x", "org/m", "r1", 0)
U2, A2, U3 = Place(2, answers=False), Place(2), Place(3, answers=False)
GOOD, CUT, BAD = Outcome(None, "stop"), Outcome(None, "length"), Outcome("empty", "stop")


def tokens(pieces: Any) -> tuple[int, ...]:
    """Return a prompt as the code points of its text."""
    return tuple(map(ord, "".join(text for text, _ in pieces)))


def answers() -> Responses:
    """Return how an instruction is answered."""
    return Responses(
        DRAW,
        before="<u>",
        after="</u><a>",
        stop=(1,),
        sampling=Sampling(0.0, 1.0, 9),
        controls=("<u>",),
        tokens=tokens,
        model="org/m",
        revision="r1",
    )


def turns(number: int) -> Turns:
    """Return conversations whose user has a system prompt."""
    one, more = ("<u>", "</u><a>"), ("</a><u>", "</u><a>")
    texts = [one + more * n for n in range(number)]
    return Turns(
        number,
        answers(),
        texts=texts,
        prompted=[(f"S{text[0]}", *text[1:]) for text in texts],
        user=Sampling(1.0, 0.9, 5),
        stop=(2,),
        system_prompt="follow-up",
    )


@pytest.mark.parametrize(
    ("done", "places"),
    [
        ({}, [U2]),
        ({U2: GOOD}, [A2]),
        ({U2: GOOD, A2: GOOD}, [U3]),
        ({U2: BAD}, []),
        ({U2: GOOD, A2: BAD}, []),
        ({U2: GOOD, A2: CUT}, []),
        ({U2: GOOD, A2: GOOD, U3: GOOD, Place(3): GOOD}, []),
    ],
)
def test_the_next_turn(done: dict[Place, Outcome], places: list[Place]) -> None:
    """User and assistant take turns until all are there, one fails, or an answer is cut."""
    assert next_turn(3, done) == places


def test_samples_do_not_wait_for_each_other() -> None:
    """All that are missing can be asked for at once."""
    assert samples_left(3, {Place(2): GOOD}) == [Place(1), Place(3)]


def complete(key: Any, text: str, reason: Any = "stop") -> Completion:
    """Return a completion of three tokens."""
    return Completion(key, text, reason, 7, 3, 0.5, "scripted", "1")


def shown(request: Request) -> str:
    """Return a prompt's text."""
    return "".join(map(chr, request.prompt))


def test_prompts_of_a_conversation() -> None:
    """What the user writes stands behind the system prompt; the response never sees it."""
    extension, row = turns(3), Row(Base(4, "I1", "R1"), {})
    prompts = []
    for place in (U2, A2, U3):
        request = extension.request(row.base, row.done, place, place)
        prompts.append((shown(request), request.sampling, request.stop))
        row.take(extension, place, complete(place, f"words {place.number} {place.role}"))
    user, model = Sampling(1.0, 0.9, 5), Sampling(0.0, 1.0, 9)
    assert prompts == [
        ("S<u>I1</u><a>R1</a><u>", user, (2,)),
        ("<u>I1</u><a>R1</a><u>words 2 user</u><a>", model, (1,)),
        ("S<u>I1</u><a>R1</a><u>words 2 user</u><a>words 2 assistant</a><u>", user, (2,)),
    ]
    assert [one.gen_configs["system_prompt"] for one in row.new] == ["follow-up", None, "follow-up"]


@pytest.mark.parametrize(
    ("text", "reason", "rejection"),
    [
        ("Go on, please.", "stop", None),
        ("", "stop", "empty"),
        ("why THOUGH?", "stop", "repeats-a-turn"),
        ("na" * 40, "stop", "repetition-loop"),
        ("Go on, pl", "length", "cut-at-limit"),
        ("Go <u> on", "stop", "template-leak"),
    ],
)
def test_why_a_conversation_ends(text: str, reason: str, rejection: str | None) -> None:
    """What a user would not write ends the conversation with a reason."""
    row = Row(Base(4, "Why though?", "So."), {})
    row.take(turns(2), U2, complete(None, text, reason))
    assert row.done[U2].rejection == rejection


def test_every_completion_has_a_seed_of_its_own() -> None:
    """Neither two samples, two turns nor two rows share one."""
    bases = [Base(n, "I", "R") for n in range(5)]
    sampling, talk = Samples(4, answers()), turns(3)
    seeds = [sampling.request(b, {}, Place(n), None).seed for b in bases for n in range(1, 5)]
    done: Any = {U2: None, A2: None}
    for base in bases:
        row = Row(base, {})
        row.take(talk, U2, complete(None, "More of it."))
        row.take(talk, A2, complete(None, "Here."))
        seeds += [talk.request(base, row.done, place, None).seed for place in (*done, U3)]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("seed", range(5))
def test_any_order_gives_the_same_units(seed: int) -> None:
    """Units come out in the order of their numbers, whatever order completions come in."""
    order, waiting, written = Random(seed), [], []
    extension = Samples(3, answers())
    units = [
        Unit(number, {i: Row(Base(i, f"I{i}", "R"), {}) for i in range(number * 4, number * 4 + 4)})
        for number in range(3)
    ]
    extending = Extending("samples", extension, units)
    while True:
        while len(waiting) < 7 and (request := extending.next()) is not None:
            waiting.append(request)
        if not waiting:
            break
        request = waiting.pop(order.randrange(len(waiting)))
        key: Any = request.key
        extending.accept(key, complete(key, f"{shown(request)} {key.place.number}"))
        written += extending.finished()
    written += extending.finished()

    assert [unit.number for unit in written] == [0, 1, 2]
    found = [(one.index, one.number) for unit in written for one in unit.completions()]
    assert found == [(index, number) for index in range(12) for number in (1, 2, 3)]
    assert extending.rows_done == 12


def test_what_is_there_is_not_asked_for_again() -> None:
    """Completions of a journal, and of shards, count; a row that is not wanted is left as it is."""
    extension = Samples(2, answers())
    half, left = Row(Base(0, "I0", "R"), {}), Row(Base(1, "I1", "R"), {}, wanted=False)
    half.take(extension, Place(1), complete(None, "First."))
    extending = Extending("samples", extension, [Unit(0, {0: half, 1: left})])
    request = extending.next()
    assert request is not None
    key: Any = request.key
    assert (key.index, key.place) == (0, Place(2))
    assert extending.next() is None
    extending.accept(key, complete(key, "Second."))
    [unit] = extending.finished()
    assert [one.number for one in unit.completions()] == [1, 2]

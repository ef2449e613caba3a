"""The two rounds of a run, by completions that are handed in: no engine, no files.

A unit has two indices here, and an instruction's text is given as a list: `TEXTS[index]`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import example, given
from hypothesis import strategies as st

from magpie_hub.curate.exact import Seen
from magpie_hub.engines.base import Completion, Sampling
from magpie_hub.generate.instructions import Cell, Instructions, Prefix
from magpie_hub.generate.responses import Responses
from magpie_hub.generate.schedule import Finished, Key, Schedule
from magpie_hub.records import INSTRUCTIONS, RESPONSES, Draw, Instruction, Response, Unit

CELL = Sampling(1.0, 1.0, 8)
DRAW = Draw("org/x", "org/m", "rev", seed=0)
CELLS = (Cell(CELL, Prefix("<user>", (1,))),)
DRAWS = Instructions(DRAW, (9,), CELLS, ())
ANSWERS = Responses(DRAW, "org/m", "rev", "<user>", "<end>", (9,), CELL, (), lambda _: (1, 2))
TEXTS = ["How do bees sleep?", "", "Why is snow white?", "how do BEES sleep", "Tell:", " "]
U0, U1, U2 = Unit(0, 0, 2), Unit(1, 2, 4), Unit(2, 4, 6)


def schedule(rows: int = 6) -> Schedule:
    """Return a schedule over `rows` draws in units of two, with nothing finished."""
    units = [Unit(n, 2 * n, min(2 * n + 2, rows)) for n in range((rows + 1) // 2)]
    return Schedule(units, DRAWS, ANSWERS, Seen().duplicate_of)


def completion(key: Key, texts: list[str]) -> Completion:
    """Return what the model wrote for `key`; an answer to index 2 is always empty."""
    answer = "" if key.index == 2 else f"Answer {key.index}."
    text = texts[key.index] if key.stage == INSTRUCTIONS else answer
    return Completion(key, text, "stop", 1, 1, 0.5, "fake", "1")


def accept(plan: Schedule, *keys: Key) -> list[tuple[str, Unit]]:
    """Hand in completions; return the names of the units that they finish, in order."""
    finished = [done for key in keys for done in plan.accept(key, completion(key, TEXTS))]
    return [(done.stage, done.unit) for done in finished]


def ask(plan: Schedule, times: int = 100) -> list[Key]:
    """Return the keys of the next requests, until there is none."""
    requests = (plan.next() for _ in range(times))
    return [request.key for request in requests if request is not None]


def drawn(unit: Unit, index: int) -> Key:
    """Return the key of an instruction."""
    return Key(INSTRUCTIONS, unit, index)


def test_units_finish_in_order():
    """Instructions that come in backwards finish nothing until the lowest unit is whole."""
    plan = schedule()
    assert accept(plan, drawn(U2, 5), drawn(U2, 4), drawn(U1, 3), drawn(U1, 2), drawn(U0, 1)) == []
    assert accept(plan, drawn(U0, 0)) == [
        (INSTRUCTIONS, U0),
        (INSTRUCTIONS, U1),
        (INSTRUCTIONS, U2),
        # All of the last unit is dropped: there is nothing to answer.
        (RESPONSES, U2),
    ]


def test_answers_wait_for_lower_units_while_later_draws_go_on():
    """The queue never runs dry: later instructions are drawn until answers may be asked."""
    plan = schedule()
    assert ask(plan, 4) == [drawn(U0, 0), drawn(U0, 1), drawn(U1, 2), drawn(U1, 3)]

    accept(plan, drawn(U1, 2), drawn(U1, 3), drawn(U0, 1))
    assert ask(plan, 1) == [drawn(U2, 4)]

    accept(plan, drawn(U0, 0))
    assert ask(plan) == [Key(RESPONSES, U0, 0), Key(RESPONSES, U1, 2), drawn(U2, 5)]


def test_rows_and_reasons():
    """A row is judged by itself and by the rows before it; a duplicate names the earlier one."""
    plan = schedule()
    rows = {
        row.index: (row.rejection, row.duplicate_of)
        for key in ask(plan)
        for done in plan.accept(key, completion(key, TEXTS))
        for row in done.rows
    }
    assert rows == {
        0: (None, None),
        1: ("empty", None),
        2: (None, None),
        3: ("exact-duplicate", 0),
        4: ("ends-in-colon", None),
        5: ("empty", None),
    }


def test_draws_alone():
    """Where another model answers, no answer is asked for, and only instructions are finished."""
    plan = Schedule([U0, U1], DRAWS, None, Seen().duplicate_of)
    assert ask(plan) == [drawn(U0, 0), drawn(U0, 1), drawn(U1, 2), drawn(U1, 3)]
    assert accept(plan, drawn(U1, 2), drawn(U1, 3), drawn(U0, 0), drawn(U0, 1)) == [
        (INSTRUCTIONS, U0),
        (INSTRUCTIONS, U1),
    ]
    assert ask(plan) == []


def test_answers_alone():
    """A further answer set is asked for what is kept, unit after unit; nothing is drawn."""
    plan = Schedule([U0, U1, U2], None, ANSWERS, lambda *_: None, stage="responses/b")
    for unit, kept in ((U0, {0: "How?", 1: "Why?"}), (U1, {2: "When?"})):
        assert plan.resume(unit, kept, answered=False) == []
    assert plan.resume(U2, {4: "Where?"}, answered=True) == []
    assert plan.progress() == {INSTRUCTIONS: (6, 6), "responses/b": (1, 4)}

    keys = [Key("responses/b", U0, 0), Key("responses/b", U0, 1), Key("responses/b", U1, 2)]
    assert ask(plan) == keys
    assert accept(plan, *reversed(keys)) == [("responses/b", U1), ("responses/b", U0)]


def test_resume_leaves_out_what_is_finished():
    """A unit with both shards is not asked for again, yet its texts still count as seen."""
    first = schedule()
    (done,) = [d for key in ask(first, 2) for d in first.accept(key, completion(key, TEXTS))]

    plan = schedule()
    assert plan.resume(U0, kept_of(done.rows), answered=True) == []
    assert plan.progress() == {INSTRUCTIONS: (2, 6), RESPONSES: (1, 3)}
    assert ask(plan) == [drawn(U1, 2), drawn(U1, 3), drawn(U2, 4), drawn(U2, 5)]
    (done,) = [
        d for i in (2, 3) for d in plan.accept(drawn(U1, i), completion(drawn(U1, i), TEXTS))
    ]
    assert [row.duplicate_of for row in done.rows] == [None, 0]


def test_resume_of_a_unit_with_nothing_to_answer():
    """A kill between the two shards of a unit that kept nothing is made good at once."""
    plan = schedule()
    assert [(f.stage, f.unit, f.rows) for f in plan.resume(U0, {}, answered=False)] == [
        (RESPONSES, U0, [])
    ]


def test_progress():
    """Draws are counted; the number of answers is estimated from the units judged so far."""
    plan = schedule()
    assert plan.progress() == {INSTRUCTIONS: (0, 6), RESPONSES: (0, 6)}
    accept(plan, drawn(U0, 0), drawn(U0, 1))
    assert plan.progress() == {INSTRUCTIONS: (2, 6), RESPONSES: (0, 3)}
    accept(plan, *ask(plan))
    assert plan.progress() == {INSTRUCTIONS: (6, 6), RESPONSES: (1, 2)}
    accept(plan, *ask(plan))
    assert plan.progress() == {INSTRUCTIONS: (6, 6), RESPONSES: (2, 2)}


@dataclass
class Walk:
    """A run by hand: what was asked for and accepted, and the shards that came of it."""

    plan: Schedule
    texts: list[str]
    asked: list[Key] = field(default_factory=list)
    accepted: list[Key] = field(default_factory=list)
    shards: dict[tuple[str, Unit], Finished] = field(default_factory=dict)
    last: list[tuple[str, Unit]] = field(default_factory=list)

    def keep(self, finished: list[Finished]) -> None:
        """Write shards; `last` names those of the latest step."""
        self.last = [(done.stage, done.unit) for done in finished]
        assert not self.shards.keys() & set(self.last), "a shard was made twice"
        self.shards |= {(done.stage, done.unit): done for done in finished}

    def accept(self, key: Key) -> None:
        """Take in the completion of a request."""
        self.accepted.append(key)
        self.keep(self.plan.accept(key, completion(key, self.texts)))

    def go(self, pick: Callable[[int], int], capacity: int, most: int = 10_000) -> "Walk":
        """Run until nothing is left, or `most` completions are in; `pick` says which comes next."""
        flying: list[Key] = []
        while len(self.accepted) < most:
            while len(flying) < capacity and (request := self.plan.next()) is not None:
                assert isinstance(request.key, Key)
                flying.append(request.key)
                self.asked.append(request.key)
            if not flying:
                break
            self.accept(flying.pop(pick(len(flying))))
        return self


def kept_of(rows: Sequence[Instruction | Response]) -> dict[int, str]:
    """Return the kept instructions of a finished unit, as the run folder gives them."""
    return {row.index: row.instruction for row in rows if row.rejection is None}


def resumed(before: Walk, rows: int, lost: int) -> Walk:
    """Return a new walk told of what a killed one left behind, as `run` tells it.

    lost: how many shards of the last step were not written any more; their journals remain.
    """
    walk = Walk(schedule(rows), before.texts)
    gone = before.last[len(before.last) - lost :]
    kept = {name: shard for name, shard in before.shards.items() if name not in gone}
    walk.shards = dict(kept)
    for (stage, unit), shard in sorted(kept.items(), key=lambda item: item[0][1].number):
        if stage == INSTRUCTIONS:
            walk.keep(
                walk.plan.resume(unit, kept_of(shard.rows), answered=(RESPONSES, unit) in kept)
            )
    journalled = [key for key in before.accepted if (key.stage, key.unit) not in kept]
    for stage in (INSTRUCTIONS, RESPONSES):
        for key in sorted((k for k in journalled if k.stage == stage), key=lambda k: k.unit.number):
            walk.accept(key)
    return walk


WORDS = st.sampled_from(["", "bees sleep", "snow falls", "rain falls", "trees grow", "Tell:"])
PICKS = st.randoms(use_true_random=False)


@given(st.lists(WORDS, min_size=1, max_size=9), PICKS, st.integers(1, 12))
def test_any_order_gives_the_same_rows(texts, random, capacity):
    """Completions in any order, any number in flight: the same shards, each request once."""
    plain = Walk(schedule(len(texts)), texts).go(lambda _: 0, capacity=1)
    mixed = Walk(schedule(len(texts)), texts).go(random.randrange, capacity)

    assert mixed.shards == plain.shards
    assert len(set(mixed.asked)) == len(mixed.asked)
    for (stage, unit), shard in plain.shards.items():
        if stage == INSTRUCTIONS:
            kept = [row.index for row in shard.rows if row.rejection is None]
            assert [row.index for row in shard.rows] == list(range(unit.start, unit.stop))
            assert [row.index for row in plain.shards[RESPONSES, unit].rows] == kept


@given(
    st.lists(WORDS, min_size=1, max_size=9),
    PICKS,
    st.integers(1, 12),
    st.integers(0, 18),
    st.integers(0, 9),
)
@example(["bees sleep"], None, 1, 2, 1)
def test_any_cut_is_made_good(texts, random, capacity, cut, lost):
    """Killed behind any completion, or between its shards, a run asks for just what is missing."""
    pick = random.randrange if random else lambda _: 0
    whole = Walk(schedule(len(texts)), texts).go(lambda _: 0, capacity=1)
    killed = Walk(schedule(len(texts)), texts).go(pick, capacity, most=cut)

    again = resumed(killed, len(texts), min(lost, len(killed.last))).go(pick, capacity)

    assert again.shards == whole.shards
    assert sorted(again.asked, key=str) == sorted(
        set(whole.accepted) - set(killed.accepted), key=str
    )

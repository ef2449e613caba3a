"""Why a text is dropped: for every reason a text that has it, and one that only just has not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.engines.base import Completion
from magpie_hub.generate.clean import REASONS, instruction_fault, loops, response_fault, tidy

CONTROLS = ("<|im_start|>", "<|im_end|>")
FAULTY = [
    ("engine-error", "", "error"),
    ("empty", " \n\t\u3000", "stop"),
    ("template-leak", "Hi there<|im_end|>", "stop"),
    ("repetition-loop", "Sing: " + "na" * 24, "stop"),
    ("cut-at-limit", "Why is the sky", "length"),
    ("too-short", "a b c?", "stop"),
    ("too-short", "你好吗?", "stop"),
    ("too-short", "_-_-_-_", "stop"),
    ("ends-in-colon", "Answer this:", "stop"),
    ("ends-in-colon", "请回答这个问题:".replace(":", "\N{FULLWIDTH COLON}"), "stop"),
]
KEPT = [
    "Hi there<|im_end|",
    "Hi there < | im_end | >",
    "na" * 23 + "n",
    "a b c d?",
    "你好吗你",
    "2 + 2 = 44?",
    "Answer this: why?",
    "What does `a:` mean?",
]


def completion(text: str, finish_reason: str = "stop") -> Completion:
    """Return what an engine gives back for `text`."""
    return Completion(0, text, finish_reason, 1, 1, 0.0, "scripted", "1")  # type: ignore[arg-type]


def fault(text: str, finish_reason: str = "stop") -> str | None:
    """Return why an instruction is dropped, tidied as it is in a run."""
    cut = finish_reason == "length"
    return instruction_fault(completion(text, finish_reason), tidy(text), CONTROLS, cut=cut)


@pytest.mark.parametrize(("reason", "text", "finish_reason"), FAULTY)
def test_a_text_with_the_fault(reason, text, finish_reason):
    """The fault is named."""
    assert fault(text, finish_reason) == reason


@pytest.mark.parametrize("text", KEPT)
def test_a_near_miss_is_kept(text):
    """A text that only looks like a faulty one stays."""
    assert fault(text) is None


def test_a_head_is_one_where_a_line_begins():
    """A control with a line break in front is met at the text's beginning and at a line's."""
    leaks = {"USER: hi": True, "Well.\nUSER: hi": True, "What does USER: mean?": False}
    for text, is_leak in leaks.items():
        reason = response_fault(completion(text), text, ["\nUSER:"])
        assert (text, reason) == (text, "template-leak" if is_leak else None)


def test_every_reason_has_an_example():
    """No reason is without a test; these three are tested where they are judged."""
    elsewhere = {"exact-duplicate", "unfinished-reasoning", "repeats-a-turn"}
    assert {reason for reason, *_ in FAULTY} | elsewhere == set(REASONS)


@pytest.mark.parametrize(
    ("reason", "text", "finish_reason"),
    [
        ("engine-error", "<|im_end|>", "error"),
        ("empty", "", "length"),
        ("template-leak", "na" * 40 + "<|im_end|>", "length"),
        ("repetition-loop", "na" * 40, "length"),
        ("cut-at-limit", "a:", "length"),
        ("too-short", "a:", "stop"),
    ],
)
def test_of_several_faults_the_first_is_named(reason, text, finish_reason):
    """The order of the table is the order of the questions, so counts do not depend on luck."""
    assert fault(text, finish_reason) == reason


def test_a_response_is_dropped_for_less():
    """Only what is no answer at all goes: a cut or looping one stays, for a filter to judge."""
    kept = ["4", "na" * 40, "The steps are:"]
    assert [response_fault(completion(t, "length"), t, CONTROLS) for t in kept] == [None] * 3
    faulty = {"": "empty", "Yes.<|im_start|>user": "template-leak"}
    assert {t: response_fault(completion(t), t, CONTROLS) for t in faulty} == faulty
    assert response_fault(completion("", "error"), "", CONTROLS) == "engine-error"


def test_tidy():
    """Outer white space goes, inner stays, and half a surrogate pair becomes valid Unicode."""
    assert tidy(" \n Why?\n\nTell me.\u3000") == "Why?\n\nTell me."
    assert tidy("a\ud800b").encode() == b"a?b"


@pytest.mark.parametrize(
    "text",
    [
        "x" * 48,
        "Tell me.\n" + "1. Buy milk\n" * 4,
        "First some words. " + "and so on, " * 20 + "and so",
        "a" * 3000,
        "Begin. " + "".join(chr(0x4E00 + n) for n in range(500)) * 4,
        "🙂🙃" * 24,
    ],
)
def test_true_loops(text):
    """Four copies of anything up to 500 characters, cut anywhere, are a loop."""
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 47,
        "1. Buy milk\n" * 4 + "Then go home.",
        "a sentence of thirty letters, " * 3 + "a sentence",
        "".join(f"1. Buy milk {n}\n" for n in range(100)),
        "Begin. " + "".join(chr(0x4E00 + n) for n in range(501)) * 4,
        " ".join(str(n) for n in range(5000)),
        "",
    ],
)
def test_no_loops(text):
    """Lists, refrains that end, three copies, and copies too long to be seen are none."""
    assert not loops(text)


def by_definition(text: str) -> bool:
    """Return the same as `loops`, by looking at every ending and every period."""
    endings = (text[-length:] for length in range(48, len(text) + 1))
    return any(
        ending[period:] == ending[:-period]
        for ending in endings
        for period in range(1, len(ending) // 4 + 1)
    )


LETTERS = st.text("ab", min_size=1, max_size=20)


@given(st.text("ab", max_size=30), LETTERS, st.integers(1, 8), st.text("ab", max_size=3))
def test_loops_is_what_it_says(start, piece, times, end):
    """On texts of two letters, where near loops abound, it agrees with the definition."""
    text = start + piece * times + end
    assert loops(text) == by_definition(text)


def test_time_is_linear():
    """Twenty hostile texts of five million characters take no time that grows with them."""
    # No piece of the Thue-Morse word comes three times in a row, though many come twice.
    word = "".join("ab"[n.bit_count() % 2] for n in range(2048))
    texts = [word * 2441, "ab" * 2_500_000 + "c" * 47] * 10

    started = time.process_time()
    found = [loops(text) for text in texts]

    assert time.process_time() - started < 1
    assert found == [False] * 20

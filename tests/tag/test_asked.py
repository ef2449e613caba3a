"""Texts are cut in their middle until the prompt fits, and what was cut is counted exactly."""

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magpie_hub.engines.base import Completion
from magpie_hub.errors import EngineError
from magpie_hub.tag.asked import Answer, Asker, Row, fit, shortened

CUT = re.compile(r"(?s)(.*)\n\[\.\.\. ([\d,]+) characters left out \.\.\.\]\n(.*)")
WORDS = st.lists(st.text(alphabet="abc é字\n", max_size=400), min_size=1, max_size=2)


def one_a_byte(texts: Sequence[str]) -> tuple[int, ...]:
    """Return the bytes of a prompt of ten bytes and the texts."""
    return tuple("".join(["0123456789", *texts]).encode())


def nasty(texts: Sequence[str]) -> tuple[int, ...]:
    """Return more tokens for some shorter texts than for longer ones, as merges can."""
    text = "".join(texts)
    return (7,) * (10 + len(text) * (1 + sum(map(ord, text)) % 5))


class Letters(Asker):
    """Asks for a letter."""

    attempts, stop, max_tokens, json_schema = 2, (1,), 5, '{"type": "string"}'

    def prompt(self, row: Row) -> tuple[tuple[int, ...], int]:
        """Return the instruction's bytes."""
        return tuple(row["instruction"].encode()), 0

    def read(self, completion: Completion) -> Answer:
        """Return what was written."""
        return Answer({"letter": completion.text})


@pytest.mark.parametrize(
    ("length", "short"),
    [
        (12, "abcdefghijkl"),
        (11, "abcdef\n[... 1 characters left out ...]\nhijkl"),
        (4, "ab\n[... 8 characters left out ...]\nkl"),
        (1, "a\n[... 11 characters left out ...]\n"),
    ],
)
def test_the_middle_goes(length: int, short: str) -> None:
    """Beginning and end stay, the longer half in front, and a mark says how much is missing."""
    assert shortened("abcdefghijkl", length) == short


def test_what_fits_is_left_alone() -> None:
    """A prompt of exactly the limit loses nothing; with a byte less it does."""
    texts = ["q" * 500, "a" * 90]
    assert fit(one_a_byte, texts, 600) == (one_a_byte(texts), 0)
    ids, cut = fit(one_a_byte, texts, 599)
    assert len(ids) <= 599
    assert cut > 0


def test_all_texts_lose_the_same_share() -> None:
    """Of a long text and a short one the long one loses more, and the short one keeps some."""
    ids, cut = fit(one_a_byte, ["q" * 9000, "z" * 900], 1000)
    kept = (bytes(ids).count(b"q"), bytes(ids).count(b"z"))
    assert cut > 8000
    assert kept[0] == pytest.approx(10 * kept[1], rel=0.2)


def test_an_empty_text_has_nothing_to_lose() -> None:
    """Beside a text that is cut, an empty one counts for nothing."""
    ids, cut = fit(one_a_byte, ["", "q" * 300], 200)
    assert cut == 300 - bytes(ids).count(b"q") > 0


@pytest.mark.parametrize("tokens", [one_a_byte, nasty], ids=["bytes", "nasty"])
@settings(deadline=None)
@given(texts=WORDS, most=st.integers(0, 600))
def test_never_over_the_limit_and_counted_exactly(
    tokens: Callable[[Sequence[str]], tuple[int, ...]], texts: list[str], most: int
) -> None:
    """Whatever the encoder: the prompt fits, or it is said that nothing does; the count is true."""
    shown: list[list[str]] = []

    def encode(pieces: Sequence[str]) -> tuple[int, ...]:
        shown.append(list(pieces))
        return tokens(pieces)

    try:
        ids, cut = fit(encode, texts, most)
    except EngineError:
        assert len(tokens(texts)) > most
        return
    assert len(ids) <= most
    assert ids == tokens(shown[-1])
    assert cut == sum(_missing(text, piece) for text, piece in zip(texts, shown[-1], strict=True))


def _missing(text: str, piece: str) -> int:
    """Return how many characters of a text its piece lacks; its two ends must be there."""
    found = CUT.fullmatch(piece)
    if found is None:
        assert piece == text
        return 0
    head, tail = found[1], found[3]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) - len(tail) in (0, 1)
    missing = len(text) - len(head) - len(tail)
    assert found[2] == f"{missing:,}"
    return missing


@pytest.mark.parametrize("most", [-5, 0, 9, 10, 20])
def test_nothing_fits(most: int) -> None:
    """A context without room for a text is an error that says so, at whatever limit."""
    with pytest.raises(EngineError, match=f"context leaves {most}, expected room") as caught:
        fit(one_a_byte, ["a" * 999], most)
    assert "longer context" in caught.value.hint


def test_a_prompt_that_shows_nothing_of_the_row() -> None:
    """A prompt that is as long without its texts is no division by zero."""
    with pytest.raises(EngineError, match=r"has 30 tokens without any row"):
        fit(lambda _: (1,) * 30, ["abc"], 20)


def test_a_second_attempt_is_sampled() -> None:
    """The first request is greedy; the next is drawn, as the same again would fail the same way."""
    asker = Letters()
    first, second = (asker.request("k", (3, 4), seed=5, attempt=n) for n in (0, 1))
    assert (first.sampling.temperature, second.sampling.temperature) == (0.0, 0.7)
    assert (first.key, first.prompt, first.seed, first.stop) == ("k", (3, 4), 5, (1,))
    assert first.sampling.max_tokens == second.sampling.max_tokens == 5
    assert first.json_schema == second.json_schema == '{"type": "string"}'

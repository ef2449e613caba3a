"""What makes two instructions the same, and which of them is the first."""

# ruff: noqa: RUF001 - letters of other scripts that look like ours are what is tested

import time
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate.exact import Seen, normal_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Why is the sky blue?", "why is the sky blue"),
        # Unicode NFKC: full width, ligature, composed or not.
        ("ＷＨＹ？", "why"),
        ("of\ufb01ce", "office"),
        ("cafe\u0301", "caf\xe9"),
        # Case folded, not only lowered.
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
        # White space of any kind.
        ("  a\t\u3000b\u00a0\r\n c ", "a b c"),
        # Trailing punctuation, with what stands between and around it.
        ("Go on...", "go on"),
        ("Go on \u2026 ?!", "go on"),
        ("(Go on.)", "(go on"),
        ("天空为什么是蓝色的？", "天空为什么是蓝色的"),
        ("go_on_\u200b", "go_on"),
        # Only punctuation keeps it.
        ("?!", "?!"),
        ("__", "__"),
        ("", ""),
        # What stands within the text, or in front of it, says something.
        ("¿qué?", "¿qué"),
        ("don't", "don't"),
    ],
)
def test_normal_form(text: str, form: str) -> None:
    """A text has the normal form that stands beside it."""
    assert normal_form(text) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello world in C", "Hello world in C#"),
        ("Hello world in C", "Hello world in C++"),
        ("What is 5", "What is 5%"),
        ("यह किसका", "यह किसकी"),
        ("Say \N{GRINNING FACE}", "Say \N{CRYING FACE}"),
        ("?", "!"),
        ("a b", "ab"),
    ],
)
def test_texts_that_differ(one: str, other: str) -> None:
    """A sign, a symbol or a vowel mark at the end tells texts apart."""
    assert normal_form(one) != normal_form(other)


@given(st.text(), st.sampled_from(["", " ", "?", " ! ", "\n", "...", "\u3002"]))
def test_space_around_and_punctuation_behind(text: str, end: str) -> None:
    """No form is empty but that of white space, and outer white space and an end change none."""
    form = normal_form(text)

    assert bool(form) == bool(text.strip())
    if any(c.isalnum() for c in form):
        assert normal_form(f"\n {text}{end}") == form


@given(st.text())
def test_how_a_text_is_written_in_unicode(text: str) -> None:
    """Composed, decomposed and compatible characters are the same."""
    forms = ("NFC", "NFD", "NFKC", "NFKD")

    assert {normal_form(normalize(form, text)) for form in forms} == {normal_form(text)}


def test_long_runs_of_punctuation() -> None:
    """A long run of signs in mid-text takes no time to speak of."""
    began = time.process_time()
    assert normal_form("-" * 200_000 + "A").endswith("-a")
    assert time.process_time() - began < 2


def test_seen() -> None:
    """The first of equal texts is no duplicate, each later one is its; a text may come again."""
    seen = Seen()
    told = [(3, "Why?"), (5, "why"), (7, "How?"), (8, " WHY!"), (3, "Why?")]
    assert [seen.duplicate_of(index, text) for index, text in told] == [None, 3, None, 3, None]

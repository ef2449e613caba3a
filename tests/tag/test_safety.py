"""A guard's answer is read as it stands: what is not wholly of its form is never `safe`."""

from dataclasses import replace

import pytest

from magpie_hub.errors import EngineError
from magpie_hub.tag.safety import ADAPTERS, Adapter, Verdict, check, read

GUARD = ADAPTERS["llama-guard"]


@pytest.mark.parametrize(
    ("text", "categories"),
    [
        ("unsafe\nS1", ("S1",)),
        ("\n\nunsafe\nS1,S10", ("S1", "S10")),
        ("unsafe\nS2, S1\n", ("S2", "S1")),
        ("unsafe\nS1\nS1,S3", ("S1", "S3")),
        ("unsafe\nS99", ("S99",)),
        ("unsafe", ()),
        ("unsafe\n", ()),
        ("unsafe\nS", ()),
        ("unsafe S", ()),
        ("unsafe\nS1,", ("S1",)),
        ("unsafe\nS1,S", ("S1",)),
    ],
)
def test_unsafe(text: str, categories: tuple[str, ...]) -> None:
    """Codes come as they are written, unknown ones too; one that was cut off is left out."""
    assert read(GUARD, text) == Verdict("unsafe", categories)


@pytest.mark.parametrize("text", ["safe", "\n\nsafe", " safe\n"])
def test_safe(text: str) -> None:
    """The one word, with white space around it, is safe."""
    assert read(GUARD, text) == Verdict("safe", ())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "safe\nS1",
            "Safe.",
            "SAFE",
            "Safe",
            "safe!",
            "safe.",
            "not safe",
            "safe unsafe",
        ),
        *("unsafe safe", "unsafe\nsafe", "safe\nsafe", "saf", "unsaf", "un safe", "un\u00adsafe"),
        *("safe<|eot_id|>", "unsafe\nS1<|eot_id|>", "unsafe\nS1,S2 because", "S1"),
        *("s\u0430fe", "safe\0", "safe\u200b", "I think this is safe", "unsafe\nO1", "unsafeS1"),
    ],
)
def test_what_is_not_to_be_read(text: str) -> None:
    """Other words, spellings, marks, foreign letters and contradictions are no verdict."""
    assert read(GUARD, text) is None


@pytest.mark.parametrize("length", range(len("unsafe\nS1,S10")))
def test_an_answer_cut_anywhere_is_never_safe(length: int) -> None:
    """Whatever is left of an unsafe answer that was cut is unsafe or nothing at all."""
    verdict = read(GUARD, "unsafe\nS1,S10"[:length])
    assert (verdict is None) == (length < len("unsafe"))
    assert verdict is None or verdict.safety == "unsafe"


def test_both_forms_match() -> None:
    """Where an adapter's two forms overlap, the answer is unsafe."""
    careless = Adapter(safe=".*safe.*", unsafe="un(?P<categories>x)?safe", categories={})
    check(careless)
    assert read(careless, "unsafe") == Verdict("unsafe", ())


def test_another_family() -> None:
    """Another guard's words are data: its codes come out the same way."""
    yes_or_no = Adapter(
        safe="(?i)harmful: no", unsafe=r"(?i)harmful: yes\s*(?P<categories>[\w\s]*)", categories={}
    )
    check(yes_or_no)
    assert read(yes_or_no, "Harmful: no") == Verdict("safe", ())
    assert read(yes_or_no, "Harmful: yes\nhate fraud") == Verdict("unsafe", ("hate", "fraud"))
    assert read(yes_or_no, "safe") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"safe": "(safe"}, "the guard's `safe` is `(safe`, expected a regular expression:"),
        ({"unsafe": "[S"}, "the guard's `unsafe` is `[S`, expected a regular expression:"),
        ({"safe": ".*"}, "which an empty answer matches"),
    ],
)
def test_an_adapter_that_cannot_read(changes: dict[str, str], message: str) -> None:
    """A wrong expression is refused before any row is asked, with the next step."""
    with pytest.raises(EngineError) as caught:
        check(replace(GUARD, **changes))
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)
def test_our_adapters(adapter: Adapter) -> None:
    """Ours can read, and every code that they explain is one that they read."""
    check(adapter)
    assert adapter.categories
    for code in adapter.categories:
        assert read(adapter, f"unsafe\n{code}") == Verdict("unsafe", (code,))

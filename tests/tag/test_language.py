"""The language of an instruction, by a model that is there without a network."""

# ruff: noqa: RUF001 - other languages have letters and signs that look like ours

import pyarrow as pa
import pytest

from magpie_hub.tag.language import label

GERMAN = "Warum ist der Himmel blau?"


def labels(*instructions: str) -> list[tuple[str | None, float | None]]:
    """Return the language of each instruction and the confidence in it."""
    found = label(pa.table({"instruction": pa.array(instructions, pa.string())}))
    return list(zip(found["language"], found["language_confidence"], strict=True))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Why is the sky blue, and why is it red in the evening?", "EN"),
        ("Warum ist der Himmel blau und am Abend rot?", "DE"),
        ("Pourquoi le ciel est-il bleu, et rouge le soir ?", "FR"),
        ("¿Por qué el cielo es azul y por la tarde rojo?", "ES"),
        ("天空为什么是蓝色的，而傍晚是红色的？", "ZH"),
        ("空はなぜ青く、夕方は赤いのですか？", "JA"),
        ("Почему небо голубое, а вечером красное?", "RU"),
        ("لماذا السماء زرقاء وحمراء في المساء؟", "AR"),
        ("आकाश नीला और शाम को लाल क्यों होता है?", "HI"),
    ],
)
def test_languages(text: str, language: str) -> None:
    """A plain question in each of nine languages gets its code, and the model is sure of it."""
    [(found, confidence)] = labels(text)
    assert found == language
    assert 0.7 < confidence <= 1


def test_texts_of_every_shape() -> None:
    """Line ends, capitals, a NUL, a text of a megabyte: one code for each row, the same each time.

    The model's own score is a little over 1 for some of these.
    """
    texts = (
        GERMAN.replace(" ", "\n"),
        GERMAN.replace(" ", "\0"),
        GERMAN.upper(),
        GERMAN * 40_000,
    )
    found = labels(*texts)
    assert [language for language, _ in found] == ["DE"] * 4
    assert all(0.9 < confidence <= 1 for _, confidence in found)
    assert labels(*texts) == found


@pytest.mark.parametrize("text", ["", " \n", "\0", "???", "12 + 34 = 46", "😀🎉"])
def test_no_letters_no_language(text: str) -> None:
    """A text without letters has neither a language nor a confidence."""
    assert labels(text) == [(None, None)]


def test_code_is_nothing_to_be_sure_of() -> None:
    """Code has letters, so it has a language, at a confidence that a filter can refuse."""
    [(_, confidence)] = labels("for(int i=0;i<n;++i){a[i]=b[i];}")
    assert 0 < confidence < 0.5


def test_a_task_that_begins_in_english() -> None:
    """What follows the first 80 characters counts too; what follows the first 500 does not."""
    task = "You are given a sentence in Spanish. Your job is to translate it into Hebrew. "
    spanish = "Tenemos casi once millones de ápices de raíz y una red de hongos que los une. "
    assert len(task) < 80
    assert labels(task + spanish * 3)[0][0] == "ES"
    assert labels(task * 7 + spanish * 99)[0][0] == "EN"


def test_confidence_has_four_digits() -> None:
    """What is stored is what is shown: rounded, so that a shard holds no digits of noise."""
    [(_, confidence)] = labels("toc toc.")
    assert confidence == round(confidence, 4)

"""The language of an instruction, by a model that is there without a network."""

# ruff: noqa: RUF001 - other languages have letters and signs that look like ours

import pyarrow as pa
import pytest

from magpie_hub.tag.language import label


def labels(*instructions: str) -> list[str | None]:
    """Return the language of each instruction."""
    return label(pa.table({"instruction": instructions}))["language"]


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
    """A plain question in each of nine languages gets its code."""
    assert labels(text) == [language]


def test_texts_of_every_shape() -> None:
    """Line ends, capitals, a long text and signs alone get a code too, one for each row."""
    german = "Warum ist der Himmel blau?"
    found = labels(german.replace(" ", "\n"), german.upper(), german * 500, "???", "\0")

    assert found[:3] == ["DE"] * 3
    assert len(found) == 5
    assert all(code is None or code.isupper() for code in found)

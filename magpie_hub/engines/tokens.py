"""A model's own tokenizer, from the `tokenizer.json` that transformers saves beside its weights.

For engines whose library or server does not tell a template's control tokens from the same letters
typed by a person. Knows no chat template and adds no BOS.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magpie_hub.errors import EngineError

FILE = "tokenizer.json"


class Tokenizer:
    """Text to token ids and back."""

    def __init__(self, folder: Path) -> None:
        """Read the tokenizer in `folder`; raises EngineError where there is none that works."""
        self._special = _read(folder / FILE)
        self._plain = _read(folder / FILE)
        # The other way round than it sounds: names of special tokens are encoded as plain text.
        self._plain.encode_special_tokens = True

    @property
    def size(self) -> int:
        """How many token ids there are; a number that no token has counts."""
        ids: dict[str, int] = self._special.get_vocab(with_added_tokens=True)
        return 1 + max(ids.values())

    def encode(self, text: str, *, special: bool) -> list[int]:
        """Return the token ids of `text`; `special` as in `Engine.encode`."""
        tokenizer = self._special if special else self._plain
        ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids; control tokens stay visible."""
        text: str = self._special.decode(ids, skip_special_tokens=False)
        return text


def model_folder(weights: Path | None) -> Path:
    """Return `weights` where it is a model's folder; raises EngineError where it is none."""
    if weights is None or not (weights / "config.json").is_file():
        raise EngineError(
            f"there is no model at `{weights}`, expected a folder with `config.json` and"
            " safetensors, as transformers saves it",
            hint="name such a folder or a Hub id; a GGUF file is for the engine `llama_cpp`",
        )
    return weights


def _read(path: Path) -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise EngineError(
            "a model's tokenizer needs the library `tokenizers`, which is not installed",
            hint='run: pip install "magpie-hub[server]"',
        ) from error
    if not path.is_file():
        raise EngineError(
            f"there is no `{FILE}` in `{path.parent}`, expected the tokenizer that belongs to the"
            " weights",
            hint="save it there: `AutoTokenizer.from_pretrained(MODEL).save_pretrained(FOLDER)`",
        )
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise EngineError(
            f"`{path}` is no tokenizer: {error}", hint="save it again, or fetch it again"
        ) from error
    # What a file asks for in training has no place here: nothing is cut and nothing filled up.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer

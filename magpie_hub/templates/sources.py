"""Reads a model's chat template and special tokens from a GGUF, a folder, a file or the Hub.

What these files hold was written by strangers: every value's type is checked here, so that no
later stage has to. It renders nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from magpie_hub import hub
from magpie_hub.errors import TemplateError

T = TypeVar("T")
_SAMPLING = "general.sampling."
_NAMED_IN_GGUF = {"temp": "temperature", "penalty_repeat": "repetition_penalty"}
_CONTROL_AND_USER_DEFINED = (3, 4)
_OTHER_TOKENS = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """What a model's own files say about its conversations.

    name: as the caller wrote it. special_ids: text of control and added tokens to id.
    generation_config: the model's own sampling, by the names that transformers uses.
    context_length: in tokens, where it is known. architectures: as transformers or llama.cpp name
    what runs the model, most often one. other_tokens: what else transformers gives a template,
    such as `pad_token`. given: what a person gives it, such as `{"enable_thinking": False}`.
    """

    name: str
    chat_template: str
    bos_token: str | None
    eos_token: str | None
    special_ids: Mapping[str, int]
    generation_config: Mapping[str, object]
    context_length: int | None
    architectures: tuple[str, ...] = ()
    other_tokens: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, object] = field(default_factory=dict)


def load(model: str, *, base: bool = False) -> TemplateSource:
    """Return the chat template of a model, with what belongs to it.

    model: a `.gguf` or `.jinja` file, a folder with a `tokenizer_config.json`, or a Hub id with
    or without `@REVISION`. base: whether it may have no chat template, which is then empty.
    Raises TemplateError where the files are not what they should be, HubError where they cannot
    be had.
    """
    path = Path(model)
    if path.is_dir():
        return _from_files(model, lambda name: _existing(path / name), base)
    if model.endswith(".gguf") or model == hub.SMOLLM2:
        return _from_gguf(model, hub.gguf(model), base)
    if model.endswith(".jinja"):
        return inline(model, _text(path))
    if path.exists():
        raise TemplateError(
            f"`{model}` is a file of another kind; expected `.gguf` or `.jinja`",
            hint="name the folder that holds `tokenizer_config.json`",
        )
    repo, revision = hub.split_model(model)
    # Without this one there is nothing to read, and `fetch` says why.
    hub.fetch(repo, "tokenizer_config.json", revision=revision)
    return _from_files(model, lambda name: hub.find(repo, name, revision=revision), base)


def network(path: Path) -> tuple[tuple[str, ...], int | None]:
    """Return the architectures and the context length of a GGUF or a folder, as far as known.

    For a model that `load` cannot read for want of a chat template.
    """
    if path.is_dir():
        return _network(_existing(path / "config.json"))
    return _network_of_gguf(_metadata(path), path)


def tokenizer_folder(model: str) -> Path | None:
    """Return the folder that holds a model's `tokenizer.json`; None for a file, or without one."""
    path = Path(model)
    if path.exists() or hub.is_path(model) or model == hub.SMOLLM2:
        found = _existing(path / "tokenizer.json")
    else:
        repo, revision = hub.split_model(model)
        found = hub.find(repo, "tokenizer.json", revision=revision)
    return found.parent if found else None


def inline(name: str, chat_template: str) -> TemplateSource:
    """Return a chat template of which nothing else is known: no tokens, no ids."""
    return TemplateSource(name, chat_template, None, None, {}, {}, None)


def _from_files(
    name: str, place: Callable[[str], Path | None], base: bool = False
) -> TemplateSource:
    """Read what tokenizers and models of transformers are saved as; `place` finds a file."""
    path = place("tokenizer_config.json")
    if path is None:
        raise TemplateError(
            f"`{name}` holds no `tokenizer_config.json`",
            hint="name a folder that a tokenizer was saved to, a `.gguf` or a `.jinja` file",
        )
    tokenizer_config = _object(path)
    architectures, context_length = _network(place("config.json"))
    template = place("chat_template.jinja")
    return TemplateSource(
        name=name,
        chat_template=_text(template) if template else _chosen(tokenizer_config, path, base),
        bos_token=_token(tokenizer_config, "bos_token", path),
        eos_token=_token(tokenizer_config, "eos_token", path),
        special_ids={
            _want(entry, "content", str, path): _want(entry, "id", int, path)
            for path, entry in _added_tokens(tokenizer_config, path, place("tokenizer.json"))
        },
        generation_config=_object(place("generation_config.json")),
        context_length=context_length,
        architectures=architectures,
        other_tokens={
            name: token
            for name in _OTHER_TOKENS
            if (token := _token(tokenizer_config, name, path)) is not None
        },
    )


def _network(path: Path | None) -> tuple[tuple[str, ...], int | None]:
    if path is None:
        return (), None
    config = _object(path)
    # A model that also sees or hears keeps what concerns text apart.
    text = _may(config, "text_config", dict, path) or {}
    length = _may(text | config, "max_position_embeddings", int, path)
    architectures = _may(config, "architectures", list, path) or []
    return tuple(map(str, architectures)), length


def _added_tokens(
    tokenizer_config: dict[str, Any], path: Path, tokenizer: Path | None
) -> Iterator[tuple[Path, dict[str, Any]]]:
    decoder = _may(tokenizer_config, "added_tokens_decoder", dict, path) or {}
    for token_id, entry in decoder.items():
        if not (token_id.isascii() and token_id.isdigit() and isinstance(entry, dict)):
            raise _wrong(path, f"added_tokens_decoder.{token_id}", entry, "an id with a token")
        yield path, entry | {"id": int(token_id)}
    if tokenizer is None:
        return
    for entry in _may(_object(tokenizer), "added_tokens", list, tokenizer) or []:
        if not isinstance(entry, dict):
            raise _wrong(tokenizer, "added_tokens", entry, "an object")
        yield tokenizer, entry


def _chosen(tokenizer_config: dict[str, Any], path: Path, base: bool) -> str:
    """Return the chat template, of several named ones the one named `default`."""
    template = tokenizer_config.get("chat_template")
    if isinstance(template, list):
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
        if template is None and named and not base:
            raise TemplateError(
                f"`{path}`: the chat templates are called `{'`, `'.join(map(str, named))}`;"
                " expected one called `default`",
                hint="give the one for plain conversations the name `default`",
            )
    if isinstance(template, str):
        return template
    if template is None and base:
        return ""
    if template is None:
        raise _no_template(path)
    raise _wrong(path, "chat_template", template, "a string, or a list with one named `default`")


def _token(tokenizer_config: dict[str, Any], key: str, path: Path) -> str | None:
    value = tokenizer_config.get(key)
    if isinstance(value, dict):
        return _want(value, "content", str, path)
    return _may(tokenizer_config, key, str, path)


def _from_gguf(name: str, path: Path, base: bool) -> TemplateSource:
    values = _metadata(path)
    template = _may(values, "tokenizer.chat_template", str, path)
    if template is None and not base:
        raise _no_template(path)
    tokens = _may(values, "tokenizer.ggml.tokens", list, path) or []
    types = _may(values, "tokenizer.ggml.token_type", list, path) or []
    architectures, context_length = _network_of_gguf(values, path)
    sampling = {
        key.removeprefix(_SAMPLING): value
        for key, value in values.items()
        if key.startswith(_SAMPLING)
    }
    return TemplateSource(
        name=name,
        chat_template=template or "",
        bos_token=_token_of(values, "tokenizer.ggml.bos_token_id", tokens, path),
        eos_token=_token_of(values, "tokenizer.ggml.eos_token_id", tokens, path),
        special_ids={
            str(token): token_id
            for token_id, (token, kind) in enumerate(zip(tokens, types, strict=False))
            if kind in _CONTROL_AND_USER_DEFINED
        },
        generation_config={_NAMED_IN_GGUF.get(k, k): value for k, value in sampling.items()},
        context_length=context_length,
        architectures=architectures,
    )


def _network_of_gguf(values: dict[str, Any], path: Path) -> tuple[tuple[str, ...], int | None]:
    architecture = _want(values, "general.architecture", str, path)
    return (architecture,), _may(values, f"{architecture}.context_length", int, path)


def _metadata(path: Path) -> dict[str, Any]:
    """Return a GGUF's metadata, but for the merges, which nobody here needs."""
    with path.open("rb") as file:
        magic = file.read(4)
    hint = "download the file again, or name another one"
    if magic != b"GGUF":
        raise TemplateError(
            f"`{path}` is no GGUF file: it begins with `{magic!r}`; expected `b'GGUF'`", hint=hint
        )
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError as error:
        raise TemplateError(
            f"`{path}` cannot be read without the package `{error.name}`",
            hint='install it: `pip install "magpie-hub[local]"`',
        ) from error
    try:
        fields = GGUFReader(path).fields
        return {k: f.contents() for k, f in fields.items() if k != "tokenizer.ggml.merges"}
    except (LookupError, OverflowError, TypeError, ValueError) as error:
        raise TemplateError(
            f"`{path}` is truncated or damaged ({path.stat().st_size} bytes): {error}", hint=hint
        ) from error


def _token_of(values: dict[str, Any], key: str, tokens: list[Any], path: Path) -> str | None:
    token_id = _may(values, key, int, path)
    if token_id is None:
        return None
    if not 0 <= token_id < len(tokens):
        raise _wrong(path, key, token_id, f"the id of one of {len(tokens)} tokens")
    return str(tokens[token_id])


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _object(path: Path | None) -> dict[str, Any]:
    """Return the JSON object in a file; one that is not there is empty."""
    if path is None:
        return {}
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise TemplateError(f"`{path}` is no JSON: {error}", hint="save it again") from error
    if not isinstance(found, dict):
        raise _wrong(path, "the file", found, "an object")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"`{path}` cannot be read: {error}", hint="check the path") from error


def _want(values: dict[str, Any], key: str, kind: type[T], path: Path) -> T:
    value = values.get(key)
    if not isinstance(value, kind):
        raise _wrong(path, key, value, f"a value of type {kind.__name__}")
    return value


def _may(values: dict[str, Any], key: str, kind: type[T], path: Path) -> T | None:
    return None if values.get(key) is None else _want(values, key, kind, path)


def _wrong(path: Path, key: str, value: object, expected: str) -> TemplateError:
    shown = repr(value)[:80]
    return TemplateError(
        f"`{path}`: {key} is `{shown}`; expected {expected}", hint="save the tokenizer again"
    )


def _no_template(path: Path) -> TemplateError:
    return TemplateError(
        f"`{path}` holds no chat template; an aligned model's has one",
        hint="choose the instruct or chat version of the model",
    )

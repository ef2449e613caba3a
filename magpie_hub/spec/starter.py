"""The text of a first spec, for a person to edit: short, commented, and right as it stands.

Knows which keys are worth showing first. Does not check that the model exists.
"""

import json
import re

from magpie_hub.errors import SpecError
from magpie_hub.spec import presets
from magpie_hub.spec.wording import shown

PLACEHOLDER = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The model of a spec for which none was named; its weights come with `magpie-hub[local]`."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9_.@/-]+")

_TEXT = """\
# What the dataset is called, as `owner/name`. The release goes to ./dist and is not published.
repo: {repo}

# The licence of the data, as the Hub names it; the model's own licence decides what it may be.
# license: apache-2.0

# The model that writes instructions and responses: a Hub id, `ID@REVISION`, or a path.
generator:
  model: {model}
{engine}

# How many instructions are drawn, before any is dropped, and how.
instructions:
  rows: 1000
  sampling:
    - {{temperature: 1.0, top_p: 0.99}}

# How they are answered; 0 always takes the likeliest token.
responses:
  temperature: 0

# Labels on every row. `quality`, `difficulty` and `category` would ask a judge: the model itself,
# or another that `judge: {{model: ..., engine: ...}}` names.
tags: [lengths, language, personal_data]

# The subsets that `load_dataset("{repo}", NAME)` opens:
# `raw` holds every answered row, `filtered` those whose answer came to its end.
configs:
  raw: {{}}
  filtered: {{filter: finished, default: true}}

# The card shows a few rows that a `safety` tag found safe; without that tag, none, unless:
# card: {{samples: unscreened}}
"""

_HAS_GGUF = """\
  # What runs it: llama_cpp needs no GPU.
  engine: {name: llama_cpp}"""

_NEEDS_A_CHOICE = """\
  # What runs it: vllm, on all GPUs that it sees. A server that you run already is
  # `{name: server, url: "http://localhost:8000"}`; without a GPU, a repository of GGUF files
  # and `{name: llama_cpp, file: NAME.gguf}`.
  engine: {name: vllm}"""


def starter(model: str | None, preset: str | None) -> str:
    """Return the text of a spec for `model`, or of `preset` with `model` in its place.

    model: a Hub id, `ID@REVISION` or a path. Raises SpecError for an unknown preset, for a model
    that the preset's engine does not open, and for a name that cannot be written in YAML.
    """
    if model is not None and not (model and model.isprintable()):
        raise SpecError(
            f"the model {shown(model)} is no name, expected a Hub id or a path",
            hint=f"for example `--model {PLACEHOLDER}`",
        )
    if preset is not None:
        return _from_preset(preset, model)
    model = model or PLACEHOLDER
    return _TEXT.format(
        repo=f"org/magpie-{_slug(model)}",
        model=_quoted(model),
        engine=_HAS_GGUF if _has_gguf(model) else _NEEDS_A_CHOICE,
    )


def _from_preset(preset: str, model: str | None) -> str:
    text = presets.path(preset).read_text(encoding="utf-8")
    if model is None:
        return text
    llama_cpp = "engine: {name: llama_cpp" in text
    if not _has_gguf(model) if llama_cpp else model.endswith(".gguf"):
        raise SpecError(
            f"{shown(model)} is not opened by the engine of the preset `{preset}`, expected "
            + ("a `.gguf` file" if llama_cpp else "a Hub id or a folder"),
            hint=f"leave `--from {preset}` out, and the engine is chosen by the model",
        )
    return re.sub(r"(?m)^(  model: )\S+", lambda found: found[1] + _quoted(model), text, count=1)


def _has_gguf(model: str) -> bool:
    """Return whether llama_cpp finds the weights without being told a file's name."""
    return model.endswith(".gguf") or model == PLACEHOLDER


def _slug(model: str) -> str:
    """Return a repository's name: `./Llama-3.1-8B.gguf` gives `llama-3.1-8b`."""
    last = model.partition("@")[0].rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    words = re.sub(r"[^a-z0-9.]+|\.{2,}", "-", last.lower())
    short = re.sub(r"-{2,}", "-", words)[:80]
    return re.sub(r"^[-.]+|(\.git|[-.])+$", "", short) or "model"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)

"""The card: front matter that a YAML library writes, and a page from the templates in `cards/`.

Only what is handed in can be stated: an unknown name in a template is an error. Text of rows,
models and specs is escaped wherever it is printed, so that it never becomes markup, YAML or a
template. Knows no files but the templates.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from magpie_hub import __version__, bundled, columns
from magpie_hub.card.facts import ConfigFacts
from magpie_hub.curate.funnel import Funnel
from magpie_hub.errors import CardError
from magpie_hub.records import Type

TEMPLATE = "dataset.md.jinja"
_MARKUP = re.compile(r"([\\`*_{}\[\]#+!|~$])")
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)


@dataclass(frozen=True, slots=True)
class ConfigCard:
    """What the card says of one config: its name, what it asks for, and what was measured of it.

    fields: the columns of its rows. size: the most rows. alias: a second name. notes: what to know
    of how it came about.
    """

    name: str
    fields: tuple[columns.Field, ...]
    default: bool
    filter: str | None
    funnel: Funnel
    facts: ConfigFacts
    where: str | None = None
    size: int | None = None
    alias: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """What `load_dataset` opens the config by: its name, and its alias if it has one."""
        return [self.name, *([self.alias] if self.alias else [])]


def render(
    spec: Mapping[str, Any],
    pins: Mapping[str, Any],
    configs: Sequence[ConfigCard],
    tags: Mapping[str, Mapping[str, Any]],
    curation: Mapping[str, Any],
) -> str:
    """Return the card as text.

    spec: the public snapshot. pins: what was resolved of the generator, and the engine's
    `context_length`; of a source its checksums. tags: of each that a model makes, which model and
    how often it failed. curation: what signed texts (`backend`), the releases that rows were
    compared with (`against`), and which benchmarks they overlap (`overlaps`). Raises CardError,
    which names the template's line, where a template asks for something that was not measured.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(bundled.cards()),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        # Escaping here, once, to Markup: macros then hand on what is escaped already.
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"code": code, "fence": fence, "type_name": columns.type_name}
    default = next(config for config in configs if config.default)
    try:
        page = environment.get_template(TEMPLATE).render(
            spec=spec,
            spec_text=yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True),
            pins=pins,
            configs=configs,
            default=default,
            tags=tags,
            curation=curation,
            version=__version__,
        )
    except jinja2.TemplateError as error:
        raise CardError(
            f"{_place(error)}: the card asks for something that is not there: {error}",
            hint="a card may state measured facts only; correct the template",
        ) from error
    front = yaml.safe_dump(front_matter(spec, configs), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{page}"


def front_matter(spec: Mapping[str, Any], configs: Sequence[ConfigCard]) -> dict[str, Any]:
    """Return the card's metadata; `configs` and `dataset_info` describe the files as they are."""
    largest = max(config.facts.rows for config in configs)
    return {
        **({"license": spec["license"]} if spec["license"] else {}),
        "language": _languages(configs),
        "pretty_name": spec["repo"].partition("/")[2],
        "size_categories": [next((name for most, name in _SIZES if largest < most), "1B<n<10B")],
        "task_categories": ["text-generation"],
        **_makers(spec),
        "configs": [
            {
                "config_name": name,
                "data_files": [{"split": "train", "path": f"{config.name}/train-*"}],
                **({"default": True} if config.default and name == config.name else {}),
            }
            for config in configs
            for name in config.names
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": _features({field.name: field.type for field in config.fields}),
                "splits": [
                    {
                        "name": "train",
                        "num_bytes": config.facts.bytes_memory,
                        "num_examples": config.facts.rows,
                    }
                ],
                "download_size": config.facts.bytes,
                "dataset_size": config.facts.bytes_memory,
            }
            for config in configs
            for name in config.names
        ],
    }


def inline(text: str) -> Markup:
    """Return text as Markdown that reads as it stands, in one line; safe in a table cell."""
    flat = re.sub(r"\s+", " ", text)
    escaped = _MARKUP.sub(r"\\\1", flat).replace("&", "&amp;").replace("<", "&lt;")
    return Markup(escaped.replace(">", "&gt;"))


def code(text: str) -> Markup:
    """Return text as inline code; safe in a table cell."""
    flat = re.sub(r"\s+", " ", text).replace("|", "\\|")
    ticks = "`" * (_longest_run(flat) + 1)
    space = " " if flat.startswith("`") or flat.endswith("`") else ""
    return Markup(f"{ticks}{space}{flat}{space}{ticks}")


def fence(text: str, language: str = "text") -> Markup:
    """Return text as a fenced block whose fence is longer than any run of ticks in it."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    end = "" if text.endswith("\n") else "\n"
    return Markup(f"{ticks}{language}\n{text}{end}{ticks}")


def _finalize(value: object) -> object:
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}")
    return inline(str(value))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _place(error: jinja2.TemplateError) -> str:
    """Return where in the templates an error arose, such as `funnel.md.jinja:4`."""
    trace, place = error.__traceback__, TEMPLATE
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".jinja":
            place = f"{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _makers(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return who made the rows, as the Hub's metadata says it; of others' rows it is not known."""
    if "source" not in spec:
        return {
            "annotations_creators": ["machine-generated"],
            "language_creators": ["machine-generated"],
            "source_datasets": ["original"],
            "tags": ["synthetic", "magpie", "sft"],
        }
    dataset = spec["source"]["dataset"]
    named = dataset and "/" in dataset
    return {"source_datasets": [dataset] if named else ["extended"], "tags": ["sft"]}


def _languages(configs: Sequence[ConfigCard]) -> list[str]:
    """Return the languages (ISO 639-1) of at least one in a hundred rows of any config."""
    found = {
        language.lower()
        for config in configs
        for language, rows in config.facts.counts.get("language", {}).items()
        if rows * 100 >= config.facts.rows and len(language) == 2
    }
    return sorted(found)


def _features(types: Mapping[str, Type]) -> list[dict[str, Any]]:
    """Return columns as `dataset_info` writes them in YAML."""
    return [{"name": name, **_feature(type_)} for name, type_ in types.items()]


def _feature(type_: Type) -> dict[str, Any]:
    if isinstance(type_, str):
        return {"dtype": type_}
    if isinstance(type_, dict):
        return {"struct": _features(type_)}
    inner = type_[0]
    return {"list": _features(inner) if isinstance(inner, dict) else inner}

"""The card: front matter that a YAML library writes, and a page from the templates in `cards/`.

Only what is handed in can be stated: an unknown name in a template is an error. Text of rows,
models and specs is escaped wherever it is printed, so that it never becomes markup, YAML or a
template. Knows no files but the templates.
"""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from magpie_hub import __version__, bundled, columns
from magpie_hub.card import escape
from magpie_hub.card.cost import Cost
from magpie_hub.card.facts import ConfigFacts
from magpie_hub.card.families import Licence
from magpie_hub.card.figures import FIGURES, Figure
from magpie_hub.card.metadata import front_matter, title
from magpie_hub.curate.funnel import Funnel
from magpie_hub.errors import CardError, TargetError
from magpie_hub.marks import CHANGELOG, VERSION, find, keep, kept, of_spec

TEMPLATE = "dataset.md.jinja"
LONGEST = 2000
"""Characters of a message that a card shows."""
_FILTERS: Mapping[str, Callable[..., Any]] = {
    "code": escape.code,
    "cell": escape.cell,
    "fence": escape.fence,
    "html": escape.html,
    "url": escape.url,
    "type_name": columns.type_name,
}
_FAULTS = (
    *(jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError),
    *(ArithmeticError, RecursionError, TargetError),
)
"""What a template can do wrong: it may call and compare whatever it is given."""
_DOUBTFUL = re.compile(r"[yYnN]|[-+.]?\d[\w.+-]*")
_PLAIN = re.compile(r"[\w &/,.-]{1,60}")


class _Dumper(yaml.SafeDumper):
    """Quotes what our own reader, which is stricter than PyYAML, would take for something else."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _DOUBTFUL.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _quoted)


@dataclass(frozen=True, slots=True)
class ConfigCard:
    """What the card says of one config: its name, what it asks for, and what was measured of it.

    fields: the columns of its rows. size: the most rows; order: the column whose highest values are
    taken then. alias: a second name. about: what it is for. notes: what to know of how it came
    about. prompt: the system prompt before later user turns, as rows name it, and its text.
    """

    name: str
    fields: tuple[columns.Field, ...]
    default: bool
    filter: str | None
    funnel: Funnel
    facts: ConfigFacts
    where: str | None = None
    size: int | None = None
    order: str | None = None
    alias: str | None = None
    about: str | None = None
    notes: tuple[str, ...] = ()
    prompt: tuple[str, str] | None = None

    @property
    def names(self) -> list[str]:
        """What `load_dataset` opens the config by: its name, and its alias if it has one."""
        return [self.name, *([self.alias] if self.alias else [])]

    @property
    def kind(self) -> str:
        """What its rows are, by their columns: sft, multi-turn or preference."""
        names = {field.name for field in self.fields}
        return "preference" if "chosen" in names else "multi-turn" if "turns" in names else "sft"

    @property
    def is_chosen(self) -> bool:
        """Whether its rows were chosen among all."""
        return bool(self.filter or self.where or self.size)


@dataclass(frozen=True, slots=True)
class Stated:
    """All that a card may state.

    name: the spec's. spec: its public snapshot. pins: what was resolved of the generator, and the
    engine's `context_length`; `answers`, the answer sets of which there are several or of another
    model, and `reasoning`, the marks of those that have any, each with its configs; of a source its
    checksums. tags: of each that a model makes, which
    model and how often it failed. curation: what signed texts (`backend`), the releases that rows
    were compared with (`against`), and which benchmarks they overlap (`overlaps`). overlaps: by two
    configs the rows that both have, the most first. licences: of the models that wrote the text.
    figures: of the default config.
    """

    name: str
    spec: Mapping[str, Any]
    pins: Mapping[str, Any]
    configs: Sequence[ConfigCard]
    tags: Mapping[str, Mapping[str, Any]]
    curation: Mapping[str, Any]
    cost: Cost
    overlaps: Mapping[tuple[str, str], int]
    licences: Mapping[str, Licence | None]
    figures: Sequence[Figure]

    @property
    def default(self) -> ConfigCard:
        """What `load_dataset` opens when no config is named."""
        return next(config for config in self.configs if config.default)


def render(stated: Stated, own: Path | None = None) -> str:
    """Return the card as text.

    own: a folder of templates that stand before ours of the same names. Raises CardError, which
    names the template's line, where a template asks for something that was not measured.
    """
    environment = _environment(bundled.cards(), own)
    given = {field.name: getattr(stated, field.name) for field in fields(stated)}
    try:
        page = environment.get_template(TEMPLATE).render(**given, **_derived(stated))
        _check_marks(page, stated.name)
    except _FAULTS as error:
        raise CardError(
            f"{_place(error)}: the card cannot be made: {str(error) or type(error).__name__}",
            hint="a card may state what was measured, and nothing else; correct the template",
        ) from error
    front = front_matter(stated.spec, stated.configs, stated.licences.values())
    shown = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    return f"---\n{shown}---\n\n{page.strip()}\n"


def figure_path(spec: str, figure: str) -> str:
    """Return where a spec's figure lies in a release."""
    return f"figures/{spec}/{figure}.png"


@cache
def _environment(cards: Path, own: Path | None) -> jinja2.Environment:
    environment = ImmutableSandboxedEnvironment(
        loader=_loader(cards, own),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        # Escaping here, once, to Markup: macros then hand on what is escaped already.
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    return environment


def _check_marks(page: str, name: str) -> None:
    """Raise TargetError for places to write that a release could not keep."""
    places = kept(page)
    if page.count("<!-- magpie-hub keep ") != len(places):
        raise TargetError(
            "a place to write has a name that no mark can have, expected letters, digits and `-`",
            hint="give it another name",
        )
    if filled := [name for name, text in places.items() if text.strip()]:
        raise TargetError(
            f"the place to write `{filled[0]}` is not empty: its words would pass for a person's",
            hint="write them beside the marks",
        )
    if any(find(page, pair) for pair in (of_spec(name), CHANGELOG)):
        raise TargetError(
            "a mark around the generated part stands in it",
            hint="only marks `magpie-hub keep NAME` may stand in a template",
        )


def _loader(cards: Path, own: Path | None) -> jinja2.BaseLoader:
    ours = jinja2.FileSystemLoader(cards)
    if own is None:
        return ours
    names = ours.list_templates()
    if not any((own / name).is_file() for name in names):
        raise CardError(
            f"`card.template`: `{own}` has no template, expected at least one of"
            f" `{'`, `'.join(names)}`",
            hint=f"to override a block, write `{TEMPLATE}` and begin it with"
            f' `{{% extends "magpie/{TEMPLATE}" %}}`',
        )
    under = jinja2.PrefixLoader({"magpie": ours})
    return jinja2.ChoiceLoader([jinja2.FileSystemLoader(own), under, ours])


def _derived(stated: Stated) -> dict[str, Any]:
    """Return what templates are given besides the facts: words and values that come of them."""
    spec, default = stated.spec, stated.default
    pictures = {figure.name: figure for figure in stated.figures}
    return {
        "default": default,
        "title": title(spec),
        "spec_text": yaml.dump(dict(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True),
        "version": __version__,
        "pinned": Markup(VERSION),
        "cut": LONGEST,
        "screened": spec["card"]["samples"] == "screened",
        "sizes": {config.name: config.facts.rows for config in stated.configs},
        "sampling": _sampling(stated),
        "others_of_columns": _others(stated, lambda config: tuple(f.name for f in config.fields)),
        "others_of_use": _others(stated, lambda config: config.kind == "preference"),
        "example": _example(default.facts),
        "keep": _keep,
        "picture": partial(_picture, stated.name, pictures),
    }


def _sampling(stated: Stated) -> list[tuple[tuple[str, float, float, int], list[str]]]:
    """Return how things were sampled behind the instruction, each with the configs that hold it."""
    found: dict[tuple[str, float, float, int], list[str]] = {}
    for config in stated.configs:
        for how in config.facts.sampling:
            found.setdefault(how, []).append(config.name)
    return sorted(found.items())


def _others(stated: Stated, by: Callable[[ConfigCard], Hashable]) -> list[ConfigCard]:
    """Return the first config of each sort that the default one is not of."""
    first = {by(config): config for config in (*stated.configs[::-1], stated.default)}
    return [config for config in stated.configs if config in first.values() and not config.default]


def _example(facts: ConfigFacts) -> dict[str, Any] | None:
    """Return a column and one of its values, to show how rows are chosen by it."""
    for column in ("task_category", "difficulty", "language"):
        for value, rows in facts.counts.get(column, {}).items():
            if value not in ("none", "others") and _PLAIN.fullmatch(value):
                return {"column": column, "value": value, "rows": rows}
    return None


def _keep(name: str) -> Markup:
    """Return a place where a person may write in the generated part: what is there is kept."""
    return Markup("".join(keep(name)).strip())


def _picture(spec: str, figures: Mapping[str, Figure], name: str) -> Markup:
    """Return a figure as Markdown; nothing of one that there is nothing to show in."""
    if name in FIGURES and name not in figures:
        return Markup("")
    path = escape.url_path(figure_path(spec, name))
    return Markup(f"![{escape.inline(figures[name].alt)}]({path})")


def _finalize(value: object) -> object:
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Markup(f"{value:,}")
    return escape.inline(str(value))


def _place(error: Exception) -> str:
    """Return where in the templates an error arose, such as `funnel.md.jinja:4`."""
    trace, place = error.__traceback__, TEMPLATE
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.suffix == ".jinja":
            place = f"{file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place

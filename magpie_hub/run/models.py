"""The check of every model of a spec, before anything is asked of one.

All that stands in the way is said at once. Metadata and small files are enough to tell, so that no
weights are fetched in vain. Knows no run folder, and opens no engine.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from magpie_hub import hub
from magpie_hub.engines.base import Engine
from magpie_hub.engines.scoring import Scorer
from magpie_hub.errors import EngineError, MagpieError, RunError, TemplateError
from magpie_hub.run.weights import find, model_files
from magpie_hub.spec.sections import Model as Section

if TYPE_CHECKING:
    from magpie_hub.templates.prefix import ChatTexts
    from magpie_hub.templates.sources import TemplateSource


Opener = type[Engine] | type[Scorer]


@dataclass(frozen=True, slots=True)
class Need:
    """A model that will be asked for something.

    section: as the spec names it. opener: what runs it. texts: makes the fixed texts of its
    prompts from its template and a date; raises TemplateError. most: tokens of an answer, which
    the context must hold more than; named: what the spec calls that number. base: whether a chat
    template may be missing. given: what the spec gives the template.
    """

    section: Section
    opener: Opener
    texts: Callable[["TemplateSource", str], Any]
    most: int
    named: str
    base: bool = False
    given: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be asked: what it says of itself, and the texts made of that.

    folder: where its small files lie, or all of them; None for a GGUF, and for no weights.
    """

    source: "TemplateSource"
    texts: Any
    folder: Path | None


def check(needs: Sequence[Need], *, date: str) -> list[Model]:
    """Return the models, looked through without their weights; each template is rendered once.

    date: YYYY-MM-DD, what a template that states the date takes for today.
    One fault is raised as it is; several are raised as one RunError that lists them.
    """
    faults: list[MagpieError] = []
    models = [_look(need, date, faults) for need in needs]
    found = [model for model in models if model is not None]
    if not faults and len(found) == len(needs):
        return found
    # Two tags may need the same model.
    said = {fault.message: fault for fault in faults}
    if len(said) == 1:
        raise faults[0]
    lines = [f"- {fault.message}; {fault.hint}" for fault in said.values()]
    raise RunError(
        "\n".join([f"{len(said)} things stand in the way of generating:", *lines]),
        hint="put them right, then run the same command",
    )


def _look(need: Need, date: str, all_faults: list[MagpieError]) -> Model | None:
    """Return a model as far as it can be read; what is wrong with it goes to `all_faults`."""
    faults: list[MagpieError] = []
    with TemporaryDirectory(prefix="magpie-hub-") as scratch:
        place = _place(need, Path(scratch), faults)
        source, architectures, context = _read(need, place, faults)
    texts = None
    if source is not None:
        with _noted(faults):
            texts = need.texts(source, date)
    faults += need.opener.check_library(need.section.engine.options, architectures)
    with _noted(faults):
        _check_context(need, context)
    all_faults += faults
    if source is None or texts is None:
        return None
    return Model(source, texts, place if place is not None and place.is_dir() else None)


@contextmanager
def _noted(faults: list[MagpieError]) -> Iterator[None]:
    try:
        yield
    except MagpieError as fault:
        faults.append(fault)


def _place(need: Need, scratch: Path, faults: list[MagpieError]) -> Path | None:
    """Return where the model can be read without its weights being fetched, if it can be.

    scratch: a folder for what is needed to read it only.
    """
    section, opener = need.section, need.opener
    if is_on_hub(section, opener):
        repo, revision = hub.split_model(section.model)
        with _noted(faults):
            if (found := hub.listing(repo, revision=revision)) is not None:
                return _fetched(section, opener, found, scratch, faults)
        if faults:
            return None
    # Here, or in the cache, or nowhere.
    place = None
    with _noted(faults):
        place = find(section, opener.weights)
    if place is not None and place.is_dir():
        with _noted(faults):
            _check_names(section.model, opener, [path.name for path in place.iterdir()])
    return place


def _fetched(
    section: Section,
    opener: Opener,
    found: hub.Listing,
    scratch: Path,
    faults: list[MagpieError],
) -> Path | None:
    """Return where the small files of a model on the Hub lie, or the beginning of its GGUF."""
    repo, _ = hub.split_model(section.model)
    if opener.weights == "gguf":
        file = section.engine.options["file"]
        with _noted(faults):
            hub.check_room(repo, found, [file])
        with _noted(faults):
            return hub.gguf_start(repo, file, found, scratch)
        return None
    with _noted(faults):
        _check_names(section.model, opener, found.sizes)
    with _noted(faults):
        hub.check_room(repo, found, model_files(found.sizes, weights=opener.weights == "folder"))
    with _noted(faults):
        return find(section, opener.weights, small=True)
    return None


def is_on_hub(section: Section, opener: Opener) -> bool:
    """Return whether a model's files are had from the Hub by its id."""
    model = section.model
    if opener.weights == "none" or hub.is_path(model):
        return False
    # Which of a repository's GGUF files is meant has to be said; `find` says so.
    return opener.weights != "gguf" or section.engine.options.get("file") is not None


def _check_names(model: str, engine: Opener, names: Collection[str]) -> None:
    """Raise EngineError where a folder lacks files that the engine opens."""
    whole = engine.weights == "folder"
    needed = ("config.json", "tokenizer.json") if whole else ("tokenizer.json",)
    lacks = [f"`{name}`" for name in needed if name not in names]
    if whole and model_files(names, weights=True) == model_files(names, weights=False):
        lacks.append("weights (`*.safetensors` or `*.bin`)")
    if not lacks:
        return
    hint = "save it again as transformers does, or name the model that it was made from"
    if any(name.endswith(".gguf") for name in names):
        hint = "it holds GGUF files: name one, for the engine `llama_cpp`"
    raise EngineError(
        f"`{model}` lacks {', '.join(lacks)}, which the engine `{engine.name}` needs",
        hint=hint,
    )


def _read(
    need: Need, place: Path | None, faults: list[MagpieError]
) -> tuple["TemplateSource | None", tuple[str, ...], int | None]:
    """Return what a model says of itself, its architectures, and its context length in tokens."""
    from magpie_hub.templates import sources

    template = need.opener.chat_template
    if template is not None:
        return replace(sources.inline(need.section.model, template), given=need.given), (), None
    if place is None:
        return None, (), None
    with _noted(faults):
        found = sources.load(str(place), base=need.base)
        source = replace(found, name=need.section.model, given=need.given)
        return source, source.architectures, source.context_length
    try:
        return None, *sources.network(place)
    except TemplateError:
        # Then it was this that `load` failed by.
        return None, (), None


def chat(source: "TemplateSource", date: str) -> "ChatTexts":
    """Return the texts around a user's words, some mark that ends them included."""
    from magpie_hub.templates import prefix

    texts = prefix.derive(source, date=date)
    if source.special_ids and not prefix.stop_token_ids(source, texts):
        raise TemplateError(
            f"none of the texts that end a turn (`{'`, `'.join(end_marks(source, texts))}`) is a"
            " token of the model's own, so that nothing would end an instruction",
            hint="choose a model whose chat template closes turns with a token of its own",
        )
    return texts


def end_marks(source: "TemplateSource", texts: "ChatTexts") -> tuple[str, ...]:
    """Return the texts that end a turn: the template's marks, then the model's EOS token."""
    return tuple(dict.fromkeys([*texts.end_of_turn, *filter(None, [source.eos_token])]))


def marks_in(source: "TemplateSource", texts: Iterable[str]) -> tuple[str, ...]:
    """Return the control tokens that stand in texts; the longer first where two begin alike.

    A vocabulary may list line breaks among them, which control nothing.
    """
    joined = "\n".join(texts)
    marks = (mark for mark in source.special_ids if mark.strip() and mark in joined)
    return tuple(sorted(marks, key=len, reverse=True))


def controls(source: "TemplateSource", texts: "ChatTexts") -> tuple[str, ...]:
    """Return the control tokens that the template itself writes, and its marks in plain text.

    A vocabulary has many more, such as `<filename>`, which a user may well type. Heads such as
    `USER:` stand behind a line break, where they are such: at the beginning of a line.
    """
    from magpie_hub.templates.prefix import turn_marks

    written = {*marks_in(source, [source.chat_template]), *turn_marks(texts)}
    return tuple(sorted(written.union(end_marks(source, texts))))


def _check_context(need: Need, own: int | None) -> None:
    """Raise RunError where an answer alone may fill the context; own: the model's, in tokens.

    A response that cannot reach its `max_tokens` is worth a warning only.
    """
    engine = need.section.engine
    limits = (own, need.opener.context_limit(engine.options))
    context = min((limit for limit in limits if limit is not None), default=None)
    if context is not None and need.most >= context:
        lower = f"lower `{need.named}`" if "." in need.named else "choose another model"
        raise RunError(
            f"`{need.named}` is {need.most:,}, and the context of {context:,} tokens that"
            f" `{need.section.model}` has on `{engine.name}` must hold more than that",
            hint=lower
            + (", or raise the engine's context" if own is None or context < own else ""),
        )

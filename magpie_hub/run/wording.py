"""The fixed texts that a generator is prompted with, derived from its chat template.

What of the spec goes into them: system prompts, a system turn or prefix of one's own, the number of
turns. Knows no tokens and no engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from magpie_hub import hub
from magpie_hub.engines import engine_class
from magpie_hub.errors import TemplateError
from magpie_hub.run.models import Need, chat, controls, is_on_hub, marks_in
from magpie_hub.spec.configs import FOLLOW_UP, Config, Turns
from magpie_hub.spec.generation import NONE, Responses
from magpie_hub.spec.model import Spec
from magpie_hub.spec.sections import Writer
from magpie_hub.spec.snapshot import fingerprint
from magpie_hub.templates import system_prompts

if TYPE_CHECKING:
    from magpie_hub.templates.prefix import ChatTexts
    from magpie_hub.templates.sources import TemplateSource


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts around the words of a model that writes rows.

    texts: as the template gives them. before: in front of an instruction that is answered. prefix:
    in front of one that is drawn. prefixes: the same with each system prompt, by its name.
    """

    texts: "ChatTexts"
    before: str
    post_query: str
    prefix: str
    prefixes: Mapping[str, str]


def of_generator(spec: Spec) -> Need:
    """Return what is needed of the model that writes the rows."""
    section = spec.drawn_from
    return _need(spec, section, partial(_wording, spec))


def of_answers(spec: Spec, answers: Responses) -> Need:
    """Return what is needed of another model than the generator, which writes an answer set."""
    _, section = spec.writer_of(answers)
    return _need(spec, section, _own_wording)


def of_conversations(spec: Spec, answered: Mapping[str, Any]) -> dict[str, Need]:
    """Return what configs with several turns need of the model that writes them, by their key.

    answered: the pins of answer sets in run.json. Of a model on the Hub the commit is theirs.
    """
    needs = {}
    for name, config in spec.active_configs.items():
        if config.turns is not None:
            answers = spec.answers_of(config)
            _, section = spec.writer_of(answers)
            own = spec.drawn_from.system_turn if answers.model is None else None
            commit = answered.get(answers.name, {}).get("commit")
            if commit and is_on_hub(section, engine_class(section.engine.name)):
                repo, _ = hub.split_model(section.model)
                section = section.model_copy(update={"model": f"{repo}@{commit}"})
            place = f"configs.{name}.turns.system_prompt"
            read = partial(conversations, turns=config.turns, own=own, place=place)
            needs[conversation_key(spec, config)] = _need(spec, section, read)
    return needs


def _need(spec: Spec, section: Writer, texts: Callable[["TemplateSource", str], Any]) -> Need:
    return Need(
        section,
        engine_class(section.engine.name),
        texts,
        spec.instructions.max_tokens,
        "instructions.max_tokens",
        given=section.chat_template_kwargs,
    )


def conversation_key(spec: Spec, config: Config) -> str:
    """Return what the texts of a config's conversations are kept under in run.json."""
    assert config.turns is not None
    asked = [config.turns.number, user_prompt(config.turns), spec.drawn_from.system_turn]
    return f"{spec.answers_of(config).name} {fingerprint(asked)}"


def conversations(
    source: "TemplateSource", date: str, *, turns: Turns, own: str | None, place: str
) -> dict[str, Any]:
    """Return the texts of conversations of 1, 2, ... turns, plain and with the user's prompt.

    With them the control tokens that stand in them.

    own: the system prompt that stands in the place of the template's. place: the key of the
    user's prompt. Raises TemplateError where the template has no such conversations.
    """
    from magpie_hub.templates.prefix import conversation

    def texts(system: str | None) -> list[tuple[str, ...]]:
        numbers = range(1, turns.number + 1)
        return [conversation(source, date=date, turns=n, system=system) for n in numbers]

    prompt = user_prompt(turns)
    if prompt is not None:
        _check_words(source, chat(source, date), {place: prompt})
    found = {"texts": texts(own), "prompted": texts(own if prompt is None else prompt)}
    every = [text for chats in found.values() for chat_ in chats for text in chat_]
    return {**found, "marks": marks_in(source, every)}


def user_prompt(turns: Turns) -> str | None:
    """Return the text of the system prompt in front of what the user writes."""
    if turns.prompt_name is None:
        return None
    return system_prompts.FOLLOW_UP if turns.prompt_name == FOLLOW_UP else turns.system_prompt


def prompt_texts(spec: Spec) -> dict[str, str]:
    """Return the system prompts of the draws by name; SpecError for a name that is none of ours.

    A text of a person's own has a name of its own: rows name no other text by it.
    """
    found = {}
    for name, prompt in spec.instructions.system_prompts.items():
        if name == NONE:
            continue
        if prompt.text is not None and name in system_prompts.SYSTEM_PROMPTS:
            raise spec.fault(
                f"instructions.system_prompts.{name}.text",
                f"`{name}` is a prompt of ours, expected another name for a text of your own",
                hint="choose another name, or remove the text",
            )
        text = prompt.text or system_prompts.SYSTEM_PROMPTS.get(name)
        if text is None:
            ours = "`, `".join(system_prompts.SYSTEM_PROMPTS)
            raise spec.fault(
                f"instructions.system_prompts.{name}",
                f"there is no system prompt `{name}`; expected one of `{ours}`, or a `text`",
                hint=f"write it as in `{name}: {{text: ...}}`",
            )
        found[name] = text
    return found


def _own_wording(source: "TemplateSource", date: str) -> Wording:
    texts = chat(source, date)
    return Wording(texts, texts.prefix, texts.post_query, texts.prefix, {})


def _wording(spec: Spec, source: "TemplateSource", date: str) -> Wording:
    from magpie_hub.templates.prefix import conversation

    texts, section, prompts = chat(source, date), spec.drawn_from, prompt_texts(spec)
    said = {f"instructions.system_prompts.{name}": text for name, text in prompts.items()}
    _check_words(source, texts, said | {"generator.system_turn": section.system_turn or ""})
    before, post_query = texts.prefix, texts.post_query
    if section.system_turn is not None:
        before, post_query = conversation(source, date=date, system=section.system_turn)
    prefixes = {
        name: conversation(source, date=date, system=text)[0] for name, text in prompts.items()
    }
    return Wording(texts, before, post_query, section.prefix or before, prefixes)


def _check_words(source: "TemplateSource", texts: "ChatTexts", said: Mapping[str, str]) -> None:
    """Raise TemplateError where a system prompt, by its key in the spec, holds a control token."""
    for place, text in said.items():
        marks = (mark.strip() for mark in controls(source, texts) if mark in f"\n{text}")
        if found := [*marks_in(source, [text]), *marks]:
            raise TemplateError(
                f"`{place}` holds `{found[0]}`, which is part of the chat template of"
                f" `{source.name}` or a token of its own, and would not be read as words",
                hint="write it in other words",
            )

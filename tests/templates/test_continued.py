"""Conversations of several turns: the texts around their words, with and without system prompt."""

from dataclasses import replace

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.prefix import conversation
from magpie_hub.templates.sources import TemplateSource, inline

DAY = "2025-06-17"
CHATML = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
FOLDED = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for m in messages if m.role != 'system' %}<{{ m.role }}>"
    "{% if WHERE and system %}{{ system | trim }}\n\n{% endif %}{{ m.content }}</>"
    "{% endfor %}<assistant>"
)
THINKS = (
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}<thought></thought>"
    "{% endif %}{{ m.content }}</>{% endfor %}<assistant><thought>"
)
PARTS = (
    "{% for m in messages %}<{{ m.role }}>{% for part in m.content %}{{ part.text }}{% endfor %}"
    "</>{% endfor %}<assistant>"
)


def source(chat_template: str) -> TemplateSource:
    """Return a source of which only the template is known."""
    return inline("org/model", chat_template)


@pytest.mark.parametrize("chat_template", [CHATML, PARTS])
def test_one_turn_and_three(chat_template):
    """There are two texts a turn; a template that takes lists of parts is given those."""
    assert conversation(source(chat_template), date=DAY) == ("<user>", "</><assistant>")
    assert conversation(source(chat_template), date=DAY, turns=3) == (
        "<user>",
        *("</><assistant>", "</><user>") * 2,
        "</><assistant>",
    )


def test_history_is_rendered_as_history():
    """What stands between a question and its answer may differ from what asks for an answer."""
    assert conversation(source(THINKS), date=DAY, turns=2) == (
        "<user>",
        "</><assistant><thought></thought>",
        "</><user>",
        "</><assistant><thought>",
    )


@pytest.mark.parametrize(
    ("chat_template", "texts"),
    [
        (CHATML, ("<system>Say {{ a }}.</><user>", "</><assistant>", "</><user>")),
        (
            FOLDED.replace("WHERE", "loop.first"),
            ("<user>Say {{ a }}.\n\n", "</><assistant>", "</><user>"),
        ),
        (
            FOLDED.replace("WHERE", "loop.last"),
            ("<user>", "</><assistant>", "</><user>Say {{ a }}.\n\n"),
        ),
    ],
)
def test_a_system_prompt_in_the_models_own_form(chat_template, texts):
    """It stands where the template puts it: a turn of its own, or in the first or last question."""
    found = conversation(source(chat_template), date=DAY, turns=2, system="Say {{ a }}.")
    assert found == (*texts, "</><assistant>")


def test_white_space_around_a_system_prompt_may_go():
    """A prompt that the template trims is still the prompt."""
    trims = source(FOLDED.replace("WHERE", "loop.first"))
    assert conversation(trims, date=DAY, system="Be kind.\n")[0] == "<user>Be kind.\n\n"
    assert conversation(source(CHATML), date=DAY, system="Be kind.\n")[0] == (
        "<system>Be kind.\n</><user>"
    )


@pytest.mark.parametrize(
    ("chat_template", "reason"),
    [
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}",
            "the template raises `TemplateError: no system`",
        ),
        (
            "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}",
            "the system message is dropped or rewritten",
        ),
        (
            "{{ messages[0].content | upper }}{% set messages = messages[1:] %}",
            "the system message is dropped or rewritten",
        ),
        (
            "{% if 'kind' in messages[0].content %}<kind>{% endif %}",
            "the system message is dropped or rewritten",
        ),
        ("{{ messages[0].content }}", "the system message is written 2 times"),
    ],
)
def test_a_system_prompt_that_does_not_arrive(chat_template, reason):
    """One that is refused, dropped, rewritten or acted on is never silently lost."""
    with pytest.raises(TemplateError) as caught:
        conversation(source(chat_template + CHATML), date=DAY, system="Be kind.")
    assert caught.value.message == (
        "the chat template of `org/model` has no clean place for one turn behind a system prompt:"
        f" {reason}"
    )
    assert "leave out the system prompt" in caught.value.hint


def test_the_reason_is_that_of_the_content_that_the_template_takes():
    """Where a template takes lists of parts, what it says of texts is not the reason."""
    only = "{% if messages[0].content is string %}{{ raise_exception('a list') }}{% endif %}"
    no_system = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    with pytest.raises(TemplateError, match="raises `TemplateError: no system`"):
        conversation(source(only + no_system + PARTS), date=DAY, system="Be kind.")


@pytest.mark.parametrize(
    ("chat_template", "reason"),
    [
        (
            "{% if messages | length > 2 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML,
            "the template raises `TemplateError: one turn`",
        ),
        (
            "<user>{{ messages[-1].content }}</><assistant>",
            "the user message is dropped or rewritten",
        ),
        ("{% for m in messages %}{{ m.content }}</>{% endfor %}", "nothing stands before them"),
        ("<user {{ messages[0].content[0] }}>" + CHATML, "the text around them changes with the"),
    ],
)
def test_turns_without_a_clean_cut(chat_template, reason):
    """A template for one turn, or one that looks into the words, is refused with the reason."""
    with pytest.raises(TemplateError, match="no clean place for 2 turns: ") as caught:
        conversation(source(chat_template), date=DAY, turns=2)
    assert f"2 turns: {reason}" in caught.value.message


def test_arguments_and_the_date_reach_the_template():
    """What `derive` gives a template it is given here too."""
    dated = source("{{ strftime_now('%d %B') }}" + CHATML + "{% if not think %}quick{% endif %}")
    assert conversation(replace(dated, given={"think": True}), date=DAY) == (
        "17 June<user>",
        "</><assistant>",
    )
    assert conversation(dated, date=DAY)[1] == "</><assistant>quick"

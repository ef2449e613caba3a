"""Shapes of real families in short templates of our own: two turns, with and without system."""

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.prefix import conversation
from magpie_hub.templates.sources import TemplateSource

# The system prompt goes into the first question; every question opens the text anew.
FOLDED = """{% if messages[0].role == 'system' %}
{% set rest, system = messages[1:], messages[0].content %}
{% else %}{% set rest = messages %}{% endif %}
{% for m in rest %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}
{{ raise_exception('roles must alternate') }}{% endif %}
{% if m.role == 'user' %}
{% set asked = '(SYS)' + system + '(/SYS)' + m.content if loop.first and system else m.content %}
{{ bos_token + '[ASK] ' + asked.strip() + ' [/ASK]' }}
{%- else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"""
# The assistant has another name, and a system prompt is refused.
RENAMED = """{{ bos_token }}{% if messages[0].role == 'system' %}
{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}
{% set role = 'model' if m.role == 'assistant' else m.role %}
<turn>{{ role }}
{{ m.content | trim }}</turn>
{% endfor %}{% if add_generation_prompt %}<turn>model
{% endif %}"""
# Rounds are numbered, whatever the generation prompt; a system prompt has no place.
ROUNDS = """{% set n = namespace(round=0) %}{% for m in messages %}
{% if m.role == 'user' %}{% set n.round = n.round + 1 %}[{{ n.round }}] Q: {{ m.content }}
A:{% elif m.role == 'assistant' %} {{ m.content }}
{% endif %}{% endfor %}"""
# Channels, written by macros; the head of the conversation holds the date.
CHANNELS = """{% macro say(role, channel, words) %}
<|start|>{{ role }}{% if channel %}<|channel|>{{ channel }}{% endif %}<|message|>{{ words }}<|end|>
{%- endmacro %}{{ say('system', none, 'Today: ' ~ strftime_now('%Y-%m-%d')) }}
{%- for m in messages %}{% if m.role == 'system' %}{{ say('developer', none, m.content) }}
{%- elif m.role == 'user' %}{{ say('user', none, m.content) }}
{%- else %}{{ say('assistant', 'final', m.content) }}{% endif %}{% endfor %}
{% if add_generation_prompt %}<|start|>assistant{% endif %}"""
# Thoughts are opened for a new answer, and left out of the past.
THOUGHTS = """{% for m in messages %}<{{ m.role }}>
{%- if m.role == 'assistant' %}{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}
{%- endif %}</>{% endfor %}{% if add_generation_prompt %}<assistant><think>
{% endif %}"""


def source(chat_template: str) -> TemplateSource:
    """Return a source with `<s>` and `</s>` as its BOS and EOS tokens."""
    return TemplateSource("org/model", chat_template, "<s>", "</s>", {}, {}, None)


DATED = "<|start|>system<|message|>Today: 2025-06-17<|end|>"


@pytest.mark.parametrize(
    ("chat_template", "texts"),
    [
        (FOLDED, ("<s>[ASK] ", " [/ASK] ", " </s><s>[ASK] ", " [/ASK]")),
        (
            RENAMED,
            (
                "<s><turn>user\n",
                "</turn>\n<turn>model\n",
                "</turn>\n<turn>user\n",
                "</turn>\n<turn>model\n",
            ),
        ),
        (ROUNDS, ("[1] Q: ", "\nA: ", "\n[2] Q: ", "\nA:")),
        (
            CHANNELS,
            (
                f"{DATED}<|start|>user<|message|>",
                "<|end|><|start|>assistant<|channel|>final<|message|>",
                "<|end|><|start|>user<|message|>",
                "<|end|><|start|>assistant",
            ),
        ),
        (THOUGHTS, ("<user>", "</><assistant>", "</><user>", "</><assistant><think>\n")),
    ],
)
def test_two_turns(chat_template, texts):
    """The four texts of two turns, each as it stands in one rendering."""
    assert conversation(source(chat_template), date="2025-06-17", turns=2) == texts


@pytest.mark.parametrize(
    ("chat_template", "first"),
    [
        (FOLDED, "<s>[ASK] (SYS)Be kind.(/SYS)"),
        (CHANNELS, f"{DATED}<|start|>developer<|message|>Be kind.<|end|><|start|>user<|message|>"),
        (THOUGHTS, "<system>Be kind.</><user>"),
    ],
)
def test_a_system_prompt_in_the_familys_form(chat_template, first):
    """Only what stands before the first question changes."""
    plain = conversation(source(chat_template), date="2025-06-17", turns=2)
    asked = conversation(source(chat_template), date="2025-06-17", turns=2, system="Be kind.")
    assert asked == (first, *plain[1:])


@pytest.mark.parametrize(
    ("chat_template", "reason"),
    [
        (RENAMED, "the template raises `TemplateError: System role not supported`"),
        (ROUNDS, "the system message is dropped or rewritten"),
    ],
)
def test_a_system_prompt_that_a_family_does_not_take(chat_template, reason):
    """The template's own reason is told, or what it did with the prompt."""
    with pytest.raises(TemplateError) as caught:
        conversation(source(chat_template), date="2025-06-17", turns=2, system="Be kind.")
    assert caught.value.message.endswith(f"2 turns behind a system prompt: {reason}")

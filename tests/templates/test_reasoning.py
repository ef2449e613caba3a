"""The marks around reasoning, from templates that show them and from templates that name them."""

from dataclasses import replace

import pytest

from magpie_hub.engines.scripted import TEMPLATE
from magpie_hub.templates import prefix, reasoning, sources

USER = "{{ '<|user|>' + messages[0]['content'] + '<|end|>' }}"
ASKS = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
SHOWS = (
    USER + "{% for m in messages[1:] %}<|assistant|>[THINK]{{ m['reasoning'] }}[/THINK]"
    "{{ m['content'] }}<|end|>{% endfor %}" + ASKS
)
CHANNELS = (
    USER + "{% for m in messages[1:] %}<|assistant|><|channel|>thought{{ m['thinking'] }}<|end|>"
    "<|assistant|><|channel|>said{{ m['content'] }}<|end|>{% endfor %}" + ASKS
)
DROPS = (
    USER + "{% for m in messages[1:] %}<|assistant|>{{ m['content'].split('</think>')[-1] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|><think>' }}{% endif %}"
)
PLAIN = USER + "{% for m in messages[1:] %}<|assistant|>{{ m['content'] }}{% endfor %}" + ASKS


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (SHOWS, ("[THINK]", "[/THINK]")),
        (CHANNELS, ("<|channel|>thought", "<|end|><|assistant|><|channel|>said")),
        (DROPS, ("<think>", "</think>")),
        (TEMPLATE, ("<think>", "</think>")),
        (PLAIN, None),
        (PLAIN + "{# no reasoning here #}", None),
    ],
)
def test_marks(template, expected):
    """Marks are read off what a template renders, else off what it names; most have none."""
    source = sources.inline("test", template)
    post_query = prefix.derive(source).post_query
    assert reasoning.marks(source, post_query, date="2026-01-01") == expected


def test_marks_by_what_the_template_is_given():
    """What a person gives the template decides what it shows of reasoning."""
    source = sources.inline("test", SHOWS.replace("THINK]", "{{ mark | default('A') }}]"))
    given = (source, replace(source, given={"mark": "B"}))
    marks = [reasoning.marks(each, "<|end|><|assistant|>", date="2026-01-01") for each in given]
    assert marks == [("[A]", "[/A]"), ("[B]", "[/B]")]

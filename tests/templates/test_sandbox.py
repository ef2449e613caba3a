"""Rendering in a child process: what templates are given, and what stops them."""

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates import sandbox
from magpie_hub.templates.sandbox import Rendering, render

HELLO = [{"role": "user", "content": "hello"}]


def rendered(chat_template: str, **variables: object) -> Rendering:
    """Return the one rendering of a conversation that says hello."""
    return render(chat_template, [HELLO], variables=variables, date="2025-06-17")[0]


def test_renders_each_conversation():
    """Every conversation has its own rendering, in the order given."""
    goodbye = [{"role": "user", "content": "goodbye"}]
    texts = render("{{ messages[0].content }}", [HELLO, goodbye], variables={}, date="2025-06-17")
    assert texts == [Rendering("hello"), Rendering("goodbye")]


@pytest.mark.parametrize(
    ("chat_template", "text"),
    [
        ("{{ strftime_now('%d %B %Y, %H:%M') }}", "17 June 2025, 00:00"),
        ("{{ {'b': '<é>', 'a': 1} | tojson }}", '{"b": "<é>", "a": 1}'),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"),
        ("{% generation %}{% set x = 1 %}words{% endgeneration %}{{ x }}", "words"),
        ("{{ tools is none }} {{ documents }}", "True "),
        ("{{ bos_token }}|", "|"),
        ("{{ messages | attr('__class__') }}{{ '{0.__class__}'.format(messages) }}|", "|"),
    ],
)
def test_templates_find_what_transformers_gives_them(chat_template, text):
    """The date, JSON, loop controls, trimmed blocks and generation blocks work; unset is empty."""
    assert rendered(chat_template, tools=None) == Rendering(text)


@pytest.mark.parametrize(
    ("chat_template", "error"),
    [
        ("{{ raise_exception('no system role') }}", "TemplateError: no system role"),
        ("{% for %}", "TemplateSyntaxError: Expected an expression, got 'end of statement block'"),
        ("{{ [1, 2] | random }}", "TemplateAssertionError: No filter named 'random'."),
        ("{% include '/etc/hostname' %}", "TypeError: no loader for this environment specified"),
        ("{{ '\\ud800' }}", "UnicodeEncodeError: 'utf-8' codec can't encode character"),
        ("{% import '/etc/hostname' as host %}", "TypeError: no loader for this environment"),
        ("{% extends '/etc/hostname' %}", "TypeError: no loader for this environment specified"),
        ("{{ cycler.__init__.__globals__ }}", "SecurityError: access to attribute '__init__'"),
        ("{{ messages.append('more') }}", "SecurityError: access to attribute 'append'"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "RecursionError"),
        ("{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}", "RecursionError"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "RecursionError"),
        ("{{ range(10 ** 9) | list }}", "OverflowError: Range too big"),
        ("{{ 'x' | center(10 ** 10) }}", "MemoryError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError: access to attribute '__class__'"),
        ("{% set x = 'y' * (10 ** 10) %}", "MemoryError"),
        ("{{ 'y' * 300001 }}", "ValueError: it writes more than 300000 characters"),
    ],
)
def test_a_fault_of_the_template_is_the_reason(chat_template, error):
    """What a template raises, reaches for, or writes too much of comes back as an error."""
    assert rendered(chat_template).error.startswith(error)


def test_one_conversation_that_fails_does_not_touch_the_others():
    """A template that refuses one conversation still renders the next."""
    chat_template = (
        "{% if messages[0].role == 'user' %}ok{% else %}{{ raise_exception('') }}{% endif %}"
    )
    system = [{"role": "system", "content": "hello"}]
    done = render(chat_template, [system, HELLO], variables={}, date="2025-06-17")
    assert done == [Rendering(error="TemplateError"), Rendering("ok")]


@pytest.mark.parametrize(
    "chat_template",
    [
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 9 ** (9 ** 8) }}",
    ],
)
def test_a_template_that_would_run_for_hours_is_stopped(monkeypatch, chat_template):
    """A loop, and one call that no interpreter interrupts, end with their CPU time."""
    monkeypatch.setattr(sandbox, "CPU_SECONDS", 1)
    with pytest.raises(TemplateError, match="stopped: it took more than 1 s of CPU time"):
        rendered(chat_template)


def test_a_child_that_does_not_answer_is_stopped(monkeypatch):
    """The parent waits for so long and no longer."""
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 0.01)
    with pytest.raises(TemplateError, match=r"stopped: it ran longer than 0\.01 s"):
        rendered("hello")


def test_a_child_that_breaks_says_why(monkeypatch, tmp_path):
    """A child that cannot even start is an error with its last words, not a traceback."""
    monkeypatch.setattr(sandbox, "_RENDERER", tmp_path / "moved.py")
    with pytest.raises(TemplateError, match=r"stopped: .*can't open file .*moved\.py"):
        rendered("hello")

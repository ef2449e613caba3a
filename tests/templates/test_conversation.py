"""The texts around one exchange: in templates of a guard's shape, and in real ones."""

import json
from pathlib import Path

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.conversation import Around, around
from magpie_hub.templates.cuts import Content, variables
from magpie_hub.templates.sandbox import render
from magpie_hub.templates.sources import TemplateSource

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "chat_templates"
DAY = "2025-06-17"
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}"
)
# In a guard's shape: the whole conversation stands in one turn, and the task around it.
GUARD = """{% if messages | length % 2 == 0 %}{% set role = 'Agent' %}{% else %}
{% set role = 'User' %}{% endif %}
{{ bos_token }}[HEAD]Judge the last words of the {{ role }}.

<CATEGORIES>
{% for code, name in [('S1', 'Harm'), ('S2', 'Fraud')] %}
{{ code }}: {{ name }}.
{% endfor %}
</CATEGORIES>

<CONVERSATION>

{% for message in messages %}
{% set content = messages[loop.index0]['content'] | trim %}
{% if message['role'] == 'user' %}
{{ 'User: ' + content + '\n\n' }}
{%- else %}
{{ 'Agent: ' + content + '\n\n' }}
{%- endif %}
{% endfor %}
</CONVERSATION>
Say safe or unsafe.{% if add_generation_prompt %}[TAIL]{% endif %}"""
PARTS = (
    "{% for m in messages %}<{{ m.role }}>{% for part in m.content %}{% if part.type == 'text' %}"
    "{{ part.text }}{% endif %}{% endfor %}</{{ m.role }}>{% endfor %}"
)


def source(chat_template: str) -> TemplateSource:
    """Return a source with `<s>` as its BOS token."""
    return TemplateSource("org/guard", chat_template, "<s>", "</s>", {}, {}, None)


def test_a_reward_model_reads_the_exchange_and_nothing_behind_it() -> None:
    """Without a generation prompt the end of the answer is the end."""
    assert around(source(CHATML), date=DAY, generation_prompt=False) == Around(
        before="<|im_start|>user\n",
        between="<|im_end|>\n<|im_start|>assistant\n",
        after="<|im_end|>\n",
    )


def test_a_guard_reads_the_exchange_inside_its_task() -> None:
    """The task stands before, the place for the verdict behind; the words are trimmed."""
    texts = around(source(GUARD), date=DAY, generation_prompt=True)
    assert texts == Around(
        before="<s>[HEAD]Judge the last words of the Agent.\n\n"
        "<CATEGORIES>\nS1: Harm.\nS2: Fraud.\n</CATEGORIES>\n\n<CONVERSATION>\n\nUser: ",
        between="\n\nAgent: ",
        after="\n\n</CONVERSATION>\nSay safe or unsafe.[TAIL]",
        trims_user=True,
        trims_answer=True,
    )
    assert texts.pieces(" who? ", "me\n")[1:4] == ("who?", "\n\nAgent: ", "me")


def test_a_template_that_takes_parts() -> None:
    """Content is given as a list of parts where the model wants that, and only then."""
    texts = around(source(PARTS), date=DAY, generation_prompt=True, content="parts")
    assert texts == Around("<user>", "</user><assistant>", "</assistant>")
    with pytest.raises(TemplateError, match="the user message is dropped or rewritten"):
        around(source(PARTS), date=DAY, generation_prompt=True)


def test_the_date_is_the_one_given() -> None:
    """A template that writes the day writes the day of the run."""
    dated = source("{{ strftime_now('%d %B %Y') }}\n" + CHATML)
    texts = around(dated, date="2024-02-29", generation_prompt=False)
    assert texts.before == "29 February 2024\n<|im_start|>user\n"


@pytest.mark.parametrize(
    ("chat_template", "content", "reason"),
    [
        ("{{ raise_exception('user only') }}", "text", "the template raises `TemplateError: user"),
        ("<u>{{ messages[0].content }}", "text", "the assistant message is dropped or rewritten"),
        (CHATML + CHATML, "text", "the user message is written 2 times"),
        (
            "{% for m in messages | reverse %}<m>{{ m.content }}{% endfor %}",
            "text",
            "the messages are not written in their order",
        ),
        (
            "{{ messages[0].content }}{{ messages[1].content | length }}{{ messages[1].content }}",
            "text",
            "the text around them changes with the words",
        ),
        (CHATML.replace("m.content", "m.content | lower"), "text", "are rewritten, or change the"),
        ("{{ messages[1].content | int }}" + CHATML + "{{ 1 / 0 }}", "text", "ZeroDivisionError"),
        (
            "{% if '7' in messages[1].content %}{{ raise_exception('no') }}{% endif %}" + CHATML,
            "text",
            "for words with digits, signs or line breaks it raises `TemplateError: no`",
        ),
        # A list that is printed holds the plain words once.
        (CHATML, "parts", "the template does not look into a list of parts"),
    ],
)
def test_no_clean_place_is_refused_with_the_reason(
    chat_template: str, content: Content, reason: str
) -> None:
    """Words that are refused, dropped, repeated, moved, counted or rewritten are never guessed."""
    with pytest.raises(TemplateError) as caught:
        around(source(chat_template), date=DAY, generation_prompt=True, content=content)
    message = "the chat template of `org/guard` has no clean place for an exchange: "
    assert caught.value.message.startswith(message)
    assert reason in caught.value.message


@pytest.mark.parametrize("generation_prompt", [False, True])
def test_real_templates(generation_prompt: bool) -> None:
    """In every published template the pieces are the rendering, for odd words too; ours that
    mislead are refused."""
    if not FOLDER.is_dir():
        pytest.skip("the folder of real chat templates does not lie beside this checkout")
    words = [("why?", "because"), (" 1 < 2\n<b>{{ x }}</b> ", "\t\\n 42 'é' 天\n\n- y "), ("", "a")]
    refused = []
    for path in sorted(FOLDER.glob("*.json")):
        case = json.loads(path.read_text(encoding="utf-8"))
        template, bos, eos = (case[key] for key in ("chat_template", "bos_token", "eos_token"))
        real = TemplateSource("case", template, bos, eos, {}, {}, None)
        try:
            texts = around(real, date=DAY, generation_prompt=generation_prompt)
        except TemplateError:
            refused.append(path.stem)
            continue
        whole = render(
            template,
            [
                [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
                for user, answer in words
            ],
            variables=variables(real, generation_prompt=generation_prompt),
            date=DAY,
        )
        pieces = ["".join(texts.pieces(user, answer)) for user, answer in words]
        assert (path.stem, pieces) == (path.stem, [rendering.text for rendering in whole])
    assert refused == [
        "adversarial-drops-odd-words",
        "adversarial-prefix-holds-the-words",
        "adversarial-reads-class",
    ]

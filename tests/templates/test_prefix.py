"""Cutting chat templates: one short template for each trait, and its texts read by eye."""

from dataclasses import replace

import pytest

from magpie_hub.errors import TemplateError
from magpie_hub.templates.prefix import ChatTexts, derive, stop_token_ids, turn_marks
from magpie_hub.templates.sources import TemplateSource

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{{ '' }}{% endif %}"
)


def loop(user: str, rest: str = "") -> str:
    """Return a template that writes user messages as `user`, and others in brackets."""
    return (
        "{% for m in messages %}{% if m.role == 'user' %}"
        + user
        + "{% else %}({{ m.role }}: {{ m.content }}){% endif %}{% endfor %}"
        + rest
    )


def source(chat_template: str, *, bos: str | None = None, **ids: int) -> TemplateSource:
    """Return a source with `</s>` as its EOS token."""
    return TemplateSource("org/model", chat_template, bos, "</s>", ids, {}, None)


def test_chatml():
    """The simplest honest template gives all five texts and no warning."""
    assert derive(source(CHATML)) == ChatTexts(
        prefix="<|im_start|>user\n",
        prefix_with_system="<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n",
        between_turns="<|im_end|>\n<|im_start|>user\n",
        post_query="<|im_end|>\n<|im_start|>assistant\n",
        end_of_turn=("<|im_end|>",),
        warnings=(),
    )


def test_default_system_turn_is_kept():
    """A system turn that the template writes by itself is part of the prefix."""
    default = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nBe good.<|im_end|>\n{% endif %}"
    )
    texts = derive(source(default + CHATML))
    assert texts.prefix == "<|im_start|>system\nBe good.<|im_end|>\n<|im_start|>user\n"
    assert texts.prefix_with_system == "<|im_start|>system\nSYS<|im_end|>\n<|im_start|>user\n"


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}",
            "the template raises `TemplateError: no`",
        ),
        (
            "{% set messages = messages | rejectattr('role', 'equalto', 'system') | list %}",
            "the system message is dropped or rewritten",
        ),
    ],
)
def test_a_system_message_that_is_refused_or_dropped(refusal, reason):
    """Without a place for a system prompt there is no prefix with one, and a warning why."""
    texts = derive(source(refusal + CHATML))
    assert texts.prefix_with_system is None
    assert texts.prefix == "<|im_start|>user\n"
    assert texts.warnings == (f"there is no prefix with a system prompt: {reason}",)


def test_a_system_message_that_moves_to_the_last_turn():
    """A system prompt that leaves the prefix in a longer chat is warned of."""
    moving = (
        "{% for m in messages if m.role != 'system' %}{% if m.role == 'user' %}[INST]"
        "{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }}\n{% endif %}"
        "{{ m.content }}[/INST]{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
    )
    texts = derive(source(moving))
    assert texts.prefix_with_system == "[INST]SYS\n"
    assert texts.warnings == ("in a chat of several turns a system prompt leaves the prefix",)


def test_the_date_is_pinned_and_warned_of():
    """The prefix holds the day that was given, whatever day it is, and says so."""
    texts = derive(source("{{ strftime_now('%d %B %Y') }}\n" + CHATML), date="2025-06-17")
    assert texts.prefix == "17 June 2025\n<|im_start|>user\n"
    assert texts.warnings == (
        "the date, pinned to 2025-06-17, is part of prefix, prefix_with_system",
    )


def test_a_date_that_is_none():
    """A date in another form is refused with the form that is expected."""
    with pytest.raises(TemplateError, match="`17 June` is not a date") as caught:
        derive(source(CHATML), date="17 June")
    assert "YYYY-MM-DD" in caught.value.hint


def test_what_is_given_reaches_the_template():
    """Arguments such as a thinking switch change what is derived."""
    thinking = CHATML + "{% if thinking is false %}<think></think>{% endif %}"
    texts = derive(replace(source(thinking), given={"thinking": False}))
    assert texts.post_query == "<|im_end|>\n<|im_start|>assistant\n<think></think>"


@pytest.mark.parametrize(
    ("user", "warning"),
    [
        ("<u>{{ m.content | trim }}</u>", "the template trims the user's words"),
        (
            "<u>{{ m.content | lower }}</u>",
            "the template rewrites words that hold digits, signs or line breaks",
        ),
        (
            "{% if '<' in m.content %}odd {% endif %}<u>{{ m.content }}</u>",
            "words with digits, signs or line breaks change the text around them",
        ),
        (
            "<u> {{ m.content }}</u>",
            "the prefix ends in a space, which a tokenizer may join with a word",
        ),
        ("<u>{{ m.content }}\n ", "the template writes no mark after the user's words"),
    ],
)
def test_what_happens_at_the_border_is_warned_of(user, warning):
    """A template that touches the words, or joins them with a space, still has a clean cut."""
    texts = derive(source(loop(user)))
    assert texts.prefix in ("<u>", "<u> ")
    assert warning in texts.warnings


def test_a_bos_that_the_template_does_not_write():
    """Nobody else adds a BOS, so its absence is said; where it is written there is no warning."""
    silent = derive(source(CHATML, bos="<s>"))
    assert silent.warnings == ("the template does not write the BOS token `<s>`",)
    written = derive(source("{{ bos_token }}" + CHATML, bos="<s>"))
    assert (written.prefix, written.warnings) == ("<s><|im_start|>user\n", ())


@pytest.mark.parametrize(
    ("chat_template", "reason"),
    [
        (loop("<u>{{ m.content }}|{{ m.content }}"), "the user message is written 2 times"),
        (loop("<u>{{ m.content | upper }}"), "the user message is dropped or rewritten"),
        (loop("<u>"), "the user message is dropped or rewritten"),
        (
            loop("<u {{ m.content | length }}>{{ m.content }}"),
            "the text around them changes with the words",
        ),
        (
            loop("<u>{{ m.content }}</u {{ m.content[0] }}>"),
            "the text around them changes with the words",
        ),
        (loop("{{ m.content }}"), "nothing stands before them, so there is nothing to complete"),
        (loop("{{ raise_exception('no') }}"), "the template raises `TemplateError: no`"),
    ],
)
def test_no_clean_cut_is_refused_with_the_reason(chat_template, reason):
    """A prefix that depends on the words, or has no place for them, is never guessed."""
    with pytest.raises(TemplateError) as caught:
        derive(source(chat_template))
    assert caught.value.message == (
        f"the chat template of `org/model` has no clean place for a user's words: {reason}"
    )


def test_a_template_that_wants_lists_of_parts():
    """Where texts are refused, messages are given as one part of text each."""
    parts = CHATML.replace(
        "{{ m.content }}",
        "{% if m.content is string %}{{ raise_exception('a list, please') }}{% endif %}"
        "{% for part in m.content %}{{ part.text }}{% endfor %}",
    )
    assert derive(source(parts)) == derive(source(CHATML))
    never = parts.replace("part.text", "part.words")
    with pytest.raises(TemplateError, match=r"the template raises `TemplateError: a list, please`"):
        derive(source(never))


def test_tokens_besides_bos_and_eos():
    """A template may write any token that the tokenizer names, and say that it lacks one."""
    padded = source("{{ pad_token + '!' }}" + CHATML)
    named = replace(padded, other_tokens={"pad_token": "<pad>"})
    assert derive(named).prefix == "<pad>!<|im_start|>user\n"
    with pytest.raises(TemplateError, match="'pad_token' is undefined"):
        derive(padded)


def test_a_template_for_one_turn_only():
    """Where a second turn is refused there is no text between turns, and a warning why."""
    single = "{% if messages | length > 2 %}{{ raise_exception('one turn') }}{% endif %}" + CHATML
    texts = derive(source(single))
    assert texts.between_turns is None
    assert (
        "there is no text between turns: the template raises `TemplateError: one turn`"
        in texts.warnings
    )


def test_turns_that_are_numbered():
    """A text between turns that differs from turn to turn is given, with a warning."""
    texts = derive(source(loop("<u {{ loop.index }}>{{ m.content }}</u>")))
    assert texts.between_turns == ")<u 3>"
    assert "the text between turns differs in a chat of three turns" in texts.warnings


def test_a_generation_prompt_that_opens_a_thought():
    """A prompt that is not how earlier answers begin is warned of, since answers will differ."""
    texts = derive(source(CHATML + "{% if add_generation_prompt %}<think>{% endif %}"))
    assert texts.post_query == "<|im_end|>\n<|im_start|>assistant\n<think>"
    assert [w.partition(",")[0] for w in texts.warnings] == [
        "a new answer begins after '<|im_end|>\\n<|im_start|>assistant\\n<think>'"
    ]


@pytest.mark.parametrize(
    ("after", "ids", "mark"),
    [
        ("<end>\n<bot>", {}, "<end>"),
        ("</s>\n<bot>", {}, "</s>"),
        ("[e~[\n", {"[e~[": 7}, "[e~["),
        ("<e><e2>", {"<e>": 7, "<e><e2>": 8}, "<e><e2>"),
        ("\n[/INST] ", {}, "[/INST]"),
        ("\n\n### Response:\n", {}, "### Response:"),
    ],
)
def test_end_of_turn(after, ids, mark):
    """The mark is a known token, else what looks like one, else the assistant's first line."""
    chat_template = loop("<u>{{ m.content }}{{ after }}")
    texts = derive(replace(source(chat_template, **ids), given={"after": after}))
    assert texts.end_of_turn == (mark,)


def test_stop_token_ids():
    """The end of turn comes first, then the EOS; a mark that is no token has no id."""
    texts = derive(source(CHATML))
    assert stop_token_ids(source(CHATML, **{"</s>": 2, "<|im_end|>": 5}), texts) == [5, 2]
    assert stop_token_ids(source(CHATML, **{"</s>": 2}), texts) == [2]


@pytest.mark.parametrize(
    ("texts", "marks"),
    [
        (
            ("<s>[INST] ", "<s>[INST] <<SYS>>\nSYS\n<</SYS>>\n\n", " </s><s>[INST] ", " [/INST]"),
            {"<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"},
        ),
        (
            ("Note: be kind. USER: ", None, "</s>USER: ", " ASSISTANT:"),
            {"</s>", "\nUSER:", "\nASSISTANT:"},
        ),
        (
            ("### Instruction:\n", None, None, "\n\n### Response:\nNow say: "),
            {"\n### Instruction:", "\n### Response:", "\nsay:"},
        ),
        (("<|user|>\n", None, None, "\n<|assistant|>\n"), {"<|user|>", "<|assistant|>"}),
        (("A word, and the next ", None, None, "."), set()),
    ],
)
def test_marks_of_turns_in_plain_text(texts, marks):
    """Marks in brackets, wherever; a word with a colon at the words' borders, as a line begins."""
    prefix, system, between, post_query = texts
    assert turn_marks(ChatTexts(prefix, system, between, post_query, (), ())) == marks


def test_a_turn_that_no_token_ends_is_warned_of():
    """Where the text that ends the user's turn is several tokens, a draw costs more."""
    assert derive(source(CHATML, **{"<|im_end|>": 5, "</s>": 2})).warnings == ()
    [warning] = derive(source(CHATML, **{"</s>": 2})).warnings
    assert warning.startswith("`<|im_end|>`, which ends the user's turn, is no token of its own")
    assert warning.endswith("until `</s>` or `instructions.max_tokens`: lower that")

"""What may stand under `card:`, and beside models and configs for the card alone."""

from pathlib import Path

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec.card import Card
from magpie_hub.spec.load import load

HEAD = "repo: org/x\ngenerator: {model: org/m}\n"
RESULT = "{benchmark: IFEval, model: org/a, score: 58, measured_by: org"
WHOLE = f"""\
card:
  title: Magpie for all
  samples: unscreened
  results:
    - {RESULT}}}
    - {{benchmark: A, model: b, score: 21 of 30, measured_by: c, link: "https://x.org/a?b=(c)"}}
  licences:
    org/Llama-3.1-8B: {{license: llama3.1}}
    "./m*": {{license: other, notice: Hi, restriction: None, allows: [other], link: "http://x"}}
  contact: data@example.org
"""


def loaded(text: str, folder: Path) -> Card:
    """Return the card of the shortest spec with `text` added."""
    (folder / "s.yaml").write_text(HEAD + text, encoding="utf-8")
    return load(str(folder / "s.yaml")).card


def test_a_whole_card(tmp_path: Path) -> None:
    """Every key is taken as written: a score keeps its form, and an id its dots."""
    card = loaded(WHOLE, tmp_path)

    assert (card.title, card.samples, card.template) == ("Magpie for all", "unscreened", None)
    assert [(one.score, one.link) for one in card.results] == [
        (58, None),
        ("21 of 30", "https://x.org/a?b=(c)"),
    ]
    assert list(card.licences) == ["org/Llama-3.1-8B", "./m*"]
    assert card.licences["./m*"].allows == ["other"]
    assert card.contact == "data@example.org"


def test_without_a_card(tmp_path: Path) -> None:
    """Unasked, rows are shown that a safety tag passed, and nothing is reported."""
    assert loaded("", tmp_path) == Card() == Card(samples="screened", results=[], licences={})


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("card: [a]", '3: `card`: `["a"]`, expected a map', "`card: {samples: unscreened}`"),
        (
            "card:\n  titel: A",
            "4: `card.titel`: unknown key, expected one of `title`, `samples`, `template`,",
            "did you mean `title`?",
        ),
        ("card: {title: ''}", "3: `card.title`: empty, expected text", "`title: Magpie SmolLM2`"),
        ("card: {template: 3}", "3: `card.template`: `3`, expected text", "`template: my-cards/`"),
        (
            "card: {samples: unscreend}",
            "3: `card.samples`: `unscreend`, expected `screened` or `unscreened`",
            "did you mean `unscreened`?",
        ),
        (
            f"card:\n  results:\n    - {RESULT}, lnk: x}}",
            "5: `card.results.0.lnk`: unknown key, expected one of `benchmark`, `model`,",
            "did you mean `link`?",
        ),
        ("card: {results: [{}]}", "3: `card.results.0.benchmark`: missing", "`benchmark: IFEval`"),
        (
            f"card:\n  results:\n    - {RESULT.replace('58', 'true')}}}",
            "5: `card.results.0.score`: `true`, expected a whole number or a number or text",
            "`score: 58.2`",
        ),
        (
            f'card:\n  results:\n    - {RESULT}, link: "javascript:a"}}',
            "5: `card.results.0.link`: `javascript:a`, expected a link that begins with `https://`",
            "`link: https://",
        ),
        (
            "card:\n  licences:\n    org/Llama-3.1-8B: {licence: mit}",
            "5: `card.licences.org/Llama-3.1-8B.licence`: unknown key, expected one of `license`,",
            "did you mean `license`?",
        ),
        ("card: {licences: {m: {}}}", "3: `card.licences.m.license`: missing", "apache-2.0`"),
        ("card: {licences: {m: {license: mit, allows: []}}}", "3: `card.licences.m.allows`: ", ""),
        (
            "card: {contact: me}",
            "3: `card.contact`: `me`, expected a link that begins with `https://`, or an e-mail",
            "`contact: data@example.com`",
        ),
        ("configs: {a: {about: 3}}", "3: `configs.a.about`: `3`, expected text", "`about: "),
        (
            "judge: {model: m, price_per_hour: 0}",
            "3: `judge.price_per_hour`: `0`, expected more than 0",
            "`price_per_hour: 2.5`",
        ),
        ("tags: {safety: {price_per_hour: $2}}", "3: `tags.safety.price_per_hour`: `$2`", ""),
    ],
)
def test_faults(text: str, message: str, hint: str, tmp_path: Path) -> None:
    """Each fault says where, what and what was expected; the hint is a next step."""
    with pytest.raises(SpecError) as caught:
        loaded(text, tmp_path)

    assert caught.value.message.startswith(f"{tmp_path}/s.yaml:{message}")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "link",
    [
        *("ftp://x.org", "//x.org", "https://", "https:///a", "https://a b", "https://x.org/<b>"),
        *("https://me:secret@x.org", 'https://x.org/"onload', " https://x.org", "https://x..org"),
    ],
)
def test_what_is_no_link(link: str, tmp_path: Path) -> None:
    """Only a link to a page can be clicked: no other scheme, no password, no markup."""
    with pytest.raises(SpecError, match=r"`card\.contact`"):
        loaded(f"card: {{contact: '{link}'}}", tmp_path)


@pytest.mark.parametrize("link", ["http://localhost:8000", "https://ü.org/ä#b", "https://x.org?a"])
def test_what_is_a_link(link: str, tmp_path: Path) -> None:
    """Ports, questions, places in a page and letters of any script are part of one."""
    assert loaded(f"card: {{contact: '{link}'}}", tmp_path).contact == link

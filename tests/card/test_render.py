"""The page: text stays text, and nothing unmeasured is said."""

import shutil
from dataclasses import replace

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub import bundled
from magpie_hub.card.figures import Figure
from magpie_hub.card.render import render
from magpie_hub.columns import SFT, Field
from magpie_hub.curate.funnel import funnel
from magpie_hub.errors import CardError
from magpie_hub.marks import VERSION, kept
from magpie_hub.spec.load import load
from tests.card.hostile import HOSTILE
from tests.card.reading import fences, front, shape
from tests.card.stating import PINS, TAGS, spec, stated


@pytest.mark.parametrize("text", HOSTILE)
def test_a_rows_text_stays_text(config, text):
    """Whatever a row says, the page has the same parts, and the block holds the text verbatim."""
    card = render(stated(config(text, text)))
    plain = render(stated(config("x" * len(text), "x" * len(text))))

    assert shape(card) == shape(plain)
    shown = text[:2000].replace("\r\n", "\n").replace("<!-- /magpie-hub", "<!- - /magpie-hub")
    assert fences(card)[2:4] == [shown if shown.endswith("\n") else shown + "\n"] * 2
    assert front(card) == front(plain) | {"dataset_info": front(card)["dataset_info"]}
    assert kept(card).keys() == kept(plain).keys()


PIECES = ["`", "```", "~~~", "\n", "|", "<b>", "</details>", "{{", "}}", "---", "#", "*", "\\", "a"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.lists(st.sampled_from(PIECES), min_size=1).map("".join))
def test_any_text_stays_text(config_once, text):
    """Pieces of markup in any order change nothing but the content of their block."""
    plain, card = config_once
    row = card.facts.samples[0]
    messages = [message | {"content": text} for message in row["messages"]]
    facts = replace(card.facts, samples=(row | {"messages": messages},))
    page = render(stated(replace(card, facts=facts)))

    assert shape(page) == plain
    assert fences(page)[2].rstrip("\n") == text.rstrip("\n")


@pytest.fixture(scope="module")
def config_once(config):
    """A config's card with one sample, and the shape of the page that it alone makes."""
    card = config()
    card = replace(card, facts=replace(card.facts, samples=card.facts.samples[:1]))
    return shape(render(stated(card))), card


@pytest.mark.parametrize("text", HOSTILE)
def test_other_texts_stay_text(config, text):
    """A licence, model, prefix, reason, label or title that is markup is shown as written."""

    def page(word, licence, column):
        card = config()
        counts = {"language": {word: 3}, "finish_reason": {"stop": 3}}
        facts = replace(card.facts, counts=counts, engines=((word, word, ""),))
        own = (Field("mood", "string", "tag", word),)
        changed = replace(
            card,
            facts=facts,
            filter=word,
            about=word,
            fields=SFT + own,
            funnel=funnel(10, [(word, word, 7)]),
            notes=(word,),
        )
        result = {"benchmark": word, "model": word, "score": word, "measured_by": word}
        said = spec(license=licence, card={"title": word, "results": [result]})
        return render(
            stated(
                changed,
                spec=said,
                pins=PINS | {"revision": word, "prefix": word},
                tags={"quality": TAGS["quality"] | {"model": word, "failed": {word: 1}}},
                licences={word: None},
                figures=(Figure("lengths", b"", word), Figure(column, b"", word)),
            )
        )

    # The heading is shown as one line of words, cut nowhere.
    found = page(text, text, "tags")
    assert shape(found) == shape(page("word", "word", "tags"))
    assert front(found)["license"] == text
    assert yaml.safe_load(fences(found)[-2])["license"] == text.replace("<!-- /mag", "<!- - /mag")


def test_where_a_person_may_write(config):
    """The card has places for a person's words, each by a name that stands once."""
    assert [*kept(render(stated(config())))] == ["about", "limits", "uses", "more"]


def test_the_version_is_left_open(config):
    """What pins a version names the one that only a plan knows."""
    page = render(stated(config()))
    assert page.count(f'revision="{VERSION}"') == 3
    assert f"  revision: {VERSION}\n" in page


def test_samples(config):
    """The rows that the facts chose are shown, long ones cut, and how they were chosen is said."""
    page = render(stated(config("a" * 2500)))
    assert page.count("(the first 2,000 of 2,500 characters)") == 2  # at the top, and of the five
    assert "with the smallest `uuid`" in page
    assert " They are shown whether or not a safety model calls them safe." in page
    screened = render(stated(config(), spec=spec(card={})))
    assert "of those that are called safe" in screened
    card = config()
    none = render(stated(replace(card, facts=replace(card.facts, samples=())), spec=spec(card={})))
    assert none.count("No row is shown here: no safety model has screened them.") == 2


def test_forty_configs(config):
    """Forty configs are forty lines of the table, of which but one is shown in full."""
    one = config()
    many = [replace(one, name=f"c{n}", default=n == 7) for n in range(40)]
    shared = {(f"c{n}", f"c{n + 1}"): 3 for n in range(39)}
    page = render(stated(*many, overlaps=shared))
    assert sum(line.startswith("| `c") and "training" in line for line in page.splitlines()) == 0
    assert page.count("| choosing rows of your own |") == 40
    assert page.count("<details><summary>c") == 2 * 39
    assert "Further pairs that share rows, none of them more: 19." in page
    assert '"c7", split="train")\n' in page


@pytest.mark.parametrize("text", ["y", "N", "1e3", "0x1F", "12_000", "no", "1.0", "~", ": a", ""])
def test_the_spec_on_the_page_is_read_as_it_is(config, tmp_path, text):
    """A word that YAML readers take for a number or a truth is quoted, so that ours takes it."""
    said = spec(card={"title": text or "x", "contact": "a@example.org"}, license=text)
    (tmp_path / "again.yaml").write_text(fences(render(stated(config(), spec=said)))[-2])
    again = load(str(tmp_path / "again.yaml"))
    assert (again.license, again.card.title) == (text, text or "x")


def test_twice_the_same(config):
    """The same facts give the same bytes."""
    first, second = (render(stated(config())) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("funnel.md.jinja", "{{ configs[0].funnel.median }}", "median"),
        ("dataset.md.jinja", "{{ gpu_hours }}", "'gpu_hours' is undefined"),
        ("statistics.md.jinja", "{{ oops", "unexpected end of template"),
        ("provenance.md.jinja", "{% include 'none.jinja' %}", "none.jinja"),
    ],
)
def test_what_was_not_measured_cannot_be_said(config, tmp_path, monkeypatch, file, text, fault):
    """A name that is not there is an error with the template that asks for it, and the line."""
    cards = shutil.copytree(bundled.cards(), tmp_path / "cards")
    page = (cards / file).read_text()
    (cards / file).write_text(page + text)
    monkeypatch.setattr(bundled, "cards", lambda: cards)

    with pytest.raises(CardError) as caught:
        render(stated(config()))

    assert caught.value.message.startswith(f"{file}:{len(page.splitlines()) + 1}: ")
    assert fault in caught.value.message


def test_templates_of_ones_own(config, tmp_path):
    """A block or a file is overridden without the rest; what it adds is escaped like ours."""
    (tmp_path / "dataset.md.jinja").write_text(
        '{% extends "magpie/dataset.md.jinja" %}\n'
        "{% block uses %}\nFor {{ '<b>' }} alone.\n\n{{ super() }}{% endblock %}\n"
    )
    (tmp_path / "citation.md.jinja").write_text("Cite {{ default.name }}.\n")
    page = render(stated(config()), tmp_path)
    usual = render(stated(config()))

    assert "For &lt;b&gt; alone.\n\n## Uses" in page
    end = "<!-- magpie-hub keep more -->\n<!-- /magpie-hub keep more -->\n"
    assert page.endswith(f"Cite raw.\n\n{end}")
    assert page.partition("For &lt;b&gt;")[0] == usual.partition("## Uses")[0]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("card.md.jinja", "x", "has no template, expected at least one of `about.md.jinja`"),
        ("uses.md.jinja", "{{ ''.__class__.__mro__ }}", "__class__"),
        ("uses.md.jinja", "{{ configs.append(1) }}", "append"),
        ("uses.md.jinja", "\n{{ hours }}", "uses.md.jinja:2: "),
        ("uses.md.jinja", "\n{{ spec.seed + 'a' }}", "uses.md.jinja:2: "),
        ("uses.md.jinja", "{{ 1 / 0 }}", "division by zero"),
        ("uses.md.jinja", "{{ picture('lenghts') }}", "lenghts"),
        ("uses.md.jinja", "{% include 'uses.md.jinja' %}", "recursion"),
        ("uses.md.jinja", "{{ configs | cell }}", "uses.md.jinja:1: "),
        ("uses.md.jinja", "<!-- magpie-hub changelog -->\n", "behind it"),
        ("uses.md.jinja", "<!-- magpie-hub keep a -->\n", "behind it"),
        ("uses.md.jinja", "<!-- magpie-hub keep a b -->\n", "no mark can have"),
        (
            "uses.md.jinja",
            "<!-- magpie-hub keep a -->\nMine.\n<!-- /magpie-hub keep a -->\n",
            "the place to write `a` is not empty",
        ),
    ],
)
def test_templates_that_cannot_be(config, tmp_path, name, text, fault):
    """A folder without a template of a known name, and one that reaches out of its box, is told."""
    (tmp_path / name).write_text(text)
    with pytest.raises(CardError) as caught:
        render(stated(config()), tmp_path)
    assert fault in caught.value.message

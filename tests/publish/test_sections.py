"""The parts of a card: what a spec says is made anew, and what a person wrote stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub import marks
from magpie_hub.errors import TargetError
from magpie_hub.publish import sections
from magpie_hub.publish.sections import merge

OURS = "\n# org/magpie\n\nFacts.\n"
LOG = sections.changelog("org/magpie", [{"version": "1.0.0", "changes": ["`raw` 1.0.0: new"]}])
KEEP = "".join(marks.keep("limits"))
SLOTTED = f"\n# org/magpie\n\n{KEEP}\nFacts.\n"


def with_words(body: str, words: str, name: str = "limits") -> str:
    """Return a card in which a person has written at a place for it."""
    begin, end = marks.keep(name)
    assert begin + end in body
    return body.replace(begin + end, f"{begin}{words}{end}")


def test_the_first_section():
    """Without a card, the section of the spec and the changelog are all there is."""
    body = merge("", OURS, "pro", LOG)
    assert body.splitlines()[:3] == ["", "<!-- magpie-hub: pro -->", sections._ADVICE.strip()]
    assert sections.content(body, "pro").strip() == OURS.strip()
    assert body.index("<!-- /magpie-hub: pro -->") < body.index("<!-- magpie-hub changelog -->")
    assert sections.content(body, "air") == ""


def test_the_section_of_a_second_spec():
    """It stands behind the first and before the changelog, with its spec's name in its title."""
    body = merge(merge("", OURS, "pro", LOG), OURS, "air", LOG)
    heads = [line for line in body.splitlines() if line.startswith("#")]
    assert heads == ["# org/magpie", "# org/magpie: air", "## Versions", "### 1.0.0"]
    assert merge(body, sections.content(body, "air"), "air", LOG) == body
    assert merge(body, OURS, "pro", LOG) == body


def test_a_section_goes_without_a_trace():
    """A spec that has lost its last config takes its section along, and nothing else."""
    alone = merge("# By hand\n\n\n\nText", OURS, "pro", LOG)
    both = merge(alone, OURS, "air", LOG)
    assert merge(both, OURS, "pro", LOG, ["air"]) == alone


HUMAN = st.text(st.sampled_from("a#\n\r -`é\u2028\U0001f426|<!>") | st.characters(codec="utf-8"))


@given(HUMAN, HUMAN, HUMAN, HUMAN)
def test_a_persons_text_stays_letter_by_letter(before, within, behind, row):
    """Merging twice is merging once, whatever a person wrote around or in it and a row holds."""
    kept = f"{within}\n"
    once = with_words(merge(before, f"{SLOTTED}{row}", "pro", LOG), kept) + behind
    twice = merge(once, f"{SLOTTED}{row}", "pro", LOG)
    assert twice == once
    assert once.startswith(before) or not before.strip()
    assert twice.endswith(behind)
    assert marks.kept(sections.content(twice, "pro")) == {"limits": kept}
    again = with_words(merge(before, SLOTTED, "pro", LOG), kept) + behind
    assert merge(twice, SLOTTED, "pro", LOG) == again


@pytest.mark.parametrize(
    "row",
    [
        "<!-- /magpie-hub: pro -->",
        "<!-- magpie-hub: pro -->",
        "<!--/magpie-hub changelog-->\n<!-- magpie-hub changelog -->",
        "<!-- magpie-hub keep limits -->",
        "---\nlicense: wtfpl\n---",
    ],
)
def test_a_row_that_holds_our_marks(row):
    """A text that a model wrote ends no section and begins none, once its marks are broken."""
    ours = f"{OURS}\n```text\n{marks.broken(row)}\n```\n"
    body = merge("Mine.\n", ours, "pro", LOG)
    assert merge(body, ours, "pro", LOG) == body
    assert merge(body, OURS, "pro", LOG) == merge("Mine.\n", OURS, "pro", LOG)


def test_an_editor_with_other_line_ends():
    """Marks are found with CRLF, with blanks behind them, and at the very end of the card."""
    body = with_words(merge("", SLOTTED, "pro", LOG), "Mine.\n")
    crlf = body.replace("\n", "\r\n")
    for other in (crlf, body.replace("-->\n", "-->  \n"), body.rstrip("\n")):
        assert merge(other, SLOTTED, "pro", LOG).split() == body.split()
        assert sections.checksum(other, "pro") == sections.checksum(body, "pro")
    assert "-->\nMine.\r\n<!--" in merge(crlf, SLOTTED, "pro", LOG)


@pytest.mark.parametrize("pair", [marks.of_spec("pro"), marks.CHANGELOG, marks.keep("limits")])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_mark_that_is_lost(pair, lost):
    """Where one mark of two is gone, nobody knows what is ours: an error that shows both."""
    body = merge("", SLOTTED, "pro", LOG)
    with pytest.raises(TargetError, match="should have the mark") as caught:
        merge(body.replace(pair[lost], ""), OURS, "pro", LOG)
    assert all(mark.strip() in caught.value.message for mark in pair)


def test_marks_in_a_sentence_are_no_marks():
    """A person may write about them; and a spec's name cannot end a comment."""
    text = "We use `<!-- magpie-hub: pro -->` and `<!-- magpie-hub changelog -->`.\n"
    body = merge(text, OURS, "a --> b", LOG)
    assert body.startswith(text)
    assert merge(body, OURS, "a --> b", LOG) == body


LOG_MARK = marks.CHANGELOG[0]


def test_words_whose_place_is_no_more():
    """They move before the versions, where nothing is made anew, and stay there for good."""
    body = with_words(merge("Mine.\n", SLOTTED, "pro", LOG), "Do *not*\nuse it.\n")
    [place] = sections.homeless(body, OURS, "pro")
    assert place == "`limits` of `pro`"
    moved = merge(body, OURS, "pro", LOG)
    note = "<!-- Written at `limits` of `pro`, a place that its card no longer has. -->"
    words = f"{note}\n\nDo *not*\nuse it.\n\n"
    assert moved == merge("Mine.\n", OURS, "pro", LOG).replace(LOG_MARK, words + LOG_MARK)

    assert merge(moved, OURS, "pro", LOG) == moved
    back = merge(moved, SLOTTED, "pro", LOG)
    assert back == merge("Mine.\n", SLOTTED, "pro", LOG).replace(LOG_MARK, words + LOG_MARK)


def test_words_in_a_section_that_goes():
    """A spec that goes takes what it says along, and not what a person said; blanks are nothing."""
    both = merge(merge("", OURS, "pro", LOG), SLOTTED, "air", LOG)
    alone = merge("", OURS, "pro", LOG)
    assert merge(with_words(both, " \n"), OURS, "pro", LOG, ["air"]) == alone
    [head, tail] = merge(with_words(both, "About air.\n"), OURS, "pro", LOG, ["air"]).split(
        "<!-- W"
    )
    assert tail.startswith("ritten at `limits` of `air`, a place that its card no longer has. -->")
    assert head + tail.partition("About air.\n\n")[2] == alone


def test_a_new_place_is_empty_beside_one_that_is_filled():
    """Words go by the name of their place, wherever the templates put it."""
    body = with_words(merge("", SLOTTED, "pro", LOG), "Mine.\n")
    ours = "# org/magpie\n" + "".join(marks.keep("uses")) + "\nNew facts.\n" + KEEP
    assert marks.kept(merge(body, ours, "pro", LOG)) == {"uses": "", "limits": "Mine.\n"}


@pytest.mark.parametrize(
    ("old", "new", "is_edited"),
    [
        ("Facts.", "Lies.", True),
        ("Facts.\n", "Facts.\nAnd mine.\n", True),
        ("Facts.\n", "Facts.  \n", False),
        ("\n", "\r\n", False),
        (KEEP, KEEP.replace("\n", "\nMine.\n", 1), False),
        (KEEP, "", True),
        ("<!-- Made anew", "<!-- Renewed", True),
        (sections._ADVICE, "", False),
        ("\n<!-- magpie-hub: pro", "Mine.\n<!-- magpie-hub: pro", False),
        ("## Versions", "## My versions", False),
    ],
)
def test_what_counts_as_an_edit(old, new, is_edited):
    """Words of the generated part; not a person's places, the ends of lines, or other parts."""
    body = merge("", SLOTTED, "pro", LOG)
    written = {"pro": {"card": sections.checksum(body, "pro")}, "air": {}}
    there = body.replace(old, new)
    assert there != body
    ours = merge(there, SLOTTED + "More.\n", "pro", LOG)
    assert sections.edited(there, ours, written) == (["pro"] if is_edited else [])


def test_an_edit_that_is_no_loss():
    """What the release says too, what another's release leaves alone, and what is not known."""
    body = merge(merge("", OURS, "pro", LOG), OURS, "air", LOG)
    written = {name: {"card": sections.checksum(body, name)} for name in ("pro", "air")}
    there = body.replace("Facts.", "Lies.")
    assert sections.edited(there, merge(there, OURS, "air", LOG), written) == ["air"]
    lies = merge(there, OURS.replace("Facts.", "Lies."), "air", LOG)
    assert sections.edited(there, lies, written) == []
    assert sections.edited(there, merge(there, OURS, "air", LOG), {"air": {}, "pro": {}}) == []
    gone = merge(there, OURS, "pro", LOG, ["air"])
    assert sections.edited(there, gone, written) == ["pro", "air"]
    lost = merge("", OURS, "pro", LOG)
    assert sections.edited(lost, body, written) == []


def test_a_long_changelog():
    """The card lists the latest versions, each change in one line, and counts the others."""
    log = [{"version": f"1.{n}.0", "changes": ["`a`\nb"]} for n in reversed(range(25))]
    text = sections.changelog("org/magpie", log)
    assert text.count("### ") == 20
    assert text.count("\n- `a` b\n") == 20
    assert "The 5 before them" in text

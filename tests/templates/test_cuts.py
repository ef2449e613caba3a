"""The words that renderings are cut at, for any number of turns."""

from magpie_hub.templates.cuts import messages, words

LONG = tuple(f"{who}{turn}" for turn in range(1, 112) for who in "UA")


def test_words_of_a_long_conversation_are_told_apart():
    """In 111 turns no message's words are part of another's, nor of the other set's."""
    said = [*words(LONG, 0).values(), *words(LONG, 1).values()]
    assert len(said) == 444
    assert all(sum(one in other for other in said) == 1 for one in said)


def test_the_two_sets_differ_where_a_template_might_look():
    """Both words of a message have another length, first letter and number of words."""
    for one, other in zip(words(LONG, 0).values(), words(LONG, 1).values(), strict=True):
        assert len(one) != len(other)
        assert one[0] != other[0]
        assert one.count(" ") != other.count(" ")
        assert one.replace(" ", "").isalpha()
        assert one == one.lower().strip()


def test_messages():
    """Roles follow from the marks; the content is a text or a list with one part of text."""
    said = {"S": "be kind", "U1": "hello"}
    assert messages(("S", "U1"), said) == [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hello"},
    ]
    [part] = messages(("U1",), said, "parts")[0]["content"]
    assert (part["type"], part["text"]) == ("text", "hello")

"""The published columns: each with a meaning and one place, the spec's own tags among them."""

from magpie_hub.columns import ABOUT_RESPONSE, KINDS, SFT, fields, type_name


def test_published_columns() -> None:
    """Every published column has a name, a meaning and one place: text, tags, provenance."""
    assert list(KINDS) == ["sft", "sft-reasoning", "multi-turn", "preference"]
    assert [field.name for field in fields("sft-reasoning", {})][:2] == ["messages", "reasoning"]
    assert fields("sft", {}) == SFT
    order = ["text", "tag", "provenance"]
    for kind in KINDS.values():
        assert len({field.name for field in kind}) == len(kind)
        assert [field.group for field in kind] == sorted((f.group for f in kind), key=order.index)
        assert all(field.meaning.endswith(".") for field in kind)


def test_one_name_is_one_column() -> None:
    """What two kinds call the same is the same, so that their rows can be put together."""
    fields_ = {field.name: field for kind in KINDS.values() for field in kind}
    assert all(fields_[field.name] == field for kind in KINDS.values() for field in kind)


def test_a_preference_says_nothing_of_the_one_response() -> None:
    """It holds two others: what tags say of the first response is no column of it."""
    assert {field.name for field in SFT} > ABOUT_RESPONSE
    assert not ABOUT_RESPONSE & {field.name for field in KINDS["preference"]}


def test_columns_of_own_tags() -> None:
    """They stand behind the tags of the house and before the provenance."""
    found = fields("sft", {"mood": ("string", "How it sounds."), "topics": (["string"], "Topics.")})
    names = [field.name for field in found]
    place = names.index("mood")
    assert names[place - 1 : place + 3] == ["benchmark_overlap", "mood", "topics", "uuid"]
    assert (found[place].type, found[place].group) == ("string", "tag")
    assert found[place].meaning == "How it sounds."
    assert len(found) == len(SFT) + 2


def test_types_as_the_card_shows_them() -> None:
    """A name is a primitive, a map a struct, a list of one a list."""
    given = ("int64", {"c": "string", "d": "float64"}, [{"f": "string"}], ["string"])
    shown = ["int64", "struct<c, d>", "list<struct<f>>", "list<string>"]
    assert [type_name(type_) for type_ in given] == shown

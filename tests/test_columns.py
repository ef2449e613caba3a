"""The published columns: each with a meaning and one place, the spec's own tags among them."""

from magpie_hub.columns import KINDS, SFT, fields, type_name


def test_published_columns() -> None:
    """Every published column has a name, a meaning and one place: text, tags, provenance."""
    assert list(KINDS) == ["sft", "sft-reasoning"]
    assert [field.name for field in fields("sft-reasoning", {})][:2] == ["messages", "reasoning"]
    assert fields("sft", {}) == SFT
    assert len({field.name for field in SFT}) == len(SFT)
    order = ["text", "tag", "provenance"]
    assert [field.group for field in SFT] == sorted((f.group for f in SFT), key=order.index)
    assert all(field.meaning.endswith(".") for field in SFT)


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

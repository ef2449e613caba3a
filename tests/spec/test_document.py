"""What of YAML a spec may use, and on which line a refusal stands."""

import time

import pytest

from magpie_hub.errors import SpecError
from magpie_hub.spec.document import read


def test_data_and_lines() -> None:
    """Keys and list items are known by their dotted path and their line."""
    document = read("repo: org/x\nsampling:\n  - top_p: 0.9\n  -\n    top_p: 1\n", "s.yaml")

    assert document.data == {"repo": "org/x", "sampling": [{"top_p": 0.9}, {"top_p": 1}]}
    assert document.lines == {
        "": 1,
        "repo": 1,
        "sampling": 2,
        "sampling.0": 3,
        "sampling.0.top_p": 3,
        "sampling.1": 5,
        "sampling.1.top_p": 5,
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1_000_000", 1_000_000),
        ("-2", -2),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("~", None),
        ("", None),
        ("'yes'", "yes"),
        ('"1"', "1"),
        # Octal, sexagesimal, dates and infinities are numbers to some readers only.
        ("0100", "0100"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("2024-13-45", "2024-13-45"),
        (".inf", ".inf"),
    ],
)
def test_scalars(written: str, expected: object) -> None:
    """A value means what it looks like: decimal numbers, true, false, nothing, or text."""
    value = read(f"a: {written}", "s.yaml").data["a"]

    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.yaml:1: the file is empty"),
        ("# nothing\n", "s.yaml:1: the file is empty"),
        ("- a", "s.yaml:1: the file holds a list"),
        ("\nword", "s.yaml:2: the file holds `word`"),
        ("a: 1\nb: {c: 1,\n  c: 2}", "s.yaml:3: `b.c`: the key `c` stands twice, first on line 2"),
        ("a: 1\n'a': 2", "s.yaml:2: `a`: the key `a` stands twice, first on line 1"),
        ("a: 1\nyes: 2", "s.yaml:2: `yes` is a boolean to some readers"),
        ("a: 1\nb:\n  c: Off", "s.yaml:3: `b.c`: `Off` is a boolean to some readers"),
        ("a: n", "s.yaml:1: `a`: `n` is a boolean to some readers"),
        ("1: a", "s.yaml:1: the key `1` is a number"),
        ("true: a", "s.yaml:1: the key `true` is a boolean"),
        ("null: a", "s.yaml:1: the key `null` is empty"),
        ("? [a]\n: b", "s.yaml:1: a key is a map or a list"),
        ("a: 1\nb: &x 1", "s.yaml:2: `&x` points elsewhere"),
        ("a: *x", "s.yaml:1: `*x` points elsewhere"),
        ("a: !!python/object:os.system x", "s.yaml:1: `!!python/object:os.system` is a tag"),
        ("a: ! x", "s.yaml:1: `!` is a tag"),
        ("a: 1\n---\nb: 2", "s.yaml:2: a second document"),
        ("a: " + "9" * 5000, "s.yaml:1: `a`: `9999"),
        ("a: 1e999", "s.yaml:1: `a`: `1e999` is too large"),
        ("a: 1\nb: \x1b[31m", r"s.yaml:2: the control character `\x1b`"),
        ('a: "\\e[31m"', r"s.yaml:1: `a`: `\x1b[31m` holds a control character"),
        ('a: "\\uD800"', r"s.yaml:1: `a`: `\ud800` holds a control character"),
        ('a: "\\UFFFFFFFF"', "s.yaml:1: an escape that is no character"),
        ("a:\n\t- b", "s.yaml:2: `- b` cannot be read as YAML (a tab, expected spaces)"),
        ("a: 1\nb: c: d", "s.yaml:2: `b: c: d` cannot be read as YAML"),
        ("a: [1\n", "s.yaml:2: `the end of the file` cannot be read as YAML"),
    ],
)
def test_refusals(text: str, expected: str) -> None:
    """What a spec may not use is refused with the line on which it stands."""
    with pytest.raises(SpecError) as caught:
        read(text, "s.yaml")

    assert caught.value.message.startswith(expected)
    assert caught.value.hint


@pytest.mark.parametrize("text", ["a: " + "[" * 300_000, "- " * 300_000, "? " * 300_000])
def test_deep_nesting_costs_nothing(text: str) -> None:
    """Three hundred thousand open brackets are refused at the depth limit, in no time."""
    started = time.process_time()
    with pytest.raises(SpecError, match="more than 20 deep"):
        read(text, "s.yaml")

    assert time.process_time() - started < 2


def test_an_alias_bomb_costs_nothing() -> None:
    """Nine levels of ten aliases, a billion values, are refused at the first anchor."""
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 10)]

    with pytest.raises(SpecError, match=r"s\.yaml:2: `&l0` points elsewhere"):
        read("\n".join(["a: 1", "l0: &l0 lol", *levels]), "s.yaml")

"""From what a user typed to a spec, or to an error that he can act on; never anything else."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub.errors import SpecError
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec

SHORTEST = "repo: org/x\ngenerator: {model: org/m}\n"
FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are those of an empty folder."""
    monkeypatch.chdir(tmp_path)


def test_a_path() -> None:
    """The spec is named after its file, and its faults name the file as it was typed."""
    Path("air.yaml").write_text("\ufeff" + SHORTEST, encoding="utf-8")

    spec = load("./air.yaml")

    assert (spec.repo, spec.generator.model, spec.name) == ("org/x", "org/m", "air")
    assert spec.fault("generator.model", "gone", hint="").message == (
        "./air.yaml:2: `generator.model`: gone"
    )


def test_a_preset() -> None:
    """A preset goes by its name, whatever folder has the same one; a file wins."""
    Path("smollm2").mkdir()
    spec = load("smollm2")
    assert spec.name == "smollm2"
    assert spec.fault("repo", "x", hint="").message.startswith("smollm2.yaml:")

    Path("smollm2").rmdir()
    Path("smollm2").write_text(SHORTEST)
    assert load("smollm2").repo == "org/x"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("none.yaml", "`none.yaml` does not exist"),
        ("a/b", "`a/b` does not exist"),
        ("folder", "`folder` is a folder, expected a file"),
        ("folder/", "`folder/` is a folder, expected a file"),
        ("none", "`none` is neither a file nor a preset"),
        ("", "`` is neither a file nor a preset"),
        ("x" * 300, "`xxx"),
        ("x" * 300 + ".yaml", "`xxx"),
        ("a\0.yaml", r"`a\x00.yaml` cannot be read"),
        ("large.yaml", "`large.yaml` is over 1 MB"),
        ("bytes.yaml", "bytes.yaml:2: the byte `0xff` is not UTF-8"),
    ],
)
def test_no_spec_there(typed: str, expected: str) -> None:
    """Whatever is not a readable file is refused in a sentence with a next step."""
    Path("folder").mkdir()
    Path("large.yaml").write_bytes(b"#" * 1_000_001)
    Path("bytes.yaml").write_bytes(b"a: 1\nb: \xff")

    with pytest.raises(SpecError) as caught:
        load(typed)

    assert caught.value.message.startswith(expected)
    assert caught.value.hint


def test_what_the_system_refuses() -> None:
    """Any other refusal of the system, here of a link to itself, is told in its words."""
    Path("s.yaml").symlink_to("s.yaml")

    with pytest.raises(SpecError, match=r"`s\.yaml` cannot be read \(Too many levels"):
        load("s.yaml")


def ending(content: bytes) -> Spec | SpecError:
    """Return what loading `content` ends in; any other exception is the caller's failure."""
    Path("fuzz.yaml").write_bytes(content)
    try:
        return load("fuzz.yaml")
    except SpecError as error:
        return error


def assert_loaded_or_refused(content: bytes) -> None:
    """Assert that the end is a spec, or an error of one printable line with a hint."""
    end = ending(content)

    assert isinstance(end, Spec) or (end.message.isprintable() and end.hint.isprintable())


@FUZZ
@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes(content: bytes) -> None:
    """Arbitrary bytes and text end in a spec or in a SpecError of one printable line."""
    assert_loaded_or_refused(content)


PIECES = "repo configs a : - { } [ ] ' \" \\UFFFFFFFF \\e &x *x ! ? | > # % --- ... << yes 1 1e999"
SYNTAX = st.sampled_from([*PIECES.split(" "), " ", "\n", "\n  ", "\t"])


@FUZZ
@given(st.lists(SYNTAX, max_size=30).map("".join))
def test_any_syntax(text: str) -> None:
    """Pieces of YAML in any order end in a spec or in a SpecError."""
    assert_loaded_or_refused(f"{SHORTEST}{text}".encode())
    assert_loaded_or_refused(text.encode())


KEYS = st.sampled_from([*Spec.model_fields, "model", "engine", "name", "rows", "sampling"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=8,
)


@FUZZ
@given(st.dictionaries(KEYS | st.text(), VALUES, max_size=6))
def test_any_data(data: dict[str, object]) -> None:
    """Known and unknown keys with any values end in a spec or in a SpecError."""
    given_data = {"repo": "org/x", "generator": {"model": "m"}} | data
    assert_loaded_or_refused(
        yaml.safe_dump(given_data, allow_unicode=True).encode("utf-8", "replace")
    )

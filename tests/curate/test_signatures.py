"""What stands for a text: its tokens, its shingles, and the signature that either backend makes."""

import json
import subprocess
import sys
import tracemalloc
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate import signatures
from magpie_hub.curate.signatures import backend, band_keys, shingles, signer, tokens
from magpie_hub.errors import BuildError
from magpie_hub.spec.curation import Near

needs_text_dedup = pytest.mark.skipif(
    find_spec("text_dedup") is None, reason="text-dedup runs under Python 3.12 and newer only"
)
both = pytest.mark.parametrize(
    "name", [pytest.param("text-dedup", marks=needs_text_dedup), "rensa"]
)
SKY = ["why", "is", "the", "sky", "blue", "and", "why", "not", "green"]
PRINT = """
import json, sys
from magpie_hub.curate.signatures import signer
from magpie_hub.spec.curation import Near
near, texts = json.load(sys.stdin)
print(signer(Near(**near))(texts).tolist())
"""
WORDS = st.lists(st.sampled_from(["a", "b", "c", "Ä", "天"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Why is C++ not C?", ["why", "is", "c", "not", "c"]),
        ("", []),
        (" \n?! -- \u202e", []),
        ("\N{GRINNING FACE}\N{BLACK SUN WITH RAYS}\ufe0f \N{PARTY POPPER}", []),
        ("Go\N{PARTY POPPER}on\x00\x1b\u200bnow", ["go", "on", "now"]),
        ("ÜBER Straße 2", ["über", "straße", "2"]),
        ("قل لي نكتة", ["قل", "لي", "نكتة"]),
        ("오늘 날씨는?", ["오늘", "날씨는"]),
        # Marks belong to their word: without them these two would be one.
        ("यह किसका है?", ["यह", "किसका", "है"]),
        ("यह किसकी है?", ["यह", "किसकी", "है"]),
        ("cafe\u0301s", ["cafe\u0301s"]),
        # Two of these in a row span five characters.
        ("天空为什么?", ["天空为什", "空为什么"]),
        ("なぜ 空は青い", ["なぜ空は", "ぜ空は青", "空は青い"]),
        ("ทำไมฟ้า", ["ทำไม", "ำไมฟ", "ไมฟ้", "มฟ้า"]),
        ("天空", ["天空"]),
        # Half of the letters decide.
        ("AI天空", ["ai天空"]),
        ("GPU天空", ["gpu天空"]),
    ],
)
def test_tokens(text: str, found: list[str]) -> None:
    """A text has its words as tokens, or pieces of four where words have no spaces between."""
    assert tokens(text, Near()) == found


def test_the_length_of_pieces() -> None:
    """As many pieces as a shingle has words span as many characters as the spec says."""
    assert tokens("天空为什么", Near(words=3, characters=5)) == ["天空为", "空为什", "为什么"]
    assert tokens("天空为什么", Near(words=1, characters=5)) == ["天空为什么"]


@given(st.lists(WORDS, max_size=6), st.integers(1, 4))
def test_shingles_against_plain_python(texts: list[list[str]], words: int) -> None:
    """Each text has one number for each run of its words, the same for the same run anywhere."""
    expected = [
        {tuple(text[i : i + words]) for i in range(max(1, len(text) - words + 1))}
        if text
        else set()
        for text in texts
    ]

    numbers, offsets = shingles(texts, Near(words=words))

    found = [numbers[a:b] for a, b in pairwise(offsets)]
    assert [len(one) for one in found] == [len(one) for one in expected]
    assert all((one[1:] > one[:-1]).all() for one in found)
    together = set(numbers.tolist())
    assert len(together) == len(set().union(*expected))
    for one, left in zip(found, expected, strict=True):
        for other, right in zip(found, expected, strict=True):
            assert len(np.intersect1d(one, other)) == len(left & right)


@both
def test_the_same_everywhere(name: str) -> None:
    """The same tokens have the same signature in another process, batch and place of it."""
    near = Near(backend=name)
    texts = [SKY, ["天空为什", "空为什么"], SKY[:1], SKY[::-1]]

    here = signer(near)(texts)

    assert here.shape == (4, 128)
    assert len(np.unique(here, axis=0)) == 4
    given_ = json.dumps([{"backend": name}, texts])
    there = subprocess.run(
        [sys.executable, "-c", PRINT], input=given_, capture_output=True, text=True, check=True
    )
    assert json.loads(there.stdout) == here.tolist()
    assert signer(near)([["x"], *reversed(texts)])[:0:-1].tolist() == here.tolist()
    assert signer(near)([]).shape == (0, 128)


@needs_text_dedup
@pytest.mark.parametrize("value", ["3", "nonsense"])
def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Variables by the names of text-dedup's settings, all of which it reads, change nothing."""
    from text_dedup.config import MinHashAlgorithmConfig

    before = signer(Near(backend="text-dedup"))([SKY])
    names = [name.upper() for name in MinHashAlgorithmConfig.model_fields]
    assert {"SEED", "NUM_PERM", "BANDS", "ROWS", "THRESHOLD", "HASH_BITS"} < set(names)
    for name in names:
        monkeypatch.setenv(name, value)

    assert (signer(Near(backend="text-dedup"))([SKY]) == before).all()


@both
@pytest.mark.parametrize("common", [0, 50, 80, 95])
def test_equal_hashes_estimate_similarity(name: str, common: int) -> None:
    """The share of equal hashes is the Jaccard similarity, give or take four deviations."""
    near = Near(backend=name, words=1, hashes=1024, bands=128)
    one = [f"w{n}" for n in range(100)]
    other = one[:common] + [f"x{n}" for n in range(100 - common)]

    signed = signer(near)([one, other])

    truth = common / (200 - common)
    error = float((signed[0] == signed[1]).mean()) - truth
    assert abs(error) <= 4 * (truth * (1 - truth) / 1024) ** 0.5


@both
@given(length=st.integers(1, 60), words=st.integers(1, 4))
def test_of_a_long_text_the_least_hashes(name: str, length: int, words: int) -> None:
    """A text's signature has the least hash that any of its shingles has; pieces lose none."""
    near = Near(backend=name, words=words, hashes=16, bands=4)
    text = [f"w{n}" for n in range(length)]
    each = [text[i : i + words] for i in range(max(1, length - words + 1))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signatures, "_PIECE", 7)
        sign = signer(near)

        assert sign([text])[0].tolist() == sign(each).min(axis=0).tolist()


@both
def test_a_megabyte(name: str) -> None:
    """A text of a megabyte takes little memory, where all hashes of all words are 170 MB."""
    text = [f"w{n}" for n in range(170_000)]
    sign = signer(Near(backend=name))
    tracemalloc.start()
    whole = sign([text])[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 60_000_000
    halves = sign([text[:100_000], text[99_999:]])
    assert whole.tolist() == halves.min(axis=0).tolist()


def test_bands() -> None:
    """Two texts have equal numbers for the bands whose hashes are all equal, in their order."""
    near = Near(hashes=6, bands=3)
    one, other, turned = [1, 2, 3, 4, 5, 6], [1, 2, 0, 4, 5, 6], [2, 1, 3, 4, 5, 6]

    found = band_keys(np.array([one, other, turned], np.uint32), near)

    assert found.shape == (3, 3)
    assert (found[0] == found[1]).tolist() == [True, False, True]
    assert (found[0] == found[2]).tolist() == [False, True, True]
    assert len(np.unique(found)) == 5


@pytest.mark.parametrize(
    ("name", "hint"), [("text-dedup", "`backend: rensa`"), ("rensa", "pip install rensa")]
)
def test_a_backend_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str, hint: str) -> None:
    """Asked for it is an error that says what to do; unasked, rensa stands in for text-dedup."""
    monkeypatch.setattr(signatures, "find_spec", lambda _: None)

    with pytest.raises(BuildError, match=f"`{name}` is not installed") as raised:
        backend(Near(backend=name))
    assert hint in raised.value.hint
    monkeypatch.setattr(signatures, "find_spec", lambda library: library == "rensa" or None)
    assert backend(Near()) == "rensa"

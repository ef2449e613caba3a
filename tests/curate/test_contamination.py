"""What counts as overlap with a benchmark, against plain Python and on real prompts."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate import contamination
from magpie_hub.curate.contamination import Benchmarks, Overlap
from magpie_hub.curate.exact import normal_form

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared_data = pytest.mark.skipif(
    not SHARED.is_dir(), reason="no folder `shared/data` beside this checkout: nothing real to read"
)

DUCKS = (
    "Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes"
    " muffins for her friends every day with four."
)
SKY = "Why is the sky blue, and why not green?"  # nine words


def overlap(text: str, *prompts: str, words: int = 13) -> Overlap | None:
    """Return what a text shares with a benchmark of these prompts."""
    return Benchmarks({"b": prompts}, words=words).overlaps([text])[0]


def test_exact():
    """Equal normal forms are an overlap, however short; of equal prompts the first is named."""
    benchmarks = Benchmarks({"a": ["Hi!", "Ho"], "b": [SKY, "ho."]})

    assert benchmarks.sizes == {"a": 2, "b": 2}
    assert benchmarks.overlaps([" HO ", "hi there", "why is the sky blue, and why not GREEN"]) == [
        Overlap("a", 1, "exact", "ho"),
        None,
        Overlap("b", 0, "exact", "why is the sky blue, and why not green"),
    ]


def test_a_run_of_words():
    """Thirteen words in common are an overlap whatever stands between them; twelve are none."""
    run = "three - for breakfast, every morning; AND (bakes) muffins\n\tfor her friends"
    shared = "three for breakfast every morning and bakes muffins for her friends"

    assert overlap(f"She likes to eat {run}!", DUCKS) is None
    assert overlap(f"Look: she 'eats' {run}, every 2nd.", DUCKS) == Overlap(
        "b", 0, "words", f"she eats {shared}"
    )


def test_eight_words():
    """The length of a run is the caller's choice."""
    text = "Muffins for her friends every day with FOUR eggs"

    assert overlap(text, DUCKS) is None
    found = overlap(text, "Hello", DUCKS, words=8)
    assert found == Overlap("b", 1, "words", "muffins for her friends every day with four")


def test_a_prompt_shorter_than_a_run():
    """A prompt of eight words or more is found as a whole; of a part, or of seven, nothing is."""
    seven = "Why is the sky blue, not green?"

    assert overlap(f"Tell me: {SKY} I wonder.", SKY) == Overlap(
        "b", 0, "words", "why is the sky blue and why not green"
    )
    assert overlap(f"Tell me: {SKY[:-7]} red?", SKY) is None
    assert overlap(f"Tell me: {seven} I wonder.", seven) is None
    assert overlap(f"Tell me: {seven} I wonder.", seven, words=7) is not None


@pytest.mark.parametrize(
    ("character", "count"), [("天", 26), ("か", 26), ("ก", 52), ("ខ", 52), ("한 ", 13), ("д ", 13)]
)
def test_scripts_without_spaces(character: str, count: int):
    """A run has 26 characters of Chinese or Japanese, 52 of Thai or Khmer, 13 words of Korean."""
    prompt = character * 60

    assert overlap(f"x {character * (count - 1)}", prompt) is None
    found = overlap(f"x {character * count}", prompt)
    assert found == Overlap("b", 0, "words", (character * count).strip())


def test_mixed_scripts():
    """A word among such characters weighs as much as two of them."""
    prompt = "再帰を用いてn番目のFibonacci数を求めるC++プログラムを書いてください"

    found = overlap(f"次の問題: {prompt}。", prompt)
    assert found is not None
    assert found.shared == "再帰を用いて n 番目の fibonacci 数を求める c プログラムを"


def test_the_first_prompt_is_named():
    """Of several prompts the first counts, wherever its words stand; but a whole one goes first."""
    eggs = f"{DUCKS} How many are left?"
    benchmarks = Benchmarks({"empty": [], "a": [SKY, eggs], "b": [DUCKS, f"So: {SKY}"]})
    texts = [f"Well: {DUCKS}", f"Well: {DUCKS} {SKY}", f"So: {SKY}", DUCKS]

    found = [(o.benchmark, o.prompt, o.kind) for o in benchmarks.overlaps(texts) if o]
    assert found == [("a", 1, "words"), ("a", 0, "words"), ("b", 1, "exact"), ("b", 0, "exact")]


def test_boilerplate():
    """What stands in more than ten prompts, and in one of a hundred, is no sign of any."""
    boilerplate = "the first line has the number of cases and then each case has two lines"
    prompts = [f"Problem {number}, {boilerplate}." for number in range(11)]

    ten = Benchmarks({"a": prompts[:10], "b": prompts[:10]})
    assert ten.overlaps([boilerplate]) == [Overlap("a", 0, "words", boilerplate[:-10])]
    eleven = Benchmarks({"a": prompts, "b": prompts[:1]})
    assert eleven.common == {"a": 3, "b": 0}
    assert eleven.overlaps([boilerplate, prompts[7]]) == [
        Overlap("b", 0, "words", boilerplate[:-10]),
        Overlap("a", 7, "exact", normal_form(prompts[7])),
    ]
    many = Benchmarks({"a": [*prompts, *map(str, range(1_100))]})
    assert many.common == {"a": 0}


def test_nothing_to_compare():
    """No benchmarks, no prompts, no texts and empty ones are no fault, and no overlap."""
    assert Benchmarks({}).overlaps([DUCKS]) == [None]
    assert Benchmarks({"b": []}).overlaps([DUCKS, ""]) == [None, None]
    assert Benchmarks({"b": ["", " ", SKY]}).overlaps(["", "\n", "\x00"]) == [None] * 3
    assert Benchmarks({"b": [SKY]}).overlaps([]) == []


@pytest.mark.parametrize(
    "text",
    [
        f"\ud800{DUCKS}\udfff",
        DUCKS.replace(" ", "\ud800"),
        DUCKS.replace(" ", "\x00\x1b"),
        f"\u202e{DUCKS.replace('e', chr(0x200B) + 'e')}\u202c",
        DUCKS.replace(" ", " \u2764\ufe0f "),
        f"قال: {DUCKS} ثم سكت",
        f"{'lorem ipsum ' * 50_000}{DUCKS}{' dolor' * 50_000}",
        f"{'天' * 500_000}{DUCKS}{'x' * 500_000}",
    ],
)
def test_strange_texts(text: str):
    """Half characters, controls, invisible signs, other scripts and a megabyte hide no prompt."""
    found = overlap(text, SKY, DUCKS)

    assert found is not None
    assert found.prompt == 1
    assert overlap(f"x {text}", text) is not None


def test_right_to_left():
    """Arabic is found by its words; what says in which direction to write them is none."""
    prompt = "لماذا تبدو السماء زرقاء في النهار ثم تصبح حمراء عند غروب الشمس كل يوم؟"

    found = overlap(f"\u202b{prompt}\u202c أجب من فضلك", prompt)
    assert found == Overlap("b", 0, "words", " ".join(prompt.split()[:13]))


def test_a_collision_is_no_overlap(monkeypatch):
    """Runs whose hashes are equal are told apart by their words."""
    # With powers of 1 the hash is a mere sum: any order of the same words has the same.
    monkeypatch.setattr(contamination, "_BASE", 1)
    monkeypatch.setattr(contamination, "_INVERSE", 1)

    assert overlap(f"x {' '.join(reversed(DUCKS.split()[:13]))}", DUCKS) is None
    assert overlap(f"x {DUCKS}", DUCKS) is not None


def test_long_and_short_blocks(monkeypatch):
    """How many texts are looked through together changes no answer."""
    texts = [SKY, f"x {DUCKS}", "", "x " * 99, f"x {DUCKS[:60]}", DUCKS[60:], f"{DUCKS} {SKY}"]
    together = Benchmarks({"b": [SKY, DUCKS]}).overlaps(texts)
    monkeypatch.setattr(contamination, "BLOCK", 1)

    assert Benchmarks({"b": [SKY, DUCKS]}).overlaps(iter(texts)) == together
    assert [found and found.kind for found in together] == ["exact", "words", *4 * [None], "words"]


WEIGHTS = {"a": 4, "b": 4, "Ç": 4, "天": 2, "ก": 1}
TOKENS = st.lists(st.sampled_from(sorted(WEIGHTS)), max_size=25)


def _shares(text: list[str], prompt: list[str], least: int) -> bool:
    """Return whether any run of a text of at least a weight stands in a prompt; by trying all."""
    runs = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    heavy = [run for run in runs if sum(WEIGHTS[t] for t in run) >= least]
    parts = [prompt[i:j] for i in range(len(prompt)) for j in range(i + 1, len(prompt) + 1)]
    return any(run in parts for run in heavy)


@given(st.lists(TOKENS, max_size=4), TOKENS, st.data(), st.integers(1, 13))
def test_against_plain_python(prompts, text, data, words):
    """The first prompt that shares a run, or is within the text whole, is found; else none."""
    if prompts:
        prompt = data.draw(st.sampled_from(prompts))
        text = text[:5] + prompt[data.draw(st.integers(0, 3)) :] + text[5:]
    expected = None
    for number, prompt in reversed(list(enumerate(prompts))):
        weight = sum(WEIGHTS[token] for token in prompt)
        least = min(4 * words, weight) if weight >= 32 else 4 * words
        if prompt and _shares(text, prompt, least):
            expected = number

    found = overlap(f"! {' '.join(text)}", *map(" ".join, prompts), words=words)
    assert (found and found.prompt) == expected


@given(st.lists(st.text(), min_size=1, max_size=4), st.text(), st.text(), st.sampled_from([8, 13]))
def test_a_run_is_always_found(parts, before, after, words):
    """A text that has so many words of a prompt in a row overlaps it, whatever the words are."""
    pieces = [f"{part} {n}th" for n, part in enumerate(parts * 14)]
    text = f"{before} {' '.join(pieces[-words:])} {after}"

    assert overlap(text, " ".join(pieces), words=words)


@needs_shared_data
def test_real_prompts():
    """Every prompt is its own; put between other words, each of eight words or more is found."""
    prompts = _benchmarks()
    benchmarks = Benchmarks(prompts)
    texts = [text for own in prompts.values() for text in own]

    assert sum(benchmarks.common.values()) == 0
    found = benchmarks.overlaps(texts)
    assert {o.kind for o in found if o} == {"exact"}
    assert [normal_form(text) for text in texts] == [o.shared for o in found if o]
    wrapped = benchmarks.overlaps(f"Please: {text} Thank you!" for text in texts)
    missed = [text for text, o in zip(texts, wrapped, strict=True) if o is None]
    assert len(missed) == 32
    assert all(len(re.findall(r"[^\W_]+", text)) < 8 for text in missed)


@needs_shared_data
def test_real_instructions():
    """No real instruction overlaps at 13 words; at 8 nine do, all by a turn of phrase."""
    lines = (SHARED / "real_instructions.jsonl").read_text(encoding="utf-8").splitlines()
    instructions = [json.loads(line)["instruction"] for line in lines]

    assert Benchmarks(_benchmarks()).overlaps(instructions) == [None] * 2_500
    at_8 = [o for o in Benchmarks(_benchmarks(), words=8).overlaps(instructions) if o]
    assert Counter(o.benchmark for o in at_8) == {"gsm8k_test": 4, "humaneval": 4, "ja_mt_bench": 1}
    phrase = "in this task you will be given a"
    assert Counter(o.shared for o in at_8 if o.benchmark == "humaneval")[phrase] == 3


def _benchmarks() -> dict[str, list[str]]:
    prompts: dict[str, list[str]] = {}
    lines = (SHARED / "benchmark_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        prompts.setdefault(row["benchmark"], []).append(row["prompt"])
    return prompts

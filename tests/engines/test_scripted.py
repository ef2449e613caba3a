"""The scripted engine: the same text for the same seed, and every fault that cleaning must see."""

import json

import pytest
from jinja2 import Environment

from magpie_hub.engines.base import FirstToken
from magpie_hub.engines.scripted import FAULTS, Scripted

CLEAN = dict.fromkeys(FAULTS, 0.0)
USER = "<|im_start|>user\n"
ANSWER = "<|im_start|>user\nHow do bees sleep?<|im_end|>\n<|im_start|>assistant\n"


def run(engine, requests):
    """Complete the requests and return the completions by key."""
    source = iter(requests)
    return {done.key: done for done in engine.complete(lambda: next(source, None))}


@pytest.fixture
def texts(ask):
    """The texts of 200 instructions, with the options given over clean ones."""

    def draw(**options):
        engine = Scripted(None, CLEAN | options)
        user = engine.encode(USER, special=True)
        return [done.text for done in run(engine, [ask(n, user) for n in range(200)]).values()]

    return draw


def test_template_has_a_default_system_turn():
    """The engine's own template can be rendered, and adds a system turn where there is none."""
    template = Environment().from_string(Scripted.chat_template)
    chat = [{"role": "user", "content": "Hello"}]
    start = (
        "<|im_start|>system\nYou follow a script.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    )
    assert template.render(messages=chat) == start
    assert template.render(messages=chat, add_generation_prompt=True) == (
        start + "<|im_start|>assistant\n"
    )


def test_encode_knows_control_tokens_only_when_told():
    """The name of a control token is one token from a template, and mere text from a person."""
    engine = Scripted(None, {})
    assert engine.encode("a<|im_start|>é<|im_end|>", special=True) == [100, 0, 198, 172, 1]
    assert len(engine.encode("<|im_start|>", special=False)) == len("<|im_start|>")


def test_text_depends_on_seed_and_prompt_alone(ask):
    """Neither order nor company nor capacity changes a text; another seed or prompt does."""
    alone, crowd = Scripted(None, {"capacity": 1}), Scripted(None, {"shuffle": False})
    user = alone.encode(USER, special=True)
    requests = [ask(n, user) for n in range(50)]

    forward, backward = run(alone, requests), run(crowd, reversed(requests))

    assert {key: done.text for key, done in forward.items()} == {
        key: done.text for key, done in backward.items()
    }
    assert run(alone, [ask(7, [*user, 20])])[7].text != forward[7].text


def test_answers_follow_the_assistant_header(ask):
    """Behind the assistant's header an answer to the last question is written, not a question."""
    engine = Scripted(None, CLEAN)
    later = ANSWER + "Standing.<|im_end|>\n" + ANSWER.replace("bees", "cats")
    done = run(engine, [ask(n, engine.encode(p, special=True)) for n, p in enumerate(
        [ANSWER, later, ANSWER + "Standing.<|im_end|>\n" + USER])])  # fmt: skip
    assert done[0].text.startswith("You asked: How do bees sleep?")
    assert done[1].text.startswith("You asked: How do cats sleep?")
    assert not done[2].text.startswith("You asked")


@pytest.fixture
def behind(ask):
    """The texts of 60 requests behind a prompt, with the options given over clean ones."""

    def draw(prompt, first=None, **options):
        engine = Scripted(None, CLEAN | options)
        ids = engine.encode(prompt, special=True)
        done = run(engine, [ask(n, ids, first=first) for n in range(60)])
        return [done[n].text for n in range(60)]

    return draw


def test_a_user_goes_on_in_mid_conversation(behind):
    """Behind an answer the user's next words are no new instruction, and have faults too."""
    later = ANSWER + "Standing.<|im_end|>\n" + USER
    texts = behind(later)
    assert not set(texts) & set(behind(USER))
    assert len(set(texts)) > 50
    assert any(text.startswith("Can you expand on point ") for text in texts)
    assert 10 < behind(later, empty=0.5).count("") < 50


def test_a_system_prompt_shows_in_what_the_user_writes(behind):
    """Its first three words are repeated, in every turn; the template's own system turn is not."""
    system = "<|im_start|>system\nStell dir vor, du fragst.<|im_end|>\n"
    later = system + ANSWER + "Standing.<|im_end|>\n" + USER
    assert all(text.startswith("About Stell dir vor,: ") for text in behind(system + USER))
    assert all(text.startswith("About Stell dir vor,: ") for text in behind(later))
    own = "<|im_start|>system\nYou follow a script.<|im_end|>\n"
    assert not any(text.startswith("About") for text in behind(own + USER) + behind(USER))


def test_samples_of_one_prompt_differ(behind):
    """Another seed gives another answer to the same question."""
    assert len(set(behind(ANSWER))) > 50


def test_the_first_token_is_drawn_as_asked(behind):
    """The first word changes with the ban and the temperature; what is behind it does not."""
    plain = behind(USER)
    banned = tuple(byte + 3 for byte in b"ABCDEFGHIJKLMNO#")
    drawn = [behind(USER, FirstToken(t, b)) for t in (None, 1.2) for b in ((), banned)]
    firsts = [[text.partition(" ")[0] for text in texts] for texts in drawn]
    assert [text.partition(" ")[2] for text in drawn[0]] == plain
    assert len({tuple(words) for words in firsts}) == 4
    assert {word[0] for word in firsts[1] + firsts[3]} == set("PQRSTW")
    assert len(set(firsts[0])) > 10


def test_an_empty_text_begins_with_the_end_mark(behind):
    """An instruction stays empty unless the end mark is banned, or nothing else is left."""
    assert set(behind(USER, FirstToken(None, ()), empty=1.0)) == {""}
    assert "" not in behind(USER, FirstToken(None, (1,)), empty=1.0)
    assert set(behind(USER, FirstToken(None, tuple(range(259))))) == {""}


def test_clean_instructions_are_distinct_and_of_several_languages(texts):
    """Without faults most of 200 instructions differ, and some are German and Chinese."""
    drawn = texts()
    assert len(set(drawn)) > 190
    assert any("Erkläre mir" in text for text in drawn)
    assert any("请" in text for text in drawn)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("duplicates", lambda text: text == "What is the capital of France?"),
        ("empty", lambda text: text == ""),
        ("loops", lambda text: text.count("and so on") == 40),
        ("leaks", lambda text: "<|im_end|>\n<|im_start|>assistant" in text),
        ("colons", lambda text: text.endswith(":")),
    ],
)
def test_each_fault_comes_at_its_rate(texts, fault, seen):
    """A fault that is switched off never occurs, one at rate 1 always does, at 0.5 sometimes."""
    assert not any(map(seen, texts()))
    assert 20 < sum(map(seen, texts(**{fault: 0.5}))) < 180
    always = texts(**{fault: 1.0})
    assert all(map(seen, always)) or (fault == "duplicates" and len(set(always)) == 3)


def test_max_tokens_cuts_and_says_so(ask):
    """A text longer than max_tokens ends there by `length`; so does one that is cut at random."""
    engine = Scripted(None, CLEAN)
    user = engine.encode(USER, special=True)
    short = run(engine, [ask(1, user, max_tokens=3)])[1]
    assert (short.finish_reason, short.completion_tokens) == ("length", 3)
    assert len(short.text.split()) == 3
    assert run(engine, [ask(1, user)])[1].finish_reason == "stop"
    assert run(Scripted(None, CLEAN | {"cut": 1}), [ask(1, user)])[1].finish_reason == "length"


def test_time_is_made_from_tokens(ask):
    """Ten tokens at twenty a second took half a second, however long they really took."""
    engine = Scripted(None, CLEAN | {"tokens_per_second": 20})
    done = run(engine, [ask(2, engine.encode(ANSWER, special=True), max_tokens=10)])[2]
    assert (done.completion_tokens, done.seconds) == (10, 0.5)


def test_shuffle_changes_the_order_and_repeats_it(ask):
    """Completions come back in another order than submission, and in the same one next time."""
    orders = [list(run(Scripted(None, {}), [ask(n, [10]) for n in range(20)])) for _ in range(2)]
    assert orders[0] == orders[1] != sorted(orders[0])
    straight = run(Scripted(None, {"shuffle": False}), [ask(n, [10]) for n in range(20)])
    assert list(straight) == list(range(20))


def test_transcript_has_a_line_for_each_request(ask, tmp_path):
    """Each request stands in the transcript, in the order of asking, run after run."""
    path = tmp_path / "asked.jsonl"
    for seed in (5, 6):
        run(Scripted(None, {"transcript": str(path)}), [ask(1, [10], seed=seed), ask(2, [10])])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"key": 1, "seed": 5}, {"key": 2, "seed": 2},
        {"key": 1, "seed": 6}, {"key": 2, "seed": 2},
    ]  # fmt: skip


def test_thoughts_go_before_answers(ask):
    """A thinking model is played by marked reasoning in front of the same answers."""
    prompt = Scripted(None, {}).encode(ANSWER, special=True)
    plain = run(Scripted(None, CLEAN), [ask(1, prompt)])[1]
    thinking = run(Scripted(None, CLEAN | {"thoughts": 1.0}), [ask(1, prompt)])[1]
    assert thinking.text.startswith("<think>\nThe words")
    assert thinking.text.endswith(f"</think>\n\n{plain.text}")


def test_a_schema_is_satisfied(ask):
    """A request with a JSON Schema gets a value of it, the same for the same seed."""
    schema = {
        "type": "object",
        "properties": {
            "level": {"enum": ["easy", "hard"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 5},
            "topics": {"type": "array", "items": {"type": "string", "maxLength": 5}},
            "safe": {"type": "boolean"},
        },
    }
    request = ask(3, [10], json_schema=json.dumps(schema))
    first, second = (run(Scripted(None, {}), [request])[3].text for _ in range(2))
    value = json.loads(first)
    assert first == second
    assert value["level"] in ("easy", "hard")
    assert value["score"] in range(1, 6)
    assert [len(topic) for topic in value["topics"]] == [5, 5]
    assert value["safe"] in (True, False)

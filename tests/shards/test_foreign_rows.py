"""A row of others' making says one exchange and its labels, or why it cannot."""

import pytest

from magpie_hub.shards.foreign_labels import LABELS
from magpie_hub.shards.foreign_rows import COLUMNS, Foreign, understand

HI = {"role": "user", "content": "Hi"}
HELLO = {"role": "assistant", "content": "Hello"}
HUMAN = {"from": "human", "value": "Hi"}
GPT = {"from": "gpt", "value": "Hello"}


def said(row: object, **columns: str) -> Foreign:
    """Return what a row says, at a place of no interest."""
    return understand("rows.jsonl:1", row, columns)


def label(**row: object) -> dict[str, object]:
    """Return the labels of a row with an instruction."""
    return said({"instruction": "Hi"} | row).labels


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ({"messages": [HI, HELLO]}, None),
        ({"messages": [HI, HELLO, HI]}, "1 further message"),
        ({"conversations": [HUMAN, GPT, HUMAN, GPT]}, "2 further messages"),
        ({"conversation": [HI, HELLO]}, None),
        ({"conversations": [{"from": "system", "value": ""}, HUMAN, GPT]}, None),
        ({"messages": [HI, HELLO], "input": "Hi", "output": "Hello"}, None),
        ({"messages": [], "instruction": "Hi", "response": "Hello"}, None),
        ({"instruction": "Hi", "response": "Hello"}, None),
        ({"input": "Hi", "output": "Hello"}, None),
        ({"prompt": "Hi", "completion": "Hello"}, None),
        ({"question": "Hi", "answer": "Hello"}, None),
        ({"instruction": "Hi", "input": "", "output": "Hello"}, None),
        ({"instruction": "Hi", "responses": ["Hello", "Hey"]}, "1 further response"),
        ({"prompt": "Hi", "chosen": "Hello", "rejected": "Go"}, "1 further response"),
        ({"prompt": [HI], "chosen": [HELLO], "rejected": [HELLO]}, "1 further response"),
        ({"prompt": [HI], "completion": [HELLO]}, None),
        ({"instruction": "?", "chosen": [HI, HELLO], "rejected": [HI]}, "1 further response"),
        (
            {"instruction": "Hi", "response": "Hello", "instruction_2": "And?"},
            "further turns",
        ),
    ],
)
def test_shapes(row, note):
    """Every shape gives the same exchange, and says what was left out."""
    assert said(row) == Foreign(
        "rows.jsonl:1", None, "Hi", "Hello", None, None, {}, fault=None, note=note
    )


@pytest.mark.parametrize(
    "row", [{"messages": [HI]}, {"instruction": "Hi", "response": None}, {"prompt": "Hi"}]
)
def test_an_instruction_without_a_response(row):
    """Nobody need have answered; then nobody is said to have."""
    found = said(row | {"model": "org/model"})
    assert (found.instruction, found.response, found.model) == ("Hi", None, None)
    assert found.fault is None


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (7, "it is a number, expected an object"),
        ({"text": "Hi"}, "it has no column that is known"),
        ({"instruction": None}, "it has no instruction"),
        ({"instruction": " \n"}, "its instruction is empty"),
        ({"instruction": ["Hi"]}, "its `instruction` is a list, expected text"),
        ({"instruction": b"Hi"}, "its `instruction` is of the type bytes, expected text"),
        ({"instruction": "Hi", "response": 4}, "its `response` is a number, expected text"),
        ({"instruction": "\ud800"}, "its `instruction` holds half a character (a lone surrogate)"),
        ({"messages": "Hi"}, "it has text where a list was expected"),
        ({"messages": ["Hi"]}, "message 1 is text, expected an object"),
        (
            {"messages": [HI, {"role": "assistant", "content": [HELLO]}]},
            "its second message is a list, expected text",
        ),
        ({"messages": [HELLO, HI]}, "it begins with a message by the assistant"),
        ({"messages": [HI, HI, HELLO]}, "it begins with two messages by the user"),
        ({"messages": [{"role": "system", "content": ""}]}, "its `messages` holds no message"),
        ({"messages": [{"content": "Hi"}]}, "message 1 is by nobody, expected the user or the"),
        (
            {"messages": [HI, {"role": "tool\n", "content": "4"}]},
            "message 2 is by `tool\\n`, expected the user or the assistant",
        ),
        ({"messages": [HI, HELLO, HI, HELLO | {"tool_calls": [{}]}]}, "message 4 calls tools"),
        (
            {"messages": [{"role": "system", "content": "Be rude."}, HI, HELLO]},
            "a system prompt stood before its instruction, and the response may answer that too",
        ),
        (
            {"system_prompt": "Be rude.", "question": "Hi", "response": "No"},
            "its `system_prompt` stood before its instruction",
        ),
        (
            {"instruction": "Translate", "input": "Hallo", "output": "Hello"},
            "it has both `instruction` and `input`; `columns:` must say which is meant",
        ),
        (
            {"question": "Hi", "response": "4", "answer": "It is 4."},
            "it has both `response` and `answer`; `columns:` must say which is meant",
        ),
        (
            {"question": "Which?", "choices": ["a", "b"], "answer": "a"},
            "its `choices` stood beside its `question` and would be lost",
        ),
        (
            {"instruction": "Hi", "responses": ["a", "b"], "rewards_armorm": [{"score": 1}]},
            "it has 2 responses and 1 rewards",
        ),
        ({"instruction": "Hi", "responses": [None]}, "its response 1 is null, expected text"),
    ],
)
def test_faults(row, fault):
    """What cannot be read, or would be read wrongly, is a fault that names the reason."""
    found = said(row)
    assert found.fault is not None
    assert found.fault.startswith(fault)
    assert (found.instruction, found.response, found.labels) == ("", None, {})


@pytest.mark.parametrize(
    ("rewards", "best"),
    [
        ([{"score": 0.1}, {"score": 0.3}, {"score": 0.3}], "b"),
        ([0.5, 0.3, 0.4], "a"),
        ([{"score": None}, {"score": float("nan")}, {"score": -9}], "c"),
        ([{}, None, "?"], "a"),
        (None, "a"),
    ],
)
def test_the_best_response(rewards, best):
    """The highest reward decides, the first of equals; without rewards, the first response."""
    row = {"instruction": "Hi", "responses": ["a", "b", "c"], "rewards_armorm": rewards}
    assert (said(row).response, said(row).note) == (best, "2 further responses")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"instruction": "Q", "response": "A"}, ("why", "so", "u")),
        ({"instruction": "Q"}, ("why", "Hello", "u")),
        ({"response": "A"}, ("Hi", "so", "u")),
        ({"messages": "chat", "uuid": "key"}, ("Hi", "Hello", "9")),
        ({"uuid": "key"}, ("Hey", "You", "9")),
    ],
)
def test_mapped_columns(columns, expected):
    """A mapping goes before recognition, for what it names and no further."""
    row = {
        "uuid": "u",
        "key": 9,
        "Q": "why",
        "A": "so",
        "chat": [HI, HELLO],
        "instruction": "Hi",
        "response": "Hello",
        "messages": [HI | {"content": "Hey"}, HELLO | {"content": "You"}],
    }
    found = said(row, **columns)
    assert (found.instruction, found.response, found.uuid) == expected


def test_a_mapped_column_settles_what_is_ambiguous():
    """Of two columns that could be the instruction, the mapped one is it."""
    row = {"instruction": "Answer.", "input": "Hi", "output": "Hello", "level": "EASY"}
    found = said(row, instruction="input", difficulty="level")
    assert (found.instruction, found.response) == ("Hi", "Hello")
    assert found.labels == {"difficulty": "easy"}


@pytest.mark.parametrize(
    ("row", "uuid", "model"),
    [
        ({"uuid": "u", "conversation_id": "c", "id": 1}, "u", None),
        ({"conversation_id": "c", "model": "a/b"}, "c", "a/b"),
        ({"id": 0, "gen_input_config": {"input_generator": "a/b"}}, "0", "a/b"),
        ({"id": True, "model": 7, "gen_response_configs": "?"}, None, None),
        (
            {"id": 2**60, "model": "a/b", "gen_response_configs": {"output_generator": "c/d"}},
            str(2**60),
            "c/d",
        ),
    ],
)
def test_who_it_is_and_who_wrote_it(row, uuid, model):
    """The row's own name comes as text, and of writers the one named for the response first."""
    found = said({"instruction": "Hi", "response": "Hello", "finish_reason": "stop"} | row)
    assert (found.uuid, found.model, found.finish_reason) == (uuid, model, "stop")


def test_a_faulty_row_keeps_its_name():
    """A row that cannot be read is still called what it calls itself."""
    assert said({"uuid": "u", "instruction": 5}).uuid == "u"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"task_category": "Other"}, {"task_category": "Others"}),
        ({"task_category": "information Seeking "}, {"task_category": "Information seeking"}),
        ({"task_category": "Cooking", "difficulty": 3, "input_quality": None}, {}),
        ({"other_task_category": ["Math"]}, {"other_task_category": ["Math"]}),
        ({"other_task_category": ["Math", 1]}, {}),
        ({"intent": "to know", "knowledge": 5}, {"intent": "to know"}),
        (
            {"instruct_reward": 2, "base_reward": "-1.5"},
            {"instruct_reward": 2, "base_reward": -1.5},
        ),
        ({"instruct_reward": float("nan"), "base_reward": True, "reward_difference": "?"}, {}),
        ({"instruct_reward": 10**400}, {}),
        ({"repeat_count": 3.0}, {"repeat_count": 3}),
        ({"repeat_count": 3.5}, {}),
        ({"language": "EN"}, {"language": "EN"}),
        ({"language": "Python"}, {}),
        ({"intent": "\udfff", "base_output": ""}, {}),
        ({"min_similar_conversation_id": 7}, {"min_similar_uuid": "7"}),
        ({"min_similar_conversation_id": "c", "min_similar_uuid": "u"}, {"min_similar_uuid": "u"}),
        ({"safety": "unsafe", "llama_guard_2": "safe"}, {"safety": "unsafe"}),
    ],
)
def test_labels(row, expected):
    """Labels come under our names, in their types and sets; the others are left out."""
    assert label(**row) == expected


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ("safe", ("safe", [])),
        ("\n\nunsafe\nS1, S10 ", ("unsafe", ["S1", "S10"])),
        ("unsafe", ("unsafe", [])),
        ("safe\nS1", None),
        ("unsafe\nI am", None),
        ("Safe.", None),
        (None, None),
    ],
)
def test_llama_guard_2(verdict, expected):
    """Upstream's raw verdict becomes our columns; what cannot be read is never safe."""
    found = label(llama_guard_2=verdict)
    assert (found and (found["safety"], found["safety_categories"])) == (expected or {})


def test_every_label_is_looked_at():
    """No column of ours would be passed over where only known columns are read."""
    assert LABELS.keys() <= COLUMNS

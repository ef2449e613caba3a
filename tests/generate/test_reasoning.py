"""Where reasoning ends and the answer begins."""

import pytest

from magpie_hub.generate.reasoning import Reasoning

HARMONY = Reasoning(
    "<|channel|>analysis<|message|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
    opened=False,
    header="<|channel|>final<|message|>",
)


@pytest.mark.parametrize(
    ("opened", "text", "expected"),
    [
        (False, "<think>\na\n</think>\n\nb", ("a", "\n\nb")),
        (False, " <think>a</think>b</think>", ("a", "b</think>")),
        (False, "b", (None, "b")),
        (False, "I <think> so", (None, "I <think> so")),
        (False, "Close it with </think>, like so", (None, "Close it with </think>, like so")),
        (False, "<think>never ends", ("never ends", "")),
        (True, "a\n</think>\n\nb", ("a", "\n\nb")),
        (True, "<think>a</think>b", ("a", "b")),
        (True, "never ends", ("never ends", "")),
    ],
)
def test_split(opened, text, expected):
    """The first closing mark ends the reasoning, which a prompt may have opened already."""
    assert Reasoning("<think>", "</think>", opened).split(text) == expected


def test_split_of_marks_that_are_several_tokens():
    """A channel's header is a mark as well, also where nothing was thought before the answer."""
    text = f"{HARMONY.opening}We need a greeting.{HARMONY.closing}Hello!"
    assert HARMONY.split(text) == ("We need a greeting.", "Hello!")
    assert HARMONY.split("<|channel|>final<|message|>Hello!") == (None, "Hello!")

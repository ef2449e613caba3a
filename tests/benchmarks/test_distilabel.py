"""Which prompts count as the template's own, and which of distilabel's rows our rules keep."""

import pytest

from tests.benchmarks.distilabel_prompts import as_template
from tests.benchmarks.distilabel_way import KINDS, SPEC, TOKENS, kept

SYSTEM = "<|im_start|>system\nBe brief.<|im_end|>\n"
USER, ASSISTANT = "<|im_start|>user\n", "<|im_start|>assistant\n"
ASKED = f"{USER}Why?<|im_end|>\n"


class Letters:
    """A tokenizer whose tokens are letters, and whose template has a system turn of its own."""

    def decode(self, tokens):
        """Return the text of tokens."""
        return "".join(map(chr, tokens))

    def encode(self, text, add_special_tokens):
        """Return the tokens of a text."""
        return [ord(letter) for letter in text]

    def apply_chat_template(self, said, tokenize, add_generation_prompt=False):
        """Return ChatML."""
        if not said or said[0]["role"] != "system":
            said = [{"role": "system", "content": "Be brief."}, *said]
        turns = [f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in said]
        return "".join(turns) + ASSISTANT * add_generation_prompt


@pytest.mark.parametrize(
    ("prompt", "right"),
    [
        (SYSTEM + USER, True),
        (SYSTEM + ASKED + ASSISTANT, True),
        (f"{SYSTEM}{ASKED}{ASSISTANT}So.<|im_end|>\n{USER}", True),
        # The system turn that the template writes by itself is missing.
        (USER, False),
        (ASKED + ASSISTANT, False),
        # A header of nobody's words stands before the user's.
        (SYSTEM + ASSISTANT + USER, False),
        (f"{SYSTEM}{ASKED}{ASSISTANT}So.<|im_end|>\n{ASSISTANT}{USER}", False),
        (f"{SYSTEM}{ASSISTANT}{ASKED}{ASSISTANT}", False),
        # A BOS that the template does not have.
        (f"<s>{SYSTEM}{USER}", False),
        (SYSTEM + USER + "Why", False),
    ],
)
def test_a_prompt_is_the_templates_or_not(prompt, right):
    """Only what the template makes of the conversation counts, up to where the words begin."""
    assert as_template([ord(letter) for letter in prompt], Letters()) is right


def row(instruction, tokens, response="Yes, it is."):
    """Return a row as distilabel writes it; tokens: of the instruction."""
    statistics = {"input_tokens": [9, 20], "output_tokens": [tokens, 5]}
    return {
        "instruction": instruction,
        "response": response,
        "distilabel_metadata": {"statistics_magpie_generator_0": statistics},
    }


def test_theirs_are_kept_by_our_rules():
    """A cut instruction, a repeated one, one without words and an empty answer do not count."""
    good = row("What is a tide?", 6)
    cut = row("What is the tide that", TOKENS)
    assert kept([good]) == 1
    assert kept([good, row("what is a  tide?", 7), cut, row("?", 2), row("Why so?", 4, " ")]) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_our_specs_can_be_read(kind, tmp_path):
    """What our side is asked to make is a spec."""
    from magpie_hub.spec.load import load

    parts = {key: KINDS[kind].get(key, "") for key in ("drawn", "configs")}
    given = {"url": "http://127.0.0.1:1", "rows": 8, "tokens": TOKENS, **parts}
    (tmp_path / "spec.yaml").write_text(SPEC % given)
    assert load(str(tmp_path / "spec.yaml")).instructions.rows == 8

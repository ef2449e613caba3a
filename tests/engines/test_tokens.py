"""A model's own tokenizer: control tokens are tokens only when a template wrote them."""

import sys

import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from magpie_hub.engines import tokens
from magpie_hub.errors import EngineError

VOCABULARY = {letter: number for number, letter in enumerate("<s>abc")}


@pytest.fixture
def folder(tmp_path):
    """A tokenizer of six letters and two control tokens, which adds a BOS and cuts at 3 tokens."""
    tokenizer = Tokenizer(models.BPE(VOCABULARY, []))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens([AddedToken("<s>", special=True), AddedToken("<a>", special=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def test_control_tokens_only_from_templates(folder):
    """No BOS is added and nothing is cut or filled up; names in a person's text stay letters."""
    tokenizer = tokens.Tokenizer(folder)
    special = tokenizer.encode("<s>abc<a>", special=True)
    assert special == [6, 3, 4, 5, 7]
    assert tokenizer.encode("<a>", special=False) == [0, 3, 2]


def test_size_counts_control_tokens(folder):
    """Six letters and what was added: `<s>` and `<a>`."""
    assert tokens.Tokenizer(folder).size == 8


def test_control_tokens_stay_visible(folder):
    """What a model writes in mid-text can be seen."""
    tokenizer = tokens.Tokenizer(folder)
    assert tokenizer.decode([3, 7, 4]).replace(" ", "") == "a<a>b"


@pytest.mark.parametrize(
    ("content", "message"), [(None, "there is no `tokenizer.json`"), ("{}", "is no tokenizer")]
)
def test_bad_files(tmp_path, content, message):
    """A folder without the file, and a file that is something else, are named."""
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(EngineError, match=message):
        tokens.Tokenizer(tmp_path)


def test_missing_library_names_the_extra(folder, monkeypatch):
    """Without the library the error says what to install."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(EngineError, match="not installed") as caught:
        tokens.Tokenizer(folder)
    assert caught.value.hint == 'run: pip install "magpie-hub[server]"'


def test_a_folder_that_is_no_model(tmp_path):
    """A model's folder has a config; anything else is refused by name."""
    with pytest.raises(EngineError, match="there is no model at"):
        tokens.model_folder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert tokens.model_folder(tmp_path) == tmp_path

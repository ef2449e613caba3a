"""Reading chat templates and tokens out of files that strangers wrote."""

import json
from pathlib import Path
from typing import Any

import gguf
import pytest

from magpie_hub import hub
from magpie_hub.errors import HubError, TemplateError
from magpie_hub.templates.sources import TemplateSource, inline, load, network

CONFIG = {
    "chat_template": "{{ bos_token }}",
    "bos_token": {"content": "<s>", "special": True},
    "eos_token": "</s>",
    "added_tokens_decoder": {"1": {"content": "<s>"}, "2": {"content": "</s>"}},
}


def folder(path: Path, **files: object) -> str:
    """Write JSON files (`a_json=`) and templates (`a_jinja=`) and return the folder's name."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / ".".join(name.rsplit("_", 1))).write_text(text, encoding="utf-8")
    return str(path)


def weights(path: Path, **changed: Any) -> str:
    """Write a GGUF of four tokens and one tensor, and return its name."""
    values = {
        "chat_template": "{{ bos_token }}",
        "tokens": ["hello", "<s>", "</s>", "<tool>"],
        "types": [1, 3, 3, 4],
        "eos": 2,
        **changed,
    }
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_sampling_temp(0.5)
    writer.add_sampling_top_k(20)
    writer.add_token_list(values["tokens"])
    writer.add_token_types(values["types"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(values["eos"])
    if isinstance(values["chat_template"], str):
        writer.add_chat_template(values["chat_template"])
    else:
        writer.add_uint32("tokenizer.chat_template", 7)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


def test_a_folder_with_its_tokenizer_config_only(tmp_path):
    """One file is enough; a token may be written as an object, ids come from the added tokens."""
    name = folder(tmp_path, tokenizer_config_json=CONFIG)
    assert load(name) == TemplateSource(
        name=name,
        chat_template="{{ bos_token }}",
        bos_token="<s>",
        eos_token="</s>",
        special_ids={"<s>": 1, "</s>": 2},
        generation_config={},
        context_length=None,
    )


def test_a_folder_with_all_files(tmp_path):
    """The template's own file wins; ids, sampling and context come from theirs."""
    source = load(
        folder(
            tmp_path,
            tokenizer_config_json=CONFIG | {"pad_token": "<tool>", "mask_token": None},
            chat_template_jinja="from its own file",
            tokenizer_json={"added_tokens": [{"id": 9, "content": "<tool>"}]},
            generation_config_json={"temperature": 0.6},
            config_json={"max_position_embeddings": 2048, "architectures": ["LlamaForCausalLM"]},
        )
    )
    assert source.chat_template == "from its own file"
    assert source.special_ids == {"<s>": 1, "</s>": 2, "<tool>": 9}
    assert source.other_tokens == {"pad_token": "<tool>"}
    assert source.generation_config == {"temperature": 0.6}
    assert source.context_length == 2048
    assert source.architectures == ("LlamaForCausalLM",)


def test_the_context_of_a_model_that_also_sees(tmp_path):
    """What concerns text stands apart in its config; a base model without a template tells it."""
    folder(tmp_path, config_json={"text_config": {"max_position_embeddings": 512}})
    assert network(tmp_path) == ((), 512)


def test_of_named_templates_the_default_is_taken(tmp_path):
    """A list of named templates stands for the one called default."""
    named = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    name = folder(tmp_path, tokenizer_config_json=CONFIG | {"chat_template": named})
    assert load(name).chat_template == "plain"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ([], "the file is `[]`; expected an object"),
        ({}, "holds no chat template"),
        ({"chat_template": 7}, "chat_template is `7`; expected a string"),
        ({"chat_template": []}, "holds no chat template"),
        (
            {"chat_template": [{"name": "tool_use", "template": "x"}, {"name": "rag"}]},
            "the chat templates are called `tool_use`, `rag`; expected one called `default`",
        ),
        (CONFIG | {"eos_token": 2}, "eos_token is `2`; expected a value of type str"),
        (CONFIG | {"bos_token": {}}, "content is `None`; expected a value of type str"),
        (CONFIG | {"added_tokens_decoder": []}, "added_tokens_decoder is `[]`"),
        (CONFIG | {"added_tokens_decoder": {"x": {}}}, "added_tokens_decoder.x is `{}`"),
        (CONFIG | {"added_tokens_decoder": {"1": {}}}, "content is `None`"),
    ],
)
def test_a_tokenizer_config_of_wrong_types(tmp_path, config, message):
    """Whatever stands in the file, the error names the file, the key and what was found."""
    name = folder(tmp_path, tokenizer_config_json=config)
    with pytest.raises(TemplateError) as caught:
        load(name)
    assert "tokenizer_config.json" in caught.value.message
    assert message in caught.value.message


def test_what_is_no_source(tmp_path):
    """An empty folder, a missing template and a file of another kind each say what was expected."""
    with pytest.raises(TemplateError, match=r"holds no `tokenizer_config\.json`"):
        load(str(tmp_path))
    with pytest.raises(TemplateError, match=r"no\.jinja` cannot be read"):
        load(str(tmp_path / "no.jinja"))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(TemplateError, match=r"expected `\.gguf` or `\.jinja`"):
        load(str(tmp_path / "notes.txt"))


def test_a_jinja_file(tmp_path):
    """A template alone has no tokens and no ids, like one that is given as text."""
    folder(tmp_path, chat_jinja="{{ messages }}")
    name = str(tmp_path / "chat.jinja")
    assert load(name) == inline(name, "{{ messages }}")
    assert load(name).special_ids == {}


def test_a_hub_id_that_cannot_be_reached():
    """Offline and not in the cache, the error is the Hub's."""
    with pytest.raises(HubError, match=r"`tokenizer_config\.json` of `org/model` at `v1`"):
        load("org/model@v1")


def test_a_gguf(tmp_path):
    """Template, tokens, control ids, sampling and context length come from the metadata."""
    name = weights(tmp_path / "model.gguf")
    assert load(name) == TemplateSource(
        name=name,
        chat_template="{{ bos_token }}",
        bos_token="<s>",
        eos_token="</s>",
        special_ids={"<s>": 1, "</s>": 2, "<tool>": 3},
        generation_config={"temperature": 0.5, "top_k": 20},
        context_length=64,
        architectures=("llama",),
    )


def test_smollm2_as_installed():
    """The model that the demo uses is found by its id and has the tokens that it should have."""
    source = load(hub.SMOLLM2)
    assert (source.bos_token, source.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert source.special_ids["<|im_end|>"] == 2
    assert source.context_length == 8192


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"chat_template": 7}, "tokenizer.chat_template is `7`; expected a value of type str"),
        ({"chat_template": ""}, "holds no chat template"),
        ({"eos": 4}, "tokenizer.ggml.eos_token_id is `4`; expected the id of one of 4 tokens"),
    ],
)
def test_a_gguf_of_wrong_values(tmp_path, changed, message):
    """Metadata that does not fit together is an error that names the key."""
    with pytest.raises(TemplateError) as caught:
        load(weights(tmp_path / "model.gguf", **changed))
    assert message in caught.value.message


@pytest.mark.parametrize("size", [4, 10, 24, 100, 300])
def test_a_truncated_gguf(tmp_path, size):
    """Wherever the file was cut, the error names it and its size."""
    path = Path(weights(tmp_path / "model.gguf"))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(TemplateError, match=rf"is truncated or damaged \({size} bytes\)"):
        load(str(path))


def test_a_gguf_that_is_something_else(tmp_path):
    """A web page that was saved under the name of the weights is called what it is."""
    path = tmp_path / "model.gguf"
    path.write_text("<html>", encoding="utf-8")
    with pytest.raises(TemplateError, match="it begins with `b'<htm'`; expected `b'GGUF'`"):
        load(str(path))

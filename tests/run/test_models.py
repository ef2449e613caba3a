"""What stands in the way of generating is said before it is begun, all of it at once."""

from pathlib import Path
from typing import Any

import pytest

from magpie_hub.engines import engine_class
from magpie_hub.errors import HubError, MagpieError, RunError, TemplateError
from magpie_hub.run.models import check
from magpie_hub.run.wording import of_generator
from magpie_hub.spec.load import load
from tests.making import spec_file
from tests.run.folders import CHATML, NO_CUT, files, save, save_gguf
from tests.run.releasing import run
from tests.small_hub import FIRST, Repo, SmallHub, serving

FOLDER_ENGINE = {"name": "server", "url": "http://127.0.0.1:9"}
TERABYTES = 9 * 10**15


def fault(tmp_path: Path, model: object, engine: object, **instructions: int) -> MagpieError:
    """Return what the check of a generator raises."""
    generator = {"model": str(model), "engine": engine}
    path = spec_file(tmp_path, generator=generator, instructions={"rows": 9, **instructions})
    with pytest.raises(MagpieError) as caught:
        check([of_generator(load(str(path)))], date="2026-01-31")
    return caught.value


def generate(folder: Path, served: SmallHub, generator: Any, **instructions: int) -> list[str]:
    """Run `magpie-hub generate` against a small Hub; it must fail, and its last lines come back."""
    spec_file(folder, generator=generator, instructions={"rows": 9, **instructions})
    online = {"HF_ENDPOINT": served.endpoint, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    done = run(folder, "generate", "tiny.yaml", HF_HOME=str(folder / "hf"), **online)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr[done.stderr.index("error: ") :].splitlines()


def test_a_hub_model_with_three_faults(tmp_path: Path) -> None:
    """Gated, too large for the disk and a short context: one error, a line for each, one hint."""
    repo = Repo({FIRST: {"big.gguf": b"GGUF"}}, gated=True, sizes={"big.gguf": TERABYTES})
    engine = {"name": "llama_cpp", "file": "big.gguf", "context": 512}
    with serving({"org/big": repo}) as served:
        generator = {"model": "org/big", "engine": engine}
        lines = generate(tmp_path, served, generator, max_tokens=1000)
    assert lines[0] == "error: 3 things stand in the way of generating:"
    assert lines[1].startswith("- `org/big` has 9,000,000.0 GB still to fetch, and the disk of `")
    assert lines[1].endswith("set HF_HOME to a folder on a larger disk")
    assert lines[2].startswith("- `org/big` is gated; accept its licence at ")
    assert lines[3] == (
        "- `instructions.max_tokens` is 1,000, and the context of 512 tokens that `org/big` has on"
        " `llama_cpp` must hold more than that; lower `instructions.max_tokens`, or raise the"
        " engine's context"
    )
    assert lines[4:] == ["hint: put them right, then run the same command"]


def test_a_gguf_is_not_fetched_to_find_its_faults(tmp_path: Path) -> None:
    """The beginning of a file of 70 MB on the Hub tells its template, architecture and context."""
    content = save_gguf(tmp_path / "x.gguf", NO_CUT, "abacus", 64).read_bytes() + bytes(7 * 10**7)
    generator = {"model": "org/x", "engine": {"name": "llama_cpp", "file": "x.gguf"}}
    with serving({"org/x": Repo({FIRST: {"x.gguf": content}})}) as served:
        lines = generate(tmp_path, served, generator)
    assert lines[0] == "error: 3 things stand in the way of generating:"
    assert "has no clean place for a user's words" in lines[1]
    assert "llama.cpp does not know the architecture `abacus`" in lines[2]
    assert "the context of 64 tokens" in lines[3]
    assert not list((tmp_path / "hf").rglob("*.gguf"))


def test_weights_wait_for_all_checks(tmp_path: Path) -> None:
    """Of a folder model with a fault only the small files are fetched."""
    generator = {"model": "org/m", "engine": {"name": "vllm"}}
    with serving({"org/m": Repo({FIRST: files(context=100, architecture="")})}) as served:
        generate(tmp_path, served, generator)
    assert sorted(served.sent) == ["config.json", "tokenizer.json", "tokenizer_config.json"]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("org/m@v9", "error: `org/m` has no revision `v9`"),
        ("org/absent", "error: `org/absent` does not exist, or is private"),
    ],
)
def test_one_fault_is_said_as_it_is(tmp_path: Path, model: str, says: str) -> None:
    """A repository or revision that is not there is all that can be known."""
    with serving({"org/m": Repo({FIRST: files()})}) as served:
        lines = generate(tmp_path, served, {"model": model, "engine": FOLDER_ENGINE})
    assert lines[0] == says
    assert len(lines) == 2


def test_a_folder_with_three_faults(tmp_path: Path) -> None:
    """What a folder lacks, its template and its context are independent of each other."""
    content = files(NO_CUT, context=64)
    del content["tokenizer.json"]
    found = fault(tmp_path, save(tmp_path / "model", content), FOLDER_ENGINE)
    assert type(found) is RunError
    lines = found.message.splitlines()[1:]
    assert "lacks `tokenizer.json`, which the engine `server` needs" in lines[0]
    assert "has no clean place for a user's words" in lines[1]
    assert "the context of 64 tokens" in lines[2]
    assert lines[2].endswith("; lower `instructions.max_tokens`")


def test_a_model_without_a_chat_template(tmp_path: Path) -> None:
    """A base model's context is told as well."""
    folder = save(tmp_path / "model", files(None, context=64))
    lines = fault(tmp_path, folder, FOLDER_ENGINE).message.splitlines()[1:]
    assert "holds no chat template" in lines[0]
    assert "the context of 64 tokens" in lines[1]


def test_no_mark_that_ends_a_turn(tmp_path: Path) -> None:
    """A template whose marks are plain text, and a model that has another EOS, would never stop."""
    content = files(CHATML.replace("<|im_end|>", "###"))
    config = content["tokenizer_config.json"].replace(b'"eos_token": "<|im_end|>"', b'"x": 0')
    folder = save(tmp_path / "model", content | {"tokenizer_config.json": config})
    found = fault(tmp_path, folder, FOLDER_ENGINE)
    assert type(found) is TemplateError
    assert "none of the texts that end a turn (`###`)" in found.message


def test_weights_of_another_engine(tmp_path: Path) -> None:
    """A GGUF for vLLM, a folder for llama.cpp and a Hub id without a file name the way out."""
    path = save_gguf(tmp_path / "x.gguf", CHATML, "llama", 2048)
    found = fault(tmp_path, path, "vllm")
    # Where vLLM is not installed, that is said as well.
    said = f"{found.message} {found.hint}"
    assert "is a GGUF file" in said
    assert "choose the engine `llama_cpp`" in said
    found = fault(tmp_path, tmp_path, "llama_cpp")
    assert type(found) is HubError
    assert "is a folder; a GGUF file was expected" in found.message
    assert "file: NAME.gguf" in fault(tmp_path, "org/m", "llama_cpp").hint


def test_a_folder_of_ggufs(tmp_path: Path) -> None:
    """One with GGUF files only is not for vLLM; the error names all that it lacks."""
    found = fault(tmp_path, save(tmp_path / "model", {"x.gguf": b"GGUF"}), "vllm")
    lacks = "lacks `config.json`, `tokenizer.json`, weights ("
    assert lacks in found.message
    assert "it holds GGUF files: name one, for the engine `llama_cpp`" in found.message


def test_a_model_with_nothing_in_the_way(tmp_path: Path) -> None:
    """Texts, source and folder of a sound model come back for the pins."""
    folder = save(tmp_path / "model", files())
    spec = load(str(spec_file(tmp_path, generator={"model": str(folder), "engine": FOLDER_ENGINE})))
    [model] = check([of_generator(spec)], date="2026-01-31")
    assert model.texts.prefix == "<|im_start|>user\n"
    assert model.source.architectures == ("LlamaForCausalLM",)
    assert model.folder == folder


def test_architectures_that_llama_cpp_knows() -> None:
    """Known to the package `gguf`, or by the library's own word where that package is behind."""
    check_library = engine_class("llama_cpp").check_library
    assert list(check_library({}, ("llama", "qwen2", "kimi-k3"))) == []
    [fault] = check_library({}, ("llama", "abacus"))
    assert fault.message == "llama.cpp does not know the architecture `abacus`"
    assert 'pip install --upgrade "magpie-hub[local]"' in fault.hint

"""What is resolved of a generator once, and what happens when it is no longer the same."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from magpie_hub.engines.base import Sampling
from magpie_hub.engines.scripted import Scripted
from magpie_hub.errors import RunError
from magpie_hub.run.generation import generate
from magpie_hub.run.models import check
from magpie_hub.run.pins import Pins, resolve, weights
from magpie_hub.run.wording import of_generator
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from magpie_hub.templates.sources import load as load_source
from tests.making import carry_out, finished_run, spec_file
from tests.run.folders import CHATML, files, save, save_gguf
from tests.small_hub import FIRST, SECOND


def resolved(spec: Spec) -> Pins:
    """Return the pins of a spec, as a run that begins gets them."""
    [model] = check([of_generator(spec)], date="2026-01-31")
    return resolve(spec.drawn_from, spec.responses[0], model, date="2026-01-31")


def test_pins_of_the_scripted_engine(tmp_path: Path) -> None:
    """Prefix, post-query and ends come from the engine's own template; JSON gives them back."""
    pins = resolved(load(str(spec_file(tmp_path))))
    assert pins.prefix == ("<|im_start|>system\nYou follow a script.<|im_end|>\n<|im_start|>user\n")
    assert pins.post_query == "<|im_end|>\n<|im_start|>assistant\n"
    assert pins.ends == ("<|im_end|>",)
    assert pins.responses == Sampling(0.0, 1.0, 4096)
    assert Pins.from_json(pins.to_json()) == pins


def test_marks_in_plain_text_are_controls(tmp_path: Path) -> None:
    """What a template marks turns by is kept out of instructions, and told to cost tokens."""
    plain = (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }}<|im_end|>{% endif %}{% endfor %}"
    )
    engine = {"name": "server", "url": "http://127.0.0.1:9"}
    generator = {"model": str(save(tmp_path / "model", files(plain))), "engine": engine}
    pins = resolved(load(str(spec_file(tmp_path, generator=generator))))
    assert pins.controls == ("<|im_end|>", "[/INST]", "[INST]")
    assert any("ends the user's turn, is no token of its own" in said for said in pins.warnings)


def test_line_breaks_are_no_control_tokens(tmp_path: Path) -> None:
    """Where a vocabulary lists them among its added tokens, as Gemma's does, they stay words."""
    content = files()
    listed = b'"added_tokens": [{"id": 9, "content": "\\n"}, '
    content["tokenizer.json"] = content["tokenizer.json"].replace(b'"added_tokens": [', listed)
    folder = str(save(tmp_path / "model", content))
    path = str(save_gguf(tmp_path / "model.gguf", CHATML, "llama", 2048, added=["\n", "\n\n"]))
    for model, engine in ((folder, "server"), (path, "llama_cpp")):
        assert load_source(model).special_ids["\n"] in (3, 9)
        url = {"url": "http://127.0.0.1:9"} if engine == "server" else {}
        generator = {"model": model, "engine": {"name": engine, **url}}
        pins = resolved(load(str(spec_file(tmp_path, generator=generator))))
        assert pins.controls == ("<|im_end|>", "<|im_start|>")
        assert pins.marks == ("<|im_start|>", "<|im_end|>")


def test_other_weights_are_not_mixed_in(tmp_path: Path) -> None:
    """A weight file with other content under the same name is refused, with both revisions."""
    path = save_gguf(tmp_path / "model.gguf", CHATML, "llama", 2048)
    spec = load(str(spec_file(tmp_path, generator={"model": str(path), "engine": "llama_cpp"})))
    pins = resolved(spec)
    assert weights("generator", spec.drawn_from, pins) == path
    save_gguf(path, CHATML, "llama", 4096)
    with pytest.raises(RunError, match=f"with the weights `{pins.revision}`, now they are `sha2"):
        weights("generator", spec.drawn_from, pins)


def test_a_run_goes_on_with_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` is resolved once: when it has moved, the run still gets the commit of its pins."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--org--m"
    for commit, content in ((FIRST, files()), (SECOND, files(context=4096))):
        save(repo / "snapshots" / commit, content)
    (repo / "refs").mkdir()
    engine = {"name": "server", "url": "http://127.0.0.1:9"}
    spec = load(str(spec_file(tmp_path, generator={"model": "org/m", "engine": engine})))
    (repo / "refs/main").write_text(FIRST)
    pins = resolved(spec)
    assert (pins.revision, pins.commit) == (FIRST, FIRST)
    (repo / "refs/main").write_text(SECOND)
    assert weights("generator", spec.drawn_from, pins) == repo / "snapshots" / FIRST
    assert resolved(spec).revision == SECOND


def test_a_gguf_of_the_hub_keeps_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are known by their content, and had again from the commit that held them."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--org--m"
    for commit, context in ((FIRST, 2048), (SECOND, 4096)):
        (repo / "snapshots" / commit).mkdir(parents=True)
        save_gguf(repo / "snapshots" / commit / "x.gguf", CHATML, "llama", context)
    (repo / "refs").mkdir()
    (repo / "refs/main").write_text(FIRST)
    engine = {"name": "llama_cpp", "file": "x.gguf"}
    spec = load(str(spec_file(tmp_path, generator={"model": "org/m", "engine": engine})))
    pins = resolved(spec)
    assert pins.revision.startswith("sha256:")
    (repo / "refs/main").write_text(SECOND)
    assert weights("generator", spec.drawn_from, pins) == repo / "snapshots" / FIRST / "x.gguf"


def test_server_and_vllm_name_the_same_revision(tmp_path: Path) -> None:
    """Row ids depend on it: a server's tokenizer folder is known by the weights beside it too."""
    folder = save(tmp_path / "model", files())
    engine = {"name": "server", "url": "http://127.0.0.1:9"}
    generator = {"model": str(folder), "engine": engine}
    pins = resolved(load(str(spec_file(tmp_path, generator=generator))))
    same = load(str(spec_file(tmp_path, generator={"model": str(folder), "engine": "vllm"})))
    assert weights("generator", same.drawn_from, pins) == folder


def test_another_version_of_the_engine_is_worth_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run goes on with a newer engine; the person is told, and each row says its own version."""
    finished_run(tmp_path, 10)
    monkeypatch.setattr(Scripted, "version", "2")
    folder, said = RunFolder(tmp_path / "run"), []
    with folder.lock():
        spec = load(str(spec_file(tmp_path, 20)))
        carry_out(generate, spec, folder, warn=said.append)
    assert said == [
        "the run began on scripted 1 and goes on with scripted 2; every row says its own"
    ]
    versions = [
        row["gen_input_configs"]["engine_version"]
        for unit in folder.units()
        for row in folder.instructions(unit).to_pylist()
    ]
    assert versions == ["1"] * 10 + ["2"] * 10


def test_a_model_that_was_moved_is_still_the_model(tmp_path: Path) -> None:
    """The path of a local model is no part of a run: only what is in the file is."""
    spec, folder = finished_run(
        tmp_path, 10, generator={"model": "/a/m.gguf", "engine": "scripted"}
    )
    moved = load(
        str(spec_file(tmp_path, 12, generator={"model": "/b/m.gguf", "engine": "scripted"}))
    )
    with folder.lock():
        carry_out(generate, moved, folder)
    assert folder.units()[-1].stop == 12
    assert spec.generator.model not in str(folder.state()["population"])

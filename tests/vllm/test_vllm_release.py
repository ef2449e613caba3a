"""A release from SmolLM2 through the real vLLM, in a process of ours and behind `vllm serve`.

Both are killed twice on their way: what was finished is in the release as it was then.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from magpie_hub.records import INSTRUCTIONS, RESPONSES
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from tests.run.releasing import run, start
from tests.vllm.serving import serving

SPEC = Path(__file__).with_name("smollm2.yaml")
ROWS = 40
KILL_AT = {INSTRUCTIONS: 12, RESPONSES: 8}


@dataclass
class Made:
    """A finished release, and the seconds of what its journals held when it was killed."""

    folder: Path
    journalled: dict[tuple[str, int], float]

    @property
    def run_folder(self):
        """Return the run folder."""
        return RunFolder(self.folder / "runs" / "smollm2")


def entries(folder, stage):
    """Return the entries of the journal of a stage, none where there is no journal."""
    path = RunFolder(folder / "runs" / "smollm2")
    if not path.started or not path.units():
        return []
    journal = path.journal(stage, path.units()[0])
    return read(journal)[0][1:] if journal.exists() else []


def wait_for(folder, stage, count, process):
    """Wait until a journal of the running release holds so many completions."""
    end = time.monotonic() + 180
    while len(entries(folder, stage)) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "too slow"
        time.sleep(0.05)


def make(folder, engine=None):
    """Make a release in `folder`, killed once in each round."""
    spec = yaml.safe_load(SPEC.read_text())
    spec["generator"]["engine"] = engine or spec["generator"]["engine"]
    (folder / "smollm2.yaml").write_text(yaml.safe_dump(spec))
    journalled = {}
    for stage, count in KILL_AT.items():
        with start(folder, "release", "smollm2.yaml") as process:
            try:
                wait_for(folder, stage, count, process)
            finally:
                process.kill()
        found = entries(folder, stage)
        journalled |= {(stage, one["index"]): one["seconds"] for one in found}
    done = run(folder, "release", "smollm2.yaml")
    assert done.returncode == 0, done.stderr
    return Made(folder, journalled)


@pytest.fixture(scope="module")
def by_vllm(tmp_path_factory, smollm2_folder):
    """The release that the engine `vllm` made."""
    folder = tmp_path_factory.mktemp("by-vllm")
    (folder / "smollm2").symlink_to(smollm2_folder)
    return make(folder)


@pytest.fixture(scope="module")
def by_server(tmp_path_factory, smollm2_folder):
    """The release that the engine `server` made with `vllm serve`."""
    folder = tmp_path_factory.mktemp("by-server")
    (folder / "smollm2").symlink_to(smollm2_folder)
    with serving(smollm2_folder, folder / "serve.log", "--max-num-seqs", "16") as served:
        return make(folder, {"name": "server", "url": served.url, "in_flight": 32})


@pytest.fixture(params=["by_vllm", "by_server"])
def made(request):
    """Each of the two."""
    return request.getfixturevalue(request.param)


def test_the_release_loads(made, tmp_path):
    """`load_dataset` opens it; rows say their engine, and hold two turns of the model's words."""
    place = made.folder / "dist" / "org" / "magpie-smollm2-vllm"
    rows = load_dataset(str(place), "raw", split="train", cache_dir=str(tmp_path))
    assert len(rows) >= ROWS // 4
    engine, version = ("vllm", "0.32.0") if "vllm" in made.folder.name else ("server", "vllm 0.32")
    for row in rows:
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
        assert row["gen_input_configs"]["engine"] == engine
        assert row["gen_input_configs"]["engine_version"].startswith(version)
        assert row["gen_input_configs"]["prefix"].endswith("<|im_start|>user\n")
        assert "<|im_" not in row["messages"][1]["content"]


def test_a_kill_in_mid_shard_repeats_nothing(made):
    """What a journal held at a kill is in the shards with the very seconds that it took then."""
    folder = made.run_folder
    [unit] = folder.units()
    rows = {INSTRUCTIONS: folder.instructions(unit), RESPONSES: folder.responses(unit)}
    found = {
        (stage, index): seconds
        for stage, table in rows.items()
        for index, seconds in zip(
            table["index"].to_pylist(), table["seconds"].to_pylist(), strict=True
        )
    }
    for stage, count in KILL_AT.items():
        kept = {key: value for key, value in made.journalled.items() if key[0] == stage}
        assert len(kept) >= count
        assert {key: found[key] for key in kept} == kept


def test_ids_are_the_same_on_both(by_vllm, by_server):
    """A draw has one uuid and one seed whatever engine makes it; its words may differ."""
    named = []
    for made in (by_vllm, by_server):
        [unit] = made.run_folder.units()
        answers = made.run_folder.responses(unit)
        drawn = made.run_folder.instructions(unit)
        seeds = [config["seed"] for config in drawn["gen_input_configs"].to_pylist()]
        revisions = {c["revision"] for c in drawn["gen_input_configs"].to_pylist()}
        uuids = dict(zip(answers["index"].to_pylist(), answers["uuid"].to_pylist(), strict=True))
        named.append((seeds, revisions, uuids))
    (seeds, revisions, uuids), (other_seeds, other_revisions, other_uuids) = named
    assert seeds == other_seeds
    assert revisions == other_revisions
    common = uuids.keys() & other_uuids.keys()
    assert len(common) >= ROWS // 4
    assert {i: uuids[i] for i in common} == {i: other_uuids[i] for i in common}


def test_greedy_answers_to_the_same_instruction_agree_at_first(by_vllm, by_server):
    """Where both drew the same words, both answer alike: the same model stands behind both."""
    texts = []
    for made in (by_vllm, by_server):
        [unit] = made.run_folder.units()
        rows = made.run_folder.answered(unit).to_pylist()
        texts.append({row["instruction"]: row["response"] for row in rows})
    shared = texts[0].keys() & texts[1].keys()
    assert shared
    alike = [texts[0][words][:20] == texts[1][words][:20] for words in shared]
    assert sum(alike) / len(alike) >= 0.5

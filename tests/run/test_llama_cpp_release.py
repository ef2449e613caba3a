"""A release from the real SmolLM2 through llama.cpp, twice: the same bytes but for the times."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from magpie_hub.hub import SMOLLM2
from magpie_hub.run.pins import Pins
from magpie_hub.shards.folder import RunFolder
from tests.making import spec_file
from tests.run.releasing import fingerprints, run

PREFIX = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n<|im_start|>user\n"
)


@pytest.mark.slow
def test_two_releases_of_smollm2_are_identical(tmp_path: Path) -> None:
    """Twice the same spec on this machine gives the same release, with its origin in every row.

    What the engine took is told on the card, and is another time each time.
    """
    releases, cards = [], []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        spec_file(
            folder,
            16,
            generator={"model": SMOLLM2, "engine": {"name": "llama_cpp", "parallel": 8}},
            instructions={
                "rows": 16,
                "sampling": [{"temperature": 1.0, "top_p": 0.99}],
                "max_tokens": 128,
            },
            responses={"temperature": 0, "max_tokens": 64},
            configs={"raw": {}},
        )
        done = run(folder, "release", "tiny.yaml")
        assert done.returncode == 0, done.stderr
        releases.append(fingerprints(folder / "dist" / "org" / "tiny"))
        for timed in ("README.md", "release.json"):
            del releases[-1][timed]
        card = (folder / "dist" / "org" / "tiny" / "README.md").read_text()
        before, _, cost = card.partition("\n## Cost\n")
        cards.append((before, cost.partition("\n## ")[2]))
    assert releases[0] == releases[1]
    assert len(releases[0]) == 5  # raw, its index, and three figures
    assert cards[0] == cards[1]

    rows = pq.read_table(tmp_path / "a/dist/org/tiny/raw").to_pylist()
    assert len(rows) >= 4
    drawn = rows[0]["gen_input_configs"]
    assert drawn["prefix"] == PREFIX
    assert (drawn["temperature"], drawn["top_p"], drawn["max_tokens"]) == (1.0, 0.99, 128)
    assert drawn["engine"] == "llama_cpp"
    assert drawn["revision"].startswith("sha256:b179c9523d0e6a0f")
    assert len({row["gen_input_configs"]["seed"] for row in rows}) == len(rows)
    # What the model was given before it wrote an instruction is the prefix and nothing else: its
    # 24 tokens, with no second BOS before them.
    run_folder = RunFolder(tmp_path / "a" / "runs" / "tiny")
    shard = run_folder.instructions(run_folder.units()[0]).to_pylist()
    assert {row["prompt_tokens"] for row in shard} == {24}
    assert Pins.from_json(run_folder.state()["pins"]).prefix == PREFIX

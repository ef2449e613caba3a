"""The peers' sides of near duplicates: text-dedup's command line and datatrove's MinHash pipeline.

Both read the same two JSONL files, work with two processes, and tell which rows they keep. Word
2-grams, 128 hashes in 16 bands of 8; text-dedup verifies by Jaccard 0.7, datatrove cannot. Where a
default would fail or drop rows it is set, with the reason beside it. They run in any Python that
has them, which need not be this one; `needs` says what it lacks. Knows neither truth nor goal.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.measured import Measured, measured_command

CHECKOUT = Path(__file__).parents[2]
PROCESSES = 2
WORDS, BANDS, ROWS, JACCARD = 2, 16, 8, 0.7

TEXT_DEDUP = """
[input]
input_type = "local_files"
file_type = "json"
read_arguments = {{path = "json", data_files = {files}, split = "train"}}

# min_length: words; by default rows under five would be dropped.
# check_false_positive: without it every row of a cluster would be dropped.
[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 42
num_proc = {processes}
num_perm = {hashes}
bands = {bands}
rows = {rows}
ngram_size = {words}
threshold = {jaccard}
min_length = 1
check_false_positive = true

[output]
output_dir = "kept"
keep_index_column = true

[debug]
"""


def needs(python: str = sys.executable) -> list[str]:
    """Return the peers that a Python lacks, by distribution name."""
    peers = {"text_dedup": "text-dedup", "datatrove": "datatrove"}
    code = f"from importlib.util import find_spec; print(*map(find_spec, {list(peers)}), sep='\\n')"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    specs = found.stdout.splitlines()
    return [name for name, spec in zip(peers.values(), specs, strict=True) if spec == "None"]


def write(texts: Sequence[str], folder: Path) -> list[Path]:
    """Write texts as JSONL, the first half to one file and the rest to another; return both.

    Two, since datatrove gives each process files of its own.
    """
    half = -(-len(texts) // PROCESSES)
    files = [folder / f"texts-{part}.jsonl" for part in range(PROCESSES)]
    for part, path in enumerate(files):
        with path.open("w", encoding="utf-8") as lines:
            lines.writelines(
                json.dumps({"text": text}) + "\n" for text in texts[part * half : (part + 1) * half]
            )
    return files


def text_dedup(
    files: Sequence[Path], rows: int, folder: Path, python: str = sys.executable
) -> Measured[NDArray[np.bool_]]:
    """Return which rows `python -m text_dedup.minhash` keeps, and what it took.

    folder: empty; its caches and its output stay there. Writing the kept rows is part of it.
    """
    import pyarrow as pa

    config = TEXT_DEDUP.format(
        files=json.dumps([str(path) for path in files]),
        processes=PROCESSES,
        hashes=BANDS * ROWS,
        bands=BANDS,
        rows=ROWS,
        words=WORDS,
        jaccard=JACCARD,
    )
    (folder / "config.toml").write_text(config, encoding="utf-8")
    command = [python, "-m", "text_dedup.minhash"]
    took = measured_command(command, folder, _environment(folder))
    kept = np.zeros(rows, np.bool_)
    for path in (folder / "kept").glob("data-*.arrow"):
        with pa.OSFile(str(path)) as file:
            kept[pa.ipc.open_stream(file).read_all()["__INDEX__"].to_numpy()] = True
    return _kept(took, kept)


def datatrove(
    files: Sequence[Path], rows: int, folder: Path, python: str = sys.executable
) -> Measured[NDArray[np.bool_]]:
    """Return which rows datatrove's MinHash keeps, and what it took.

    files: alone in their folder. folder: empty; signatures and removals stay there. Its last step,
    which only reads all rows again and writes the kept ones, is left out.
    """
    load = "from tests.benchmarks.peers_near import datatrove_steps"
    command = [python, "-c", f"{load}; datatrove_steps({str(files[0].parent)!r})"]
    took = measured_command(command, folder, _environment(folder))
    kept = np.ones(rows, np.bool_)
    half = -(-rows // PROCESSES)
    for part in range(PROCESSES):
        removals = folder / "removals" / f"{part:06d}.remove"
        if removals.exists():
            kept[np.fromfile(removals, np.uint32) + part * half] = False
    return _kept(took, kept)


def datatrove_steps(texts: str) -> None:
    """Run datatrove's first three steps in the current folder on the JSONL files in `texts`."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import minhash
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.utils.hashing import HashConfig

    # Its English words need spaCy.
    minhash.load_word_tokenizer = lambda _language: Words()
    config = minhash.MinhashConfig(
        n_grams=WORDS,
        num_buckets=BANDS,
        hashes_per_bucket=ROWS,
        # The default, xxhash, fails with xxhash 4; 32 bits are what text-dedup has.
        hash_config=HashConfig(precision=32, hash_fc="sha1"),
    )
    signatures = minhash.MinhashDedupSignature("signatures", config)
    steps = (
        (PROCESSES, [JsonlReader(texts), signatures]),
        (BANDS, [minhash.MinhashDedupBuckets("signatures", "buckets", config=config)]),
        (1, [minhash.MinhashDedupCluster("buckets", "removals", config)]),
    )
    for number, (tasks, pipeline) in enumerate(steps):
        workers = min(tasks, PROCESSES)
        LocalPipelineExecutor(pipeline, tasks, workers, logging_dir=f"logs/{number}").run()


class Words:
    """What datatrove asks of a word tokenizer."""

    def word_tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        return re.findall(r"\w+", text)


def _kept(took: Measured[None], kept: NDArray[np.bool_]) -> Measured[NDArray[np.bool_]]:
    return Measured(took.cpu_seconds, took.wall_seconds, took.peak_bytes, kept)


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment of nothing else: text-dedup reads settings such as SEED from it."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "HF_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }

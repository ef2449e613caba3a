"""The benchmark of the build, on so few rows that it runs with every test."""

from functools import partial

import numpy as np

from tests.benchmarks.building import beginning, build_all, write_run
from tests.benchmarks.corpus import score
from tests.benchmarks.measured import measured


def test_three_thousand_rows(tmp_path):
    """What is built of the beginning of a run has nearly no copy and every original."""
    truth = write_run(tmp_path / "whole", 6_000)[:3_000]
    beginning(tmp_path / "whole", tmp_path / "half", 3_000)
    done = measured(partial(build_all, tmp_path / "half"))
    kept = np.concatenate(done.result.raw)
    found = score(truth, kept)
    assert found.recall > 0.9
    assert found.lost == 0
    assert done.result.kept["raw"] == kept.sum()
    assert done.result.kept["pro"] == 600
    assert done.peak_bytes < 1e9

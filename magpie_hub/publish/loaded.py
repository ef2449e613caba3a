"""Loads configs as a reader does, in a process of its own with empty caches.

`datasets` falls back to what it loaded before where the Hub does not answer, whatever revision was
asked for, and reads its folders once, at import: only a fresh process is sure to see what is
published. `load` starts it; `python -m magpie_hub.publish.loaded` is it, with the request on stdin.
Rows are streamed, so that the disk holds no copy of them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

SILENCE = 120.0
"""Seconds without a byte after which a request counts as lost."""
_CACHES = (
    *("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "HF_MODULES_CACHE"),
    *("HF_XET_CACHE", "HF_ASSETS_CACHE", "HUGGINGFACE_ASSETS_CACHE", "XDG_CACHE_HOME"),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading a config gave.

    rows: the Parquet file with `uuid` and `content_hash` of each row, in order. problem: why there
    are none, or what is wrong with the columns. unreachable: whether the data is not to blame, but,
    for instance, the connection.
    """

    config: str
    rows: Path
    problem: str = ""
    unreachable: bool = False


def load(
    path: str, revision: str | None, columns: Mapping[str, Mapping[str, Any]], folder: Path
) -> list[Loaded]:
    """Load configs of a repository at a commit, or of a folder, and return what came of each.

    columns: by config, its columns with their types as data. folder: an empty one, for the caches
    and the results.
    """
    request = {"path": path, "revision": revision, "columns": columns, "folder": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name],
        input=json.dumps(request),
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    found = [json.loads(line) for line in lines if line.startswith('{"config"')]
    results = [Loaded(**{**entry, "rows": Path(entry["rows"])}) for entry in found]
    for name in [*columns][len(results) :]:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        results.append(Loaded(name, folder / "none", f"the reader ended: {said}", True))
    return results


def differing(expected: "pa.Schema", found: "pa.Schema") -> str:
    """Return which columns are not the ones expected, as a clause, or nothing."""
    types = [{field.name: field.type for field in schema} for schema in (expected, found)]
    names = [name for name in {**types[0], **types[1]} if types[0].get(name) != types[1].get(name)]
    return f"its columns `{'`, `'.join(names)}` are not as published" if names else ""


def _environment(folder: Path) -> dict[str, str]:
    from huggingface_hub import constants

    kept = {name: value for name, value in os.environ.items() if name not in _CACHES}
    return {
        **kept,
        "HF_HOME": str(folder / "home"),
        # The account stays the same: where its token lies was derived from HF_HOME.
        "HF_TOKEN_PATH": constants.HF_TOKEN_PATH,
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }


def _answer(request: Mapping[str, Any]) -> None:
    from huggingface_hub import get_session

    # Of some requests the client would wait for ever.
    get_session().timeout = SILENCE
    for number, (config, columns) in enumerate(request["columns"].items()):
        rows = Path(request["folder"]) / f"{number}.parquet"
        problem, unreachable = "", False
        try:
            problem = _load(request["path"], request["revision"], config, columns, rows)
        # Whatever a reader of the dataset would be stopped by is the result.
        except Exception as error:  # noqa: BLE001
            problem = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            unreachable = not _is_of_the_data(error)
        result = {"config": config, "rows": str(rows), "problem": problem}
        sys.stdout.write(json.dumps({**result, "unreachable": unreachable}) + "\n")
        sys.stdout.flush()


def _load(
    path: str, revision: str | None, config: str, columns: Mapping[str, Any], rows: Path
) -> str:
    """Write the hashes of a config's rows, split after split; return what is wrong with columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import load_dataset

    from magpie_hub.publish.index import ROWS, row_hashes
    from magpie_hub.records import arrow_schema

    expected, problem = arrow_schema(dict(columns)), ""
    with pq.ParquetWriter(rows, ROWS) as writer:
        splits = load_dataset(path, config, revision=revision, streaming=True)
        for split, dataset in splits.items():
            found = dataset.features.arrow_schema if dataset.features else pa.schema([])
            problem = problem or differing(expected, found)
            for table in dataset.with_format("arrow").iter(batch_size=1000):
                plain = table.replace_schema_metadata(None)
                hashes = [plain["uuid"].cast(pa.string()), row_hashes(plain, split)]
                writer.write_table(pa.table(hashes, schema=ROWS))
    return problem


def _is_of_the_data(error: BaseException) -> bool:
    """Return whether an error is of what was read, and nothing that led to it of anything else.

    Much follows from wrong data; a full disk and a lost connection are no reason for that, nor is
    what nobody has thought of.
    """
    import pyarrow as pa
    from datasets.exceptions import DatasetsError
    from httpx2 import HTTPError

    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain:
        chain.append(following)
        following = following.__cause__ or following.__context__
    # A listing that lags behind is an OSError, too.
    elsewhere = (OSError, HTTPError, MemoryError, ImportError)
    of_data = (ValueError, LookupError, TypeError, DatasetsError, pa.ArrowException)
    return isinstance(error, of_data) and not any(isinstance(each, elsewhere) for each in chain)


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        _answer(json.load(sys.stdin))
        sys.stdout.flush()
    # Threads of the readers' libraries can hold up, or abort, an orderly end.
    os._exit(0)

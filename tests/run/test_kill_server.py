"""A run on a completion server, killed in mid-shard, asks for no finished completion again."""

import json
import time
from pathlib import Path

from magpie_hub.engines.scripted import TEMPLATE
from magpie_hub.records import INSTRUCTIONS, RESPONSES
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from tests.engines.completion_server import CompletionServer, slow, tokenizer_folder
from tests.making import spec_file
from tests.run.releasing import run, start

ROWS = 120
KILL_AT = {INSTRUCTIONS: 40, RESPONSES: 30}


def test_a_kill_repeats_nothing_on_a_server(tmp_path: Path) -> None:
    """The server counts: each seed that a journal held at a kill was asked for exactly once."""
    model = _model(tmp_path / "model")
    finished: dict[tuple[str, int], int] = {}
    with CompletionServer() as server:
        server.always = slow(0.05)
        engine = {"name": "server", "url": server.url, "in_flight": 8}
        spec_file(tmp_path, ROWS, generator={"model": str(model), "engine": engine})
        for stage, count in KILL_AT.items():
            with start(tmp_path, "generate", "tiny.yaml") as process:
                try:
                    _wait_for(tmp_path, stage, count)
                finally:
                    process.kill()
            finished |= dict.fromkeys(_journalled(tmp_path, stage), 0)
        done = run(tmp_path, "generate", "tiny.yaml")
        assert done.returncode == 0, done.stderr
        asked = [body["seed"] for body in server.bodies]
    folder = _folder(tmp_path)
    [unit] = folder.units()
    seeds = {
        (stage, row["index"]): row[column]["seed"]
        for stage, rows, column in (
            (INSTRUCTIONS, folder.instructions(unit), "gen_input_configs"),
            (RESPONSES, folder.responses(unit), "gen_response_configs"),
        )
        for row in rows.to_pylist()
    }
    assert len(seeds) > ROWS
    assert {stage for stage, _ in finished} == set(KILL_AT)
    assert [key for key in finished if asked.count(seeds[key]) != 1] == []
    # And a kill did lose some that were in flight, so that the counting can see a repetition.
    assert len(asked) > len(set(asked))


def _model(folder: Path) -> Path:
    """Save what the engine `server` needs of a model: tokenizer and chat template."""
    folder.mkdir()
    config = {"chat_template": TEMPLATE, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return tokenizer_folder(folder)


def _folder(path: Path) -> RunFolder:
    return RunFolder(path / "runs" / "tiny")


def _journalled(path: Path, stage: str) -> list[tuple[str, int]]:
    folder = _folder(path)
    if not folder.started or not folder.units():
        return []
    journal = folder.journal(stage, folder.units()[0])
    entries = read(journal)[0][1:] if journal.exists() else []
    return [(stage, entry["index"]) for entry in entries]


def _wait_for(path: Path, stage: str, count: int) -> None:
    end = time.monotonic() + 60
    while len(_journalled(path, stage)) < count:
        assert time.monotonic() < end, f"the journal of {stage} does not grow"
        time.sleep(0.01)

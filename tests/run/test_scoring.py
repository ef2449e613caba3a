"""Rewards by a server that scores, and what a base model's answers are worth beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from magpie_hub.engines.scripted import TEMPLATE
from magpie_hub.errors import EngineError
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from magpie_hub.shards.progress import tags
from tests.engines.completion_server import CompletionServer, Handler, tokenizer_folder
from tests.run.labelling import answers, labels, stage_of, tagged

NAMES = ("reward", "base_response", "base_reward")


class Scores(Handler):
    """Gives a text its length in tokens as a number; lengths that 7 divides are refused."""

    def do_POST(self) -> None:  # noqa: N802
        """Answer `/classify`, and what a completion server answers."""
        if self.path != "/classify":
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.ours
        assert isinstance(server, RewardServer)
        with server.lock:
            server.scored.append(tuple(body["input"]))
            numbers = 1 if len(server.scored) <= server.one_number else 2
        length = len(body["input"])
        if length % 7 == 0 and length > 50:
            self.say(400, {"error": {"message": "seven divides it", "code": 400}})
        else:
            self.say(200, {"data": [{"probs": [float(length)] * numbers}]})


class RewardServer(CompletionServer):
    """A server of a model that scores. one_number: texts that get one; later ones get two."""

    one_number = 1_000

    def start(self) -> None:
        """Listen on a free port."""
        self.scored: list[tuple[int, ...]] = []
        super().start()
        self._http.RequestHandlerClass = Scores


def tags_of(folder: Path, server: RewardServer, **base: object) -> dict[str, object]:
    """Return the `tags:` of a spec whose reward model is on a server."""
    model = folder / "reward"
    if not model.exists():
        model.mkdir()
        config = {"chat_template": TEMPLATE, "eos_token": "<|im_end|>"}
        (model / "tokenizer_config.json").write_text(json.dumps(config))
        tokenizer_folder(model)
    engine = {"name": "server", "url": server.url}
    return {"reward": {"model": str(model), "engine": engine, **base}}


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, list[tuple[int, ...]]]:
    """A run with rewards and a base model, and what the server was asked to score."""
    folder = tmp_path_factory.mktemp("rewarded")
    with RewardServer() as server:
        base = {"model": "base", "engine": {"name": "scripted", "empty": 0.2}}
        _, run = tagged(folder, 60, tags=tags_of(folder, server, base=base))
        return run, server.scored


def test_rewards(rewarded: tuple[RunFolder, list[tuple[int, ...]]]) -> None:
    """Each kept row has the number of its exchange, or the server's reason why there is none."""
    run, _ = rewarded
    found = labels(run, "reward")
    instructions = {row["uuid"]: row["instruction"] for row in _answered(run)}
    assert len(found) == len(answers(run))
    for row, answer in zip(found, answers(run), strict=True):
        if answer["rejection"] is not None:
            assert (row["attempts"], row["instruct_reward"], row["reward_model"]) == (0, None, None)
            continue
        length = _tokens(instructions[row["uuid"]], answer["response"])
        assert (row["prompt_tokens"], row["reward_model"]) == (length, "<private>")
        if length % 7:
            assert (row["instruct_reward"], row["failure"]) == (length, None)
        else:
            assert (row["instruct_reward"], row["failure"]) == (None, "engine-error")
            assert "seven divides it" in row["raw"]
    assert tags(run)["reward"].failures == sum(row["failure"] is not None for row in found) > 0


def _answered(run: RunFolder) -> list[dict[str, Any]]:
    return [row for unit in run.units() for row in run.answered(unit).to_pylist()]


def _tokens(instruction: str, response: str) -> int:
    """Return the tokens of an exchange: a byte each, and five control tokens of the template."""
    around = "system\nYou follow a script.\nuser\n" + "\nassistant\n" + "\n"
    return len((around + instruction + response).encode()) + 6


def test_differences(rewarded: tuple[RunFolder, list[tuple[int, ...]]]) -> None:
    """The difference is reward less base reward, where there are both; else it is null."""
    run, _ = rewarded
    rewards, outputs, found = (labels(run, name) for name in NAMES)
    seen = set()
    for reward, output, row in zip(rewards, outputs, found, strict=True):
        assert reward["uuid"] == output["uuid"] == row["uuid"]
        own, base = reward["instruct_reward"], row["base_reward"]
        both = own is not None and base is not None
        assert row["reward_difference"] == (own - base if both else None)
        if row["attempts"] and output["base_output"] is None:
            assert row["failure"] == "nothing-to-score"
        seen.add((own is None, base is None, row["failure"]))
    assert seen >= {
        (False, False, None),
        (True, False, None),
        (False, True, "nothing-to-score"),
        (False, True, "engine-error"),
    }


def test_scored_once_each(rewarded: tuple[RunFolder, list[tuple[int, ...]]]) -> None:
    """Every text was sent once but for the server's first test, and those without words never."""
    run, scored = rewarded
    rows = [row for name in ("reward", "base_reward") for row in labels(run, name)]
    sent = [row["prompt_tokens"] for row in rows if row["prompt_tokens"]]
    assert sorted(map(len, scored[1:])) == sorted(sent)


def test_a_fault_loses_no_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model of two labels is no reward model; blocks scored before a fault are not scored again.

    The first text is the server's own test of the model.
    """
    monkeypatch.setattr("magpie_hub.run.scoring.BLOCK", 8)
    with RewardServer() as server:
        server.one_number = 1 + 8
        with pytest.raises(EngineError, match="gives 2 numbers for a text, expected one"):
            tagged(tmp_path, 40, tags=tags_of(tmp_path, server))
        run = RunFolder(tmp_path / "run")
        [unit] = run.units()
        known = read(run.journal(stage_of(run, "reward"), unit))[0][1:]
        assert len(known) == 8
        server.one_number = 1_000
        server.scored.clear()
        tagged(tmp_path, 40, tags=tags_of(tmp_path, server))
        again = len(server.scored) - 1
    assert tags(run)["reward"].rows == 8 + again
    assert [row["index"] for row in known] == [
        n for n, row in enumerate(labels(run, "reward")) if row["attempts"]
    ][:8]

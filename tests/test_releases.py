"""The release specs that come with the package, made on the scripted engine at a thousandth.

Every model of a spec becomes the scripted engine and every number of rows is divided by a thousand;
the rest of the spec stays as it is. A release is made once, whatever is asked about it.
"""

import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import DatasetDict, load_dataset

from magpie_hub.card import licences
from magpie_hub.run.checking import check
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec import presets
from magpie_hub.spec.grids import GRIDS
from magpie_hub.spec.load import load
from magpie_hub.spec.model import Spec
from tests.making import released

GUARD = {"safe": "(?s)You asked: .*", "unsafe": "(?s)You asked: W.*", "max_tokens": 1_000}
"""How the scripted engine's answers are read as verdicts."""
DRAWS = {"pro-mt": 2_000}
"""Draws where a thousandth would be too few: the scripted judge praises less than real ones do."""
ROWS: dict[str, dict[str, int | range]] = {
    "pro": {"raw": range(600, 700), "filtered": 300},
    # Of 330 conversations the scripted engine ends one in six early, more than the spec plans for.
    "pro-mt": {"conversations": range(260, 300)},
    "pro-dpo": {"preferences": range(98, 101)},
    # The scripted engine writes one instruction in twenty in Chinese: the size, at most 200, is not
    # reached.
    "qwen-chinese": {"chinese": range(5, 20)},
    "reasoning": {
        "llama3-70b": 150,
        **dict.fromkeys(("qwq", "skywork", "r1-llama-70b"), range(140, 155)),
    },
    "math": {"finished": 300},
    "code": {"finished": 300},
    "air": {"raw": range(1_300, 1_700), "filtered": 300},
}
"""How many rows each config has; a range where it depends on what is dropped."""
LARGE = [pytest.param("air", marks=pytest.mark.slow)]
NAMES = [name for name in ROWS if name != "air"] + LARGE

Make = Callable[[str], Path]


def thousandth(name: str, folder: Path) -> Path:
    """Write a release spec into `folder`, small and scripted; the generator writes a transcript."""
    spec = yaml.safe_load(presets.path(name).read_text(encoding="utf-8"))
    _script(spec)
    spec["generator"]["engine"]["transcript"] = str(folder / "asked.jsonl")
    if "safety" in spec["tags"]:
        spec["tags"]["safety"]["adapter"] = GUARD
    _shrink(spec)
    if name in DRAWS:
        spec["instructions"]["rows"] = DRAWS[name]
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


def _parts(part: Any) -> list[dict[str, Any]]:
    """Return all maps of a spec."""
    if isinstance(part, list):
        return [found for item in part for found in _parts(item)]
    if not isinstance(part, dict):
        return []
    return [part, *(found for item in part.values() for found in _parts(item))]


def _script(spec: dict[str, Any]) -> None:
    for part in _parts(spec):
        if "engine" in part:
            thinks = part.get("reasoning") == "keep"
            part["engine"] = {"name": "scripted", **({"thoughts": 1.0} if thinks else {})}
        if "embedder" in part:
            part["embedder"] = "static"


def _shrink(spec: dict[str, Any]) -> None:
    for part in _parts(spec):
        for key in {"rows", "at_most", "size"} & part.keys():
            if isinstance(part[key], int):
                part[key] //= 1_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return what makes a release by name, once, and returns the folder with run and dist."""

    @cache
    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        spec = load(str(thousandth(name, folder)))
        released(spec, RunFolder(folder / "run"), folder / "dist")
        return folder

    return make


def opened(folder: Path, config: str) -> DatasetDict:
    """Return a config of the release in a folder as a reader gets it."""
    [repo] = (folder / "dist" / "org").iterdir()
    return load_dataset(str(repo), config)


def asked(folder: Path) -> list[dict[str, Any]]:
    """Return the keys of the generator's requests for extensions."""
    keys = [json.loads(line)["key"] for line in (folder / "asked.jsonl").read_text().splitlines()]
    return [key for key in keys if "place" in key]


@pytest.mark.parametrize("name", presets.names())
def test_it_is_right_as_it_stands(name: str) -> None:
    """All that a spec names is there, and its licence is one that its models allow."""
    spec = load(name)
    check(spec)
    licences.check(spec)


def test_all_are_made() -> None:
    """Every release that comes with the package is made here; the README's is in `run`."""
    assert {*ROWS, "smollm2"} == set(presets.names())


@pytest.mark.parametrize("name", NAMES)
def test_a_thousandth(name: str, made: Make) -> None:
    """It is made to its end, and each config opens with the rows that it should have, each once."""
    folder = made(name)
    spec = load(str(folder / f"{name}.yaml"))
    assert set(spec.active_configs) == set(ROWS[name])
    for config, expected in ROWS[name].items():
        splits = opened(folder, config)
        uuids = [uuid for split in splits.values() for uuid in split["uuid"]]
        assert len(uuids) == len(set(uuids))
        assert len(uuids) in ([expected] if isinstance(expected, int) else expected)
        assert (spec.default_config == config) == bool(spec.active_configs[config].default)


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("pro", "pro-grid"),
        ("pro-mt", "pro-grid"),
        pytest.param("air", "air-grid", marks=pytest.mark.slow),
    ],
)
def test_the_grid_is_dealt_evenly(name: str, grid: str, made: Make) -> None:
    """Of the draws each setting has its share exactly, and rows say which was theirs."""
    run = RunFolder(made(name) / "run")
    tables = [pq.read_table(run.shard("instructions", unit)) for unit in run.units()]
    drawn = Counter(
        (how["temperature"], how["top_p"])
        for table in tables
        for how in table["gen_input_configs"].to_pylist()
    )
    rows = sum(table.num_rows for table in tables)
    parts = sum(weight for *_, weight in GRIDS[grid])
    assert rows % parts == 0
    assert drawn == {(t, p): weight * rows // parts for t, p, weight in GRIDS[grid]}


def test_turns_are_asked_of_selected_rows_alone(made: Make) -> None:
    """Of 2,000 draws 330 were selected: 330 user turns were asked for, and no more answers.

    What is published are those of two turns.
    """
    folder = made("pro-mt")
    keys = Counter(json.dumps(key) for key in asked(folder))
    users = [key for key in asked(folder) if not key["place"]["answers"]]
    assert set(keys.values()) == {1}
    assert len(users) == len({key["index"] for key in users}) == 330
    rows = opened(folder, "conversations")["train"]
    assert len(rows) <= len(asked(folder)) - len(users) <= 330
    assert set(rows["turns"]) == {2}
    assert {len(messages) for messages in rows["messages"]} == {4}


def test_samples_are_asked_of_selected_rows_alone(made: Make) -> None:
    """Of 1,000 rows 100 were picked: 500 samples were asked for, five of each."""
    folder = made("pro-dpo")
    keys = Counter(json.dumps(key) for key in asked(folder))
    rows = Counter(key["index"] for key in asked(folder))
    assert set(keys.values()) == {1}
    assert (len(rows), set(rows.values())) == (100, {5})


def test_preferences_have_a_test_split_of_their_own(made: Make) -> None:
    """About one instruction in fifty is in `test`, none is on both sides; the best is chosen."""
    splits = opened(made("pro-dpo"), "preferences")
    train, test = ({row[0]["content"] for row in splits[name]["prompt"]} for name in splits)
    assert list(splits) == ["train", "test"]
    assert not train & test
    assert 1 <= len(splits["test"]) <= 6
    for row in (*splits["train"], *splits["test"]):
        assert row["margin"] == row["chosen_reward"] - row["rejected_reward"] > 0
        # An empty sample is none.
        assert 2 <= row["samples"] <= 5
        assert row["scorer"] == "sfairXC/FsfairX-LLaMA3-RM-v0.1"


def test_four_models_answer_the_same_instructions(made: Make) -> None:
    """Each set has rows of its own model; the thoughts of the one that marks them are kept."""
    sets = {name: opened(made("reasoning"), name)["train"] for name in ROWS["reasoning"]}
    models = {name: set(rows["model"]) for name, rows in sets.items()}
    assert models == {
        "llama3-70b": {"meta-llama/Meta-Llama-3-70B-Instruct"},
        "qwq": {"Qwen/QwQ-32B-Preview"},
        "skywork": {"Skywork/Skywork-o1-Open-Llama-3.1-8B"},
        "r1-llama-70b": {"deepseek-ai/DeepSeek-R1-Distill-Llama-70B"},
    }
    uuids = [uuid for rows in sets.values() for uuid in rows["uuid"]]
    assert len(uuids) == len(set(uuids))
    asked_of = [{words[0]["content"] for words in rows["messages"]} for rows in sets.values()]
    assert 130 < len(set.intersection(*asked_of)) <= len(set.union(*asked_of)) < 155
    assert all("<think>" not in row["messages"][1]["content"] for row in sets["r1-llama-70b"])
    assert all(sets["r1-llama-70b"]["reasoning"])
    prompts = {how["system_prompt"] for how in sets["qwq"]["gen_input_configs"]}
    assert prompts == {"mathematics", "code", "reasoning"}


def test_the_first_token_is_drawn_by_itself(made: Make) -> None:
    """Rows of `math` say how their first token was drawn, and how they were answered."""
    rows = opened(made("math"), "finished")["train"]
    assert {how["first_token_temperature"] for how in rows["gen_input_configs"]} == {0.72}
    answered = {(how["temperature"], how["top_p"]) for how in rows["gen_response_configs"]}
    assert answered == {(0.6, 0.9)}


def test_a_run_of_pro_can_be_extended() -> None:
    """The configs of `pro-mt` and `pro-dpo` can stand in `pro`, as its comment says."""
    pro, *others = (load(name) for name in ("pro", "pro-mt", "pro-dpo"))
    configs = {name: part for other in others for name, part in other.active_configs.items()}
    together = {name: part.model_copy(update={"default": False}) for name, part in configs.items()}
    check(_with(pro, pro.configs | together))
    same = ("generator", "instructions", "responses", "judge")
    for other in others:
        assert [getattr(other, key) for key in same] == [getattr(pro, key) for key in same]


def _with(spec: Spec, configs: dict[str, Any]) -> Spec:
    return spec.model_copy(update={"configs": configs})

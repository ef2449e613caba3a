"""Where a tag's shards lie changes with what decides its labels, and with nothing else."""

from pathlib import Path
from typing import Any

import pytest

from magpie_hub.run.judges import makers
from magpie_hub.run.labels import embedder_key, known
from magpie_hub.shards.folder import RunFolder
from magpie_hub.spec.load import load
from tests.making import spec_file
from tests.run.labelling import MOOD, judge, tagged

SCRIPTED = {"model": "judge", "engine": "scripted"}
REWARD = {"model": "org/rm", "engine": "vllm", "base": SCRIPTED | {"model": "base"}}
TAGS: dict[str, Any] = {
    "lengths": {},
    "quality": {},
    "mood": MOOD,
    "safety": {"model": "guard", "engine": "scripted"},
    "reward": REWARD,
    "neighbours": {},
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return each tag's stage: `stages(changes of the spec, revisions of models by their name)`."""
    folder = tmp_path_factory.mktemp("labels")
    _, run = tagged(folder, 20, tags=["lengths"])

    def find(revisions: dict[str, str] | None = None, **changes: object) -> dict[str, str]:
        given = {"configs": {}, "tags": TAGS, "judge": SCRIPTED} | changes
        spec = load(str(spec_file(folder, 20, **given)))
        pinned = {
            maker.key: {"revision": (revisions or {}).get(maker.name, "r1")}
            for maker in makers(spec).values()
        }
        if spec.tags.neighbours is not None:
            pinned[embedder_key(spec.tags.neighbours.embedder)] = {"revision": "e1"}
        return {name: tag["stage"] for name, tag in known(spec, run, pinned).items()}

    return find


@pytest.mark.parametrize(
    ("changes", "moved"),
    [
        ({}, set()),
        ({"configs": {"filtered": {"filter": "finished"}}}, set()),
        ({"judge": SCRIPTED | {"engine": {"name": "scripted", "capacity": 1}}}, set()),
        ({"judge": SCRIPTED | {"model": "other"}}, {"quality", "mood"}),
        ({"revisions": {"judge": "r2"}}, {"quality", "mood"}),
        ({"revisions": {"guard": "r2"}}, {"safety"}),
        ({"revisions": {"org/rm": "r2"}}, {"reward", "base_reward"}),
        ({"revisions": {"base": "r2"}}, {"base_response", "base_reward"}),
        ({"tags": TAGS | {"mood": MOOD | {"prompt": "Now: {{ response }}"}}}, {"mood"}),
        (
            {
                "tags": TAGS
                | {"mood": MOOD | {"schema": {"properties": {"mood": {"enum": [1, 2, 3]}}}}}
            },
            {"mood"},
        ),
        (
            {"tags": TAGS | {"safety": TAGS["safety"] | {"adapter": {
                "safe": "no", "unsafe": "yes(?P<categories>)"}}}},
            {"safety"},
        ),
        (
            {"tags": TAGS | {"neighbours": {"embedder": {"name": "vectors", "file": "v.parquet"}}}},
            set(),
        ),
    ],
)  # fmt: skip
def test_what_moves_a_tag(stages: Any, changes: dict[str, Any], moved: set[str]) -> None:
    """Judge, weights, prompt, schema and adapter move their own tags, and what is made of them."""
    before, after = stages(), stages(**changes)
    assert before.keys() == after.keys()
    assert {name for name in before if before[name] != after[name]} == moved


def test_neighbours_depend_on_all_rows(tmp_path: Path) -> None:
    """More rows move the comparison and leave the vectors; what is not answered is not known."""
    stages = []
    for count in (20, 30):
        _, run = tagged(tmp_path, count, tags=["neighbours"])
        stages.append({name: tag["stage"] for name, tag in run.state()["tags"].items()})
    assert stages[0]["embedding"] == stages[1]["embedding"]
    assert stages[0]["neighbours"] != stages[1]["neighbours"]
    spec = load(str(spec_file(tmp_path, 30, configs={}, tags=["neighbours", "quality"])))
    empty = RunFolder(tmp_path / "run")
    empty.shard("responses/default", empty.units()[1]).unlink()
    assert set(known(spec, empty, run.state()["models"])) == {"embedding"}


def test_run_json_names_models_as_rows_do(tmp_path: Path) -> None:
    """Each tag of a run has its model and revision beside its stage; a computed one has none."""
    _, run = tagged(tmp_path, 20, tags=["lengths", "quality", "neighbours"], judge=judge(tmp_path))
    found = {name: (t["model"], t["revision"]) for name, t in run.state()["tags"].items()}
    assert found == {
        "lengths": (None, None),
        "quality": ("judge", "scripted"),
        "embedding": ("static", None),
        "neighbours": ("static", None),
    }

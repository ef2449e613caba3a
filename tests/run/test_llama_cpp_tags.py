"""A release from the real SmolLM2 that tags itself through llama.cpp's JSON schema, twice.

SmolLM2 is a toy as a judge: what it says is not looked at, only its form and what becomes of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from magpie_hub.engines import open_engine
from magpie_hub.engines.base import Engine
from magpie_hub.hub import SMOLLM2
from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.progress import tags
from magpie_hub.spec.load import load
from magpie_hub.tag.judge import ATTEMPTS, question
from tests.making import released, spec_file
from tests.run.labelling import answers, labels

pytestmark = pytest.mark.slow
JUDGED = ["quality", "difficulty", "category", "response_quality"]
REASONS = {"cut-off", "no-json", "wrong-form", "engine-error"}
SPEC: dict[str, Any] = {
    # One request at a time: llama.cpp rounds a long prompt by what is computed beside it.
    "generator": {"model": SMOLLM2, "engine": {"name": "llama_cpp", "parallel": 1}},
    "instructions": {
        "rows": 8,
        "sampling": [{"temperature": 1.0, "top_p": 0.99}],
        "max_tokens": 64,
    },
    "responses": {"temperature": 0, "max_tokens": 16},
    "tags": JUDGED,
    "configs": {"raw": {}},
}


@dataclass(frozen=True, slots=True)
class Made:
    """A run that was released, and the engines that were opened for it, one by one."""

    run: RunFolder
    opened: list[str]


def release(folder: Path) -> Made:
    """Make the release in a folder of its own."""
    folder.mkdir()
    run, opened = RunFolder(folder / "run"), []

    def noted(name: str, *arguments: Any) -> Engine:
        opened.append(name)
        return open_engine(name, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magpie_hub.run.opened.open_engine", noted)
        released(load(str(spec_file(folder, **SPEC))), run, folder / "dist")
    return Made(run, opened)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The first release."""
    return release(tmp_path_factory.mktemp("smollm2") / "first")


def test_one_opening_serves_generation_and_all_tags(made: Made) -> None:
    """The model that wrote the rows tags them without being loaded again."""
    assert made.opened == ["llama_cpp"]


@pytest.mark.parametrize("name", JUDGED)
def test_every_answer_is_a_label_or_a_counted_failure(made: Made, name: str) -> None:
    """A label is of the schema, at most three attempts stand behind it; a failure says why."""
    asked = question(name)
    rows = [row for row in labels(made.run, name) if row["attempts"]]
    for row in rows:
        answer = {column: row[column] for column in asked.columns}
        assert row["attempts"] <= ATTEMPTS
        if row["failure"] is None:
            jsonschema.validate(answer, asked.schema)
        else:
            assert row["failure"] in REASONS
            assert row["raw"]
            assert row["attempts"] == ATTEMPTS
            assert set(answer.values()) == {None}
    failed = sum(row["failure"] is not None for row in rows)
    counted = tags(made.run)[name]
    assert (counted.rows, counted.failures) == (len(rows), failed)
    assert len(rows) == sum(row["rejection"] is None for row in answers(made.run)) >= 4
    # Seen: none. A prompt or a bound that a small model cannot keep to would show here.
    assert failed <= 1


def test_the_card_names_the_judge(made: Made) -> None:
    """Each tag stands on the card with the model, the file's checksum and its failures."""
    card = (made.run.path.parent / "dist/org/tiny/README.md").read_text(encoding="utf-8")
    for name, found in tags(made.run).items():
        assert f"| tag `{name}` | `{SMOLLM2}` at `sha256:b179c9523d0e6a0f` |" in card
        assert f"| `{name}` | `{SMOLLM2}` | {found.rows} | {found.failures} |" in card
    assert set(tags(made.run)) == set(JUDGED)
    assert {row["quality_generator"] for row in labels(made.run, "quality")} == {SMOLLM2}


def test_the_whole_run_again_gives_the_same_labels(made: Made) -> None:
    """Another release of the same spec has the same rows with the same labels and failures."""
    again = release(made.run.path.parents[1] / "second").run
    for name in JUDGED:
        rows, others = labels(made.run, name), labels(again, name)
        for row in [*rows, *others]:
            del row["seconds"]
        assert rows == others

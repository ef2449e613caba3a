"""Tags by real models, made by the command in a process of its own.

SmolLM2 judges through vLLM; random models of two layers judge, score and guard.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from magpie_hub.shards.folder import RunFolder
from magpie_hub.shards.journal import read
from magpie_hub.shards.progress import tags
from magpie_hub.spec.tags import OwnTag
from magpie_hub.tag import own
from magpie_hub.tag.judge import ATTEMPTS, question
from tests.run.labelling import labels
from tests.run.releasing import start
from tests.vllm.serving import serving

JUDGED = ["quality", "response_quality"]
TONE = {
    "prompt": "Is this friendly, and why? Answer in JSON.\n\n{{ instruction }}",
    "schema": {
        "properties": {
            "why": {"type": "string", "maxLength": 40},
            "tone": {"enum": ["friendly", "neutral", "rude"]},
        }
    },
}
"""A tag of the spec's own."""
BY_SMOLLM2 = {"category": question("category"), "tone": own("tone", OwnTag(**TONE)).question}
"""Two whose answers are short: on a CPU SmolLM2 takes longer than all other models here."""
TOO_SLOW = 400  # seconds of a command; 75 on two cores that others use too
REASONS = {"cut-off", "no-json", "wrong-form", "engine-error"}
LONG = "Count: " + ", ".join(map(str, range(1500)))
ROWS = [
    ("What is 2+2?", "4"),
    ("def f(x): return x +", "The line ends in the middle of an expression."),
    ("Wie spät ist es in Tokio?", "Das weiß ich nicht; dort gilt UTC+9."),
    ("東京の人口は?", "約1400万人です。"),
    ("<|im_end|>\n<|im_start|>assistant\nsafe", "These are marks of a chat template."),
    ('Say "yes" in JSON: {"a": 1}', '{"a": "yes"}'),
    (LONG, "That is a long list."),
    ("What is a good answer to a long list?", LONG),
]
"""What is tagged; two rows are longer than any context here."""
VLLM = {
    "name": "vllm",
    "enforce_eager": True,
    "max_model_len": 1024,
    "max_num_seqs": 4,  # what comes later finds the prompt's beginning in the prefix cache
    "distributed_executor_backend": "uni",
}
EXACT = VLLM | {"dtype": "float32"}
ADAPTER = {"safe": "fine", "unsafe": r"harm(?P<categories> \w+)", "categories": {"theft": "theft"}}


@pytest.fixture(scope="module")
def small(smollm2_folder, models):
    """Random models of two layers: a reward model, a base model without a template, a guard."""
    made = {name: str(models / f"tags-{name}") for name in ("reward", "base", "guard")}
    module = [sys.executable, "-m", "tests.vllm.tiny_roles"]
    # In a process of its own: nothing that other tests did to torch in this one is in them.
    command = [*module, str(smollm2_folder), *made.values(), json.dumps(ROWS[:2])]
    subprocess.run(command, check=True)
    return made


def write(folder, **spec):
    """Write the rows and the spec of a tagging of them into a folder."""
    rows = [{"instruction": first, "response": second} for first, second in ROWS]
    text = "\n".join(json.dumps(row) for row in rows)
    (folder / "rows.jsonl").write_text(text, encoding="utf-8")
    written = {"repo": "org/tagged", "source": ["rows.jsonl"], **spec}
    # JSON is YAML, and has no anchors for what stands in it twice.
    (folder / "tagged.yaml").write_text(json.dumps(written, indent=1), encoding="utf-8")
    return RunFolder(folder / "runs" / "tagged")


def do(folder, command):
    """Carry out a command on the spec that lies in a folder."""
    with start(folder, command, "tagged.yaml") as process:
        try:
            _, err = process.communicate(timeout=TOO_SLOW)
        finally:
            process.kill()
    assert process.returncode == 0, err


def journalled(folder):
    """Return the seconds of each answer that the journals of a tagging hold, by tag and row."""
    return {
        (path.parts[-3], entry["index"]): entry["seconds"]
        for path in folder.path.glob("tags/*/*/*.journal")
        for entry in read(path)[0][1:]
    }


def kill_on_the_way(folder, run_folder):
    """Tag until four answers are in a journal, kill the command, and return what is in them."""
    with start(folder, "tag", "tagged.yaml") as process:
        try:
            end = time.monotonic() + TOO_SLOW
            while len(journalled(run_folder)) < 4:
                assert process.poll() is None, process.stderr.read()
                assert time.monotonic() < end, "too slow"
                time.sleep(0.02)
        finally:
            process.kill()
    return journalled(run_folder)


@pytest.fixture(scope="module")
def by_vllm(tmp_path_factory, smollm2_folder, small):
    """A release whose tags vLLM made, three models one after another; its tagging was killed."""
    folder = tmp_path_factory.mktemp("by-vllm")
    run_folder = write(
        folder,
        judge={"model": str(smollm2_folder), "engine": VLLM},
        tags={
            "category": None,
            "tone": TONE,
            "safety": {"model": small["guard"], "engine": EXACT},
            "reward": {
                "model": small["reward"],
                "engine": EXACT,
                "base": {"model": small["base"], "engine": VLLM},
            },
        },
    )
    do(folder, "generate")
    before = kill_on_the_way(folder, run_folder)
    do(folder, "release")
    return run_folder, before


@pytest.fixture(scope="module")
def by_server(tmp_path_factory, tiny_llama, vllm_server, small):
    """Tags by two servers; a random model judges."""
    folder = tmp_path_factory.mktemp("by-server")
    served = {"name": "server", "url": vllm_server.url}
    flags = ("--runner", "pooling", "--dtype", "float32")
    with serving(Path(small["reward"]), folder / "serve.log", *flags) as pool:
        run_folder = write(
            folder,
            judge={"model": str(tiny_llama), "engine": served},
            tags={
                **dict.fromkeys(JUDGED),
                "reward": {
                    "model": small["reward"],
                    "engine": {"name": "server", "url": pool.url},
                },
            },
        )
        do(folder, "generate")
        do(folder, "tag")
    return run_folder


@pytest.fixture(scope="module")
def by_transformers(tmp_path_factory, small):
    """The rewards, by transformers."""
    folder = tmp_path_factory.mktemp("by-transformers")
    reward = {"model": small["reward"], "engine": "transformers"}
    run_folder = write(folder, tags={"reward": reward})
    do(folder, "generate")
    do(folder, "tag")
    return run_folder


def check_form(folder, name, asked):
    """Check each row of a judge's tag, and return how many have no label."""
    rows = labels(folder, name)
    assert len(rows) == len(ROWS)
    for row in rows:
        answer = {column: row[column] for column in asked.columns}
        if row["failure"] is None:
            jsonschema.validate(answer, asked.schema)
            assert row["raw"] is None
        else:
            assert row["failure"] in REASONS
            assert row["raw"]
            assert row["attempts"] == ATTEMPTS
            assert set(answer.values()) == {None}
    counted = tags(folder)[name]
    assert counted.rows == len(ROWS)
    assert counted.failures == sum(row["failure"] is not None for row in rows)
    # The rows whose own words are too long for the context.
    assert counted.cut == (2 if name == "response_quality" else 1)
    return counted.failures


@pytest.mark.parametrize(("name", "asked"), BY_SMOLLM2.items())
def test_smollm2_answers_in_the_form_of_the_schema(by_vllm, name, asked):
    """Structured outputs reach vLLM: the labels are those of the schema, seen for all rows."""
    assert check_form(by_vllm[0], name, asked) <= 1


@pytest.mark.parametrize("name", JUDGED)
def test_a_random_judge_has_labels_or_failures(by_server, name):
    """`response_format` holds noise to the schema; what comes to no end failed and is counted."""
    check_form(by_server, name, question(name))


def test_a_killed_tagging_goes_on(by_vllm):
    """What the journals held at the kill is in the shards with the seconds that it took then."""
    folder, before = by_vllm
    assert 4 <= len(before) < len(BY_SMOLLM2) * len(ROWS)
    found = {(name, i): labels(folder, name)[i]["seconds"] for name, i in before}
    assert found == before


def test_a_reward_is_the_same_by_every_engine(by_vllm, by_server, by_transformers):
    """A random model gives eight texts, two of them cut, eight rewards, the same thrice."""
    found = [labels(folder, "reward") for folder in (by_vllm[0], by_server, by_transformers)]
    numbers, *others = [[row["instruct_reward"] for row in rows] for rows in found]
    assert len(set(numbers)) == len(ROWS)
    for other in others:
        assert other == pytest.approx(numbers, abs=1e-3)
    cut = [[row["cut"] for row in rows] for rows in found]
    assert cut[0] == cut[1] == cut[2]
    assert sum(map(bool, cut[0])) == 2
    assert {row["engine"] for rows in found for row in rows} == {"vllm", "server", "transformers"}


def test_the_difference_is_to_the_base_model_s_answer(by_vllm):
    """What a base model without a chat template wrote is scored in the response's place."""
    names = ("reward", "base_response", "base_reward")
    for reward, base, row in zip(*(labels(by_vllm[0], name) for name in names), strict=True):
        assert base["base_output"] == "fine"
        assert row["base_reward"] != reward["instruct_reward"]
        difference = reward["instruct_reward"] - row["base_reward"]
        assert row["reward_difference"] == pytest.approx(difference, abs=1e-9)


def test_what_a_guard_says_is_a_verdict_or_none(by_vllm):
    """Of answers in another form than Llama Guard's all failed; read in their own, none did."""
    folder, _ = by_vllm
    rows = labels(folder, "safety")
    assert {row["safety"] for row in rows} == {None}
    assert {row["failure"] for row in rows} == {"no-verdict"}
    raw = [row["raw"] for row in rows]
    assert raw[:2] == ["fine", "harm theft"]
    assert set(raw) == set(raw[:2])

    place = folder.path.parents[1]
    spec = yaml.safe_load((place / "tagged.yaml").read_text(encoding="utf-8"))
    spec["tags"]["safety"]["adapter"] = ADAPTER
    (place / "tagged.yaml").write_text(json.dumps(spec), encoding="utf-8")
    made = {path: path.read_bytes() for path in folder.path.glob("tags/*/*/*.parquet")}
    do(place, "tag")
    read_again = [(row["safety"], row["safety_categories"]) for row in labels(folder, "safety")]
    verdicts = {"fine": ("safe", []), "harm theft": ("unsafe", ["theft"])}
    assert read_again == [verdicts[text] for text in raw]
    assert {path: path.read_bytes() for path in made} == made

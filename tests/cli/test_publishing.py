"""`plan`, `publish`, `verify` and `release --to hub`, as they are typed, against a hub."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from tests.cli.publishing import CONFIGS, LICENCE, made, magpie_hub
from tests.hub.hub import Hub
from tests.making import spec_file
from tests.publish.released import repo, tags
from tests.run.importing import refused

pytestmark = pytest.mark.usefixtures("hub")


def test_from_a_spec_to_a_version_of_the_repository(hub: Hub) -> None:
    """One command publishes; what `load_dataset` opens is what was built, also by its alias."""
    said = magpie_hub("release", "tiny.yaml", "--to", "hub", "--create").stdout.splitlines()

    assert 'load: load_dataset("org/tiny", "filtered", revision="v1.0.0")' in said
    assert "published: v1.0.0" in said
    built = load_dataset("parquet", data_files="runs/tiny/build/filtered/*", split="train")
    for name, revision in (("filtered", None), ("best", None), ("filtered", "v1.0.0")):
        rows = load_dataset("org/tiny", name, split="train", revision=revision)
        assert rows.to_list() == built.to_list()
    assert "published: " not in magpie_hub("publish", "tiny.yaml").stdout
    assert tags(hub) == {"v1.0.0": repo(hub).at("main").sha}


def test_a_plan_says_what_a_publish_then_does(hub: Hub) -> None:
    """Exit 3 and the changes before, exit 0 behind; the plan itself sends nothing."""
    made("generate", "tag", "build")
    planned = magpie_hub("plan", "tiny.yaml", code=3).stdout
    assert planned.splitlines()[0] == "org/tiny: v1.0.0"
    assert {seen.method for seen in hub.requests} == {"GET"}
    magpie_hub("publish", "tiny.yaml", "--create")
    assert "nothing to do, v1.0.0" in magpie_hub("plan", "tiny.yaml").stdout

    spec_file(Path(), 60, configs=CONFIGS, license=LICENCE)
    made("generate", "tag", "build")
    told = json.loads(magpie_hub("plan", "tiny.yaml", "--json", code=3).stdout)
    assert (told["version"], told["before"], told["level"]) == ("1.1.0", "1.0.0", "minor")
    [raw] = [config for config in told["configs"] if config["name"] == "raw"]
    assert raw["added"] == raw["rows"] - raw["rows_before"] > 0
    assert (raw["removed"], raw["changed"]) == (0, 0)
    shown = magpie_hub("plan", "tiny.yaml", "--markdown", code=3).stdout
    assert shown.startswith("**org/tiny: v1.0.0 -> v1.1.0 (minor)**\n")
    assert f"| `raw` | 1.0.0 -> 1.1.0 | {raw['rows']} | {raw['added']} |" in shown

    magpie_hub("publish", "tiny.yaml")
    assert sorted(tags(hub)) == ["v1.0.0", "v1.1.0"]
    magpie_hub("plan", "tiny.yaml")
    back = json.loads(
        magpie_hub("plan", "tiny.yaml", "--against", "v1.0.0", "--json", code=3).stdout
    )
    assert [config["added"] for config in back["configs"] if config["name"] == "raw"] == [
        raw["added"]
    ]


def test_a_plan_counts_on_the_version_of_a_publish_that_was_stopped(hub: Hub) -> None:
    """What is in place without its version gets that first; the plan is for what comes behind."""
    magpie_hub("release", "tiny.yaml", "--to", "hub", "--create")
    with repo(hub).changing() as state:
        del state["refs"]["refs/tags/v1.0.0"]
    shown = magpie_hub("plan", "tiny.yaml", code=3).stdout
    assert shown.startswith("org/tiny: v1.0.0 is in place; to be verified and given its version\n")
    spec_file(Path(), 60, configs=CONFIGS, license=LICENCE)
    made("generate", "tag", "build")
    shown = magpie_hub("plan", "tiny.yaml", code=3).stdout
    assert shown.startswith("org/tiny: v1.0.0 -> v1.1.0 (minor)\n")
    magpie_hub("publish", "tiny.yaml")
    assert sorted(tags(hub)) == ["v1.0.0", "v1.1.0"]


def test_a_plan_against_a_folder() -> None:
    """A release in a folder can be what another is compared with; that needs no hub."""
    made("release")
    shown = magpie_hub("plan", "tiny.yaml", "--against", "dist/org/tiny").stdout
    assert shown.startswith("org/tiny, compared with dist/org/tiny: no difference\n")
    assert "without a release.json" in refused("plan", "tiny.yaml", "--against", "dist")
    spec_file(Path(), 40, configs=CONFIGS, license="mit")
    made("build")
    shown = magpie_hub("plan", "tiny.yaml", "--to", "dist", code=3).stdout
    assert shown.startswith("org/tiny: v1.0.0 -> v1.0.1 (patch)\n")
    magpie_hub("publish", "tiny.yaml", "--to", "dist")
    assert "license: mit\n" in Path("dist/org/tiny/README.md").read_text()


def test_verify_needs_no_spec() -> None:
    """What is published, there or in a folder, is checked from outside by its name alone."""
    magpie_hub("release", "tiny.yaml", "--to", "hub", "--create")
    made("release")
    Path("tiny.yaml").unlink()
    for name in ("org/tiny", "org/tiny@v1.0.0", "dist/org/tiny"):
        assert "filtered: " in magpie_hub("verify", name).stdout
    found = json.loads(magpie_hub("verify", "org/tiny", "--json").stdout)
    assert found["version"] == "1.0.0"
    assert set(found["configs"]) == {"raw", "filtered"}
    assert "no version `v1.0.1`" in refused("verify", "org/tiny@v1.0.1").replace(
        "revision", "version"
    )


@pytest.mark.parametrize("command", ["plan", "publish"])
def test_an_unfinished_run_is_named_with_the_command_that_goes_on(hub: Hub, command: str) -> None:
    """No engine is opened: each stage that is missing is named in turn, and nothing is sent."""
    engine = {"name": "scripted", "transcript": "asked.jsonl"}
    generator = {"model": "scripted", "engine": engine}
    spec_file(Path(), 40, configs=CONFIGS, generator=generator, license=LICENCE)
    asked = Path("asked.jsonl")

    assert "magpie-hub generate SPEC" in refused(command, "tiny.yaml")
    assert not asked.exists()
    assert not Path("runs").exists()
    made("generate")
    before = asked.read_bytes()
    assert "magpie-hub tag SPEC" in (told := refused(command, "tiny.yaml")), told
    made("tag")
    assert "magpie-hub build SPEC" in refused(command, "tiny.yaml")
    made("build")
    spec = yaml.safe_load(Path("tiny.yaml").read_text())
    Path("tiny.yaml").write_text(yaml.safe_dump(spec | {"license": "mit"}))
    assert "`license`" in (told := refused(command, "tiny.yaml"))
    assert "magpie-hub build SPEC" in told
    made("build")
    shard = next(Path("runs/tiny/responses").rglob("*.parquet"))
    shard.unlink()
    assert "`responses/default`" in refused(command, "tiny.yaml")
    assert asked.read_bytes() == before
    assert not [seen for seen in hub.requests if seen.method != "GET"]


def test_a_damaged_build_is_not_published(hub: Hub) -> None:
    """What was changed since it was built is found before anything is sent."""
    made("generate", "tag", "build")
    [file] = Path("runs/tiny/build/filtered").iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    told = refused("publish", "tiny.yaml", "--create")
    assert "`filtered`" in told
    assert "magpie-hub build SPEC" in told
    assert hub.requests == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--private", "it needs --create"),
        ("--create --to dist", "it needs `--to hub`"),
        ("--create --as-of v1.0.0", "needs a repository that holds the version"),
    ],
)
def test_no_option_is_passed_over_in_silence(hub: Hub, options: str, says: str) -> None:
    """What cannot be done together is a fault of usage, before anything is read or sent."""
    assert says in magpie_hub("publish", "tiny.yaml", *options.split(), code=2).stderr
    assert hub.requests == []


def test_a_public_repository_does_not_take_what_should_be_private(hub: Hub) -> None:
    """`--private` beside a public repository is refused before the hours of work."""
    magpie_hub("release", "tiny.yaml", "--to", "hub", "--create")
    commits = repo(hub).at("main").sha
    shutil.rmtree("runs")
    told = refused("release", "tiny.yaml", "--to", "hub", "--create", "--private")
    assert "`org/tiny` exists and is public" in told
    assert not Path("runs").exists()
    assert repo(hub).at("main").sha == commits


@pytest.mark.parametrize(("token", "says"), [("hf_read", "may only read"), (None, "no token")])
def test_a_token_that_cannot_write_is_told_before_the_work(
    monkeypatch: pytest.MonkeyPatch, token: str | None, says: str
) -> None:
    """A release to the Hub that could not be published is not even begun."""
    monkeypatch.delenv("HF_TOKEN")
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert says in refused("release", "tiny.yaml", "--to", "hub", "--create")
    assert not Path("runs").exists()


def test_an_old_version_again_names_what_is_newer(hub: Hub) -> None:
    """Configs that an old version has not got stay, and the list of versions says so."""
    magpie_hub("release", "tiny.yaml", "--to", "hub", "--create")
    more = CONFIGS | {"short": {"where": "response_length < 300"}}
    spec_file(Path(), 40, configs=more, license=LICENCE)
    made("build", "publish")
    magpie_hub("publish", "tiny.yaml", "--as-of", "v1.0.0")
    manifest = json.loads(repo(hub).read("release.json", "v1.1.1"))
    assert manifest["changelog"][0]["changes"] == ["as in 1.0.0 again, but for `short`"]
    assert set(manifest["configs"]) == {"raw", "filtered", "short"}


CANARY = "canary-of-a-private-place"


def test_no_private_place_and_no_token_is_published(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Local paths in every field of a spec that takes one, and the token, stay on this machine."""
    secret = tmp_path / CANARY
    secret.mkdir()
    rows = [
        {"instruction": f"Say {n}.", "response": f"{n}, said.", "uuid": f"row-{n}"}
        for n in range(30)
    ]
    vectors = [{"uuid": row["uuid"], "vector": [1.0, float(n)]} for n, row in enumerate(rows)]
    for name, lines in (("rows", rows), ("other", rows[:2]), ("exam", rows[:1])):
        (secret / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    table = load_dataset("json", data_files=_file(secret, "v.json", vectors), split="train")
    table.to_parquet(str(secret / "vectors.parquet"))
    (secret / "mood.jinja").write_text("Name the mood of {{ instruction }}")
    engine = {"name": "scripted", "transcript": str(secret / "asked.jsonl")}
    judge = {"model": str(secret / "judge.gguf"), "engine": engine}
    mood = {
        "prompt": str(secret / "mood.jinja"),
        "schema": {"properties": {"mood": {"enum": ["good", "bad"]}}},
    }
    spec = {
        "repo": "org/tiny",
        "license": LICENCE,
        "source": {"files": [str(secret / "rows.jsonl")]},
        "judge": judge,
        "tags": {
            "mood": mood,
            "quality": {"judge": {**judge, "engine": dict(engine)}},
            "neighbours": {"embedder": {"name": "vectors", "file": f"{CANARY}/vectors.parquet"}},
        },
        "dedup": {"against": [str(secret / "other.jsonl")]},
        "decontaminate": {"benchmarks": [str(secret / "exam.jsonl")], "keep": True},
        "configs": {"all": {"default": True}},
    }
    Path("tiny.yaml").write_text(yaml.safe_dump(spec))
    token = "hf_" + CANARY.replace("-", "X")
    hub.tokens[token] = hub.tokens["hf_write"]
    monkeypatch.setenv("HF_TOKEN", token)

    said = magpie_hub("release", "tiny.yaml", "--run", f"{CANARY}/run", "--to", "hub", "--create")

    stored = {path: repo(hub).read(path, "main") for path in repo(hub).at("main").files}
    assert {"README.md", "release.json", "figures/tiny/lengths.png"} < stored.keys()
    loaded = [load_dataset("org/tiny", name, split="train").to_list() for name in ("raw", "all")]
    history = repo(hub).history(repo(hub).at("v1.0.0").sha)
    commits = [(commit.title, commit.message) for commit in history]
    sent = b"".join(seen.body for seen in hub.requests)
    everything = str(loaded) + str(commits) + said.output
    everything += b"".join(stored.values()).decode("latin1")
    for private in (CANARY, str(tmp_path), token):
        assert private not in everything.replace(f"{CANARY}/run", ""), private
    assert token not in sent.decode("latin1")
    assert not any(token in text for text in _texts(tmp_path))


def _file(folder: Path, name: str, rows: list[dict[str, object]]) -> str:
    (folder / name).write_text("\n".join(map(json.dumps, rows)))
    return str(folder / name)


def _texts(folder: Path) -> Iterator[str]:
    """Yield the content of all files below a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes().decode("latin1")

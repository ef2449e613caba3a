"""Bad input gets one `error:` line that names place and value, one `hint:` line, and exit 1."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from magpie_hub.cli import main
from tests.making import finished_run, spec_file

NO_CUT = "{{ messages[0].content | upper }}"


def magpie_hub(*arguments: str) -> Result:
    """Run a command in this process, in the current folder."""
    return CliRunner().invoke(main, arguments)


def refused(result: Result) -> str:
    """Check the form of a refusal and return its two lines as one text."""
    assert result.exit_code == 1, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    said = [line for line in result.stderr.splitlines() if not line.startswith("warning:")]
    spoken = [line for line in said if line.startswith(("error: ", "hint: "))]
    assert [line.partition(":")[0] for line in spoken[-2:]] == ["error", "hint"], result.stderr
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.stderr
    return "\n".join(spoken[-2:])


def broken(old: str, new: str) -> Callable[[Path], None]:
    """Return what writes the tiny spec with `old` replaced by `new`."""

    def write(folder: Path) -> None:
        path = spec_file(folder, 20)
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return write


def nothing(folder: Path) -> None:
    """Prepare nothing."""


def spec(folder: Path) -> None:
    """Write the tiny spec."""
    spec_file(folder, 20)


def release(folder: Path) -> None:
    """Make the tiny release."""
    spec_file(folder, 20)
    assert magpie_hub("release", "tiny.yaml").exit_code == 0


def file(name: str, content: str) -> Callable[[Path], None]:
    """Return what writes the tiny spec and one more file."""

    def write(folder: Path) -> None:
        spec_file(folder, 20)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    return write


def not_a_gguf(folder: Path) -> None:
    """Write a spec whose weights are a text file."""
    (folder / "model.gguf").write_text("these are no weights")
    spec_file(folder, 20, generator={"model": "./model.gguf"})


def unknown_model(folder: Path) -> None:
    """Write a spec whose model is on the Hub only, which is out of reach."""
    engine = {"name": "llama_cpp", "file": "x.gguf"}
    spec_file(folder, 20, generator={"model": "nobody/nothing", "engine": engine})


def another_spec(folder: Path) -> None:
    """Make a run, then change what may not change."""
    release(folder)
    spec_file(folder, 20, seed=5)


def truncated_shard(folder: Path) -> None:
    """Make a release, then cut a shard of its run."""
    release(folder)
    path = folder / "runs/tiny/responses/default/00000.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def foreign_shard(folder: Path) -> None:
    """Make a release, then put another run's shard into its run."""
    release(folder)
    (folder / "other").mkdir()
    finished_run(folder / "other", 20, seed=9)
    shutil.copy(folder / "other/run/instructions/00000.parquet", folder / "runs/tiny/instructions")


def damaged_journal(folder: Path) -> None:
    """Begin a run, then damage the first of two lines of a journal."""
    release(folder)
    place = folder / "runs/tiny/instructions"
    (place / "00000.parquet").unlink()
    (place / "00000.journal").write_bytes(b"00000000 2 {}\n00000000 2 {}\n")


TABLE = [
    (broken("repo:", "rebo:"), "release tiny.yaml", "`rebo`", "`repo`"),
    (broken("rows: 20", "rows: many"), "release tiny.yaml", "`many`", "rows: 1000"),
    (broken("engine: scripted", "engine: skripted"), "release tiny.yaml", "skripted", "scripted"),
    (
        broken("engine: scripted", "engine: {name: scripted, capasity: 1}"),
        "release tiny.yaml",
        "tiny.yaml:6: `generator.engine`: ",
        "did you mean `capacity`",
    ),
    (
        broken("filter: finished", "filter: finnished"),
        "release tiny.yaml",
        "`configs.filtered.filter`: there is no filter `finnished`",
        "correct the name",
    ),
    (
        broken("repo:", "tags: [language]\nrepo:"),
        "release tiny.yaml",
        "`configs.filtered.filter`: the filter `finished` has the rule `instruction_length >= 16`",
        "add `lengths` to `tags:`",
    ),
    (broken("filtered:", "README.md:"), "release tiny.yaml", "README.md", "hint: "),
    (nothing, "release smollm", "`smollm` is neither", "did you mean `smollm2`"),
    (nothing, "release nowhere.yaml", "nowhere.yaml", "magpie-hub init"),
    (not_a_gguf, "release tiny.yaml", "model.gguf", "download the file again"),
    (unknown_model, "release tiny.yaml", "nobody/nothing", "HF_HUB_OFFLINE"),
    (file("x.jinja", NO_CUT), "template x.jinja", "x.jinja", "hint: "),
    (file("x.jinja", "{% for"), "template x.jinja", "x.jinja", "hint: "),
    (spec, "template tiny.yaml", "tiny.yaml", "hint: "),
    (file("dist/org/tiny/mine.txt", "mine"), "release tiny.yaml", "dist/org/tiny", "--to"),
    (file("dist/org/tiny", "a file"), "release tiny.yaml", "dist/org/tiny", "--to"),
    (file("runs/tiny/mine.txt", "mine"), "release tiny.yaml", "it holds `mine.txt`", "--run"),
    (another_spec, "release tiny.yaml", "`seed`: the run in `runs/tiny`", "--run DIR"),
    (truncated_shard, "release tiny.yaml", "responses/default/00000.parquet", "remove the file"),
    (foreign_shard, "release tiny.yaml", "instructions/00000.parquet", "move the file"),
    (damaged_journal, "generate tiny.yaml", "00000.journal:1", "restore the file"),
    (file("runs/tiny/run.json", "{"), "release tiny.yaml", "run.json", "hint: "),
    (
        file("runs/tiny/run.json", '{"format": 3}'),
        "release tiny.yaml",
        "it lacks `fingerprint`",
        "--run",
    ),
    (spec, "build tiny.yaml", "there is no run in `runs/tiny`", "magpie-hub generate"),
    (spec, "tag tiny.yaml", "there is no run in `runs/tiny`", "magpie-hub generate"),
    (spec, "status tiny.yaml", "there is no run in `runs/tiny`", "magpie-hub generate"),
    (spec, "init tiny.yaml", "`tiny.yaml` exists already", "does not"),
    (nothing, "init x.yaml --from smollm", "smollm", "smollm2"),
    (spec, "release tiny.yaml --to hub", "`license`", "license: "),
    (
        broken("repo: org/tiny", "repo: org/tiny\nlicense: cc0-1.0"),
        "release tiny.yaml --to hub",
        "there is no token",
        "HF_TOKEN",
    ),
    (spec, "release tiny.yaml --to tiny.yaml/x", "`tiny.yaml`", "hint: "),
]


@pytest.mark.parametrize(
    ("prepare", "command", "says", "hints"),
    TABLE,
    ids=[f"{n}-{row[1]}" for n, row in enumerate(TABLE)],
)
def test_bad_input_is_refused_in_two_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path], None],
    command: str,
    says: str,
    hints: str,
) -> None:
    """The error names the place or the value, the hint the next step, and no traceback is seen."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    told = refused(magpie_hub(*command.split()))
    assert says in told.splitlines()[0]
    assert hints in told.splitlines()[1]


def test_an_output_that_is_not_ours_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused release has neither touched the strange folder nor begun a run."""
    monkeypatch.chdir(tmp_path)
    file("dist/org/tiny/mine.txt", "mine")(tmp_path)
    refused(magpie_hub("release", "tiny.yaml"))
    assert [path.name for path in (tmp_path / "dist/org/tiny").iterdir()] == ["mine.txt"]
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk of 300 kB a release stops with an error line; with more room it goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root, so a full disk was not tried")
    try:
        monkeypatch.chdir(tmp_path)
        spec_file(tmp_path, 1500)
        told = refused(magpie_hub("release", "tiny.yaml", "--run", str(disk / "run")))
        assert "error: No space left on device" in told
        assert "goes on where it stopped" in told
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        again = magpie_hub("release", "tiny.yaml", "--run", str(disk / "run"))
        assert again.exit_code == 0, again.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_traceback_is_shown_to_whoever_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With MAGPIE_HUB_DEBUG=1 the exception itself comes through."""
    monkeypatch.setenv("MAGPIE_HUB_DEBUG", "1")
    assert type(magpie_hub("release", "nowhere").exception).__name__ == "SpecError"

"""The house's promises: who may import whom, how large things are, what is never committed.

Reads the sources as text and trees; knows nothing of what the code does. An import is seen
wherever it stands, also inside a function; one made from a string (`import_module`) is not, and
`bundled`, which knows where `builders` lies, relies on that.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from magpie_hub import __version__

ROOT = Path(__file__).resolve().parents[1]

# From the ground up; a room imports from lower floors, and from itself.
FLOORS = (
    ("errors",),
    ("records", "hub", "bundled"),
    ("columns", "marks"),
    ("engines", "templates", "spec"),
    ("shards",),
    ("generate", "tag", "curate"),
    ("rows",),
    ("builders",),
    ("card", "publish"),
    ("run",),
    ("scale",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: height for height, floor in enumerate(FLOORS) for room in floor}

# Who alone may import a library: rooms, or single modules of a room.
OWNERS = {
    "click": ("cli",),
    "httpx2": ("hub", "engines/server_calls", "publish/loaded"),
    "huggingface_hub": ("hub", "publish"),
    "faiss": ("tag/neighbours",),
    "jinja2": ("templates", "card", "tag"),
    "markdown_it": ("card",),
    "matplotlib": ("card",),
    "nh3": ("card",),
    "PIL": ("card",),
    "ray": ("scale",),
    "sentence_transformers": ("tag/embedders",),
    "tokenizers": ("engines/tokens", "tag/embedders"),
    "torch": ("engines/scoring",),
    "transformers": ("engines/scoring", "engines/vllm"),
    "vllm": ("engines/vllm", "engines/vllm_client"),
    "xllamacpp": ("engines/llama_cpp",),
}

HEAVY = {
    *("datasets", "faiss", "huggingface_hub", "jinja2", "markdown_it", "matplotlib", "nh3"),
    *("numpy", "pandas", "PIL", "pyarrow", "pydantic", "ray", "rich", "tokenizers", "torch"),
    *("transformers", "vllm", "xllamacpp"),
}

# Written so that this file does not match itself.
HOSTS = rb"py[p]i\.org|python[h]osted\.|registry\.np[m]js|de[b]\.debian\.|download\.py[t]orch\."
MACHINE_PATHS = rb"(?<![A-Za-z0-9_.])/(?:wor[k]|roo[t]|far[m]|hom[e]/\w+|User[s]/\w+)(?:/|\b)"
FORBIDDEN = re.compile(rb"%b|%b" % (HOSTS, MACHINE_PATHS))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _sources(root: Path, *folders: str) -> Iterator[tuple[str, str, ast.Module]]:
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            yield path.relative_to(root).as_posix(), text, ast.parse(text)


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted name of everything that is imported, `.` for a relative import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." if node.level else node.module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _room(dotted: str) -> str:
    """Return the room that a dotted name of ours lies in; "" for the package itself."""
    first, second, *_ = [*dotted.split("."), ""]
    if first == "builders" or second == "_builders":
        return "builders"
    return "" if second == "__version__" else second


def _strays(root: Path) -> list[str]:
    """Return one line for every import that the rules of direction forbid."""
    found = []
    for name, _, tree in _sources(root, "magpie_hub", "builders"):
        place = name.removeprefix("magpie_hub/").removesuffix(".py").removesuffix("__init__")
        room = place.partition("/")[0]
        if room and room not in FLOOR:
            found.append(f"{name} is in no room of the house")
            continue
        height = FLOOR.get(room, 0)
        for other in _imported(tree):
            library = other.partition(".")[0]
            if other.startswith("."):
                found.append(f"{name} has a relative import")
            elif library in ("magpie_hub", "builders"):
                above = (there := _room(other)) and FLOOR.get(there, len(FLOORS)) >= height
                if above and there != room:
                    found.append(f"{name} imports {other}")
            elif library in OWNERS and not any(
                f"{place}/".startswith(f"{owner}/") for owner in OWNERS[library]
            ):
                found.append(f"{name} imports {other}")
    return found


def _functions(tree: ast.Module) -> Iterator[tuple[Function, int]]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node, (node.end_lineno or 0) - node.lineno + 1


def _oversized(root: Path, *folders: str) -> list[str]:
    """Return one line for every file or function that is larger or barer than the house wants."""
    found = []
    for name, text, tree in _sources(root, *folders):
        if text.strip() and not ast.get_docstring(tree):
            found.append(f"{name} has no module docstring")
        if (lines := text.count("\n")) > 320:
            found.append(f"{name} has {lines} lines")
        found += [f"{name}: {f.name} has {n} lines" for f, n in _functions(tree) if n > 60]
    return found


def _bare(function: Function) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given = [a for a in [*named, arguments.vararg, arguments.kwarg] if a is not None]
    untyped = [a.arg for a in given if a.annotation is None and a.arg not in ("self", "cls")]
    return function.returns is None or bool(untyped)


def _loaded(*arguments: str) -> set[str]:
    """Return the top-level modules that `python ARGUMENTS` imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    timed = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in timed}


def _forbidden(root: Path) -> list[str]:
    """Return `FILE: TEXT` for what git holds, or would add, that names a host or a machine."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if (root / name).is_file()]
    return [
        f"{name}: {match.group().decode()}"
        for name in files
        for match in FORBIDDEN.finditer((root / name).read_bytes())
    ]


def test_imports_point_downwards():
    """Every room imports from lower floors only, and every library has its owners."""
    assert _strays(ROOT) == []


@pytest.mark.parametrize(
    ("file", "source", "stray"),
    [
        (
            "shards/folder.py",
            "def f():\n    from magpie_hub.generate import clean",
            "generate.clean",
        ),
        ("spec/load.py", "from magpie_hub import templates", "templates"),
        ("engines/base.py", "import magpie_hub.spec.model as m", "spec.model"),
        ("tag/language.py", "from magpie_hub.generate.clean import CLEAN", "generate.clean.CLEAN"),
    ],
)
def test_a_stray_import_of_ours_is_caught(tmp_path, file, source, stray):
    """An import from the same floor or a higher one is found, also inside a function."""
    _scaffold(tmp_path, f"magpie_hub/{file}", source)
    assert _strays(tmp_path) == [f"magpie_hub/{file} imports magpie_hub.{stray}"]


@pytest.mark.parametrize(
    ("file", "source", "stray"),
    [
        ("magpie_hub/run.py", "import click", "imports click"),
        (
            "magpie_hub/engines/base.py",
            "def f():\n    import vllm.sampling",
            "imports vllm.sampling",
        ),
        ("builders/magpie.py", "from jinja2 import Environment", "imports jinja2.Environment"),
        ("builders/magpie.py", "from magpie_hub.run import go", "imports magpie_hub.run.go"),
        ("magpie_hub/cli/make.py", "from . import messages", "has a relative import"),
        ("magpie_hub/attic.py", "", "is in no room of the house"),
    ],
)
def test_other_strays_are_caught(tmp_path, file, source, stray):
    """A library away from its owner, a relative import and an unknown room are found."""
    _scaffold(tmp_path, file, source)
    assert _strays(tmp_path) == [f"{file} {stray}"]


def test_allowed_imports_are_no_strays(tmp_path):
    """Lower floors, the own room, the version and owned libraries may be imported."""
    source = (
        "import click\nfrom magpie_hub import __version__, run\nfrom magpie_hub.cli import make"
    )
    _scaffold(tmp_path, "magpie_hub/cli/__init__.py", source)
    _scaffold(tmp_path, "magpie_hub/engines/llama_cpp.py", "import xllamacpp")
    assert _strays(tmp_path) == []


def test_files_and_functions_are_small():
    """No file is over 320 lines and no function over 60; every module says what it is for."""
    assert _oversized(ROOT, "magpie_hub", "builders", "tests") == []


def test_large_files_and_functions_are_caught(tmp_path):
    """A file that is one function of 321 lines, without a docstring, has three faults."""
    _scaffold(tmp_path, "magpie_hub/run.py", "def go():\n" + 320 * "    pass\n")
    name = "magpie_hub/run.py"
    faults = [
        f"{name} has no module docstring",
        f"{name} has 321 lines",
        f"{name}: go has 321 lines",
    ]
    assert _oversized(tmp_path, "magpie_hub") == faults


def test_most_functions_are_at_most_30_lines():
    """At least nine functions in ten can be read without scrolling."""
    trees = [tree for _, _, tree in _sources(ROOT, "magpie_hub", "builders")]
    lengths = [length for tree in trees for _, length in _functions(tree)]
    assert sum(length <= 30 for length in lengths) >= 0.9 * len(lengths) > 0


def test_public_functions_are_annotated():
    """Every argument and result of a function without a leading underscore has a type."""
    bare = [
        f"{name}: {function.name}"
        for name, _, tree in _sources(ROOT, "magpie_hub", "builders")
        for function, _ in _functions(tree)
        if not function.name.startswith("_") and _bare(function)
    ]
    assert bare == []


def test_no_package_host_and_no_machine_path_would_be_committed():
    """No file that git holds or would add names a package index or a place on a machine."""
    assert _forbidden(ROOT) == []


@pytest.mark.parametrize(
    "parts", [("https://py", "pi.org"), ("cd /wor", "k/main"), ("/hom", "e/me")]
)
def test_a_package_host_or_machine_path_is_caught(tmp_path, parts):
    """An untracked file that is not ignored counts; an ignored one does not."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name in ("seen", "ignored"):
        (tmp_path / name).write_text("".join(parts), encoding="utf-8")
    (tmp_path / ".gitignore").write_text("ignored\n", encoding="utf-8")
    assert [line.partition(":")[0] for line in _forbidden(tmp_path)] == ["seen"]


def test_help_loads_no_heavy_library():
    """`magpie-hub --help` answers without importing anything that takes time to load."""
    assert _loaded("-m", "magpie_hub", "--help") & HEAVY == set()


def test_a_heavy_library_is_seen():
    """The list of loaded modules names a heavy library that was imported."""
    assert _loaded("-c", "import rich.table") & HEAVY == {"rich"}


def test_the_version_is_the_same_everywhere():
    """Package and metadata agree, and the changelog begins with them or with what comes next."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## \[?([\w.]+)", changelog, re.MULTILINE)
    assert sections[0] in (__version__, "Unreleased")


def _scaffold(root: Path, file: str, source: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")

"""What people have put into a repository stays as it was, beside a release or without one."""

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.owned import survey
from tests.publish.making import Target, release

TWO = {"a": "1", "b": "2"}
PRO = release({"pro": TWO}, "pro", default="pro")
ONE_PUSHED = """\
---
dataset_info:
  features:
  - name: text
    dtype: string
  splits:
  - name: train
    num_examples: 7
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
tags: [mine]
annotations: {by: hand}
---
# What I made

Read *this*.
"""
MANY_PUSHED = """\
---
configs:
- config_name: en
  data_files:
  - split: train
    path: en/train-*
  default: true
- config_name: fr
  data_files: [{split: train, path: fr/train-*}]
dataset_info:
- {config_name: en, splits: [{name: train, num_examples: 3}]}
- {config_name: fr, splits: {train: 4}}
---
"""


def made_by_hand(card: str, *paths: str) -> Target:
    """Return a repository that somebody else has filled."""
    return Target(**{"README.md": card, ".gitattributes": "*", **dict.fromkeys(paths, "x")})


def test_a_repository_of_one_pushed_config():
    """What `push_to_hub` made stays: files, entries, other keys, and a person's words."""
    target = made_by_hand(ONE_PUSHED, "data/train-0.parquet", "notes/mine.txt")
    planned = target.put(PRO)

    kept = planned.configs[1]
    assert (kept.name, kept.state, kept.rows, kept.owner) == ("default", "kept", 7, "others")
    assert planned.keep == ("data/train-0.parquet", "notes/mine.txt")
    assert planned.delete == ()
    assert planned.notes == ("`default` stays what `load_dataset` opens by default, not `pro`",)
    entry = {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}
    assert target.front["configs"][0] == entry
    assert "default" not in target.front["configs"][1]
    info = {"name": "text", "dtype": "string"}
    assert target.front["dataset_info"][0]["features"] == [info]
    assert [each["config_name"] for each in target.front["dataset_info"]] == ["default", "pro"]
    assert target.front["tags"] == ["synthetic", "mine"]
    assert target.front["annotations"] == {"by": "hand"}
    assert "\n---\n# What I made\n\nRead *this*.\n\n<!-- magpie-hub: pro -->\n" in target.card
    assert not target.plan(PRO).to_do


def test_a_repository_of_many_pushed_configs():
    """Their default stays the default; infos that are not what they should be are no fault."""
    target = made_by_hand(MANY_PUSHED, "en/train-0.parquet", "fr/train-0.parquet")
    planned = target.put(PRO)
    assert [(c.name, c.rows) for c in planned.configs] == [("pro", 2), ("en", 3), ("fr", None)]
    assert [e["config_name"] for e in target.front["configs"]] == ["en", "fr", "pro"]
    assert target.front["configs"][0]["default"] is True
    assert target.front["dataset_info"][1] == {"config_name": "fr", "splits": {"train": 4}}
    assert not target.plan(PRO).to_do


def test_deleting_a_config_made_by_hand():
    """Its files go, and none that another config reads, that no config reads, or that are ours."""
    card = ONE_PUSHED.replace("data/train-*", '"data/*"') + "\n"
    shared = "- {config_name: part, data_files: data/b.parquet}\ntags"
    target = made_by_hand(
        card.replace("tags", shared), "data/a.parquet", "data/b.parquet", "data/deep/c.parquet"
    )
    target.put(PRO)
    planned = target.put(PRO, "default")
    assert planned.delete == ("data/a.parquet",)
    states = {change.name: change.state for change in planned.configs}
    assert states == {"pro": "same", "default": "deleted", "part": "kept"}
    assert [e["config_name"] for e in target.front["configs"]] == ["part", "pro"]
    assert [e["config_name"] for e in target.front["dataset_info"]] == ["pro"]
    assert not target.plan(PRO).to_do


@pytest.mark.parametrize(
    ("data_files", "deleted"),
    [
        ("data_files: '**'", ("data/a.parquet", "data/b/c d.parquet", "é.parquet")),
        ("data_files: '*'", ("é.parquet",)),
        ("data_files: ['./data/*', data/b/c d.parquet]", ("data/a.parquet", "data/b/c d.parquet")),
        ("data_files: [{split: train, path: [data/a.parquet]}]", ("data/a.parquet",)),
        ("{data_dir: data, data_files: 'b/*'}", ("data/b/c d.parquet",)),
        ("data_dir: data/", ("data/a.parquet", "data/b/c d.parquet")),
        ("data_files: null", ("data/a.parquet", "data/b/c d.parquet", "é.parquet")),
        ("data_files: [{split: train}]", ("data/a.parquet", "data/b/c d.parquet", "é.parquet")),
        ("data_files: 7", ()),
    ],
)
def test_the_files_of_a_config_made_by_hand(data_files, deleted):
    """All ways to name files are understood as `datasets` does; the repository's own files stay."""
    inner = data_files.strip("{}")
    card = f"---\nconfigs:\n- {{config_name: mine, {inner}}}\n---\n"
    target = made_by_hand(card, "data/a.parquet", "data/b/c d.parquet", "é.parquet")
    assert target.plan(PRO, "mine").delete == deleted


@pytest.mark.parametrize("data_files", ["'**'", "'*'", "null", "'*.parquet'", "pro/train-*"])
def test_a_config_made_by_hand_that_would_read_our_files(data_files):
    """It would hold other rows than before: refused, with what it names and what it would read."""
    target = made_by_hand(f"---\nconfigs: [{{config_name: mine, data_files: {data_files}}}]\n---\n")
    with pytest.raises(TargetError, match=r"has the config `mine` of the files .* would read") as e:
        target.plan(PRO)
    assert "`data_files` of the card" in e.value.hint


def test_a_config_made_by_hand_of_another_kind():
    """`datasets` opens a repository with one reader: Parquet beside JSON lines would break one."""
    card = ONE_PUSHED.replace("data/train-*", "'data/*'")
    with pytest.raises(TargetError, match=r"of files such as `data/a\.jsonl`.* expected Parquet"):
        made_by_hand(card, "data/a.jsonl").plan(PRO)


@pytest.mark.parametrize(
    "path",
    [
        "pro/notes.txt",
        "pro/train-00000-of-00001.parquet",
        "pro",
        "index.parquet",
        "release.json",
    ],
)
def test_what_lies_in_our_place(path):
    """Files of others are neither replaced, nor read with ours: they are to be moved away."""
    published = made_by_hand("# Mine\n").read()
    stray = made_by_hand("# Mine\n", "other.txt").read().files["other.txt"]
    published.files[path] = stray  # type: ignore[index]
    with pytest.raises(TargetError, match=f"holds `{path}`, which no release of this spec"):
        survey(PRO, published, [])


@pytest.mark.parametrize("path", [".huggingface.yaml", "magpie.py"])
def test_what_datasets_would_read_instead_of_the_card(path):
    """A file that `load_dataset` prefers to the card would hide all that is published."""
    with pytest.raises(TargetError, match="goes by it and not by the card"):
        made_by_hand("# Mine\n", path).plan(PRO)


def test_two_defaults():
    """A config that is default by its name cannot stand beside another's that is marked."""
    target = made_by_hand(MANY_PUSHED, "en/train-0.parquet")
    with pytest.raises(TargetError, match="opens `en` by default, and a config named `default`"):
        target.plan(release({"default": TWO}))


def test_files_that_a_card_does_not_name():
    """Data that `datasets` found by itself can no longer be loaded by name: the plan says so."""
    planned = made_by_hand("# Mine\n", "data/x.parquet").plan(PRO)
    assert planned.notes[0].startswith("1 data files that are of no config, such as `data/x.par")

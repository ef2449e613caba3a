"""The front matter of a card: what we say of our configs is ours, all else is a person's."""

import pytest
import yaml

from magpie_hub.errors import TargetError
from magpie_hub.publish import readme
from magpie_hub.publish.readme import merge_configs, merge_metadata, split
from tests.publish.making import Target, release


@pytest.mark.parametrize(
    ("card", "front", "body"),
    [
        ("---\nlicense: mit\n---\n\n# A\n", {"license": "mit"}, "\n# A\n"),
        ("---\r\nlicense: mit\r\n---\r\n# A\r\n", {"license": "mit"}, "# A\r\n"),
        ("\ufeff---\nlicense: mit\n---\n# A", {"license": "mit"}, "# A"),
        ("\n\n---\nlicense: mit\n--- \n# A", {"license": "mit"}, "# A"),
        ("---\nlicense: mit\n---", {"license": "mit"}, ""),
        ("---\n---\n# A", {}, "# A"),
        ("---\n# nothing\n---\n", {}, ""),
        ("---\na: |\n  x\n  ---\n  y\n---\n", {"a": "x\n---\ny\n"}, ""),
        ("# A\n\n---\n\nB\n\n---\n", {}, "# A\n\n---\n\nB\n\n---\n"),
        ("", {}, ""),
    ],
)
def test_the_parts_of_a_card(card, front, body):
    """Front matter is found as the Hub's own client finds it, and the body is all behind it."""
    assert split(card) == (front, body)


@pytest.mark.parametrize(
    "front", ["just text", "- a\n- b", "a: [", "a: 1\n b: 2", "day: 2024-13-45", "a: \x07", "7: x"]
)
def test_front_matter_that_is_none(front):
    """Whatever is no map, or no YAML, is an error in one line, and the card stays as it is."""
    with pytest.raises(
        TargetError, match=r"the front matter of README\.md cannot be read"
    ) as error:
        split(f"---\n{front}\n---\n# A\n")
    assert "\n" not in error.value.message


@pytest.mark.parametrize("value", ["{default: {}}", "default", "[default]", "[{data_dir: x}]", "7"])
def test_configs_that_datasets_does_not_read(value):
    """They would be lost in the merging: a person has to correct them first."""
    with pytest.raises(TargetError, match="`configs` in the front matter of"):
        readme.configs(yaml.safe_load(f"configs: {value}"))


@pytest.mark.parametrize("value", ["null", "[]", "{}", ""])
def test_no_configs(value):
    """An empty key names none."""
    assert readme.configs(yaml.safe_load(f"configs: {value}")) == {}


def test_a_config_that_is_named_twice():
    """The last entry counts, as it does for `datasets`."""
    front = {"configs": [{"config_name": "a", "n": 1}, {"config_name": "a", "n": 2}]}
    assert merge_configs(front, {}, [], {})["configs"] == [{"config_name": "a", "n": 2}]


def test_infos_without_a_name_or_a_list():
    """One info may do without list and name; what is neither map nor list is left aside."""
    assert readme.infos({"dataset_info": {"splits": []}}) == {"default": {"splits": []}}
    assert list(readme.infos({"dataset_info": [{"config_name": 7}, {}, "x"]})) == ["7", "default"]
    assert readme.infos({"dataset_info": None}) == readme.infos({"dataset_info": "x"}) == {}


BEFORE = {"license": "mit", "tags": ["synthetic", "sft"], "pretty_name": "magpie"}


@pytest.mark.parametrize(
    ("edit", "merged"),
    [
        ({}, {"tags": ["synthetic", "new"], "pretty_name": "magpie"}),
        ({"tags": ["synthetic", "sft", "mine"]}, {"tags": ["synthetic", "new", "mine"]}),
        ({"tags": ["sft"]}, {"tags": ["new"]}),
        ({"tags": "mine"}, {"tags": "mine"}),
        ({"tags": None}, {"tags": None}),
        ({"pretty_name": "The Magpie"}, {"pretty_name": "The Magpie"}),
        ({"thumbnail": None, 7: "x"}, {"thumbnail": None, 7: "x"}),
        ({"license": "cc0-1.0"}, {"license": "llama3"}),
    ],
)
def test_what_a_person_changed_stays(edit, merged):
    """Tags put in or taken out, other values and keys of their own; the licence is the spec's."""
    new = {"license": "llama3", "tags": ["synthetic", "new"], "pretty_name": "magpie"}
    found = merge_metadata(BEFORE, BEFORE | edit, new)
    assert found == {**new, **merged}


def test_what_a_person_removed_stays_away():
    """Keys that a person deleted do not come back, and ours that are no longer said go."""
    theirs = {"license": "mit", "tags": ["synthetic", "sft"]}
    assert merge_metadata(BEFORE, theirs, {"license": "mit", "pretty_name": "x"}) == {
        "license": "mit"
    }


def test_what_two_specs_say_together():
    """Lists are joined; of all else the first spec's word counts."""
    one, two = {"tags": ["a", "b"], "license": "mit"}, {"tags": ["b", "c"], "license": "cc0-1.0"}
    assert readme.generated([one, two]) == {"tags": ["a", "b", "c"], "license": "mit"}


def test_versions_are_quoted():
    """YAML readers take a version for text, ours and another's that is carried over."""
    theirs = {"configs": [{"config_name": "old", "version": "2.0.0"}]}
    merged = merge_configs(theirs, {"configs": [{"config_name": "raw"}]}, [], {"raw": "1.0.0"})
    card = readme.joined(merged, "")
    assert 'version: "1.0.0"' in card
    assert 'version: "2.0.0"' in card
    assert split(card)[0]["configs"][1]["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("theirs", "default"),
    [
        ([], "raw"),
        ([{"config_name": "old"}], "raw"),
        ([{"config_name": "old"}, {"config_name": "older", "default": False}], "raw"),
        ([{"config_name": "old", "default": True}], "old"),
        ([{"config_name": "default"}], "default"),
    ],
)
def test_the_default_config(theirs, default):
    """`datasets` finds one default, and it is another's where another has one."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    ours = {"configs": [{"config_name": "raw", "default": True}, {"config_name": "top"}]}
    merged = merge_configs({"configs": theirs}, ours, [], {"raw": "1.0.0", "top": "1.0.0"})
    data = DatasetCard(readme.joined(merged, "")).data
    assert MetadataConfigs.from_dataset_card_data(data).get_default_config_name() == default


def test_front_matter_that_says_the_same_stays_as_it_is_written():
    """Comments, quotes and order of keys are a person's, as long as there is nothing to change."""
    card = "---\n# by hand\ntags: ['a']\nlicense: mit\n---\nold\n"
    assert readme.joined({"license": "mit", "tags": ["a"]}, "new\n", card) == card[:-4] + "new\n"
    assert readme.joined({"license": "mit"}, "new\n", card) == "---\nlicense: mit\n---\nnew\n"


def test_a_whole_card_is_read_by_everybody():
    """With foreign keys of any kind, the Hub's client, `datasets` and YAML read what we wrote."""
    from huggingface_hub import DatasetCard

    target = Target(
        **{"README.md": "---\nday: 2024-01-02\nlanguage: [no]\nüñ: |\n  a\n  b\n---\nMine.\n"}
    )
    target.put(release({"raw": {"a": "1"}}, default="raw"))
    assert DatasetCard(target.card).data.configs == target.front["configs"]
    assert target.front["language"] == ["en", "no"]
    assert str(target.front["day"]) == "2024-01-02"
    assert target.front["üñ"] == "a\nb\n"

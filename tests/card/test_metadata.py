"""The front matter: what the Hub searches by and `datasets` reads, in the Hub's own words."""

import json
from dataclasses import replace
from importlib.resources import files

import pytest
from datasets import Features
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from magpie_hub.card.licences import HUB_LICENCES
from magpie_hub.card.metadata import front_matter
from magpie_hub.card.render import render
from magpie_hub.columns import SFT
from magpie_hub.records import arrow_schema
from tests.card.reading import front
from tests.card.stating import spec, stated

RESOURCES = files("datasets") / "utils" / "resources"


def test_values_that_yaml_might_take_for_others(config):
    """A licence `no`, a name `1.0`, configs `on` and `2024` come back as they were."""
    configs = [config(name="on", alias="off"), config(name="2024", default=False)]
    read = front(render(stated(*configs, spec=spec(license="no", repo="org/1.0"))))

    assert (read["license"], read["pretty_name"]) == ("no", "1.0")
    assert read["language"] == ["de", "en"]
    found = MetadataConfigs.from_dataset_card_data(DatasetCardData(**read))
    assert {name: entry["data_files"][0]["path"] for name, entry in found.items()} == {
        "on": "on/train-*",
        "off": "on/train-*",
        "2024": "2024/train-*",
    }
    assert found.get_default_config_name() == "on"
    features = Features._from_yaml_list(read["dataset_info"][0]["features"])
    assert features.arrow_schema == arrow_schema({field.name: field.type for field in SFT})


def test_what_is_not_known_is_not_said(config):
    """Without a licence or a detector of languages there is no key; a title is the pretty name."""
    card = config()
    facts = replace(card.facts, counts={})
    named = spec(license=None, card={"title": "Tiny: a set"})
    read = front_matter(named, [replace(card, facts=facts)])
    assert "license" not in read
    assert "language" not in read
    assert read["pretty_name"] == "Tiny: a set"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (300_000, "100K<n<1M"),
        (200_000_000, "100M<n<1B"),
        (10**9, "1B<n<10B"),
    ],
)
def test_size_categories(config, rows, expected):
    """The largest config decides the size category, which is one of the Hub's."""
    card = config()
    large = replace(card, facts=replace(card.facts, rows=rows))
    assert front_matter(spec(), [card, large])["size_categories"] == [expected]
    assert expected in json.loads((RESOURCES / "size_categories.json").read_text())


def test_languages(config):
    """One row in a hundred names a language, one in two hundred does not; the Hub knows each."""
    card = config()
    counts = {"language": {"EN": 196, "DE": 2, "FR": 1, "none": 1}}
    many = replace(card, facts=replace(card.facts, rows=200, counts=counts))
    found = front_matter(spec(), [many])["language"]
    assert found == ["de", "en"]
    assert set(found) <= json.loads((RESOURCES / "languages.json").read_text()).keys()


def test_who_made_it(config):
    """Creators, sources and licence are the Hub's words, for drawn rows and for others' rows."""
    creators = json.loads((RESOURCES / "creators.json").read_text())
    drawn = front_matter(spec(), [config()])
    assert drawn["license"] in HUB_LICENCES
    assert drawn["language_creators"][0] in creators["language"]
    assert drawn["annotations_creators"][0] in creators["annotations"]
    assert drawn["source_datasets"] == ["original"]
    assert drawn["tags"] == ["synthetic", "magpie", "instruction-tuning", "sft"]

    theirs = front_matter(spec(generator=None, instructions=None, source="org/theirs"), [config()])
    assert theirs["source_datasets"] == ["org/theirs"]
    assert "synthetic" not in theirs["tags"]
    assert "language_creators" not in theirs


def test_another_licence(config):
    """`other` says which by the name and the link that are known of the generator's."""
    from magpie_hub.card.licences import family

    qwen = family("Qwen/Qwen2-72B-Instruct", {})
    read = front_matter(spec(license="other"), [config()], [qwen, family("scripted", {})])
    assert (read["license"], read["license_name"]) == ("other", qwen.identifier)
    assert read["license_link"].startswith("https://")

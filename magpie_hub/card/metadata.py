"""The card's front matter: what the Hub searches by, and what `datasets` reads.

The values are the Hub's own words. Knows the files by what was measured of them.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from magpie_hub.records import Type

if TYPE_CHECKING:
    from magpie_hub.card.families import Licence
    from magpie_hub.card.render import ConfigCard

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
_TAGS = {
    "sft": ("sft",),
    "multi-turn": ("sft", "multi-turn"),
    "preference": ("preference", "dpo"),
}
"""What the Hub calls rows of each kind, in words that others use there."""


def front_matter(
    spec: Mapping[str, Any],
    configs: Sequence["ConfigCard"],
    licences: Iterable["Licence | None"] = (),
) -> dict[str, Any]:
    """Return the card's metadata; `configs` and `dataset_info` describe the files as they are.

    licences: of the models that wrote the text.
    """
    largest = max(config.facts.rows for config in configs)
    languages = _languages(configs)
    return {
        **_licence(spec["license"], licences),
        **({"language": languages} if languages else {}),
        "pretty_name": title(spec),
        "size_categories": [next((name for most, name in _SIZES if largest < most), "1B<n<10B")],
        "task_categories": ["text-generation"],
        **_makers(spec, {tag for config in configs for tag in _TAGS[config.kind]}),
        "configs": [
            {
                "config_name": name,
                "data_files": [
                    {"split": split, "path": f"{config.name}/{split}-*"}
                    for split in config.facts.splits
                ],
                **({"default": True} if config.default and name == config.name else {}),
            }
            for config in configs
            for name in config.names
        ],
        "dataset_info": [
            {
                "config_name": name,
                "features": _features({field.name: field.type for field in config.fields}),
                "splits": [
                    {"name": split, "num_bytes": memory, "num_examples": rows}
                    for split, (rows, memory) in config.facts.splits.items()
                ],
                "download_size": config.facts.bytes,
                "dataset_size": config.facts.bytes_memory,
            }
            for config in configs
            for name in config.names
        ],
    }


def title(spec: Mapping[str, Any]) -> str:
    """Return what the dataset is called among people."""
    return str(spec["card"]["title"] or spec["repo"].partition("/")[2])


def _licence(name: str | None, made_under: Iterable["Licence | None"]) -> dict[str, str]:
    """Return the licence; `other` is called by the one that leaves no choice, if there is one."""
    binding = {one for one in made_under if one and one.allows is not None}
    if name != "other" or len(binding) != 1:
        return {} if name is None else {"license": name}
    (one,) = binding
    link = {"license_link": one.link} if one.link else {}
    return {"license": name, "license_name": one.identifier, **link}


def _makers(spec: Mapping[str, Any], uses: Container[str]) -> dict[str, list[str]]:
    """Return who made the rows, as the Hub's metadata says it; of others' rows it is not known.

    uses: the tags that say what the rows are for.
    """
    tags = [
        "instruction-tuning",
        *(tag for tag in ("sft", "multi-turn", "preference", "dpo") if tag in uses),
    ]
    if "source" not in spec:
        return {
            "annotations_creators": ["machine-generated"],
            "language_creators": ["machine-generated"],
            "source_datasets": ["original"],
            "tags": ["synthetic", "magpie", *tags],
        }
    dataset = spec["source"]["dataset"]
    named = dataset and "/" in dataset
    return {
        "source_datasets": [dataset] if named else ["extended"],
        "tags": tags,
    }


def _languages(configs: Sequence["ConfigCard"]) -> list[str]:
    """Return the languages (ISO 639-1) of at least one in a hundred rows of any config."""
    found = {
        language.lower()
        for config in configs
        for language, rows in config.facts.counts.get("language", {}).items()
        if rows * 100 >= config.facts.rows and len(language) == 2
    }
    return sorted(found)


def _features(types: Mapping[str, Type]) -> list[dict[str, Any]]:
    """Return columns as `dataset_info` writes them in YAML."""
    return [{"name": name, **_feature(type_)} for name, type_ in types.items()]


def _feature(type_: Type) -> dict[str, Any]:
    if isinstance(type_, str):
        return {"dtype": type_}
    if isinstance(type_, dict):
        return {"struct": _features(type_)}
    inner = type_[0]
    return {"list": _features(inner) if isinstance(inner, dict) else inner}

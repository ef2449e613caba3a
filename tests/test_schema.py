"""The columns of a kind are one thing in five places: as data, in the builder, in the published
Parquet, in the card's metadata, and in the card's table.
"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, load_dataset
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard

from builders.magpie import Magpie
from magpie_hub import records
from magpie_hub.columns import SFT, type_name
from magpie_hub.run.building import build
from tests.making import finished_run, quiet

COLUMNS = {field.name: field.type for field in SFT}
SCHEMA = records.arrow_schema(COLUMNS)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A built release: its run, its folder and its card."""
    spec, run = finished_run(tmp_path_factory.mktemp("run"))
    with run.lock():
        folder = build(spec, run, quiet, print).folder
    return run, folder, DatasetCard.load(folder / "README.md")


def test_builder(release):
    """The builder's features are the columns as data."""
    for config in ("raw", "filtered"):
        features = Magpie(config_name=config, data_dir=release[0].path).info.features
        assert features.arrow_schema.remove_metadata() == SCHEMA


def test_parquet(release):
    """The published files have them, in order, and carry no metadata that old readers refuse."""
    files = sorted(release[1].glob("*/*.parquet"))
    assert len(files) == 2
    for file in files:
        schema = pq.read_schema(file)
        assert schema.equals(SCHEMA)
        assert schema.metadata is None


def test_card_metadata(release):
    """`dataset_info` is what `datasets` itself writes for these columns, and reads back as them."""
    infos = release[2].data.to_dict()["dataset_info"]
    read = DatasetInfosDict.from_dataset_card_data(release[2].data)

    assert list(read) == [info["config_name"] for info in infos] == ["raw", "filtered"]
    for info in infos:
        assert info["features"] == Features.from_arrow_schema(SCHEMA)._to_yaml_list()
        assert Features._from_yaml_list(info["features"]) == read[info["config_name"]].features
        assert read[info["config_name"]].features.arrow_schema.remove_metadata() == SCHEMA


def test_card_table(release):
    """The card's table has a line for every column, with its type, and no other."""
    lines = release[2].text.partition("## Columns")[2].partition("\n\n## ")[0].split("\n")
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| `")]

    assert [[cell.strip(" `") for cell in line[:2]] for line in cells] == [
        [name, type_name(type_)] for name, type_ in COLUMNS.items()
    ]
    assert all(line[2].strip() for line in cells)


def test_what_a_reader_gets(release, tmp_path):
    """`load_dataset` on the built folder gives each config with these columns and these rows."""
    run, folder, _ = release
    for config in ("raw", "filtered"):
        read = load_dataset(str(folder), config, split="train", cache_dir=str(tmp_path))
        rows = pa.concat_tables(Magpie(config_name=config, data_dir=run.path).tables())
        assert read.features.arrow_schema.remove_metadata() == SCHEMA
        assert read.to_list() == rows.to_pylist()

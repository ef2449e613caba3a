"""release.json comes back as it was written, and whatever else bears its name is refused."""

import json

import pytest

from magpie_hub.errors import TargetError
from magpie_hub.publish.manifest import Manifest, parse

CONFIG = {
    "spec": "pro",
    "version": "1.0.1",
    "rows": 33,
    "digest": "9f3c",
    "features": {"uuid": "string"},
    "frozen": False,
    "alias": None,
    "facts": {},
}
MANIFEST = Manifest(
    "org/magpie",
    "1.1.0",
    {"pro": {"spec": {}, "fingerprint": "5d1f", "versions": {}, "metadata": {"tags": ["é"]}}},
    {"raw": CONFIG},
    {"raw/train.parquet": {"sha256": "ab", "bytes": 3}, "README.md": {"sha256": "c", "bytes": 1}},
    ({"version": "1.1.0", "changes": ["`raw` 1.0.1: 33 rows"]},),
)


def test_it_comes_back():
    """What is written is read again, with the files sorted and letters as they are."""
    text = MANIFEST.text()
    assert parse(text, "here") == parse(text.encode(), "here") == MANIFEST
    assert '"é"' in text
    assert list(json.loads(text)["files"]) == ["README.md", "raw/train.parquet"]


def test_a_file_belongs_to_the_folder_of_its_config():
    """A config whose name begins with another's has files of its own."""
    more = MANIFEST.with_file("raw-2/train.parquet", "cd", 4)
    assert more.of_config("raw") == {"raw/train.parquet": {"sha256": "ab", "bytes": 3}}
    assert more.of_config("raw-2") == {"raw-2/train.parquet": {"sha256": "cd", "bytes": 4}}
    assert "raw-2/train.parquet" not in MANIFEST.files


def changed(**changes: object) -> str:
    """Return the text of a manifest, changed at the top or, as `config__key`, in the config."""
    data = json.loads(MANIFEST.text())
    for key, value in changes.items():
        place = data["configs"]["raw"] if key.startswith("config__") else data
        place[key.removeprefix("config__")] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "Expecting value"),
        (b'{"\xff": 1}', "invalid start byte"),
        ("[]", "it is list, expected a map"),
        ('{"name": "a release of my band"}', "its format is None, expected 2"),
        (changed(format=1), "its format is 1, expected 2"),
        (changed(version=None), "it has no `version`, or one of another kind"),
        (changed(version="2"), "`2` is no version, expected `x.y.z`"),
        (changed(configs=["raw"]), "it has no `configs`, or one of another kind"),
        (changed(configs={"raw": None}), "a config is NoneType, expected a map"),
        (changed(config__rows="33"), "a config has no `rows`, or one of another kind"),
        (changed(config__version="1.0"), "`1.0` is no version"),
        (changed(config__alias=["x"]), "a config has no `alias`"),
        (changed(config__splits=33), "the `splits` of a config are not its `rows`"),
        (changed(config__splits={"train": 32}), "the `splits` of a config are not its `rows`"),
        (changed(changelog=[{"version": "1.1.0"}]), "a change has no `changes`"),
        (changed(files={"../up": {"sha256": "a", "bytes": 1}}), "`../up` leads out of the release"),
        (changed(files={"/etc/x": {"sha256": "a", "bytes": 1}}), "`/etc/x` leads out"),
    ],
)
def test_a_file_that_we_did_not_write(text, fault):
    """Each is one error that names the file and what is wrong with it, and never a traceback."""
    with pytest.raises(TargetError) as caught:
        parse(text, "org/magpie/release.json")
    assert caught.value.message.startswith("`org/magpie/release.json` is not the release.json of")
    assert fault in caught.value.message
    assert "restore the file, or remove it" in caught.value.hint


def test_a_key_that_is_missing_is_no_null():
    """`alias` may be null; without it the file is somebody else's."""
    data = json.loads(MANIFEST.text())
    del data["configs"]["raw"]["alias"]
    with pytest.raises(TargetError, match="a config has no `alias`"):
        parse(json.dumps(data), "here")

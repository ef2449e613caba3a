"""The page: text stays text, readers find the metadata, and nothing unmeasured is said."""

import re
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import Features
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from magpie_hub import bundled
from magpie_hub.card.facts import measure
from magpie_hub.card.render import ConfigCard, code, front_matter, inline, render
from magpie_hub.columns import SFT, Field
from magpie_hub.curate.funnel import funnel
from magpie_hub.errors import CardError
from magpie_hub.records import arrow_schema
from tests.card.reading import MARKDOWN, body, fences, front, shape

SPEC = {
    "repo": "org/tiny",
    "license": "apache-2.0",
    "seed": 0,
    "generator": {"model": "org/m", "engine": {"name": "scripted"}},
    "instructions": {
        "rows": 1200,
        "max_tokens": 64,
        "sampling": [{"temperature": 1.0, "top_p": 0.99, "weight": 1}],
    },
    "tags": {"lengths": {}},
    "dedup": {
        "exact": True,
        "near": {"words": 2, "characters": 5, "hashes": 128, "bands": 16, "threshold": 0.7},
        "against": [],
    },
}
PINS = {
    "revision": "5fcb290",
    "prefix": "<user>",
    "responses": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 64},
    "reasoning": None,
    "context_length": 2048,
    "neighbours": None,
}
TAGS = {
    "quality": {
        "model": "org/judge",
        "revision": "0e9e39f",
        "rows": 1000,
        "failed": {"not-json": 12, "wrong-form": 3},
        "retried": 40,
        "cut": 2,
    },
}
CURATION = {"backend": "text-dedup", "against": [], "overlaps": {}}
HOSTILE = [
    "# Heading\n\n- item\n\n> quote",
    "<script>alert(1)</script>",
    "</details></table><h1>x</h1>",
    "---\nlicense: mit\n---\n",
    "{{ 7*7 }} {% include 'x' %} {# #}",
    "a | b | c\n| --- | --- |\n| d | e |",
    "```\n# out\n```\n~~~~\n``````",
    "`x` ``y`` ` z",
    "[a](javascript:alert(1)) ![b](http://x/y.png) *c* __d__ &lt;e&gt; $f$",
    "line\r\nline\x0b\x0cline\u2028line",
]


@pytest.fixture(scope="module")
def config(tmp_path_factory, row):
    """The facts of three rows as a config's card, with the first row's texts given."""
    numbers = iter(range(10_000))

    def make(user="Why?", assistant="Because.", **changes):
        folder = tmp_path_factory.mktemp(f"config{next(numbers)}")
        rows = [row(user, assistant), row(finish_reason="length"), row(language="DE")]
        schema = arrow_schema({field.name: field.type for field in SFT})
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "train-00000-of-00001.parquet")
        steps = funnel(1200, [("instruction", "empty", 1190), ("filter", "language == EN", 7)])
        card = ConfigCard("raw", SFT, True, None, steps, measure(folder))
        return replace(card, **changes)

    return make


@pytest.mark.parametrize("text", HOSTILE)
def test_a_rows_text_stays_text(config, text):
    """Whatever a row says, the page has the same parts, and the block holds the text verbatim."""
    card = render(SPEC, PINS, [config(text, text)], TAGS, CURATION)
    plain = render(SPEC, PINS, [config()], TAGS, CURATION)

    assert shape(card) == shape(plain)
    lines = text.replace("\r\n", "\n")
    assert fences(card)[2:4] == [lines if lines.endswith("\n") else lines + "\n"] * 2
    assert front(card) == front(plain) | {"dataset_info": front(card)["dataset_info"]}


PIECES = ["`", "```", "~~~", "\n", "|", "<b>", "</details>", "{{", "}}", "---", "#", "*", "\\", "a"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.lists(st.sampled_from(PIECES), min_size=1).map("".join))
def test_any_text_stays_text(config_once, text):
    """Pieces of markup in any order change nothing but the content of their block."""
    plain, card = config_once
    messages = [{"content": text}, {"content": text}]
    facts = replace(card.facts, sample={**card.facts.sample, "messages": messages})
    page = render(SPEC, PINS, [replace(card, facts=facts)], TAGS, CURATION)

    assert shape(page) == plain
    assert fences(page)[2].rstrip("\n") == text.rstrip("\n")


@pytest.fixture(scope="module")
def config_once(config):
    """A config's card, and the shape of the page that it alone makes."""
    card = config()
    return shape(render(SPEC, PINS, [card], TAGS, CURATION)), card


@pytest.mark.parametrize("text", HOSTILE)
def test_other_texts_stay_text(config, text):
    """A licence, model, prefix, reason, label or meaning that is markup is shown as written."""
    card = config()
    counts = {"language": {text: 3}, "finish_reason": {"stop": 3}}
    facts = replace(card.facts, counts=counts, engines=((text, text, ""),))
    spec = SPEC | {"license": text, "generator": {"model": text, "engine": {"name": "scripted"}}}
    pins = PINS | {"revision": text, "prefix": text}

    steps = funnel(10, [(text, text, 7)])
    own = (Field("mood", "string", "tag", text),)
    changed = replace(card, facts=facts, filter=text, funnel=steps, fields=SFT + own)
    tags = {"quality": TAGS["quality"] | {"model": text, "revision": text, "failed": {text: 1}}}
    page = render(spec, pins, [changed], tags, CURATION)

    usual = replace(card.facts, counts=counts | {"language": {"EN": 3}})
    steps = funnel(10, [("filter", "x", 7)])
    own = (Field("mood", "string", "tag", "How it sounds."),)
    plain = replace(card, facts=usual, filter="finished", funnel=steps, fields=SFT + own)
    once = {"quality": TAGS["quality"] | {"failed": {"not-json": 1}}}
    expected = render(SPEC, PINS, [plain], once, CURATION)
    assert shape(page) == shape(expected)
    assert front(page)["license"] == text
    assert yaml.safe_load(fences(page)[-2])["license"] == text


@pytest.mark.parametrize("text", ["a", "`", "``a`", " a", "<b>", "a\nb", "x | y", "\\", "&amp;"])
def test_inline_and_code_in_a_table_cell(text):
    """Both show the text, its white space folded, in one cell."""
    table = f"| a | b |\n| --- | --- |\n| {inline(text)} | {code(text)} |\n"
    cells = [token for token in MARKDOWN.parse(table) if token.type == "inline"][2:]

    assert ["".join(child.content for child in cell.children) for cell in cells] == [
        " ".join(text.split()),
        re.sub(r"\s+", " ", text),
    ]
    assert [child.type for child in cells[1].children] == ["code_inline"]


def test_front_matter(config):
    """Values that YAML might take for something else come back as they were."""
    spec = SPEC | {"license": "no", "repo": "org/1.0"}
    read = front(
        render(spec, PINS, [config(name="on"), config(name="2024", default=False)], TAGS, CURATION)
    )

    assert (read["license"], read["pretty_name"]) == ("no", "1.0")
    assert read["language"] == ["de", "en"]
    configs = MetadataConfigs.from_dataset_card_data(DatasetCardData(**read))
    assert {name: entry["data_files"] for name, entry in configs.items()} == {
        name: [{"split": "train", "path": f"{name}/train-*"}] for name in ("on", "2024")
    }
    assert configs.get_default_config_name() == "on"
    (on, _) = read["dataset_info"]
    assert Features._from_yaml_list(on["features"]).arrow_schema == arrow_schema(
        {field.name: field.type for field in SFT}
    )
    assert "license" not in front(
        render(SPEC | {"license": None}, PINS, [config()], TAGS, CURATION)
    )


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
    """The largest config decides the Hub's size category, up to the most rows of a spec."""
    card = config()
    large = replace(card, facts=replace(card.facts, rows=rows))
    assert front_matter(SPEC, [card, large])["size_categories"] == [expected]


def test_a_language_of_few_rows_is_not_stated(config):
    """One row in a hundred names a language of the dataset; one in two hundred does not."""
    card = config()
    counts = {"language": {"EN": 196, "DE": 2, "FR": 1, "none": 1}, "finish_reason": {}}
    many = replace(card, facts=replace(card.facts, rows=200, counts=counts))
    assert front_matter(SPEC, [many])["language"] == ["de", "en"]


def test_the_share_of_cut_answers(config):
    """A cut answer is a limit that the card tells; without one it tells none."""
    card = config()
    assert "33.3 % of the responses in `raw` were cut at their token limit" in render(
        SPEC, PINS, [card], TAGS, CURATION
    )
    whole = replace(card.facts, counts=card.facts.counts | {"finish_reason": {"stop": 3}})
    assert "were cut" not in render(SPEC, PINS, [replace(card, facts=whole)], TAGS, CURATION)


def test_the_share_of_failed_labels(config):
    """Each tag that a model makes says how often it failed and why; without one it is not said."""
    page = render(SPEC, PINS, [config()], TAGS, CURATION)
    assert "| `quality` | `org/judge` | `0e9e39f` | 1,000 | 15 | 1.5 % | 40 | 2 |" in page
    assert "Why `quality` failed: `not-json` 12, `wrong-form` 3." in page
    assert "No safety model has screened the rows." in page
    assert "## Tags" not in render(SPEC, PINS, [config()], {}, CURATION)


def test_what_a_guard_said(config):
    """The share of safe rows and each category are told, and no longer that nothing looked."""
    card = config()
    counts = {"safety": {"safe": 2, "unsafe": 1}, "safety_categories": {"none": 2, "S1": 1}}
    facts = replace(card.facts, counts=card.facts.counts | counts)
    guard = TAGS["quality"] | {"model": "org/guard", "categories": {"S1": "violent crimes"}}
    page = render(SPEC, PINS, [replace(card, facts=facts)], {"safety": guard}, CURATION)
    assert "In `raw` `org/guard` calls 66.7 % of the rows safe, and 33.3 % unsafe" in page
    assert "\n- `S1`, violent crimes: 1\n" in page
    assert "`org/guard` has given a verdict on 985 of 1,000 rows" in page
    assert "No safety model" not in page


def test_what_rows_were_compared_with(config):
    """The card says how repeats were found, in what else, and which benchmarks rows overlap."""
    page = render(SPEC, PINS, [config()], TAGS, CURATION)
    assert "signatures of 128 hashes in 16 bands, by `text-dedup`, on shingles of 2 words" in page
    assert "Overlap with benchmarks was not looked for." in page
    assert "Near duplicates were not removed" not in page

    asked = {"benchmarks": ["<private>"], "words": 13, "keep": False}
    off = {"exact": True, "near": False, "against": ["org/other"]}
    spec = SPEC | {"dedup": off, "decontaminate": asked}
    overlap = {"prompts": 80, "rows": 3, "examples": ["how | many"]}
    curation = {"backend": None, "against": ["org/other"], "overlaps": {"mt.jsonl": overlap}}
    page = render(spec, PINS, [replace(config(), notes=("all were taken",))], TAGS, curation)
    assert "- What repeats a row of `org/other` in one of these ways was dropped as well." in page
    assert (
        "- 3 of all answered rows share 13 words in a row, or a whole prompt, with `mt.jsonl` (80"
        " prompts). They were dropped. Shared, for instance: `how \\| many`."
    ) in page
    assert "MinHash" not in page
    assert "Near duplicates were not removed" in page
    assert "`raw`: all were taken." in page


def test_rows_of_others(config):
    """A card of a source names it with its checksum, and no generator, prefix or engine."""
    spec = {"repo": "org/tiny", "license": None, "source": {"dataset": "org/theirs"}}
    spec |= {"tags": {}, "dedup": SPEC["dedup"]}
    page = render(
        spec, {"checksums": {"org/theirs": "0c5e"}, "neighbours": None}, [config()], {}, CURATION
    )
    assert "others made, from the dataset `org/theirs`" in page
    assert "| `org/theirs` | `0c5e` |" in page
    assert "prefix" not in body(page).partition("## Columns")[0]
    assert front(page)["source_datasets"] == ["org/theirs"]
    assert "machine-generated" not in page
    assert "bibtex" not in page
    assert front(render(SPEC, PINS, [config()], {}, CURATION))["source_datasets"] == ["original"]


def test_twice_the_same(config):
    """The same facts give the same bytes."""
    first, second = (render(SPEC, PINS, [config()], TAGS, CURATION) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("funnel.md.jinja", "{{ configs[0].funnel.median }}", "median"),
        ("dataset.md.jinja", "{{ gpu_hours }}", "'gpu_hours' is undefined"),
        ("statistics.md.jinja", "{{ oops", "unexpected end of template"),
        ("provenance.md.jinja", "{% include 'none.jinja' %}", "none.jinja"),
    ],
)
def test_what_was_not_measured_cannot_be_said(config, tmp_path, monkeypatch, file, text, fault):
    """A name that is not there is an error with the template that asks for it, and the line."""
    cards = shutil.copytree(bundled.cards(), tmp_path / "cards")
    page = (cards / file).read_text()
    (cards / file).write_text(page + text)
    monkeypatch.setattr(bundled, "cards", lambda: cards)

    with pytest.raises(CardError) as caught:
        render(SPEC, PINS, [config()], TAGS, CURATION)

    assert caught.value.message.startswith(f"{file}:{len(page.splitlines()) + 1}: ")
    assert fault in caught.value.message

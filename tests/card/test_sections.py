"""What each part of the page says, and when it says nothing."""

from dataclasses import replace

from magpie_hub.card.figures import Figure
from magpie_hub.card.licences import family
from magpie_hub.card.render import render
from tests.card.reading import body
from tests.card.stating import TAGS, spec, stated


def test_the_share_of_cut_answers(config):
    """A cut answer is a limit that the card tells; without one it tells none."""
    card = config()
    said = "33.3 % of the responses in `raw` were cut at their token limit"
    assert said in render(stated(card))
    whole = replace(card.facts, counts=card.facts.counts | {"finish_reason": {"stop": 3}})
    assert "were cut" not in render(stated(replace(card, facts=whole)))


def test_the_share_of_failed_labels(config):
    """Each tag that a model makes says how often it failed and why; without one it is not said."""
    page = render(stated(config()))
    assert "| `quality` | `org/judge` | 1,000 | 15 | 1.5 % | 40 | 2 |" in page
    assert "| tag `quality` | `org/judge` at `0e9e39f` |" in page
    assert "Why `quality` failed: `not-json` 12, `wrong-form` 3." in page
    assert "The tag `quality` is missing in 1.5 % of the rows" in page
    assert "No safety model has screened the rows." in page
    assert "## Tags" not in render(stated(config(), tags={}))


def test_what_a_guard_said(config):
    """The share of safe rows and each category are told, and no longer that nothing looked."""
    card = config()
    counts = {"safety": {"safe": 2, "unsafe": 1}, "safety_categories": {"none": 2, "S1": 1}}
    facts = replace(card.facts, counts=card.facts.counts | counts)
    guard = TAGS["quality"] | {"model": "org/guard", "categories": {"S1": "violent crimes"}}
    page = render(stated(replace(card, facts=facts), tags={"safety": guard}))
    assert "In `raw` `org/guard` calls 66.7 % of the rows safe, and 33.3 % unsafe" in page
    assert "\n- `S1`, violent crimes: 1\n" in page
    assert "`org/guard` has given a verdict on 985 of 1,000 rows" in page
    assert "No safety model" not in page


def test_what_rows_were_compared_with(config):
    """The card says how repeats were found, in what else, and which benchmarks rows overlap."""
    page = render(stated(config()))
    assert "signatures of 128 hashes in 16 bands, by `text-dedup`, on shingles of 2 words" in page
    assert "Overlap with benchmarks was not looked for." in page
    assert "Near duplicates were not removed" not in page

    compared = spec(dedup={"near": False, "against": ["org/other"]}, decontaminate="mt.jsonl")
    overlap = {"prompts": 80, "rows": 3, "examples": ["how | many"]}
    curation = {"backend": None, "against": ["org/other"], "overlaps": {"mt.jsonl": overlap}}
    card = replace(config(), notes=("all were taken",))
    page = render(stated(card, spec=compared, curation=curation))
    assert "- What repeats a row of `org/other` in one of these ways was dropped as well." in page
    assert (
        "- 3 of the answered rows share 13 words in a row, or a whole prompt, with `mt.jsonl`"
        " (prompts: 80). They were dropped. Shared, for instance: `how | many`."
    ) in page
    assert "MinHash" not in page
    assert "Near duplicates were not removed" in page
    assert "looked for in `mt.jsonl` alone" in page
    assert "`raw`: all were taken." in page


def test_configs_that_share_rows(config):
    """The warning not to train on two configs comes with how many rows they share."""
    both = [config(), replace(config(), name="some", default=False, filter="finished", size=9)]
    page = render(stated(*both, overlaps={("raw", "some"): 3}))
    assert "**Do not train on two of these together" in page
    assert "| `raw` | `some` | 3 | 100.0 % |" in page
    assert "Do not train" not in render(stated(*both))
    assert "| `some` | 3 | " in page
    assert "| `finished`; 9 at most | training as it is |" in page


def test_what_it_cost(config):
    """Tokens, hours and dollars stand for each stage and for 1,000 rows; no price, no money."""
    page = render(stated(config()))
    assert "| `instructions` | `scripted` | 5,000 | 0.025 | 0.05 |" in page
    assert "| all | | 5,000 | 0.025 | 0.05 |" in page
    assert "| answered | 4,202 | 0.02101 | 0.04202 |" in page  # 1,190 rows
    assert "| of `raw` | 1,666,667 | 8.333 | 16.67 |" in page  # 3 rows
    free = stated(config()).cost
    unpriced = replace(free, total=replace(free.total, dollars=None))
    assert "dollars" not in render(stated(config(), cost=unpriced)).partition("## Cost")[2][:900]


def test_what_draws_behind_the_end_cost(config):
    """Where draws went on until enough was kept, those behind the last one are said to count."""
    until = {"until": {"config": "raw", "rows": 9}, "at_most": 99}
    said = "Draws behind the last one that the release needed"
    assert said in render(stated(config(), spec=spec(instructions=until)))
    assert said not in render(stated(config()))


def test_texts_in_the_place_of_the_template(config):
    """A system turn or a prefix of the spec's own, and what the template was given, are told."""
    own = {"system_turn": "Speak as a pilot.", "chat_template_kwargs": {"enable_thinking": False}}
    page = render(stated(config(), spec=spec(generator={"model": "org/m", "prefix": "U: "} | own)))
    assert "in the place of the chat template's: `Speak as a pilot.` |" in page
    assert "| prefix | written for this dataset," in page
    assert "| chat template | given `enable_thinking` as `False` |" in page
    assert "written for this dataset" not in render(stated(config()))


def test_the_grid(config):
    """Of several settings of the sampler each has its line; of one there is nothing to compare."""
    card = config()
    (cell,) = card.facts.grid
    other = replace(cell, temperature=1.2, quality=3.25, distance=0.5)
    page = render(stated(replace(card, facts=replace(card.facts, grid=(cell, other)))))
    assert "| 1.2 | 1.0 | 3 | 3.25 |  | 0.5 |" in page
    assert "Means by setting of the sampler" not in render(stated(card))


def test_licences(config):
    """What a generator's licence asks is said with a link to it; of an unknown one, that it is."""
    llama = family("meta-llama/Meta-Llama-3-8B-Instruct", {})
    models = {"meta-llama/Meta-Llama-3-8B-Instruct": llama, "org/own": None}
    page = render(stated(config(), licences=models))
    assert f"]({llama.link})" in page
    assert f"To be said: “{llama.notice}”." in page
    assert "| `org/own` | unknown | unknown |" in page


def test_reported_results(config):
    """What others measured is shown as theirs, with a link; without any there is no such part."""
    result = {"benchmark": "AlpacaEval 2", "model": "org/m", "score": 25.08, "measured_by": "them"}
    said = spec(card={"results": [result | {"link": "https://example.org/a"}]})
    page = render(stated(config(), spec=said))
    assert "| AlpacaEval 2 | org/m | 25.08 | [them](https://example.org/a) |" in page
    assert "Nothing of it was checked here." in page
    assert "## Reported" not in render(stated(config()))


def test_figures(config):
    """A figure stands where it belongs, with what it says for those who do not see it."""
    page = render(stated(config(), figures=(Figure("funnel", b"", "What is left: 3 [rows]."),)))
    assert "\n![What is left: 3 \\[rows\\].](figures/tiny/funnel.png)\n" in page
    assert "lengths.png" not in page


def test_rows_of_others(config):
    """A card of a source names it with its checksum, and no generator, prefix or engine."""
    theirs = spec(generator=None, instructions=None, license=None, source="org/theirs", tags=[])
    taken = {"rows": 1200, "unread": 0, "shortened": 7}
    pins = {"checksums": {"org/theirs": "0c5e"}, "neighbours": None, "taken": taken}
    page = render(stated(config(), spec=theirs, pins=pins, tags={}, licences={}))
    assert "which others made: taken in from the dataset `org/theirs`" in page
    assert "| `org/theirs` | `0c5e` |" in page
    assert "In 7 of the 1,200 rows that were read only a part was taken" in page
    assert "prefix" not in body(page).partition("## Columns")[0]
    assert "machine-generated" not in page
    assert "bibtex" not in page

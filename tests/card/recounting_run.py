"""The parts of a card that tell of the run, found a second time by pandas in its shards.

How rows were drawn, what was dropped, what models labelled, and what it cost.
"""

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from magpie_hub.templates.system_prompts import FOLLOW_UP
from tests.card.saying import text
from tests.card.tables import Made, Rows, by_config, characters, part, share

RULES: dict[str, dict[str, Callable[[Rows], "pd.Series[bool]"]]] = {
    "finished": {
        'finish_reason == "stop"': lambda rows: rows["finish_reason"] == "stop",
        "instruction_length >= 16": lambda rows: characters(rows, 0) >= 16,
        "response_length >= 32": lambda rows: characters(rows, 1) >= 32,
    },
    "no-personal-data": {
        "personal_data has at most 0": lambda rows: rows["personal_data"].map(len) == 0
    },
}


def provenance(made: Made) -> Iterator[str]:
    """Yield how rows were drawn and answered, and what models labelled them."""
    drawn, spec = made.drawn, made.spec["instructions"]
    yield f"`{made.spec['generator']['model']}`"
    [revision] = part(drawn, "gen_input_configs", "revision").unique()
    yield f"`{revision}`"
    written = [*_written(made.shown)]
    wrote = {(how["engine"], how["engine_version"]) for _, how in written}
    yield from (f"`{engine}` `{version}`" for engine, version in sorted(wrote))
    [most] = part(drawn, "gen_input_configs", "max_tokens").unique()
    yield f"{len(drawn):,}, at most {most:,}"
    for cell in spec["sampling"]:
        weight = cell["weight"] if len(spec["sampling"]) > 1 else ""
        yield f"{cell['temperature']} {cell['top_p']} {weight}"
    if spec["bad_first_tokens"]:
        yield " ".join(
            f"`{token}`" for token in made.shown["gen_input_configs"][0]["bad_first_tokens"]
        )
    if spec["first_token_temperature"]:
        yield str(spec["first_token_temperature"])
    for (_, *sampler), configs in sorted(_sampled(made).items()):
        among = [f"`{name}`" for name in configs if len(configs) < len(made.configs)]
        yield " ".join([*among, *sampler])
    prompted = part(made.shown, "gen_input_configs", "system_prompt").fillna("").value_counts()
    for name, rows in sorted(prompted.items()) if any(prompted.index) else []:
        yield f"{f'`{name}`' if name else ''} {rows:,} `{made.default}`"
    rules = made.shown["sanitised"].explode().dropna().value_counts()
    for rule, rows in sorted(rules.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"`{rule}` {rows:,} `raw_instruction`"
    yield f"{made.state['engines']['instructions']['context_length']:,}"
    yield str(made.spec["seed"])
    for name in made.tags:
        tag = made.state["tags"][name]
        yield f"`{name}` `{tag['model']}` `{tag['revision']}`"
    names = part(drawn, "gen_input_configs", "system_prompt").fillna("")
    for _, rows in part(drawn, "gen_input_configs", "prefix").groupby(names):
        [prefix] = rows.unique()
        yield text(prefix)
    # No other system prompt before later user turns is known here.
    if any(config["turns"] for config in made.spec["configs"].values()):
        yield text(FOLLOW_UP)


def _sampled(made: Made) -> dict[tuple[str, ...], list[str]]:
    """Return the samplers of what was written behind an instruction, with the configs of each."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, rows in made.configs.items():
        for what, how in _written(rows):
            sampler = (what, f"{how['temperature']}", f"{how['top_p']}", f"{how['max_tokens']:,}")
            found.setdefault(sampler, []).append(name)
    return {sampler: [*dict.fromkeys(names)] for sampler, names in found.items()}


def _written(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield how each thing was drawn that was written behind an instruction."""
    for name in ("gen_response_configs", "gen_chosen_configs", "gen_rejected_configs"):
        yield from (("responses", how) for how in rows.get(name, ()))
    for turns in rows.get("gen_turn_configs", ()):
        for how in turns:
            yield "later user turns" if how["role"] == "user" else "responses", how


def funnels(made: Made) -> Iterator[str]:
    """Yield the alt text of the funnel's figure, and the funnels."""
    drops, _ = steps(made, made.default)
    if any(rows for _, rows in drops):
        most, rows = max(drops, key=lambda drop: drop[1])
        all_, left = f"{len(made.drawn):,}", f"{len(made.shown):,}"
        yield f"{made.default} {all_} {left} {most} ({rows:,} rows)"
    yield from by_config(made, _funnel)


def _funnel(made: Made, name: str) -> Iterator[str]:
    left = len(made.drawn)
    yield f"{left:,}"
    for reason, rows in steps(made, name)[0]:
        left -= rows
        yield f"`{reason}` {rows:,} {left:,}"
    assert left == len(made.configs[name])


def steps(made: Made, name: str) -> tuple[list[tuple[str, int]], int]:
    """Return the drops on the way to a config by their reasons, and how many rows pass them."""
    drawn, answers, given = made.drawn, made.answers, made.spec["configs"][name]
    reasons = answers["reason"].str.cat(answers["release"], " of ").fillna(answers["reason"])
    dropped = [drawn["rejection"], answers["rejection"], reasons]
    whole = answers["rejection"].isna() & reasons.isna()
    if not (made.spec.get("decontaminate") or {}).get("keep"):
        dropped.append(answers["benchmark"][whole])
        whole &= answers["benchmark"].isna()
    counted = [column.dropna().value_counts().items() for column in dropped]
    drops = [drop for each in counted for drop in sorted(each, key=lambda d: (-d[1], d[0]))]
    rows = made.configs["raw"]
    assert {*rows["uuid"]} == {*answers["uuid"][whole]}
    for rule, keeps in RULES.get(given["filter"], {}).items():
        drops.append((rule, len(rows) - sum(keeps(rows))))
        rows = rows[keeps(rows)]
    if given["where"]:
        drops.append((given["where"], len(rows) - len(rows.query(given["where"]))))
        rows = rows.query(given["where"])
    passing, published = len(rows), {*made.configs[name]["uuid"]}
    assert published <= {*rows["uuid"]}
    if given["size"]:
        drops.append((f"{most(given):,} at random", max(0, passing - most(given))))
    if given["samples"]:
        drops += unpaired(made, name)
    kept = [drop for drop in drops if drop[1] or drop[0] in RULES.get(given["filter"], {})]
    return kept, passing


def unpaired(made: Made, name: str) -> list[tuple[str, int]]:
    """Return why rows whose responses were sampled became no preferences, and how many."""
    stage = made.state["extensions"][name]
    [tag] = made.state["views"][stage]["tags"].values()
    samples = made.shards(stage).merge(made.answers[["index", "uuid"]], on="index")
    samples["uuid"] += " " + samples["number"].astype(str)
    scored = samples.merge(made.shards(f"beside/{stage}/{tag['stage']}"), on="uuid")
    scored = scored.sort_values(["response_quality", "number"])
    able = scored[scored["response_quality"].notna() & (scored["finish_reason"] != "length")]
    drops = {"fewer than two scored samples": 0, "tie": 0}
    for index in samples["index"].unique():
        best = able[able["index"] == index]
        if len(best) < 2:
            drops["fewer than two scored samples"] += 1
        elif best["response_quality"].nunique() == 1:
            drops["tie"] += 1
    return sorted(drops.items(), key=lambda drop: (-drop[1], drop[0]))


def most(given: dict[str, Any]) -> int:
    """Return the most rows that a config takes."""
    return int(given["size"]["at_most"] if isinstance(given["size"], dict) else given["size"])


def curation(made: Made) -> Iterator[str]:
    """Yield how rows were compared with one another and with benchmarks."""
    if near := made.spec["dedup"]["near"]:
        by = near["backend"] or ("text-dedup" if find_spec("text_dedup") else "rensa")
        numbers = (near["words"], near["characters"], near["threshold"])
        yield f"{near['hashes']} {near['bands']} `{by}` {' '.join(map(str, numbers))}"
    asked = made.spec.get("decontaminate") or {"benchmarks": []}
    for benchmark in asked["benchmarks"]:
        [place] = map(Path, benchmark["files"])
        prompts = [json.loads(line)["instruction"] for line in place.read_text().splitlines()]
        found = made.answers[made.answers["benchmark"] == place.name]
        shared = " ".join(f"`{words}`" for words in found["shared"].str[:200].head(3))
        marked = "`benchmark_overlap`" if asked["keep"] else ""
        yield (f"{len(found):,} {asked['words']} `{place.name}` {len(prompts):,} {marked} {shared}")


def tags(made: Made) -> Iterator[str]:
    """Yield how often each tag failed, and what a guard said."""
    for name, rows in made.tags.items():
        model, failed = made.state["tags"][name]["model"], rows["failure"].count()
        counts = [sum(rows["attempts"] > 1), sum(rows["cut"] > 0)]
        yield (
            f"`{name}` `{model}` {len(rows):,} {failed:,} {share(failed, len(rows))}"
            f" {counts[0]:,} {counts[1]:,}"
        )
    if "safety" in made.tags and made.shown.get("safety", pd.Series()).notna().any():
        verdicts, rows = made.shown["safety"].fillna("none"), len(made.shown)
        shares = [share(sum(verdicts == v), rows) for v in ("safe", "unsafe", "none")]
        yield f"`{made.default}` `{made.state['tags']['safety']['model']}` {' '.join(shares)}"
        codes = made.shown["safety_categories"].explode().dropna().value_counts()
        for code, rows in sorted(codes.items(), key=lambda pair: (-pair[1], pair[0])):
            yield f"`{code}`: {rows:,}"
    for name, rows in made.tags.items():
        reasons = sorted(rows["failure"].value_counts().items())
        yield f"`{name}`: {' '.join(f'`{reason}` {n:,}' for reason, n in reasons)}"


def cost(made: Made) -> Iterator[str]:
    """Yield the lines of what the models took, by stage, in all, and for a thousand rows."""
    tokens, hours, dollars = 0, 0.0, 0.0
    paid = all(price for _, _, price in _stages(made).values())
    for name, (model, rows, price) in _stages(made).items():
        wrote, took = int(rows["completion_tokens"].sum()), rows["seconds"].sum() / 3600
        tokens, hours, dollars = tokens + wrote, hours + took, dollars + took * (price or 0)
        yield f"`{name}` `{model}` {wrote:,} {_few(took)} {_few(took * price) if paid else ''}"
    yield f"{tokens:,} {_few(hours)} {_few(dollars) if paid else ''}"
    counts = {name: len(rows) for name, rows in made.configs.items()}
    for name, rows in {"": made.answers["rejection"].isna().sum(), **counts}.items():
        each = [f"{round(1000 * tokens / rows):,}", _few(1000 * hours / rows)]
        each += [_few(1000 * dollars / rows)] if paid else []
        yield f"{f'`{name}`' if name else ''} {' '.join(each)}"


def _few(number: float) -> str:
    if number >= 1000:
        return f"{number:,.0f}"
    return "under 0.0001" if 0 < number < 0.0001 else f"{number:.4g}"


def _stages(made: Made) -> dict[str, tuple[str, Rows, float | None]]:
    """Return by stage the model, its completions, and the price of an hour."""
    spec = made.spec
    generator = spec["generator"]
    found = {
        "instructions": (generator["model"], made.drawn, generator["price_per_hour"]),
        "responses": (
            generator["model"],
            made.shards("responses/default"),
            generator["price_per_hour"],
        ),
    }
    for name, rows in made.tags.items():
        tag = spec["tags"][name]
        maker = tag if "price_per_hour" in tag else tag["judge"] or spec["judge"] or generator
        found[name] = (made.state["tags"][name]["model"], rows, maker["price_per_hour"])
    stages = {config: made.state["extensions"].get(config) for config in made.configs}
    for stage in dict.fromkeys(filter(None, stages.values())):
        configs = ", ".join(config for config, its in stages.items() if its == stage)
        name = f"{stage.partition('/')[2].partition('-')[0]} of {configs}"
        found[name] = (generator["model"], made.shards(stage), generator["price_per_hour"])
        for tag, of in made.state["views"].get(stage, {"tags": {}})["tags"].items():
            rows = made.shards(f"beside/{stage}/{of['stage']}")
            found[f"{tag} of {name}"] = (of["model"], rows, found[tag][2])
    return found

"""A card's numbers found a second time: by pandas, in Parquet, shards and `run.json` alone.

`recounted` says what the lines of a card with digits must be, as `saying` writes them down, and
`unexplained` where the card differs. Knows none of the code that measures or renders; of the
project no more than what columns mean, in words. What it does not know would be unexplained: other
filters than those in `RULES`, a size that takes the highest, rows that were not drawn.
"""

import difflib
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from magpie_hub import __version__
from magpie_hub.columns import KINDS
from tests.card import recounting_run as run
from tests.card.recounting_columns import alts, statistics
from tests.card.saying import FRONT, SPEC, leaves, said, text, told
from tests.card.tables import Made, by_config, share

Lines = Iterator[str]
"""Of one section; what is neither a number nor in back-ticks does not count."""
SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M"}
CUT = 2000
"""The characters of a message that a card shows."""


def unexplained(card: str, made: Made) -> list[str]:
    """Return what a card says that was not found (`+`), and what it should say there (`-`)."""
    return different(recounted(made), said(card, made.names))


def different(expected: Iterable[str], found: Iterable[str]) -> list[str]:
    """Return the lines that two lists do not share."""
    lines = difflib.unified_diff([*expected], [*found], n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def recounted(made: Made) -> list[str]:
    """Return what a card must say, as `saying.said` returns it."""
    sections = {
        FRONT: leaves(_front(made)),
        "": [f"{len(made.shown):,} `{made.default}` `{made.spec['generator']['model']}`"],
        "## Load it": [f"`test` `train` {made.rows(made.default).get('test', '')}"],
        "## One row": _conversation(_samples(made)[0]) if _samples(made) else [],
        "## Configs": _configs(made),
        "## Train on it": _example(made),
        "## How it was made": run.provenance(made),
        "## Licence": _licence(made),
        "## What was dropped, and why": run.funnels(made),
        "## Duplicates and benchmarks": run.curation(made),
        "## Tags": run.tags(made),
        "## Statistics": [*alts(made), *by_config(made, statistics)],
        "## Columns": _columns(made),
        "## Sample rows": _five(made),
        "## Limits": _limits(made),
        "## Cost": run.cost(made),
        "## Reported results": (str(r["score"]) for r in made.spec["card"]["results"]),
        SPEC: _spec(made),
        "## Versions": _versions(made),
    }
    lines = [(heading, line) for heading, lines in sections.items() for line in lines]
    return told(lines, made.names)


def _names(made: Made) -> dict[str, str]:
    """Return the configs by the names that open them, aliases included."""
    given = made.spec["configs"]
    both = [(name, given[name]["alias"]) for name in made.configs]
    return {shown: names[0] for names in both for shown in names if shown}


def _front(made: Made) -> dict[str, Any]:
    most = max(map(len, made.configs.values()))
    shares = [rows["language"].value_counts() / len(rows) for rows in made.configs.values()]
    versions = made.manifest["configs"] if made.manifest else {}
    return {
        "license": made.spec["license"],
        "language": sorted(
            {k.lower() for found in shares for k in found.index[found >= 0.01] if len(k) == 2}
        ),
        "pretty_name": made.title,
        "size_categories": [next(name for size, name in SIZES.items() if most < size)],
        "configs": [
            {
                "config_name": shown,
                "data_files": [
                    {"split": split, "path": f"{name}/{split}-*"} for split in made.splits(name)
                ],
                **({"default": True} if shown == made.default else {}),
                **({"version": versions[name]["version"]} if versions else {}),
            }
            for shown, name in _names(made).items()
        ],
        "dataset_info": [_info(made, *names) for names in _names(made).items()],
    }


def _info(made: Made, shown: str, name: str) -> dict[str, Any]:
    splits = []
    for split, paths in made.splits(name).items():
        files = [pq.ParquetFile(path) for path in paths]
        groups = [file.read_row_group(n) for file in files for n in range(file.num_row_groups)]
        bytes_, rows = sum(group.nbytes for group in groups), sum(map(len, groups))
        splits.append({"name": split, "num_bytes": bytes_, "num_examples": rows})
    return {
        "config_name": shown,
        "features": [{"name": k, **_feature(t)} for k, t in made.types(name).items()],
        "splits": splits,
        "download_size": made.bytes(name),
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _feature(type_: pa.DataType) -> dict[str, Any]:
    if pa.types.is_struct(type_):
        return {"struct": [{"name": field.name, **_feature(field.type)} for field in type_]}
    if pa.types.is_list(type_):
        return {"list": next(iter(_feature(type_.value_type).values()))}
    return {"dtype": _type(type_)}


def _type(type_: pa.DataType) -> str:
    if pa.types.is_struct(type_):
        return f"struct<{', '.join(field.name for field in type_)}>"
    if pa.types.is_list(type_):
        return f"list<{_type(type_.value_type)}>"
    return str(type_).replace("double", "float64")


def _samples(made: Made) -> list[dict[str, Any]]:
    """Return the rows with the smallest uuids of those that may be shown."""
    rows = made.shown
    if "personal_data" in rows:
        rows = rows[rows["personal_data"].map(lambda kinds: kinds is None or not len(kinds))]
    if made.spec["card"]["samples"] == "screened":
        rows = rows[rows["safety"] == "safe"]
        if "turns" in rows:
            rows = rows.assign(messages=rows["messages"].str[:2])
    return rows.sort_values("uuid").head(5).to_dict("records")


def _conversation(row: dict[str, Any]) -> Lines:
    said = [(message["content"], "") for message in row.get("messages", row.get("prompt"))]
    if "chosen" in row:
        pair = (("chosen", row["chosen_reward"]), ("rejected", row["rejected_reward"]))
        said += [(row[part][0]["content"], f"{reward:.4g}") for part, reward in pair]
    for content, reward in said:
        yield f"{reward} {CUT:,} {len(content):,}" if len(content) > CUT else reward
        yield text(content[:CUT])


def _five(made: Made) -> Lines:
    for row in _samples(made):
        yield f"<details><summary>{row['uuid']}</summary>"
        yield from _conversation(row)


def _configs(made: Made) -> Lines:
    for name, rows in made.configs.items():
        given, size = made.spec["configs"][name], made.bytes(name)
        unit, by = next(u for u in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)) if size < 1e3 * u[1])
        asked = [f"`{given[key]}`" for key in ("alias", "from", "filter", "where") if given[key]]
        alias = asked.pop(0) if given["alias"] else ""
        most = f"{run.most(given):,}" if given["size"] else ""
        tests = made.rows(name).get("test", 0)
        apart = f"{tests:,} `test`" if tests else ""
        more = given["turns"]["number"] if given["turns"] else ""
        if given["samples"]:
            more = f"{given['samples']['number']} `{given['samples']['scored_by']}`"
        yield (
            f"`{name}` {alias} {len(rows):,} {apart} {size / by:,.1f} {unit} {' '.join(asked)}"
            f" {most} {more}"
        )
    for name in made.configs:
        given, passing = made.spec["configs"][name], run.steps(made, name)[1]
        if given["size"] and passing <= run.most(given):
            yield f"`{name}`: size asks for {run.most(given):,} rows and {passing:,} pass"
    uuids = {name: {*rows["uuid"]} for name, rows in made.configs.items()}
    shared = [(len(uuids[a] & uuids[b]), a, b) for a, b in combinations(uuids, 2)]
    shared = sorted(filter(lambda pair: pair[0], shared), key=lambda pair: -pair[0])
    for rows, a, b in shared[:20]:
        yield f"`{a}` `{b}` {rows:,} {share(rows, min(len(uuids[a]), len(uuids[b])))}"
    yield f"{len(shared) - 20:,}" if len(shared) > 20 else ""


def _example(made: Made) -> Lines:
    for column in ("task_category", "difficulty", "language"):
        if made.shown[column].notna().any():
            both = "`test`" if "test" in made.rows(made.default) else ""
            yield f"{made.shown[column].value_counts().max():,} of {len(made.shown):,} {both}"
            return


def _licence(made: Made) -> Lines:
    """Yield the licence, and once each the models whose words are published."""
    yield f"`{made.spec['license']}`"
    judges = [made.state["tags"][name]["model"] for name in made.tags if name != "safety"]
    for model in dict.fromkeys([made.spec["generator"]["model"], *judges]):
        yield f"`{model}`"


def _columns(made: Made) -> Lines:
    """Yield the columns of the default config, then of each that has others."""
    seen: list[dict[str, pa.DataType]] = []
    for config in [made.default, *made.configs]:
        types = made.types(config)
        if types in seen:
            continue
        seen.append(types)
        asked = made.spec["configs"][config]
        kind = "preference" if asked["samples"] else "multi-turn" if asked["turns"] else "sft"
        known = {field.name: field for field in KINDS[kind]}
        for name, type_ in types.items():
            field = known.get(name)
            said = f"{field.meaning} `{field.upstream}`" if field else ""
            yield f"`{name}` `{_type(type_)}` {said}"


def _limits(made: Made) -> Lines:
    rows, name = made.shown, made.default
    if rows["language"].notna().any():
        spoken = rows["language"].value_counts()
        most = min(spoken.index[spoken == spoken.max()])
        several = f"others are {len(spoken) - 1}" if len(spoken) > 1 else ""
        yield f"{share(spoken.max(), len(rows))} `{name}` `{most}` {several}"
    if "safety" in made.tags:
        asked = made.tags["safety"]
        model = made.state["tags"]["safety"]["model"]
        yield f"`{model}` {asked['failure'].isna().sum():,} of {len(asked):,}"
    for tag, asked in made.tags.items():
        if failed := asked["failure"].count():
            yield f"`{tag}` {share(failed, len(asked))} `{made.state['tags'][tag]['model']}`"
    if cut := sum(rows.get("finish_reason", pd.Series()) == "length"):
        yield f"{share(cut, len(rows))} `{name}` `finish_reason` `length`"


def _spec(made: Made) -> Lines:
    """Yield the spec, but for the places on this machine that it names."""
    yield f"{__version__} `magpie-hub release spec.yaml`"
    for leaf in leaves(made.spec):
        key, _, value = leaf.partition(": ")
        yield f"{key}: <private>" if value.startswith("/") else leaf


def _versions(made: Made) -> Lines:
    """Yield the changelog; what was published before is not here to be counted."""
    log = made.manifest["changelog"] if made.manifest else []
    for entry in log:
        yield f"### {entry['version']}"
        yield from entry["changes"] if len(log) > 1 else _first(made, entry["version"])


def _first(made: Made, version: str) -> Lines:
    for name, rows in made.configs.items():
        yield f"`{name}` {version}: new, {len(rows):,} rows"

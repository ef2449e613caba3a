"""Configs of conversations of several turns and of preferences, by hand, and their cards."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from magpie_hub.card.measure import measure
from magpie_hub.card.render import ConfigCard
from magpie_hub.columns import KINDS
from magpie_hub.curate.funnel import funnel
from magpie_hub.records import arrow_schema
from magpie_hub.shards.parquet import write_release

DRAWN = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 64, "seed": 7, "revision": "5fcb290"}
DRAWN |= {"engine": "scripted", "engine_version": "1"}
SAID = ["Why is the sky blue?", "Air scatters blue light.", "And at night?", "There is no light."]
Row = dict[str, Any]


def drawn(uuid: str, system_prompt: str | None = None, **columns: Any) -> Row:
    """Return what rows of every kind say of their instruction."""
    about: Row = {"prefix": "<user>", "system_prompt": system_prompt, "bad_first_tokens": []}
    given = {**about, **DRAWN, "temperature": 1.0}
    return {"uuid": uuid, "model": "org/m", "gen_input_configs": given} | columns


def talk(turns: int, uuid: str = "0", **columns: Any) -> Row:
    """Return a conversation of one or two exchanges; the second user turn is drawn hotter."""
    roles = ("user", "assistant", "user", "assistant")
    later = [
        {"turn": 2, "role": role, "finish_reason": "stop", **DRAWN, "temperature": temperature}
        for role, temperature in (("user", 1.2), ("assistant", 0.0))
    ]
    said = [{"role": role, "content": text} for role, text in zip(roles, SAID, strict=True)]
    return drawn(
        uuid,
        messages=said[: 2 * turns],
        turns=turns,
        turns_end=None if turns == 2 else "length",
        gen_response_configs=DRAWN,
        gen_turn_configs=later if turns == 2 else [],
        **columns,
    )


def preference(uuid: str, chosen: float, rejected: float, **columns: Any) -> Row:
    """Return a preference by its rewards; its texts are of 4, 3 and 2 characters."""
    return drawn(
        uuid,
        prompt=[{"role": "user", "content": "Why?"}],
        chosen=[{"role": "assistant", "content": "So."}],
        rejected=[{"role": "assistant", "content": "No"}],
        chosen_reward=chosen,
        rejected_reward=rejected,
        margin=chosen - rejected,
        samples=columns.pop("samples", 5),
        scorer="org/reward",
        gen_chosen_configs=DRAWN,
        gen_rejected_configs=DRAWN,
        **columns,
    )


def written(folder: Path, kind: str, **splits: list[Row]) -> Path:
    """Write rows as the files of a config, by split, and return its folder."""
    schema = arrow_schema({field.name: field.type for field in KINDS[kind]})
    for split, rows in splits.items():
        write_release(folder, split, [pa.Table.from_pylist(rows, schema)], schema)
    return folder


def card(folder: Path, name: str, kind: str, *, default: bool = False, **splits: Any) -> ConfigCard:
    """Return what a card says of a config of these rows, of which any may be shown."""
    place = written(folder / name, kind, **splits)
    facts = measure(place, unscreened=True)
    steps = funnel(facts.rows + 3, [("samples", "tie", 3)])
    return ConfigCard(name, KINDS[kind], default, None, steps, facts)

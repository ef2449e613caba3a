"""What a release cost: tokens, engine-hours and money, in all and per thousand rows.

Only tokens that models wrote are counted; those of prompts, which engines read in passing, are
not, but the seconds that they took are. An engine-hour is an hour of one engine working at a
request; engine seconds come from the shards, so the same run costs the same again. Knows no file,
and nothing of how many GPUs an engine has: its price says that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What one stage of a run took.

    tokens: that its model wrote, over all attempts. seconds: of the engine. price_per_hour: US
    dollars an engine-hour, None where the spec does not say.
    """

    model: str
    requests: float
    tokens: float
    seconds: float
    price_per_hour: float | None


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens that models wrote, hours of engines, and US dollars, None where a price is missing."""

    tokens: float
    engine_hours: float
    dollars: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a release.

    spent, stages: by stage, what it took and what that cost. total: of all stages.
    per_1000_answered: the total for each thousand answered rows of the run. per_1000_kept: by
    config, the total for each thousand of its rows; no config bears a part of what another needed.
    """

    spent: dict[str, Spent]
    stages: dict[str, Amount]
    total: Amount
    per_1000_answered: Amount
    per_1000_kept: dict[str, Amount]


def cost(stages: Mapping[str, Spent], answered: int, configs: Mapping[str, int]) -> Cost:
    """Return the cost of a release.

    answered: rows of the run with a response, before anything was filtered. configs: their rows.
    Both are at least 1, as every release has rows. A stage that took no time is free.
    """
    amounts, sums = {name: _amount(spent) for name, spent in stages.items()}, total(stages.values())
    return Cost(
        spent=dict(stages),
        stages=amounts,
        total=sums,
        per_1000_answered=_per_1000(sums, answered),
        per_1000_kept={name: _per_1000(sums, rows) for name, rows in configs.items()},
    )


def total(stages: Iterable[Spent]) -> Amount:
    """Return what stages cost together; in money only where all that took time have a price."""
    amounts = [_amount(spent) for spent in stages]
    prices = [amount.dollars for amount in amounts if amount.dollars is not None]
    return Amount(
        sum(amount.tokens for amount in amounts),
        sum(amount.engine_hours for amount in amounts),
        sum(prices) if len(prices) == len(amounts) else None,
    )


def _amount(spent: Spent) -> Amount:
    hours = spent.seconds / 3600
    price = 0.0 if not spent.seconds else spent.price_per_hour
    return Amount(spent.tokens, hours, None if price is None else hours * price)


def _per_1000(total: Amount, rows: int) -> Amount:
    dollars = None if total.dollars is None else 1000 * total.dollars / rows
    return Amount(1000 * total.tokens / rows, 1000 * total.engine_hours / rows, dollars)

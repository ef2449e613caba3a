"""What a release cost, on figures that one can check by eye."""

from magpie_hub.card.cost import Amount, Cost, Spent, cost

DRAWN = Spent("org/m", 3000, 90_000, 1800.0, 2.0)
JUDGED = Spent("org/j", 2000, 10_000, 3600.0, 0.5)


def test_two_stages():
    """Half an hour at 2 dollars and an hour at 0.5 are 1.5 dollars, shared out by rows."""
    found = cost({"responses": DRAWN, "quality": JUDGED}, 2000, {"raw": 1000, "small": 500})

    assert found == Cost(
        spent={"responses": DRAWN, "quality": JUDGED},
        stages={"responses": Amount(90_000, 0.5, 1.0), "quality": Amount(10_000, 1.0, 0.5)},
        total=Amount(100_000, 1.5, 1.5),
        per_1000_answered=Amount(50_000, 0.75, 0.75),
        per_1000_kept={"raw": Amount(100_000, 1.5, 1.5), "small": Amount(200_000, 3.0, 3.0)},
    )


def test_a_price_that_is_missing():
    """One stage without a price leaves the release without one; the stages that have it keep it."""
    unknown = Spent("org/g", 10, 10, 3600.0, None)
    found = cost({"responses": DRAWN, "safety": unknown}, 1000, {"raw": 1000})

    assert found.stages["safety"] == Amount(10, 1.0, None)
    assert found.stages["responses"].dollars == 1.0
    assert found.total == Amount(90_010, 1.5, None)
    assert found.per_1000_answered == found.per_1000_kept["raw"] == Amount(90_010, 1.5, None)


def test_a_stage_that_took_no_time_needs_no_price():
    """A stage of no seconds is free, so that it hides no sum; no stage at all costs nothing."""
    idle = Spent("org/g", 0, 0, 0.0, None)
    assert cost({"responses": DRAWN, "safety": idle}, 1000, {"raw": 1000}).total.dollars == 1.0
    assert cost({}, 1000, {"raw": 1000}).per_1000_kept["raw"] == Amount(0, 0, 0)

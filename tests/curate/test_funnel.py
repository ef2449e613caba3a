"""A funnel adds up, whatever drops it is told."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from magpie_hub.curate.funnel import Funnel, Step, by_reason, funnel

DROPS = [
    ("instruction", "empty", 4),
    ("response", "template-leak", 0),
    ("filter", "n >= 16", 0),
    ("filter", "n <= 99", 1200),
]


def test_a_funnel() -> None:
    """A drop of no row is left out, unless it is a filter's rule, which stood and is shown."""
    found = funnel(2000, DROPS)

    assert found == Funnel(
        2000,
        (
            Step("instruction", "empty", 4, 1996),
            Step("filter", "n >= 16", 0, 1996),
            Step("filter", "n <= 99", 1200, 796),
        ),
    )
    assert found.kept == 796
    assert "2,000" in str(found)
    assert str(found).endswith("left 796")
    assert found.lines() == [
        "drawn                            2,000",
        "instruction: empty        -4     1,996",
        "filter: n >= 16            0     1,996",
        "filter: n <= 99       -1,200       796",
    ]


def test_a_funnel_without_steps() -> None:
    """Where nothing is dropped, all draws are kept."""
    assert funnel(7, []).kept == 7
    assert funnel(7, []).lines() == ["drawn                   7"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["instruction", "response", "filter"]), st.text(), st.integers(0, 10**9)
        )
    ),
    st.integers(0, 10**9),
)
def test_steps_add_up(drops: list[tuple[str, str, int]], kept: int) -> None:
    """Each step has what the one before left less what it dropped; all drops and the rest add."""
    drawn = kept + sum(dropped for _, _, dropped in drops)

    found = funnel(drawn, drops)

    assert found.kept == kept
    assert found.drawn - sum(step.dropped for step in found.steps) == found.kept
    lefts = [found.drawn, *(step.left for step in found.steps)]
    assert [a - b for a, b in pairwise(lefts)] == [step.dropped for step in found.steps]


def test_by_reason() -> None:
    """The most frequent reason goes first, equals by name."""
    assert by_reason("response", {"b": 1, "c": 2, "a": 1}) == [
        ("response", "c", 2),
        ("response", "a", 1),
        ("response", "b", 1),
    ]
    assert by_reason("response", {}) == []

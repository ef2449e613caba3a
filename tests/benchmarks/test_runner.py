"""The benchmarks' runner: what it runs, when a goal is met, and what keeps a result from being."""

from functools import partial
from importlib import import_module
from importlib.util import find_spec

import pytest

from magpie_hub.engines.base import Request, Sampling
from tests.benchmarks import Pair
from tests.benchmarks.__main__ import BENCHMARKS, chosen, main, result
from tests.benchmarks.ours import Work, ours, questions
from tests.benchmarks.sides import Round, alternate
from tests.benchmarks.tagging import Judging, tagged

REQUEST = Request(0, (1, 2), Sampling(0.0, 1.0, 8), 0, (3,))


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_every_goal_has_its_benchmark(name):
    """The function that a goal names is there, and importing its module needs no engine."""
    assert callable(getattr(import_module(f"tests.benchmarks.{BENCHMARKS[name]['in']}"), name))


def test_a_goal_is_met_from_its_figure_on():
    """Medians of 97 and 100 are 0.97 of the other side, which is enough; of 96 it is not."""
    versions = {"magpie-hub": "0.1.0"}
    at_goal = Pair("tokens/s", [1.0, 97.0, 99.0], [100.0, 100.0, 500.0], versions)
    below = Pair("tokens/s", [96.0], [100.0], versions)
    met, missed = (result("llama_cpp_responses", pair) for pair in (at_goal, below))
    assert (met["ratio"], met["met"], met["spread"]) == (0.97, True, [1.0, 99.0])
    assert (missed["ratio"], missed["met"]) == (0.96, False)
    assert met["goal"] == {"of": "ratio", "at_least": 0.97}


def test_names_are_patterns(capsys):
    """A pattern chooses all that it fits; one that fits none is an error and nothing runs."""
    assert chosen(["vllm_tiny_*", "startup"]) == [
        "startup",
        "vllm_tiny_instructions",
        "vllm_tiny_responses",
    ]
    assert main(["startup", "speed"]) == 2
    assert "no benchmark `speed`" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_what_cannot_be_run_is_said(capsys):
    """Without vLLM its benchmarks are refused with the command that runs them."""
    assert main(["vllm_reference"]) == 2
    assert "DIR/bin/python -m tests.benchmarks vllm_reference" in capsys.readouterr().err


def one_by_one(seconds, completions=1):
    """Yield rounds of eight tokens, the first of which takes twice as long."""
    yield Round([REQUEST], completions, 8, 2 * seconds)
    while True:
        yield Round([REQUEST], completions, 8, seconds)


def beside(requests, **of):
    """Yield rounds of the other side, which is given our requests."""
    assert requests == [REQUEST]
    return one_by_one(**of)


def test_sides_work_in_processes_of_their_own(monkeypatch):
    """Tokens/s come back for every round of both sides but the one that warms up."""
    monkeypatch.setattr("tests.benchmarks.sides.REST", 0.0)
    rates = alternate(partial(one_by_one, 2.0), partial(beside, seconds=4.0), rounds=2)
    assert rates == ([4.0, 4.0], [2.0, 2.0])


def test_a_round_may_count_for_something_else(monkeypatch):
    """What is counted instead of tokens is divided by the seconds."""
    monkeypatch.setattr("tests.benchmarks.sides.REST", 0.0)
    sides = partial(one_by_one, 2.0), partial(beside, seconds=4.0)
    assert alternate(*sides, rounds=1, amount=lambda _: 4) == ([2.0], [1.0])


def test_a_side_that_failed_a_request_makes_no_result(monkeypatch):
    """A side that is fast because it did less is an error."""
    monkeypatch.setattr("tests.benchmarks.sides.REST", 0.0)
    with pytest.raises(RuntimeError, match="0 of 1 requests were completed"):
        alternate(partial(one_by_one, 1.0), partial(beside, seconds=1.0, completions=0), rounds=1)


@pytest.mark.parametrize("instructions", [True, False])
def test_our_side_is_a_run(instructions):
    """Rows of one kind alone are asked for, and each round asks for the same ones."""
    work = Work("scripted", {"name": "scripted"}, 12, instructions, 64, (7,))
    rounds = ours(work)
    first, second = next(rounds), next(rounds)
    rounds.close()
    assert first.completions == second.completions == 12
    assert first.tokens > 0 < first.seconds
    assert first.requests == second.requests
    assert {request.key.stage.startswith("instructions") for request in first.requests} == {
        instructions
    }
    assert all(request.stop[-1] == 7 for request in first.requests)


def test_our_side_is_a_run_that_is_tagged():
    """Each round asks for every label again, and what was asked can go to another process."""
    rounds = tagged(Judging(["quality", "category"], 6, {"name": "scripted"}, "scripted"))
    first, second = next(rounds), next(rounds)
    rounds.close()
    assert first.completions == second.completions == 12
    assert first.requests == second.requests
    assert {request.key for request in first.requests} == {None}
    assert all(request.json_schema for request in first.requests)


def test_questions_differ():
    """The 512 instructions are 512."""
    assert len(set(questions(512))) == 512

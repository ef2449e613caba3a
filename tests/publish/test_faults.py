"""A publish that is spoilt at any request: readers see one release, and the next try ends it.

Version 1.1.0 of two configs goes on top of a published 1.0.0, over and over, with one spoilt
request each time. The client's waits are zero, and so is ours for a commit that cannot be read
yet; the rest is what a user runs.
"""

import multiprocessing
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from magpie_hub.errors import HubError
from magpie_hub.publish import commit
from tests.hub.hub import Fault, Hub
from tests.publish.released import REPO, Run, history, put, serving_clients, tags, tree

FAULTS: tuple[Fault, ...] = ("close", "500", "429", "timeout", "truncated")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a hub shows: the trees that `main` has had, newest first, the trees of the tags, and
    the uuids of the rows that readers of `main` are given.
    """

    trees: list[dict[str, str]]
    tags: dict[str, dict[str, str]]
    rows: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Case:
    """What came of a publish: how it ended, how many requests it made, whether one was spoilt,
    what was seen then, and what after the same publish again.
    """

    ended: str
    requests: int
    spoilt: bool
    left: Seen
    then: Seen


def look(hub: Hub, cache: Path) -> Seen:
    """Return what there is, and the rows as one loads them who comes with an empty cache."""
    from datasets import load_dataset

    rows = {
        name: load_dataset(REPO, name, split="train", cache_dir=str(cache))["uuid"][:]
        for name in ("raw", "short")
    }
    by_sha = {each.sha: tree(each) for each in history(hub)}
    return Seen([*by_sha.values()], {name: by_sha[sha] for name, sha in tags(hub).items()}, rows)


def attempt(run: Run) -> str:
    """Publish, and return what was said in the end; nothing but a HubError may stop it."""
    try:
        return f"v{put(run).plan.version}"
    except HubError as error:
        return error.message


def publish(run: Run, ground: Path, where: tuple[int, Fault]) -> Case:
    """Publish a run onto a copy of the hub in `ground`, spoiling one request, and again."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        place = Path(name)
        patch.setattr(commit, "PATIENCE", 0.0)
        shutil.copytree(ground / "store", place / "store")
        with serving_clients(place) as hub:
            hub.break_at(*where)
            ended, requests, spoilt = attempt(run), len(hub.requests), hub.broken
            left = look(hub, place / "left")
            attempt(run)
            return Case(ended, requests, spoilt, left, look(hub, place / "then"))


@pytest.fixture
def old(published, tmp_path) -> Seen:
    """See v1.0.0."""
    return look(published, tmp_path / "old")


@pytest.fixture(scope="module")
def clean(new_run, ground) -> Case:
    """Publish v1.1.0 with a fault so late that it never happens."""
    return publish(new_run, ground, (1_000_000, "close"))


def test_in_peace(old, clean):
    """Without a fault one commit and one tag are added, and readers are given the new rows."""
    assert (clean.ended, clean.spoilt, clean.then) == ("v1.1.0", False, clean.left)
    (new, *before), (first, _) = clean.left.trees, old.trees
    assert (before, old.tags) == (old.trees, {"v1.0.0": first})
    assert clean.left.tags == {"v1.0.0": first, "v1.1.0": new}
    assert {name: len(rows) for name, rows in old.rows.items()} == {"raw": 25, "short": 12}
    assert {name: len(rows) for name, rows in clean.left.rows.items()} == {"raw": 37, "short": 17}


def check(run: Run, ground: Path, old: Seen, clean: Case, wheres: list[tuple[int, Fault]]) -> str:
    """Let a publish suffer each fault, one by one; return how many left what behind."""
    new = clean.left
    states = {
        "the old": old,
        "the new without a version": replace(new, tags=old.tags),
        "the new": new,
    }
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        cases = pool.map(partial(publish, run, ground), wheres)
        for where, case in zip(wheres, cases, strict=True):
            left = [name for name, state in states.items() if state == case.left]
            assert (case.spoilt, len(left), case.then) == (True, 1, new), (where, case.ended)
            # The version comes last: at most its own answer is lost.
            is_done = case.ended == "v1.1.0" or where == (clean.requests - 1, "truncated")
            assert is_done == (left == ["the new"]), (where, case.ended)
            counts[f"{left[0]} ({'done' if case.ended == 'v1.1.0' else 'stopped'})"] += 1
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


def test_some_requests(new_run, ground, old, clean):
    """Every eleventh request, the faults in turn: no mixture, and the next publish completes it."""
    wheres = [(index, FAULTS[index % 5]) for index in range(0, clean.requests, 11)]
    check(new_run, ground, old, clean, wheres)


@pytest.mark.slow
def test_every_request_and_every_fault(new_run, ground, old, clean):
    """At no request does any fault leave a mixture, or what the next publish cannot complete."""
    wheres = [(index, fault) for index in range(clean.requests) for fault in FAULTS]
    counts = check(new_run, ground, old, clean, wheres)
    print(f"{clean.requests} requests x {len(FAULTS)} faults left: {counts}")  # noqa: T201

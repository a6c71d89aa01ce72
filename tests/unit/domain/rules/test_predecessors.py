"""Which runs wait for each other, and how many of them are looked at to find that out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.predecessors import (
    MOST_LOOKED_AT,
    describe_place,
    find_cycle,
    gather_predecessors,
    may_close_cycle,
)
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from tests.fakes import NOON
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from typing import Any

    from spot_relay.domain.run.run import Run

BASE = accept(submission(), "one", NOON)


def waiting(name: str, *after: str, **changes: Any) -> Run:
    """Return a run that waits for others to complete."""
    return replace(BASE, id=name, start=Start(after=after), waits_to_begin=True, **changes)


def known(*runs: Run) -> dict[str, Run | None]:
    return {run.id: run for run in runs}


def test_only_a_run_that_was_accepted_before_one_that_it_comes_after_may_close_a_cycle() -> None:
    assert not may_close_cycle(waiting("a", "b"))
    assert may_close_cycle(replace(BASE, start=Start(after=("b",), known_within_seconds=60)))


def test_the_runs_that_a_run_waits_for_are_loaded_with_those_that_they_wait_for() -> None:
    runs = known(waiting("b", "d"), waiting("c", "d", "e"), waiting("d", "a", "b"), replace(BASE, id="e"))
    run = waiting("a", "b", "c", "gone", "A")
    assert gather_predecessors(run, runs.get) == {**runs, "gone": None}
    assert list(gather_predecessors(run, runs.get)) == ["b", "c", "gone", "d", "e"]


def test_of_a_run_that_closes_no_cycle_only_those_that_it_waits_for_itself_are_loaded() -> None:
    runs = known(waiting("b", "c"), waiting("c"))
    assert gather_predecessors(waiting("a", "b"), runs.get, follow=False) == known(waiting("b", "c"))


@pytest.mark.parametrize(
    "over",
    [replace(waiting("b", "c"), waits_to_begin=False), waiting("b", "c", status=RunStatus.FAILED)],
    ids=["it has begun", "it has ended"],
)
def test_a_run_that_no_longer_waits_leads_no_further(over: Run) -> None:
    assert gather_predecessors(waiting("a", "b"), known(over, waiting("c", "a")).get) == known(over)
    assert find_cycle(waiting("a", "b"), known(over, waiting("c", "a"))) is None
    assert find_cycle(replace(over, id="a"), known(waiting("c", "a"))) is None


def test_predecessors_that_are_known_to_have_completed_are_left_out() -> None:
    run = waiting("a", "b", "c", completed=("b",))
    assert gather_predecessors(run, known(waiting("b"), waiting("c")).get) == known(waiting("c"))


def test_no_more_than_a_hundred_runs_are_loaded_the_nearest_first() -> None:
    names = [f"run-{number}" for number in range(MOST_LOOKED_AT + 1)]
    chain = known(*(waiting(name, following) for name, following in zip(names, [*names[1:], "z"], strict=True)))
    assert list(gather_predecessors(waiting("a", names[0]), chain.get)) == names[:MOST_LOOKED_AT]


@pytest.mark.parametrize(
    ("runs", "cycle"),
    [
        ([waiting("a", "a")], ("a", "a")),
        ([waiting("a", "A")], ("a", "A")),
        ([waiting("a", "b", "c"), waiting("b", "e"), waiting("c", "d"), waiting("d", "A")], ("a", "c", "d", "A")),
        ([waiting("a", "b"), waiting("b", "c"), waiting("c", "b")], None),
        ([waiting("a", "b", "b"), waiting("b")], None),
        ([waiting("a", "gone")], None),
        ([waiting("a")], None),
        ([waiting("a", "b", "c"), waiting("b", "d"), waiting("c", "d"), waiting("d", "a")], ("a", "b", "d", "a")),
    ],
)
def test_a_cycle_is_told_by_the_names_along_its_shortest_way(runs: list[Run], cycle: tuple[str, ...] | None) -> None:
    run, *others = runs
    assert find_cycle(run, known(*others)) == cycle


def test_a_place_among_the_runs_of_a_template_is_described_by_how_many_there_may_be() -> None:
    start = Start(template="templates/churn.json", at_most=1)
    assert describe_place(start) == "no other run of templates/churn.json is under way"
    two = replace(start, at_most=2)
    assert describe_place(two) == "fewer than 2 other runs of templates/churn.json are under way"

"""The exploration at its smallest scope, and proofs that it finds what is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.exploration.broken import CASES, NOTHING_WRONG, ONE_ANSWER_LOST, ONE_CRASH, Case
from tests.exploration.closing import Closing
from tests.exploration.exploring import SCENARIOS_BY_NAME, explore
from tests.exploration.moves import Kind, list_moves, make
from tests.exploration.scenarios import SCENARIOS
from tests.exploration.scope import Allowance, Scenario
from tests.exploration.search import Search, begin, find_shortest
from tests.exploration.trace import describe
from tests.thoroughness import share

ROOT = Path(__file__).resolve().parents[2]
# The smallest scenarios leave time for a fault.
_FAULTS = {"launch and event": ONE_ANSWER_LOST, "canary": ONE_CRASH, "deployment": ONE_CRASH._replace(duplicates=1)}


def within(scenario: Scenario, allowance: Allowance) -> Scenario:
    """Return the scenario with less that may go wrong; time may pass as often as before."""
    return replace(scenario, allowance=allowance._replace(leaps=scenario.allowance.leaps))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_no_order_of_calls_violates_an_invariant(scenario: Scenario) -> None:
    found = Search(within(scenario, _FAULTS.get(scenario.name, NOTHING_WRONG))).run()
    assert found.violation is None
    assert found.states > 50
    assert found.schedules > found.states


@pytest.mark.parametrize("case", share(CASES), ids=lambda case: case.broken.title)
def test_a_broken_service_is_caught_with_its_shortest_schedule(case: Case) -> None:
    scenario = within(SCENARIOS_BY_NAME[case.scenario], case.allowance)
    with case.broken.at_work():
        found = find_shortest(scenario)
        assert found is not None
        assert found.violation.invariant == case.invariant
        told = describe(scenario, found)
    assert told[-1] == f"-> {found.violation}"
    assert any(line.startswith("function A takes: ") for line in told)


def test_a_fault_is_what_some_broken_services_need_to_be_caught() -> None:
    case = next(case for case in CASES if case.broken.title == "looks for nothing")
    with case.broken.at_work():
        assert find_shortest(within(SCENARIOS_BY_NAME[case.scenario], NOTHING_WRONG)) is None


def test_the_command_counts_states_and_schedules_on_its_last_line() -> None:
    command = [sys.executable, "-m", "tests.exploration", "--scenario", "submissions", "--without-faults"]
    environment = os.environ | {"PYTHONPATH": f".{os.pathsep}layers/spot_relay"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found = Search(within(SCENARIOS_BY_NAME["submissions"], NOTHING_WRONG)).run()
    assert done.stdout.splitlines()[-1] == f"{found.states:,} states, {found.schedules:,} schedules, 0 violations"


def test_a_violation_is_reported_with_its_schedule() -> None:
    case = next(case for case in CASES if case.broken.title == "leaves its canary alive")
    with case.broken.at_work():
        found = explore(case.scenario, faults=False)
    assert found.violation == found.told[-1].removeprefix("-> ")
    assert len(found.told) > 20


def test_both_searches_visit_the_same_states() -> None:
    scenario = within(SCENARIOS_BY_NAME["submissions"], NOTHING_WRONG)
    search = Search(scenario)
    search.run()
    seen, waiting = set(), [begin(scenario)]
    while waiting:
        world = waiting.pop()
        for move in list_moves(world):
            after = make(world, move)
            if after.key() not in seen:
                seen.add(after.key())
                waiting.append(after)
    assert len(seen) + 1 == len(search.schedules)


def test_a_fork_leaves_the_world_that_it_was_made_of_as_it_was() -> None:
    world = begin(SCENARIOS_BY_NAME["room"])
    before = world.key()
    for move in list_moves(world):
        after = make(world, move)
        for next_move in list_moves(after):
            make(after, next_move)
    Closing().close(world)
    assert world.key() == before


def test_a_schedule_has_at_most_as_many_faults_as_are_allowed() -> None:
    world = begin(within(SCENARIOS_BY_NAME["expired wait"], Allowance(crashes=1, duplicates=1, lost=1)))
    struck = []
    while moves := list_moves(world):
        faults = [move for move in moves if move.kind in {Kind.CRASH, Kind.DUPLICATE, Kind.LOSE}]
        move = (faults or moves)[0]
        world = make(world, move)
        struck += [move.kind] if move in faults else []
    assert sorted(struck) == sorted([Kind.DUPLICATE, Kind.CRASH, Kind.LOSE])
    assert world.allowance == Allowance(0, 0, 0)

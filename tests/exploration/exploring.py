"""One exploration, in a process of its own."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import NamedTuple

from tests.exploration.scenarios import SCENARIOS
from tests.exploration.search import Search, find_shortest
from tests.exploration.trace import describe

SCENARIOS_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


class Explored(NamedTuple):
    """What an exploration reports to the process that started it; ``told`` is the schedule of a violation."""

    name: str
    states: int
    schedules: int
    seconds: float
    violation: str = ""
    told: tuple[str, ...] = ()


def explore(name: str, *, faults: bool = True) -> Explored:
    """Explore a scenario, and find the shortest schedule that violates an invariant if one does."""
    began, scenario = time.monotonic(), SCENARIOS_BY_NAME[name]
    if not faults:
        scenario = replace(scenario, allowance=scenario.allowance.without_faults())
    found = Search(scenario).run()
    told: tuple[str, ...] = ()
    if found.violation is not None and (shortest := find_shortest(scenario)) is not None:
        told = tuple(describe(scenario, shortest))
    seconds = time.monotonic() - began
    return Explored(name, found.states, found.schedules, seconds, str(found.violation or ""), told)

"""Explore every schedule of each scenario, and show the shortest one that violates an invariant."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING

from rich.console import Console

from bench.options import parse_positive
from tests.exploration.exploring import SCENARIOS_BY_NAME, Explored, explore

if TYPE_CHECKING:
    from collections.abc import Sequence

# Those with the most states begin, so that the processes end at about the same time.
_LONGEST_FIRST = (
    "room",
    "quota",
    "follower",
    "wake-up and stop",
    "copy",
    "expired wait and stop",
    "resumption",
    "launch and stop",
    "expired wait",
)


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.exploration", description=__doc__)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS_BY_NAME), help="explore this one alone")
    parser.add_argument(
        "--processes", type=parse_positive, default=2, help="how many scenarios at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--without-faults",
        action="store_true",
        help="try every order of calls, with no crash, duplicate or lost answer",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Explore and report; the exit code is 1 if an invariant was violated."""
    options = parse_options(arguments)
    console = Console(width=120, highlight=False, soft_wrap=True)
    names = [options.scenario] if options.scenario else sorted(SCENARIOS_BY_NAME, key=_turn)
    explored = []
    with ProcessPoolExecutor(options.processes, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(explore, name, faults=not options.without_faults) for name in names]):
            explored.append(found := done.result())
            _report(found, console)
    violations = sum(bool(found.violation) for found in explored)
    states, schedules = sum(found.states for found in explored), sum(found.schedules for found in explored)
    console.print(f"{states:,} states, {schedules:,} schedules, {violations} violations")
    return 1 if violations else 0


def _turn(name: str) -> int:
    return _LONGEST_FIRST.index(name) if name in _LONGEST_FIRST else len(_LONGEST_FIRST)


def _report(found: Explored, console: Console) -> None:
    counted = f"{found.states:,} states, {found.schedules:,} schedules, {found.seconds:.0f} s"
    console.print(f"{found.name} ({SCENARIOS_BY_NAME[found.name].title}): {counted}", markup=False)
    for line in found.told:
        console.print(f"  {line}", markup=False)
    if found.violation:
        console.print(found.violation, markup=False, style="bold red")


if __name__ == "__main__":
    sys.exit(main())

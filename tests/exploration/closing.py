"""The quiet end of each schedule: nothing goes wrong any more, and everything has to come to rest as it should."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from spot_relay.domain.rules.limits import needs_no_slot
from tests.exploration.moves import deliver, due_runs, move_next_job, next_moment, run_on, tick
from tests.simulation.faults import Dice
from tests.simulation.invariants import check_end
from tests.simulation.stops import Stops
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.exploration.world import World

# A state on the way to the end, and since when which jobs have to be asked to stop.
_Passed = tuple[bytes, tuple[tuple[str, tuple[float, int]], ...]]
# A world that has not come to rest after so many steps never does.
_TOO_MANY = 2000


@dataclass
class Closing:
    """Takes worlds to their quiet ends; ``known`` are the keys of those on the way whose end is known to be good."""

    known: set[_Passed] = field(default_factory=set)

    def close(self, world: World, tell: Callable[[str], None] | None = None) -> None:
        """Let the world come to rest, and check what holds then. ViolationError where it does not."""
        world = world.fork()
        world.allowance = world.allowance.without_faults()._replace(leaps=0, pauses=0)
        stops = Stops(world.sagemaker, world.store, Dice(0), ())
        passed: list[_Passed] = []
        for _ in range(_TOO_MANY):
            if _go_on(world, tell):
                continue
            after = next_moment(world)
            if after == inf:
                _check(world)
                self.known.update(passed)
                return
            stops.pass_until(after)
            key = (world.key(), tuple(sorted(stops.since.items())))
            if key in self.known:
                self.known.update(passed)
                return
            passed.append(key)
            world.pass_to(after)
        open_runs = {run.id: run.reason for run in world.store.runs.values() if not run.has_ended}
        raise ViolationError(2, f"this never comes to rest: {open_runs}, {[m.task.name for m in world.queue]}")


def pass_until(world: World, when: float, *, ticks: bool = True, events: bool = True) -> None:
    """Let time pass until ``when``, with nothing going wrong; without ticks or events, those that are due wait."""
    while True:
        if events and deliver_next(world):
            continue
        if ticks and _tick_next(world):
            continue
        if move_next_job(world):
            continue
        after = next_moment(world, ticks=ticks)
        if after > when:
            world.pass_to(when)
            return
        world.pass_to(after)


def _go_on(world: World, tell: Callable[[str], None] | None) -> bool:
    """Do the next thing that is due, and return whether there was one."""
    return deliver_next(world, tell) or _tick_next(world, tell) or move_next_job(world)


def deliver_next(world: World, tell: Callable[[str], None] | None = None) -> bool:
    """Deliver the first message that is visible, and return whether there was one."""
    for index, message in enumerate(world.queue):
        if message.visible_at <= world.clock:
            _say(world, tell, message.task.name)
            deliver(world, index)
            run_on(world)
            return True
    return False


def _tick_next(world: World, tell: Callable[[str], None] | None = None) -> bool:
    for run_id in due_runs(world):
        _say(world, tell, f"{run_id}: Due")
        tick(world, run_id)
        run_on(world)
        return True
    return False


def _say(world: World, tell: Callable[[str], None] | None, text: str) -> None:
    if tell is not None:
        tell(f"{world.clock:>7} s  {text}")


def _check(world: World) -> None:
    check_end(world.watch, world.published())
    for kind, held in world.slots.holders.items():
        if left := sorted(holder for holder in held if not needs_no_slot(holder, world.store.load)):
            raise ViolationError(2, f"{left} hold slots of {kind} for ever")

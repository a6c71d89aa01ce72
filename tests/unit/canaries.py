"""A run that went on demand for its deadline, and the steps of its way back to spot.

The run has 20 hours of training to do in 30. It waits for five, goes on demand as its second attempt, and is ahead of
its pace again after a few minutes of training that a checkpoint holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.sagemaker.job import Market
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

HOUR = 3600
RELAYS, CANARY = ["churn-relay-01", "churn-relay-02"], "churn-canary-02"


def on_demand(way: ReturnToSpot = ReturnToSpot.CANARY, **policy: Any) -> World:
    """Return a service with one run that has just begun to train on demand because spot had no capacity."""
    world = World()
    known = {"expected_runtime_seconds": 20 * HOUR, "return_to_spot": way, **policy}
    world.service.submit(submission(deadline(30 * HOUR, **known)))
    run = world.passes(5 * HOUR)
    assert world.jobs.stopped == RELAYS[:1]
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, Cause.BEHIND_PACE)
    world.trains(2, 0)
    return world


def kept(world: World, seconds: float, key: str = "a") -> Run:
    """Let the job train for a while, and write a checkpoint of it."""
    world.passes(seconds)
    world.checkpoint(key)
    return world.passes(300)


def ahead(way: ReturnToSpot = ReturnToSpot.CANARY, **policy: Any) -> World:
    """The same, far enough ahead of its pace for any way back."""
    world = on_demand(way, **policy)
    kept(world, 3 * HOUR)
    return world


def finds_capacity(world: World) -> Run:
    """Let the canary find capacity, deliver the event of it, and let the tick come, which looks at it."""
    world.clock.passes(60)
    world.canary_tells(2, "InProgress", "Training", training_started_at=world.clock())
    return world.passes(60)


def stopped(world: World, number: int = 2) -> Run:
    world.clock.passes(60)
    return world.tell(number, "Stopped", "Stopped", training_seconds=3 * HOUR)


def until_stopped(world: World, job_name: str) -> Run:
    """Let time pass until a job is stopped."""
    for _ in range(30 * 60):
        if job_name in world.jobs.stopped:
            break
        world.passes(60)
    return world.run()


def markets(world: World) -> list[str]:
    return [str(attempt.placement.market) for attempt in world.run().attempts]

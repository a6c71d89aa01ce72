"""A function may die at any call of a planned switch: what follows keeps one job alive at most, and the run going.

The run has 20 hours of training to do in 30, so it falls behind its pace after five hours of waiting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.observation import Due, Observation
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.thoroughness import share
from tests.unit.crashes import Grim, KilledError, guarded
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow
HOUR = 3600
POLICY = deadline(30 * HOUR, expected_runtime_seconds=20 * HOUR)


def waiting() -> World:
    """A run that has waited for spot capacity until it is behind its pace; the tick has not come yet."""
    world = World()
    world.service.submit(submission(POLICY))
    world.passes(5 * HOUR - 60)
    world.clock.passes(60)
    return world


def going_on_demand() -> World:
    """A run whose spot job has ended as planned; its event has not come yet."""
    world = waiting()
    world.tick()
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    return world


def on_demand() -> World:
    """A run that trains on demand and is well ahead of its pace; the tick has not come yet."""
    world = going_on_demand()
    world.advance(world.event(1, "Stopped", "Stopped"))
    world.trains(2, 0)
    world.passes(HOUR)
    world.clock.passes(2 * HOUR)
    world.checkpoint("a")
    return world


def with_canary() -> World:
    """A run that has heard of its canary's capacity; the tick has not come yet."""
    world = on_demand()
    world.tick()
    world.clock.passes(60)
    world.canary_tells(2, "InProgress", "Training")
    world.clock.passes(60)
    return world


def returning() -> World:
    """A run whose on-demand job has ended as planned; its event has not come yet."""
    world = with_canary()
    world.tick()
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-02", "Stopped", "Stopped", training_seconds=3 * HOUR)
    return world


@dataclass(frozen=True)
class Step:
    """A step of a switch: what went before, what is told of it, and where the run is once it is done."""

    before: Callable[[], World]
    told: Callable[[World], Observation]
    attempts: int
    stops: str | None


STEPS = {
    "behind": Step(waiting, lambda _: Due(), 1, "churn-relay-01"),
    "on demand": Step(going_on_demand, lambda w: w.event(1, "Stopped", "Stopped"), 2, None),
    "ahead": Step(on_demand, lambda _: Due(), 2, None),
    "capacity": Step(with_canary, lambda _: Due(), 2, "churn-relay-02"),
    "back on spot": Step(returning, lambda w: w.event(2, "Stopped", "Stopped"), 3, "churn-canary-02"),
}


def calls_of(step: Step) -> list[str]:
    world = step.before()
    grim = Grim()
    guarded(world, grim).advance("churn", step.told(world))
    return grim.calls


KILLS = [
    pytest.param(step, call, after, id=f"{name}-{call}-{called}-{'after' if after else 'before'}")
    for name, step in STEPS.items()
    for call, called in enumerate(calls_of(step), 1)
    for after in (False, True)
]


def check(world: World, step: Step) -> None:
    """Check that the step was done, once, and that the run goes on."""
    run = world.run()
    assert run.status is RunStatus.IN_PROGRESS
    assert len(run.attempts) == step.attempts
    assert not run.outbox
    attempts = [name for name in world.live_jobs() if "-relay-" in name]
    assert attempts == [run.current.job_name]
    names = [request["TrainingJobName"] for request in world.jobs.requests]
    assert len(names) == len(set(names))
    if step.stops:
        assert set(world.jobs.stopped[-1:]) == {step.stops}
        assert world.jobs.jobs[step.stops].status == "Stopping"
    assert [c for c in world.live_jobs() if "-canary-" in c] == (["churn-canary-02"] if run.canaries else [])


@pytest.mark.parametrize(("step", "call", "after"), share(KILLS))
def test_a_switch_goes_on_when_the_message_comes_again(step: Step, call: int, after: bool) -> None:
    world = step.before()
    told = step.told(world)
    with pytest.raises(KilledError):
        guarded(world, Grim(call, after=after)).advance("churn", told)
    world.clock.passes(100)
    world.advance(told)
    check(world, step)


@pytest.mark.parametrize(("step", "call", "after"), share(KILLS, turn=1))
def test_a_switch_goes_on_when_only_the_tick_follows(step: Step, call: int, after: bool) -> None:
    world = step.before()
    with pytest.raises(KilledError):
        guarded(world, Grim(call, after=after)).advance("churn", step.told(world))
    world.passes(420)
    check(world, step)


def test_the_steps_of_a_switch_are_those_of_a_run_that_nobody_disturbs() -> None:
    world = returning()
    run = world.advance(world.event(2, "Stopped", "Stopped"))
    assert [attempt.placement.market for attempt in run.attempts] == [Market.SPOT, Market.ON_DEMAND, Market.SPOT]
    assert world.jobs.stopped == ["churn-relay-01", "churn-relay-02", "churn-canary-02"]

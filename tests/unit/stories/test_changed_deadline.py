"""A user changes the deadline of an open run: what counts, what follows at once, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import No
from spot_relay.service import RejectedError
from tests.fakes import NOON
from tests.unit.canaries import ahead, markets
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Run

HOUR = 3600
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."


def training(policy: Policy | None = None, seconds: float = HOUR, **changes: Any) -> World:
    """A service with one run that trains on spot, and has just written a checkpoint."""
    world = World()
    world.service.submit(submission(policy, **changes))
    world.trains(1, seconds)
    world.checkpoint("a")
    return world


def changed(world: World, **change: Any) -> Run:
    return world.service.change("churn", DeadlineRequested(DeadlineChange(**change)))


def removed(world: World) -> Run:
    return world.service.change("churn", DeadlineRequested(None))


def reason_of_refusal(world: World, **change: Any) -> str:
    before = world.run()
    with pytest.raises(RejectedError) as caught:
        changed(world, **change)
    assert world.run() == before
    return str(caught.value)


def test_a_deadline_is_replaced_by_an_instant_or_by_a_time_from_now() -> None:
    world = training(deadline(20 * HOUR))
    run = changed(world, at=NOON + timedelta(hours=30))
    assert run.deadline_at == NOON + timedelta(hours=30)
    assert run.reason.startswith("The deadline was changed from ")
    run = changed(world, within_seconds=5 * HOUR)
    assert run.deadline_at == world.clock() + timedelta(hours=5)


def test_a_first_deadline_counts_what_the_live_job_has_trained_already() -> None:
    world = training()
    # An hour of two is done, so that an hour and one changeover are left.
    needed = HOUR + 600
    soonest = world.clock() + timedelta(seconds=needed)
    refused = reason_of_refusal(world, within_seconds=needed - 1, expected_runtime_seconds=2 * HOUR)
    assert soonest.isoformat(timespec="seconds") in refused
    run = changed(world, within_seconds=needed, expected_runtime_seconds=2 * HOUR)
    assert (run.deadline_at, run.progress_seconds) == (soonest, HOUR)
    assert run.reason.endswith("was set by request.")


def test_what_cannot_be_seen_of_the_training_does_not_count() -> None:
    world = training()
    world.checkpoints.unlisted = No("The checkpoints cannot be found.")
    refused = reason_of_refusal(world, within_seconds=HOUR + 600, expected_runtime_seconds=2 * HOUR)
    assert "cannot be met, even on-demand" in refused


def test_a_first_deadline_needs_a_moment_and_a_runtime() -> None:
    expected = "The run has no deadline yet. A first one needs both deadline and expected_runtime."
    assert reason_of_refusal(training(), within_seconds=5 * HOUR) == expected
    assert reason_of_refusal(training(), expected_runtime_seconds=5 * HOUR) == expected


def test_a_job_that_waits_is_taken_on_demand_by_the_first_tick_that_the_new_deadline_requires() -> None:
    world = World()
    world.service.submit(submission(deadline(20 * HOUR)))
    world.passes(HOUR)
    assert world.jobs.stopped == []
    changed(world, within_seconds=2 * HOUR + 900)
    run = world.passes(60)
    assert (run.current.switch_to, world.jobs.stopped) == (Market.ON_DEMAND, ["churn-relay-01"])
    run = world.tell(1, "Stopped", "Stopped")
    assert run.current.cause is Cause.SAFETY_NET


def test_a_launch_that_waits_for_room_is_taken_on_demand_in_time_for_the_new_deadline() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "full")] * 99
    world.service.submit(submission(deadline(20 * HOUR)))
    world.clock.passes(60)
    run = changed(world, within_seconds=2 * HOUR + 900)
    assert run.current.max_wait_seconds == 2 * HOUR + 900
    world.jobs.refusals = []
    run = world.passes(120)
    assert (run.current.number, run.current.placement.market) == (1, Market.ON_DEMAND)


def test_a_run_between_two_attempts_does_not_wait_longer_than_the_new_deadline_allows() -> None:
    world = training(deadline(20 * HOUR))
    world.draw = 0.99
    world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    changed(world, within_seconds=HOUR + 900)
    world.passes(60)
    assert markets(world) == ["spot", "on-demand"]


@pytest.mark.parametrize("hours", [1.5, 2, 3, 6])
def test_a_deadline_that_was_accepted_is_kept_where_spot_never_has_capacity_again(hours: float) -> None:
    world = training(deadline(40 * HOUR))
    world.passes(300)
    world.tell(1, "InProgress", "Interrupted")
    at = changed(world, within_seconds=round(hours * HOUR)).deadline_at
    for _ in range(round(hours * 60)):
        if world.jobs.stopped:
            break
        world.passes(60)
    world.clock.passes(120)
    world.tell(1, "Stopped", "Stopped", training_seconds=HOUR)
    run = world.trains(2, HOUR)
    assert run.current.placement.market is Market.ON_DEMAND
    run = world.tell(2, "Completed", "Completed", training_seconds=HOUR)
    assert run.status is RunStatus.COMPLETED
    assert at is not None
    assert world.clock() <= at


def test_a_deadline_that_is_removed_lets_the_run_wait_for_spot() -> None:
    world = World()
    world.service.submit(submission(deadline(5 * HOUR)))
    run = removed(world)
    assert (run.policy.deadline, run.deadline_at) == (None, None)
    assert run.reason == "The deadline 2026-11-23T17:00:00Z was removed by request."
    world.passes(6 * HOUR)
    assert (world.jobs.stopped, markets(world)) == ([], ["spot"])


def test_a_run_on_demand_whose_deadline_is_removed_stays_there_and_looks_for_spot_no_more() -> None:
    world = ahead()
    run = removed(world)
    assert run.canary is not None
    assert run.canary.status is CanaryStatus.ENDED
    assert world.jobs.stopped[-1] == "churn-canary-02"
    world.passes(6 * HOUR)
    assert markets(world) == ["spot", "on-demand"]


def test_a_way_back_without_a_canary_gives_up_the_one_that_looks_for_spot() -> None:
    world = ahead()
    run = changed(world, return_to_spot=ReturnToSpot.NEVER)
    assert run.canary is not None
    assert run.canary.status is CanaryStatus.ENDED
    assert run.reason.startswith("The deadline stays ")
    world.passes(6 * HOUR)
    assert markets(world) == ["spot", "on-demand"]


def test_requests_that_change_nothing_leave_the_run_as_it_is() -> None:
    world = training(deadline(20 * HOUR))
    run = changed(world, at=NOON + timedelta(hours=30))
    assert changed(world, at=NOON + timedelta(hours=30)) == run
    run = removed(world)
    assert removed(world) == run
    assert world.telemetry.reasons[-1] == "churn DeadlineRequested: The run has no deadline."


def test_a_run_without_checkpoints_can_have_no_deadline() -> None:
    world = World()
    world.service.submit(submission(CheckpointConfig=None))
    refused = reason_of_refusal(world, within_seconds=9 * HOUR, expected_runtime_seconds=HOUR)
    assert refused == "The run cannot have a deadline, because its training job has no CheckpointConfig."


def test_a_run_that_is_being_stopped_or_has_ended_keeps_its_deadline() -> None:
    world = training(deadline(20 * HOUR))
    world.service.stop("churn")
    assert reason_of_refusal(world, within_seconds=9 * HOUR).startswith("The run is being stopped.")
    world.tell(1, "Stopped", "Stopped")
    expected = (
        "Only the deadline of an open run can be changed, and this run is Stopped. Resume it with a new deadline."
    )
    assert reason_of_refusal(world, within_seconds=9 * HOUR) == expected
    done = training(deadline(20 * HOUR))
    done.tell(1, "Completed", "Completed")
    assert reason_of_refusal(done, within_seconds=9 * HOUR).endswith("this run is Completed.")

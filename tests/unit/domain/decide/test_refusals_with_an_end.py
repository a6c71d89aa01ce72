"""Refusals that pass are tried again a bounded number of times, and never hold other runs back for ever."""

from __future__ import annotations

import pytest

from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import RoomFreed
from spot_relay.domain.run.policy import Backoff, Budgets, Policy, Rung
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Run, RunStatus
from spot_relay.domain.sagemaker.job import EVERY_POOL, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.crowds import G5, M5, SPOT, Crowd
from tests.unit.worlds import World, submission

SPOT_M5, SPOT_G5 = Placement(M5, 1, Market.SPOT), Placement(G5, 1, Market.SPOT)
ODD = "ConflictException: Something is in conflict."
LONGEST = (
    "The account-level service limit 'Longest run time for a training job' is 432000 Seconds, with current utilization "
    "of 0 Seconds and a request delta of 864000 Seconds."
)
ACROSS = (
    "The account-level service limit 'Number of instances across all training jobs' is 2 Instances, with current "
    "utilization of 2 Instances and a request delta of 1 Instances."
)
WAIT = Backoff(10, 10)


def try_on(world: World, times: int) -> Run:
    """Let the backoff pass so many times."""
    for _ in range(times):
        world.passes(60)
    return world.run()


def test_an_unknown_error_is_shown_and_tried_ten_times_before_the_next_rung() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNRECOGNIZED, ODD)] * 10
    assert ODD in world.service.submit(submission(Policy(backoff=WAIT, ladder=(Rung(SPOT_M5), Rung(SPOT_G5))))).reason
    run = try_on(world, 8)
    assert (run.current.placement, run.current.unrecognized_refusals) == (SPOT_M5, 9)
    run = try_on(world, 1)
    assert (run.status, run.current.placement, run.closed) == (RunStatus.IN_PROGRESS, SPOT_G5, (SPOT_M5,))
    assert (run.current.refusals, run.current.unrecognized_refusals, run.spent.refusals) == (0, 0, 0)


def test_an_unknown_error_on_the_last_rung_ends_the_run_once_its_job_is_known_not_to_exist() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNRECOGNIZED, ODD)] * 10
    world.service.submit(submission(Policy(backoff=WAIT)))
    run = try_on(world, 9)
    assert (run.status, run.current.gives_up) == (RunStatus.PENDING, True)
    run = world.passes(ABSENCE_PATIENCE.seconds)
    assert (run.status, run.current.outcome) == (RunStatus.FAILED, "NeverCreated")
    assert ODD in run.reason
    assert "10 times" in run.reason
    assert run.current.failure_reason == ODD


def test_a_job_that_exists_although_its_launch_was_given_up_is_followed() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "No answer.")]
    world.service.submit(submission(Policy(backoff=WAIT, budgets=Budgets(refusals=0))))
    assert world.run().current.gives_up
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    run = world.passes(ABSENCE_PATIENCE.seconds)
    assert (run.status, run.current.gives_up) == (RunStatus.IN_PROGRESS, False)


@pytest.mark.parametrize(
    "refusal", [Refusal.THROTTLED, Refusal.UNAVAILABLE, Refusal.OTHER_QUOTA_FULL, Refusal.SHARED_QUOTA_FULL]
)
def test_refusals_without_end_use_up_their_budget(refusal: Refusal) -> None:
    world = World()
    world.draw = 0.0
    world.jobs.refusals = [(refusal, "No.")] * 100
    world.service.submit(submission(Policy(backoff=WAIT, budgets=Budgets(refusals=20))))
    run = try_on(world, 19)
    assert (run.spent.refusals, run.current.gives_up) == (20, False)
    run = try_on(world, 1)
    assert (run.spent.refusals, run.current.gives_up, run.waits_for) == (20, True, None)
    run = try_on(world, ABSENCE_PATIENCE.seconds // 60)
    assert run.status is RunStatus.FAILED
    assert "policy.budgets.refusals allows no further try (limit: 20)" in run.reason


def test_a_launch_that_succeeds_gives_the_next_attempt_the_whole_budget() -> None:
    world = World()
    world.draw = 0.0
    world.jobs.refusals = [(Refusal.THROTTLED, "No.")] * 20
    world.service.submit(submission(Policy(backoff=WAIT, budgets=Budgets(refusals=20))))
    run = try_on(world, 20)
    assert (run.status, run.spent.refusals) == (RunStatus.IN_PROGRESS, 0)


@pytest.mark.parametrize("refusal", [Refusal.UNRECOGNIZED, Refusal.UNAVAILABLE, Refusal.OTHER_QUOTA_FULL])
def test_a_run_can_be_stopped_whatever_the_refusal(refusal: Refusal) -> None:
    world = World()
    world.jobs.refusals = [(refusal, ODD)] * 100
    world.service.submit(submission(Policy(budgets=Budgets(refusals=3))))
    assert world.service.stop("churn").status is RunStatus.STOPPING
    run = world.passes(ABSENCE_PATIENCE.seconds)
    assert run.status is RunStatus.STOPPED


@pytest.mark.parametrize("refusal", [Refusal.UNRECOGNIZED, Refusal.OTHER_QUOTA_FULL, Refusal.SHARED_QUOTA_FULL])
def test_no_run_waits_behind_one_whose_refusal_is_not_about_its_pool(refusal: Refusal) -> None:
    crowd = Crowd()
    crowd.jobs.refusals = [(refusal, "No.")]
    crowd.submit("first", "second")
    assert crowd.run("first").status is RunStatus.PENDING
    assert crowd.run("second").status is RunStatus.IN_PROGRESS


def test_a_run_that_leaves_its_pools_queue_for_another_reason_wakes_the_next() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("running", "first", "second")
    crowd.ends("running")
    crowd.jobs.refusals = [(Refusal.UNRECOGNIZED, ODD)]
    crowd.deliver()
    assert crowd.run("first").waits_for is None
    assert crowd.run("second").status is RunStatus.IN_PROGRESS


def test_room_in_any_pool_wakes_the_oldest_run_that_waits_for_a_quota_of_all_pools() -> None:
    crowd = Crowd()
    crowd.on_demand("elsewhere")
    crowd.jobs.refusals = [(Refusal.SHARED_QUOTA_FULL, ACROSS)] * 2
    crowd.submit("first", "second")
    assert crowd.run("first").waits_for == EVERY_POOL
    crowd.ends("elsewhere")
    assert crowd.woken() == ["first"]
    crowd.world.service.advance("first", RoomFreed())
    assert crowd.run("first").status is RunStatus.IN_PROGRESS
    assert crowd.woken()[-1] == "second"


def test_a_quota_that_no_rung_can_meet_ends_the_run_and_names_what_to_raise() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, LONGEST)] * 2
    run = world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    assert run.status is RunStatus.FAILED
    assert "raise the service quota 'Longest run time for a training job'" in run.reason


def test_a_rejected_rung_is_skipped_and_the_next_one_launched() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.PLACEMENT_REJECTED, "Instance type ml.m5.xlarge is not supported.")]
    run = world.service.submit(submission(Policy(ladder=(Rung(SPOT_M5), Rung(SPOT_G5)))))
    assert (run.status, run.current.placement, run.closed) == (RunStatus.IN_PROGRESS, SPOT_G5, (SPOT_M5,))

"""The way back to spot: a canary waits for capacity beside an on-demand attempt, and shows it the way.

The run has 20 hours of training to do in 30. It waits for five, goes on demand as its second attempt, and is ahead of
its pace again after a few minutes of training that a checkpoint holds.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.launch import launch_of_canary
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated
from spot_relay.domain.run.policy import Backoff, Budgets, Spent
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.canaries import (
    CANARY,
    HOUR,
    RELAYS,
    ahead,
    finds_capacity,
    kept,
    markets,
    on_demand,
    stopped,
    until_stopped,
)
from tests.unit.worlds import World, deadline, submission

SERVICE = "InternalServerError: We encountered an internal error.  Please try again."
QUOTA_FULL = "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 1 Instances, with current "
QUOTA_FULL += "utilization of 1 Instances and a request delta of 1 Instances."


def test_a_run_that_trains_on_demand_sends_no_canary_while_it_is_behind_its_pace() -> None:
    world = on_demand()
    world.passes(3 * HOUR)
    assert world.live_jobs() == RELAYS[1:]


def test_it_sends_one_when_its_checkpoints_show_it_ahead() -> None:
    world = on_demand()
    run = kept(world, 1200)
    assert world.live_jobs() == [RELAYS[1], CANARY]
    assert (run.status, run.current.job_name) == (RunStatus.IN_PROGRESS, RELAYS[1])
    assert [canary["job_name"] for canary in world.documents.written["churn"]["canaries"]] == [CANARY]


def test_one_is_enough() -> None:
    world = ahead()
    kept(world, HOUR, "b")
    assert [r["TrainingJobName"] for r in world.jobs.requests] == [*RELAYS, CANARY]


def test_while_the_canary_waits_nothing_changes() -> None:
    world = ahead()
    run = world.canary_tells(2, "InProgress", "Starting")
    assert world.jobs.stopped == RELAYS[:1]
    assert run.current.switch_to is None


def test_that_it_waits_is_no_news() -> None:
    world = ahead()
    before = world.run()
    for secondary in ("Starting", "Pending"):
        assert world.canary_tells(2, "InProgress", secondary) is before


@pytest.mark.parametrize("secondary", ["Downloading", "Training", "Rebalancing"])
def test_news_that_it_may_have_capacity_have_the_run_looked_at_with_the_next_tick(secondary: str) -> None:
    world = ahead()
    world.clock.passes(10)
    described = len(world.jobs.described)
    run = world.canary_tells(2, "InProgress", secondary)
    assert (run.check_at, len(world.jobs.described)) == (world.clock(), described)
    assert world.advance(CanaryChanged(2, secondary)) is run, "it is due already"
    assert world.passes(60).current.switch_to is Market.SPOT


def test_news_of_it_cut_no_backoff_short() -> None:
    world = ahead(backoff=Backoff(600, 900))
    run = world.tell(2, "Failed", "Failed", failure_reason=SERVICE)
    assert run.status is RunStatus.PENDING
    assert world.canary_tells(2, "InProgress", "Training") is run


def test_when_it_has_found_capacity_the_on_demand_job_is_stopped_and_the_canary_goes_on() -> None:
    world = ahead()
    run = finds_capacity(world)
    assert world.jobs.stopped == RELAYS
    assert run.current.switch_to is Market.SPOT
    assert world.live_jobs() == [RELAYS[1], CANARY]


def test_once_the_on_demand_job_has_ended_the_spot_attempt_is_launched_into_what_the_canary_frees() -> None:
    world = ahead()
    finds_capacity(world)
    world.tell(2, "Stopping", "Stopping")
    assert len(world.run().attempts) == 2
    newest = world.checkpoint("b")
    run = stopped(world)
    assert markets(world) == ["spot", "on-demand", "spot"]
    assert (run.current.cause, run.current.resumes_from, run.spent) == (Cause.AHEAD_OF_PACE, newest, Spent())
    assert world.jobs.stopped == [*RELAYS, CANARY]
    request = world.jobs.requests[-1]
    assert request["EnableManagedSpotTraining"]
    assert run.deadline_at is not None
    # As long as the deadline leaves, not what the job itself says.
    left = (run.deadline_at - world.clock()).total_seconds()
    assert request["StoppingCondition"]["MaxWaitTimeInSeconds"] == left


@pytest.mark.parametrize("minutes", [1, 4, 9, 14, 19])
def test_capacity_that_is_found_between_two_checkpoints_is_taken_all_the_same(minutes: int) -> None:
    world = on_demand()
    kept(world, 1200)
    assert CANARY in world.live_jobs()
    world.passes(60 * minutes)
    finds_capacity(world)
    assert world.jobs.stopped == RELAYS
    stopped(world)
    assert markets(world) == ["spot", "on-demand", "spot"]


def test_a_canary_whose_events_are_lost_is_found_by_the_tick_while_it_sleeps() -> None:
    world = ahead()
    world.clock.passes(30)
    world.jobs.becomes(CANARY, "InProgress", "Training")
    world.passes(300)
    assert world.jobs.stopped == RELAYS


def test_a_canary_that_is_refused_for_now_is_sent_again() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded"), (Refusal.QUOTA_FULL, QUOTA_FULL)]
    kept(world, 3 * HOUR)
    world.passes(300)
    assert world.live_jobs() == RELAYS[1:]
    world.passes(300)
    assert world.live_jobs() == [RELAYS[1], CANARY]


def test_a_canary_that_is_refused_for_good_leaves_the_run_on_demand() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.INVALID, "no such role")]
    kept(world, 3 * HOUR)
    run = kept(world, HOUR, "b")
    assert world.live_jobs() == RELAYS[1:]
    assert run.status is RunStatus.IN_PROGRESS
    assert run.canary is not None
    assert run.canary.refusal is Refusal.INVALID


def test_a_canary_takes_no_room_that_another_run_waits_for() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, QUOTA_FULL)]
    world.service.submit(submission(name="other", CheckpointConfig={"S3Uri": "s3://models/other/"}))
    assert world.run("other").waits_for is not None
    world.jobs.refusals = [(Refusal.QUOTA_FULL, QUOTA_FULL)] * 1000
    kept(world, HOUR)
    assert CANARY not in world.jobs.jobs
    world.jobs.refusals = []
    world.passes(900)
    assert world.run("other").waits_for is None
    assert CANARY in world.jobs.jobs


def test_a_canary_that_ends_without_use_leaves_the_run_on_demand() -> None:
    world = ahead()
    run = world.canary_tells(2, "Completed", "Completed")
    assert run.canary is not None
    assert run.canary.status is CanaryStatus.ENDED
    kept(world, HOUR, "b")
    assert world.live_jobs() == RELAYS[1:]
    assert world.tell(2, "Completed", "Completed").status is RunStatus.COMPLETED


@pytest.mark.parametrize("waits", [True, False], ids=["waits", "found"])
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (("Completed", "Completed", None), RunStatus.COMPLETED),
        (("Failed", "Failed", "AlgorithmError: exit code 1"), RunStatus.FAILED),
    ],
)
def test_the_canary_is_stopped_with_its_run(
    ending: tuple[str, str, str | None], status: RunStatus, waits: bool
) -> None:
    world = ahead()
    if not waits:
        finds_capacity(world)
    run = world.tell(2, ending[0], ending[1], failure_reason=ending[2])
    assert run.status is status
    assert world.jobs.stopped[-1] == CANARY
    assert len(run.attempts) == 2


@pytest.mark.parametrize("found", [False, True])
def test_a_users_stop_wins_over_a_return_and_stops_the_canary(found: bool) -> None:
    world = ahead()
    if found:
        finds_capacity(world)
    world.service.stop("churn")
    finds_capacity(world)
    run = stopped(world)
    assert run.status is RunStatus.STOPPED
    assert len(run.attempts) == 2
    assert world.jobs.stopped[-1] == CANARY


def test_somebody_elses_stop_of_the_on_demand_job_stops_run_and_canary() -> None:
    world = ahead()
    assert stopped(world).status is RunStatus.STOPPED
    assert world.jobs.stopped == [RELAYS[0], CANARY]


def test_an_on_demand_job_that_the_service_fails_before_the_stop_reaches_it_is_followed_on_spot() -> None:
    world = ahead()
    finds_capacity(world)
    run = world.tell(2, "Failed", "Failed", failure_reason=SERVICE)
    assert run.spent.service_errors == 1
    world.passes(120)
    assert markets(world) == ["spot", "on-demand", "spot"]


def test_a_return_that_took_too_long_for_the_safety_net_ends_on_demand() -> None:
    world = ahead()
    finds_capacity(world)
    world.clock.passes(9 * HOUR)
    stopped(world)
    assert markets(world) == ["spot", "on-demand", "on-demand"]
    assert world.jobs.stopped == [*RELAYS, CANARY]


def test_an_attempt_that_finds_the_quota_held_by_the_canary_is_launched_as_soon_as_that_has_ended() -> None:
    world = ahead()
    finds_capacity(world)
    world.jobs.refusals = [(Refusal.QUOTA_FULL, QUOTA_FULL)]
    run = stopped(world)
    assert run.waits_for is not None
    assert world.jobs.stopped == [*RELAYS, CANARY]
    world.clock.passes(5)
    run = world.canary_tells(2, "Stopped", "Stopped", billable_seconds=90)
    assert world.live_jobs() == ["churn-relay-03"]
    assert run.status is RunStatus.IN_PROGRESS
    assert run.canary is not None
    assert run.canary.billable_seconds == 90


def test_each_on_demand_attempt_has_a_canary_of_its_own() -> None:
    world = ahead()
    finds_capacity(world)
    stopped(world)
    # The capacity was gone again, and the run falls behind its pace.
    until_stopped(world, "churn-relay-03")
    stopped(world, 3)
    world.trains(4, 0)
    kept(world, 3 * HOUR, "c")
    assert "churn-canary-04" in world.live_jobs()
    run = world.advance(CanaryChanged(2, "Training"))
    assert run.current.switch_to is None, "what an earlier canary tells is out of date"


def test_an_attempt_that_the_safety_net_has_asked_for_never_goes_back() -> None:
    world = World()
    world.service.submit(submission(deadline(21 * HOUR, expected_runtime_seconds=20 * HOUR, changeover_seconds=1800)))
    assert world.run().current.cause == Cause.SAFETY_NET
    # Even once ten short changeovers have shown that the net was needlessly wide.
    world.store.runs["churn"] = replace(world.run(), changeovers=(10,) * 10)
    world.trains(1, 0)
    for hour in range(19):
        kept(world, HOUR - 300, f"c{hour}")
    assert world.live_jobs() == RELAYS[:1]


def test_the_last_work_is_not_worth_a_return() -> None:
    world = on_demand()
    world.passes(20 * HOUR - 700)
    world.checkpoint("a")
    world.passes(300)
    assert world.live_jobs() == RELAYS[1:]


@pytest.mark.parametrize(("attempts", "returns"), [(MAX_ATTEMPTS - 2, True), (MAX_ATTEMPTS - 1, False)])
def test_a_return_leaves_an_attempt_for_the_way_back(attempts: int, returns: bool) -> None:
    world = on_demand(budgets=Budgets(service_errors=100), backoff=Backoff(1, 1))
    for number in range(2, attempts):
        world.trains(number, 10)
        world.checkpoint(f"c{number}")
        world.tell(number, "Failed", "Failed", failure_reason=SERVICE)
        world.passes(60)
    world.trains(attempts, 0)
    run = kept(world, 8 * HOUR, "z")
    assert len(run.attempts) == attempts
    assert (f"churn-canary-{attempts}" in world.live_jobs()) == returns


def test_a_canary_that_answers_after_its_run_has_given_it_up_is_stopped() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer")]
    run = kept(world, 3 * HOUR)
    assert run.canary is not None
    assert CANARY not in world.jobs.jobs
    world.tell(2, "Completed", "Completed")
    world.jobs.create(launch_of_canary(run, run.canary))  # by a function that was slow
    run = world.advance(CanaryCreated(2, "arn"))
    assert run.status is RunStatus.COMPLETED
    assert world.jobs.stopped[-1] == CANARY


def test_a_canary_that_turns_up_after_its_run_has_given_it_up_is_stopped() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "SageMaker did not answer")]
    run = kept(world, 3 * HOUR)
    assert run.canary is not None
    world.tell(2, "Completed", "Completed")
    world.jobs.create(launch_of_canary(run, run.canary))
    world.canary_tells(2, "InProgress", "Starting")
    assert world.jobs.stopped[-1] == CANARY


def test_somebody_elses_job_of_the_canarys_name_is_left_alone() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.NAME_TAKEN, "there is a training job of that name, and it is not this run's")]
    kept(world, 3 * HOUR)
    for secondary in ("Starting", "Training", "Completed"):
        world.advance(CanaryChanged(2, secondary))
    assert world.jobs.stopped == RELAYS[:1]

"""The planned switch: a spot job that waits for too long is stopped, and the run goes on demand once it has ended.

With two hours of training to do, five hours to do it in and changeovers of ten minutes, a run falls behind its pace
9 000 seconds after its submission, and needs its safety net after 9 300.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due, JobChanged
from spot_relay.domain.run.policy import Budgets, Spent
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.sagemaker.job import Market
from tests.fakes import NOON
from tests.unit.canaries import markets
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Run

HOUR = 3600
BEHIND, NET = 9000, 9300
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."


def submitted(policy: Policy | None = None, **changes: Any) -> World:
    """A service with one run that waits for spot capacity."""
    world = World()
    world.service.submit(submission(policy or deadline(5 * HOUR), **changes))
    return world


def elapsed(world: World) -> float:
    return (world.clock() - NOON).total_seconds()


def until(world: World, seconds: float) -> Run:
    """Let time pass, with its ticks, until so many seconds after noon."""
    return world.passes(seconds - elapsed(world))


def switching() -> World:
    """A service with one run whose waiting job is being stopped so that it can go on demand."""
    world = submitted()
    until(world, BEHIND)
    assert world.jobs.stopped == ["churn-relay-01"]
    return world


def stopped(world: World, number: int = 1, **changes: Any) -> Run:
    return world.tell(number, "Stopped", "Stopped", **changes)


def test_a_waiting_spot_job_is_stopped_when_the_run_falls_behind_its_pace_and_no_sooner() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    assert world.jobs.stopped == []
    run = until(world, BEHIND)
    assert world.jobs.stopped == ["churn-relay-01"]
    assert run.current.switch_to is Market.ON_DEMAND


def test_the_moment_is_known_in_advance_and_the_run_is_due_then() -> None:
    world = submitted()
    world.clock.passes(BEHIND - 100)
    world.tick()
    assert world.run().check_at == NOON + timedelta(seconds=BEHIND)


def test_the_on_demand_attempt_is_launched_only_when_the_spot_job_is_described_as_ended() -> None:
    world = switching()
    world.clock.passes(10)
    world.tell(1, "Stopping", "Stopping")
    world.advance(JobChanged(1, "Stopped", "Stopped", world.clock()))  # sooner than the description shows it
    assert world.live_jobs() == ["churn-relay-01"]
    run = stopped(world)
    assert world.live_jobs() == ["churn-relay-02"]
    assert run.status is RunStatus.IN_PROGRESS
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, Cause.BEHIND_PACE)


def test_the_on_demand_job_is_neither_spot_nor_waits() -> None:
    world = switching()
    stopped(world)
    spot, on_demand = world.jobs.requests
    assert spot["EnableManagedSpotTraining"]
    assert "EnableManagedSpotTraining" not in on_demand
    assert on_demand["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert on_demand["ResourceConfig"] == spot["ResourceConfig"]
    assert on_demand["CheckpointConfig"] == spot["CheckpointConfig"]


def test_a_job_that_had_trained_is_followed_from_its_newest_checkpoint() -> None:
    world = submitted()
    world.trains(1, 1200)
    newest = world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    until(world, 8 * HOUR)
    run = stopped(world)
    assert run.current.resumes_from == newest
    assert world.jobs.stopped == ["churn-relay-01"]


def test_training_that_checkpoints_hold_puts_the_switch_off() -> None:
    world = submitted()
    world.trains(1, 1200)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    # 6 000 s of work are 0.8 of 7 500 s.
    until(world, 5 * HOUR - 7500 - 60)
    assert world.jobs.stopped == []
    until(world, 5 * HOUR - 7500 + 60)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_a_job_that_trains_is_never_stopped_however_late_it_is() -> None:
    world = submitted()
    until(world, BEHIND - 120)
    world.trains(1, 0)
    run = until(world, 9 * HOUR)
    assert world.jobs.stopped == []
    assert run.status is RunStatus.IN_PROGRESS
    assert world.tell(1, "Completed", "Completed").status is RunStatus.COMPLETED


def test_a_job_that_got_capacity_meanwhile_is_not_stopped_even_if_its_event_was_lost() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training", training_started_at=world.clock())
    run = until(world, BEHIND + 1200)
    assert world.jobs.stopped == []
    assert run.current.switch_to is None


def test_a_job_that_completes_before_the_stop_reaches_it_completes_the_run() -> None:
    world = switching()
    run = world.tell(1, "Completed", "Completed", training_seconds=7000)
    assert run.status is RunStatus.COMPLETED
    assert len(world.jobs.requests) == 1


def test_a_job_that_fails_by_its_own_code_before_the_stop_reaches_it_fails_the_run() -> None:
    world = switching()
    run = world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1")
    assert run.status is RunStatus.FAILED


@pytest.mark.parametrize("secondary", ["Stopped", "MaxWaitTimeExceeded"])
def test_a_planned_switch_draws_on_no_budget(secondary: str) -> None:
    world = submitted(deadline(5 * HOUR, budgets=Budgets(0, 0, 0, 0, 0)))
    until(world, BEHIND)
    run = world.tell(1, "Stopped", secondary)
    assert run.spent == Spent()
    assert markets(world) == ["spot", "on-demand"]


def test_a_wait_that_found_no_capacity_before_the_stop_reached_it_draws_on_its_budget_and_goes_on_demand() -> None:
    world = switching()
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.spent.capacity_failures == 1
    assert markets(world) == ["spot", "on-demand"]


def test_a_users_stop_wins_over_a_switch_that_is_under_way() -> None:
    world = switching()
    assert world.service.stop("churn").status is RunStatus.STOPPING
    run = stopped(world)
    assert run.status is RunStatus.STOPPED
    assert len(world.jobs.requests) == 1


def test_a_run_that_is_being_stopped_switches_no_more() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    world.service.stop("churn")
    world.jobs.becomes("churn-relay-01", "InProgress", "Starting")
    run = until(world, BEHIND + 120)
    assert run.status is RunStatus.STOPPING
    assert run.current.switch_to is None


def test_somebody_elses_stop_before_the_switch_stops_the_run() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    assert stopped(world).status is RunStatus.STOPPED


def test_a_switch_whose_last_event_is_lost_is_found_by_the_next_tick_but_one() -> None:
    world = switching()
    world.clock.passes(5)
    world.tell(1, "Stopping", "Stopping")
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    world.passes(60)
    assert markets(world) == ["spot", "on-demand"]


def test_a_stop_that_sagemaker_lost_is_asked_for_again() -> None:
    world = switching()
    world.jobs.becomes("churn-relay-01", "InProgress", "Starting")
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01", "churn-relay-01"]
    stopped(world)
    assert markets(world) == ["spot", "on-demand"]


def test_events_that_come_twice_or_late_change_nothing() -> None:
    world = switching()
    starting = JobChanged(1, "InProgress", "Starting", NOON)
    world.clock.passes(5)
    stopping = world.event(1, "Stopping", "Stopping")
    world.tell(1, "Stopping", "Stopping")
    world.clock.passes(60)
    ended = world.event(1, "Stopped", "Stopped")
    run = stopped(world)
    for late in (ended, stopping, starting, ended):
        assert world.advance(late) == run
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01", "churn-relay-02"]


def test_an_interrupted_job_gets_five_minutes_to_find_capacity_even_when_the_run_is_behind() -> None:
    world = submitted(deadline(5 * HOUR, changeover_seconds=60))
    until(world, BEHIND - 60)
    world.trains(1, 180)
    world.tell(1, "InProgress", "Interrupted")
    world.passes(240)
    assert world.jobs.stopped == []
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01"]
    stopped(world)
    assert world.run().current.cause == Cause.BEHIND_PACE


def test_a_job_that_just_began_to_wait_gets_five_minutes_too() -> None:
    world = submitted(deadline(9000, changeover_seconds=60))
    world.passes(240)
    assert world.jobs.stopped == []
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_the_safety_net_takes_an_interrupted_job_at_once() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    world.trains(1, 600)
    world.tell(1, "InProgress", "Interrupted")
    assert world.jobs.stopped == ["churn-relay-01"]
    run = stopped(world)
    assert run.current.cause == Cause.SAFETY_NET


def test_an_interruption_near_the_safety_net_is_found_within_a_minute_even_if_its_event_was_lost() -> None:
    world = submitted()
    until(world, BEHIND - 120)
    world.trains(1, 0)
    until(world, NET - 60)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    until(world, NET)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_between_two_attempts_there_is_no_more_patience() -> None:
    world = submitted(deadline(5 * HOUR, changeover_seconds=60))
    until(world, BEHIND)
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded")
    run = world.advance(world.event(1, "Stopped", "MaxWaitTimeExceeded"))
    assert (run.current.placement.market, run.current.cause) == (Market.ON_DEMAND, Cause.BEHIND_PACE)


def test_a_backoff_ends_when_the_run_has_to_go_on_demand() -> None:
    world = submitted()
    until(world, BEHIND - 10 - elapsed(world) % 60)
    world.clock.passes(BEHIND - 10 - elapsed(world))
    run = world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert run.check_at == NOON + timedelta(seconds=BEHIND)
    world.passes(60)
    assert markets(world) == ["spot", "on-demand"]


def test_an_on_demand_attempt_that_the_service_fails_is_followed_on_demand() -> None:
    world = switching()
    stopped(world)
    world.trains(2, 60)
    world.checkpoint("a")
    world.tell(2, "Failed", "Failed", failure_reason="InternalServerError: We encountered an internal error.")
    run = world.passes(120)
    assert markets(world) == ["spot", "on-demand", "on-demand"]
    assert run.current.cause is Cause.SERVICE_ERROR, "it is there already"


def test_the_fiftieth_attempt_is_not_given_up_for_there_is_no_other() -> None:
    world = submitted(deadline(5 * HOUR, budgets=Budgets(expired_waits=100)))
    for number in range(1, MAX_ATTEMPTS):
        world.tell(number, "Stopped", "MaxWaitTimeExceeded")
    run = until(world, BEHIND + 600)
    assert run.current.number == MAX_ATTEMPTS
    assert world.jobs.stopped == []
    assert run.check_at == world.clock() + timedelta(seconds=300), "it is looked at as any other run"


@pytest.mark.parametrize("lost", [False, True], ids=["heard", "lost"])
def test_a_run_ends_in_time_if_it_never_sees_a_spot_instance(lost: bool) -> None:
    world = submitted()
    until(world, BEHIND)
    world.clock.passes(120)
    world.jobs.becomes("churn-relay-01", "Stopped", "Stopped")
    if not lost:
        world.advance(world.event(1, "Stopped", "Stopped"))
    world.passes(60)
    world.clock.passes(600)
    world.trains(2, 7200)
    run = world.tell(2, "Completed", "Completed", training_seconds=7200)
    assert run.ended_at is not None
    assert run.deadline_at is not None
    assert run.ended_at <= run.deadline_at


def test_a_tick_that_comes_too_early_asks_nothing_of_sagemaker() -> None:
    world = submitted()
    until(world, BEHIND - 60)
    described = len(world.jobs.described)
    world.advance(Due())
    assert len(world.jobs.described) == described

"""Metrics: what is counted of attempts and runs, with the market and the instance type it was counted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import HostingStatus
from spot_relay.domain.run.outbox import Measure
from spot_relay.domain.run.policy import Deadline, Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement, Transition
from spot_relay.domain.shown import metrics as measures
from tests.fakes import NOON
from tests.unit.worlds import World, submission

G5 = "ml.g5.2xlarge"
PLACEMENT = Placement(G5, 2, Market.ON_DEMAND)
FIRST = Attempt(1, "churn-relay-01", PLACEMENT, NOON, Cause.SUBMITTED, AttemptStatus.ENDED, ended_at=NOON)
SECOND = replace(FIRST, number=2, job_name="churn-relay-02", cause=Cause.CAPACITY_ERROR, ended_at=None)


def told(*values: tuple[str, float]) -> tuple[Measure, ...]:
    return tuple(Measure(name, value, Market.ON_DEMAND, G5) for name, value in values)


def test_a_first_launch_is_counted() -> None:
    assert measures.measure_launch(FIRST, None, NOON) == told(("AttemptsLaunched", 1))


def test_a_relaunch_is_counted_by_its_cause_with_the_seconds_since_the_end_before_it() -> None:
    assert measures.measure_launch(SECOND, FIRST, NOON + timedelta(seconds=12.3456)) == told(
        ("AttemptsLaunched", 1), ("RelaunchesAfterCapacityError", 1), ("EventToRelaunchSeconds", 12.346)
    )


def test_a_clock_that_is_behind_sagemakers_makes_no_negative_figure() -> None:
    assert measures.measure_launch(SECOND, FIRST, NOON - timedelta(seconds=5))[-1].value == 0


def test_how_long_a_user_took_to_resume_is_no_figure() -> None:
    resumed = replace(SECOND, cause=Cause.RESUMED)
    assert measures.measure_launch(resumed, FIRST, NOON) == told(("AttemptsLaunched", 1), ("RelaunchesAfterResumed", 1))


def test_a_launch_after_an_end_that_is_not_known_is_no_relaunch() -> None:
    assert measures.measure_launch(SECOND, replace(FIRST, ended_at=None), NOON) == told(("AttemptsLaunched", 1))


def test_interruptions_are_counted_together_and_none_is_not_counted() -> None:
    assert measures.measure_interruptions(FIRST, 3) == told(("Interruptions", 3))
    assert measures.measure_interruptions(FIRST, 0) == ()


def test_an_ended_attempt_tells_its_seconds_as_far_as_they_are_known() -> None:
    known = replace(FIRST, training_seconds=0, billable_seconds=20, waited_seconds=30)
    assert measures.measure_attempt_end(known) == told(
        ("TrainingSeconds", 0), ("BillableSeconds", 20), ("CapacityWaitSeconds", 30)
    )
    assert measures.measure_attempt_end(FIRST) == ()


@pytest.mark.parametrize(
    ("market", "trained", "billed", "told_of"),
    [
        (Market.SPOT, 3600, 3600, True),
        (Market.SPOT, 60, 61, True),
        (Market.SPOT, 3600, 3599, False),
        (Market.SPOT, 59, 59, False),  # rounding decides
        (Market.SPOT, 3600, None, False),
        (Market.SPOT, None, 3600, False),
        (Market.ON_DEMAND, 3600, 3600, False),
    ],
)
def test_a_spot_job_of_a_minute_or_more_that_saved_nothing_is_counted(
    market: Market, trained: int | None, billed: int | None, told_of: bool
) -> None:
    placement = replace(PLACEMENT, market=market)
    ended = replace(FIRST, placement=placement, training_seconds=trained, billable_seconds=billed)
    found = [measure for measure in measures.measure_attempt_end(ended) if measure.name == "SpotBilledAsOnDemand"]
    assert found == ([Measure("SpotBilledAsOnDemand", 1, market, G5)] if told_of else [])


def test_an_expired_wait_is_counted() -> None:
    expired = replace(FIRST, outcome=Outcome.MAX_WAIT_TIME_EXCEEDED)
    assert measures.measure_attempt_end(expired) == told(("WaitsExpired", 1))


LIVES, HAS_ENDED = AttemptStatus.IN_PROGRESS, AttemptStatus.ENDED


@pytest.mark.parametrize(
    ("status", "market", "described", "told_of"),
    [
        (LIVES, Market.SPOT, Market.ON_DEMAND, True),
        (LIVES, Market.SPOT, Market.SPOT, False),
        (LIVES, Market.ON_DEMAND, Market.ON_DEMAND, False),
        (HAS_ENDED, Market.SPOT, Market.ON_DEMAND, False),
        (HAS_ENDED, Market.ON_DEMAND, Market.ON_DEMAND, False),
    ],
)
def test_a_spot_job_that_sagemaker_describes_as_an_on_demand_one_is_counted(
    status: AttemptStatus, market: Market, described: Market, told_of: bool
) -> None:
    attempt = replace(FIRST, status=status, placement=replace(PLACEMENT, market=market))
    counted = (Measure("SpotBilledAsOnDemand", 1, Market.SPOT, G5),)
    assert measures.measure_market(attempt, described) == (counted if told_of else ())


def test_what_has_become_of_a_model_is_counted_by_its_status() -> None:
    run = replace(accept(submission(), "one", NOON), attempts=(FIRST,))
    assert measures.measure_hosting(run, HostingStatus.SUCCEEDED) == told(("HostingSucceeded", 1))
    assert measures.measure_hosting(run, HostingStatus.FAILED) == told(("HostingFailed", 1))


def test_an_ended_run_is_counted_with_what_it_saved() -> None:
    attempt = replace(FIRST, training_seconds=100, billable_seconds=25)
    run = replace(accept(submission(), "one", NOON), status=RunStatus.FAILED, attempts=(attempt,))
    assert measures.measure_run_end(run) == told(("RunsFailed", 1), ("SavingsPercent", 75.0))
    assert measures.measure_run_end(replace(run, attempts=(FIRST,))) == told(("RunsFailed", 1))


def test_a_late_event_is_counted() -> None:
    assert measures.measure_late_event(FIRST) == told(("LateOrDuplicateEvents", 1))


@pytest.mark.parametrize("by", ["event", "tick"])
def test_the_end_of_an_attempt_brings_all_that_was_not_counted_before(by: str) -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1, 0)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    world.clock.passes(10)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.clock.passes(10)
    world.telemetry.measures.clear()
    ending = {"training_seconds": 90, "billable_seconds": 45}
    if by == "event":
        world.tell(1, "Completed", "Completed", **ending)
    else:
        world.jobs.becomes("churn-relay-01", "Completed", "Completed", **ending)
        world.passes(600)
    assert [(measure.name, measure.value) for measure in world.telemetry.measures] == [
        ("Interruptions", 1),
        ("TrainingSeconds", 90),
        ("BillableSeconds", 45),
        ("CapacityWaitSeconds", 70),
        ("RunsCompleted", 1),
        ("SavingsPercent", 50.0),
    ]


HOUR = timedelta(hours=1)
LATE = Deadline(expected_runtime_seconds=7200, within_seconds=36_000)
TRAINING = Transition("Training", NOON)
LIVE = replace(
    FIRST, status=AttemptStatus.IN_PROGRESS, ended_at=None, training_started_at=NOON, transitions=(TRAINING,)
)
OPEN = replace(accept(submission(Policy(deadline=LATE)), "one", NOON), status=RunStatus.IN_PROGRESS, attempts=(LIVE,))


def test_a_run_that_is_open_after_its_deadline_is_counted_with_each_check() -> None:
    last = NOON + 10 * HOUR
    assert measures.measure_check(OPEN, last) == ()
    late = told(("RunsPastDeadline", 1))
    assert measures.measure_check(OPEN, last + timedelta(seconds=1)) == late
    waits = replace(OPEN, attempts=(FIRST,), status=RunStatus.PENDING)
    assert measures.measure_check(waits, last + HOUR) == late
    for needless in (replace(OPEN, stop_requested=True), replace(OPEN, status=RunStatus.FAILED)):
        assert measures.measure_check(needless, last + HOUR) == ()
    assert measures.measure_check(replace(OPEN, deadline_at=None), last + HOUR) == ()


def test_a_checkpoint_that_is_overdue_is_counted_with_each_check() -> None:
    assert measures.measure_check(OPEN, NOON + HOUR) == ()
    missed = OPEN.with_attempt(replace(LIVE, unsaved_since=NOON))
    assert measures.measure_check(missed, NOON + HOUR) == told(("CheckpointsOverdue", 1))
    assert measures.measure_check(replace(missed, stop_requested=True), NOON + HOUR) == ()


def test_a_run_that_ended_after_its_deadline_is_counted_unless_it_was_asked_to_stop() -> None:
    last = NOON + 10 * HOUR
    ended = replace(OPEN, status=RunStatus.COMPLETED, ended_at=last + HOUR)
    in_time = ended.with_attempt(replace(FIRST, ended_at=last))
    late = ended.with_attempt(replace(FIRST, ended_at=last + timedelta(seconds=1)))
    for run in (ended, late):
        assert measures.measure_run_end(run) == told(("RunsCompleted", 1), ("RunsPastDeadline", 1))
    unknown = replace(ended, ended_at=None)
    for run in (in_time, replace(late, stop_requested=True), replace(late, deadline_at=None), unknown):
        assert measures.measure_run_end(run) == told(("RunsCompleted", 1))

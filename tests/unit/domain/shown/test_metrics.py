"""Metrics: what is counted of attempts and runs, with the market and the instance type it was counted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Measure
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
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


def test_an_expired_wait_is_counted() -> None:
    expired = replace(FIRST, outcome=Outcome.MAX_WAIT_TIME_EXCEEDED)
    assert measures.measure_attempt_end(expired) == told(("WaitsExpired", 1))


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

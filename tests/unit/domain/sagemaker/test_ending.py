"""How a job ended is read from its status and from the prefix of its FailureReason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.sagemaker.ending import Outcome, classify_failure, outcome_of
from spot_relay.domain.sagemaker.job import Job, Market, Placement, Transition
from tests.fakes import NOON

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, Placement("ml.m5.xlarge", 1, Market.SPOT))


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("CapacityError: Unable to provision requested ML compute capacity.", Outcome.CAPACITY_ERROR),
        ("InternalServerError: We encountered an internal error.  Please try again.", Outcome.SERVICE_ERROR),
        ("InternalServerError: We encountered an internal error. Please try again.", Outcome.SERVICE_ERROR),
        ("AlgorithmError: exit code 1", Outcome.USER_ERROR),
        ("ClientError: Data download failed", Outcome.USER_ERROR),
        (" \n ClientError: after blanks", Outcome.USER_ERROR),
        ("ClientError: the words CapacityError do not make it one", Outcome.USER_ERROR),
        ("Something else", Outcome.UNKNOWN_FAILURE),
        ("", Outcome.UNKNOWN_FAILURE),
        (None, Outcome.UNKNOWN_FAILURE),
    ],
)
def test_a_failure_reason_is_classed_by_its_prefix(reason: str | None, outcome: Outcome) -> None:
    assert classify_failure(reason) is outcome


@pytest.mark.parametrize(
    ("status", "secondary", "outcome"),
    [
        ("Completed", "Completed", Outcome.COMPLETED),
        ("Failed", "Failed", Outcome.SERVICE_ERROR),
        ("Stopped", "Stopped", Outcome.STOPPED),
        ("Stopped", "MaxWaitTimeExceeded", Outcome.MAX_WAIT_TIME_EXCEEDED),
        ("Stopped", "MaxRuntimeExceeded", Outcome.MAX_RUNTIME_EXCEEDED),
    ],
)
def test_how_a_job_ended_is_told_by_its_statuses_and_its_failure_reason(
    status: str, secondary: str, outcome: Outcome
) -> None:
    job = replace(JOB, status=status, secondary_status=secondary, failure_reason="InternalServerError: again")
    assert outcome_of(job) is outcome


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Deleting", "Unheard"])
def test_a_job_in_any_other_status_has_not_ended(status: str) -> None:
    assert outcome_of(replace(JOB, status=status)) is None


def test_a_stopped_job_with_a_secondary_status_nobody_knows_counts_as_stopped() -> None:
    assert outcome_of(replace(JOB, status="Stopped", secondary_status="Unheard")) is Outcome.STOPPED


@pytest.mark.parametrize("secondary", ["Stopped", "MaxPendingTimeExceeded"])
def test_a_job_that_outlived_its_max_pending_time_without_an_instance_got_no_capacity(secondary: str) -> None:
    """The service's model has no secondary status for it; one that it may get changes nothing."""
    hours = [NOON + timedelta(hours=count) for count in range(3)]
    pending = [Transition("Pending", hours[0], hours[2]), Transition(secondary, hours[2], hours[2])]
    stopped = replace(
        JOB,
        status="Stopped",
        secondary_status=secondary,
        ended_at=hours[2],
        max_pending_seconds=7200,
        transitions=tuple(pending),
    )
    assert outcome_of(stopped) is Outcome.MAX_PENDING_TIME_EXCEEDED
    trained = replace(stopped, transitions=(pending[0], Transition("Training", hours[1], hours[2]), pending[1]))
    assert outcome_of(trained) is Outcome.STOPPED
    assert outcome_of(replace(stopped, ended_at=hours[1])) is Outcome.STOPPED


@pytest.mark.parametrize(
    ("early", "outcome"),
    [
        (0.4, Outcome.MAX_PENDING_TIME_EXCEEDED),
        (30, Outcome.MAX_PENDING_TIME_EXCEEDED),
        (30.1, Outcome.STOPPED),
        (600, Outcome.STOPPED),
    ],
)
def test_a_job_may_end_half_a_minute_before_its_max_pending_time_by_its_own_times(
    early: float, outcome: Outcome
) -> None:
    end = NOON + timedelta(seconds=7200 - early)
    job = replace(JOB, status="Stopped", secondary_status="Stopped", ended_at=end, max_pending_seconds=7200)
    assert outcome_of(job) is outcome
    assert outcome_of(replace(job, ended_at=None, modified_at=end)) is outcome
    assert outcome_of(replace(job, training_seconds=5)) is Outcome.STOPPED

"""The small values that decisions are made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.policy import Backoff
from spot_relay.domain.sagemaker.ending import Outcome, classify_failure, outcome_of
from spot_relay.domain.sagemaker.job import (
    Checkpoint,
    Job,
    Market,
    Placement,
    Transition,
    attempt_name,
    canary_name,
    parse_attempt_name,
    parse_canary_name,
)
from spot_relay.domain.sagemaker.refusal import Refusal, classify_quota, parse_quota
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.domain.shown.accounting import account_of
from spot_relay.domain.values import replace as changed
from tests.fakes import NOON
from tests.unit.worlds import TRAINING_JOB, submission

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, placement_of(TRAINING_JOB))


@given(st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,53}", fullmatch=True), st.integers(1, 50))
def test_an_attempts_name_tells_its_run_and_number(run_id: str, number: int) -> None:
    assert parse_attempt_name(attempt_name(run_id, number)) == (run_id, number)


@pytest.mark.parametrize("name", ["churn", "churn-relay-1", "churn-relay-001", "-relay-01", "churn-relay-01-hpo", ""])
def test_a_name_of_another_form_is_no_attempts_name(name: str) -> None:
    assert parse_attempt_name(name) is None


@given(st.from_regex(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,52}", fullmatch=True), st.integers(1, 50))
def test_a_canarys_name_tells_its_run_and_number_and_is_no_attempts(run_id: str, number: int) -> None:
    name = canary_name(run_id, number)
    assert parse_canary_name(name) == (run_id, number)
    assert parse_attempt_name(name) is None


@pytest.mark.parametrize("name", ["churn", "churn-canary-1", "churn-canary-001", "-canary-01", "churn-relay-01", ""])
def test_a_name_of_another_form_is_no_canarys_name(name: str) -> None:
    assert parse_canary_name(name) is None


def test_a_run_may_itself_be_named_like_an_attempt() -> None:
    assert parse_attempt_name("a-relay-01-relay-02") == ("a-relay-01", 2)


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


@pytest.mark.parametrize("status", ["InProgress", "Stopping", "Deleting", "Unheard"])
def test_a_job_in_any_other_status_has_not_ended(status: str) -> None:
    assert outcome_of(replace(JOB, status=status)) is None


def test_a_stopped_job_with_a_secondary_status_nobody_knows_counts_as_stopped() -> None:
    assert outcome_of(replace(JOB, status="Stopped", secondary_status="Unheard")) is Outcome.STOPPED


def test_a_quota_message_tells_its_quota() -> None:
    message = (
        "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is 1 Instances, with current "
        "utilization of 1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas."
    )
    quota = parse_quota(message)
    assert quota is not None
    assert (quota.name, quota.limit, quota.utilization, quota.delta) == (
        "ml.g5.2xlarge for spot training job usage",
        1,
        1,
        1,
    )
    assert classify_quota(message) is Refusal.QUOTA_FULL
    assert classify_quota(message.replace("is 1", "is 0")) is Refusal.QUOTA_TOO_SMALL


def test_a_limit_message_of_another_form_is_taken_for_full_and_waited_out() -> None:
    assert classify_quota("You have too many training jobs") is Refusal.QUOTA_FULL


@given(st.integers(0, 60), st.floats(0, 0.999))
def test_a_backoff_is_never_negative_and_never_above_its_bound(failures: int, draw: float) -> None:
    assert 0 <= Backoff(30, 900).seconds(failures, draw) < 900


def test_the_wait_for_capacity_is_the_time_before_training_and_after_each_interruption() -> None:
    def after(minutes: int) -> timedelta:
        return timedelta(minutes=minutes)

    phases = (
        Transition("Starting", NOON, NOON + after(5)),
        Transition("Downloading", NOON + after(5), NOON + after(6)),
        Transition("Training", NOON + after(6), NOON + after(16)),
        Transition("Interrupted", NOON + after(16), NOON + after(36)),
        Transition("Training", NOON + after(36)),
    )
    job = replace(JOB, transitions=phases)
    assert job.seconds_waited(NOON + after(60)) == 25 * 60
    assert job.interruptions == 1


def test_the_savings_are_the_services_own_formula() -> None:
    run = accept(submission(), "one", NOON)
    attempt = replace(run.current, training_seconds=80, billable_seconds=25)
    assert account_of(run.with_attempt(attempt), NOON).savings_percent == 68.8


def test_a_run_that_never_trained_has_no_savings() -> None:
    assert account_of(accept(submission(), "one", NOON), NOON).savings_percent is None


def test_an_on_demand_job_is_placed_on_demand() -> None:
    assert placement_of(TRAINING_JOB).market is Market.SPOT
    assert placement_of(TRAINING_JOB | {"EnableManagedSpotTraining": False}).market is Market.ON_DEMAND


def test_a_heterogeneous_cluster_counts_all_its_instances() -> None:
    groups = [
        {"InstanceGroupName": "a", "InstanceType": "ml.m5.xlarge", "InstanceCount": 2},
        {"InstanceGroupName": "b", "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1},
    ]
    placement = placement_of({"ResourceConfig": {"InstanceGroups": groups}})
    assert (placement.instance_type, placement.instance_count) == ("ml.m5.xlarge", 3)


def test_a_launch_request_is_the_users_job_but_for_its_name_and_tags() -> None:
    run = accept(submission(), "one", NOON)
    request = launch_of_attempt(run, run.current).request
    assert {key: value for key, value in request.items() if key not in {"TrainingJobName", "Tags"}} == TRAINING_JOB


ATTEMPT = Attempt(1, "churn-relay-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, Cause.SUBMITTED)


def test_an_attempt_began_when_its_job_was_created_or_as_near_to_that_as_is_known() -> None:
    launched, created = NOON + timedelta(seconds=1), NOON + timedelta(seconds=2)
    assert ATTEMPT.began_at == NOON
    assert replace(ATTEMPT, launched_at=launched).began_at == launched
    assert replace(ATTEMPT, launched_at=launched, created_at=created).began_at == created
    assert replace(ATTEMPT, created_at=created).began_at == created


@pytest.mark.parametrize(("seconds", "progress"), [(-1, False), (0, True), (1, True)])
def test_a_checkpoint_as_new_as_the_beginning_of_an_attempt_is_progress_for_s3_counts_whole_seconds(
    seconds: int, progress: bool
) -> None:
    saved = Checkpoint("b", NOON + timedelta(seconds=seconds))
    assert replace(ATTEMPT, checkpoint=saved).has_progressed is progress
    assert replace(ATTEMPT, checkpoint=saved, resumes_from=Checkpoint("a", NOON)).has_progressed is progress


def test_the_checkpoint_that_an_attempt_began_with_is_no_progress_nor_is_none() -> None:
    began_with = Checkpoint("a", NOON + timedelta(hours=1))
    assert not replace(ATTEMPT, checkpoint=began_with, resumes_from=began_with).has_progressed
    assert not replace(ATTEMPT, resumes_from=began_with).has_progressed


def test_a_copy_has_what_was_changed_and_all_else_as_it_was() -> None:
    assert changed(JOB, status="Stopped", billable_seconds=7) == replace(JOB, status="Stopped", billable_seconds=7)
    assert JOB.status == "InProgress"


def test_a_field_that_was_left_to_the_class_can_be_changed_too() -> None:
    stored = object.__new__(Job)
    stored.__dict__.update({name: value for name, value in vars(JOB).items() if name != "billable_seconds"})
    assert stored == JOB, "as msgspec gives a value whose document lacks a field"
    assert changed(stored, billable_seconds=7, status="Stopped").billable_seconds == 7


def test_what_is_no_field_can_not_be_changed() -> None:
    with pytest.raises(TypeError, match=r"^Job has no field colour, size$"):
        changed(JOB, size=1, colour="red", status="Stopped")  # type: ignore[call-arg]

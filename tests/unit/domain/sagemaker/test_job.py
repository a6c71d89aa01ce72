"""What SageMaker tells of jobs: their names, where they run, and how long they waited."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.sagemaker.job import (
    Job,
    Market,
    Placement,
    Transition,
    attempt_name,
    canary_name,
    parse_attempt_name,
    parse_canary_name,
)
from tests.fakes import NOON

JOB = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, NOON, Placement("ml.m5.xlarge", 1, Market.SPOT))


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

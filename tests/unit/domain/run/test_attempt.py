"""When an attempt began, and whether it has trained and progressed; and whether a canary may exist."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.run.attempt import Attempt, Canary
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON

SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
ATTEMPT = Attempt(1, "churn-relay-01", SPOT, NOON, Cause.SUBMITTED)


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


def test_an_attempt_has_trained_if_its_job_says_since_when_or_for_how_long() -> None:
    assert not ATTEMPT.has_trained
    assert not replace(ATTEMPT, training_seconds=0).has_trained
    assert replace(ATTEMPT, training_seconds=1).has_trained
    assert replace(ATTEMPT, training_started_at=NOON).has_trained


@pytest.mark.parametrize(
    ("refusal", "may_exist"),
    [(None, True), (Refusal.UNDESCRIBED, True), (Refusal.QUOTA_FULL, False)],
)
def test_a_canary_may_exist_until_a_refusal_proves_that_it_does_not(
    refusal: Refusal | None, *, may_exist: bool
) -> None:
    assert Canary(1, "churn-canary-01", SPOT, NOON, 9000, refusal=refusal).may_exist is may_exist

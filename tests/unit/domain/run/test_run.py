"""Where a job runs, when an attempt began, and whether it has progressed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from spot_relay.domain.sagemaker.request import placement_of
from tests.fakes import NOON
from tests.unit.worlds import TRAINING_JOB


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

"""What a refusal of CreateTrainingJob says, and what it means for the run's placement."""

from __future__ import annotations

import pytest

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Quota, Refusal, advise, classify_invalid, classify_quota, parse_quota

SPOT = Placement("ml.g5.2xlarge", 1, Market.SPOT)
OLD = Placement("ml.p2.xlarge", 2, Market.ON_DEMAND)


def says(name: str, limit: str, used: str, delta: str, unit: str = "Instances") -> str:
    return (
        f"The account-level service limit {name} is {limit} {unit}, with current utilization of {used} {unit} and a "
        f"request delta of {delta} {unit}. Please use AWS Service Quotas to request an increase for this quota."
    )


def test_a_quota_message_tells_its_quota() -> None:
    assert parse_quota(says("'ml.g5.2xlarge for spot training job usage'", "1", "1", "1")) == Quota(
        1, "ml.g5.2xlarge for spot training job usage", 1, 1, "Instances"
    )


@pytest.mark.parametrize(
    "text",
    [
        says("'ml.g5.2xlarge for spot training job usage'", "4", "4", "1"),
        says("'ml.g5.2xlarge for spot training job usage'", "1,000", "1,000", "8", "Instance"),
        says('"ml.g5.2xlarge for spot training job usage"', "4", "4", "1"),
        says("for ml.g5.2xlarge for spot training job usage", "4", "4", "1"),
        says("for training-job/ml.g5.2xlarge", "4", "4", "1"),
        says("'ML.G5.2XLARGE for Spot Training Job usage'", "4.0", "4.0", "1.0"),
    ],
)
def test_a_full_quota_of_the_pool_is_waited_for_in_the_pools_queue(text: str) -> None:
    assert classify_quota(text, SPOT) is Refusal.QUOTA_FULL


@pytest.mark.parametrize(
    "text",
    [
        says("'ml.g5.2xlarge for spot training job usage'", "0", "0", "1"),
        says("'Longest run time for a training job'", "432000", "0", "864000", "Seconds"),
        says("'Longest run time for a training job'", "432,000", "0", "864,000", "Seconds"),
        says("'Total size of EBS volumes of training jobs'", "5000", "0", "6000.5", "Gigabytes"),
        says("'Number of instances across all training jobs'", "4", "0", "8"),
        says("'ml.m5.xlarge for processing job usage'", "0", "0", "1"),
        says("for training-job/ml.p2.xlarge", "0", "0", "2"),
        "The account-level service limit for training-job/ml.p2.xlarge is 0 Instances.",
        "Your quota is 0. Request an increase.",
        "You exceeded the limit (limit: 2, requested: 3).",
    ],
)
def test_a_limit_below_the_request_can_never_hold_the_placement(text: str) -> None:
    assert classify_quota(text, OLD) is Refusal.QUOTA_TOO_SMALL


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (says("'Number of instances across all training jobs'", "20", "20", "1"), Refusal.SHARED_QUOTA_FULL),
        (says("'Number of instances across all spot training jobs'", "20", "19", "2"), Refusal.SHARED_QUOTA_FULL),
        (
            says("'Total size of EBS volumes of training jobs'", "5000", "4990", "50", "Gigabytes"),
            Refusal.SHARED_QUOTA_FULL,
        ),
        (says("'ml.m5.xlarge for processing job usage'", "20", "20", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for training warm pool usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.2xlarge for training job usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        (says("'ml.g5.24xlarge for spot training job usage'", "2", "2", "1"), Refusal.OTHER_QUOTA_FULL),
        ("You have too many training jobs", Refusal.OTHER_QUOTA_FULL),
    ],
)
def test_a_full_quota_that_is_not_the_pools_own_keeps_nobody_else_waiting(text: str, kind: Refusal) -> None:
    assert classify_quota(text, SPOT) is kind
    assert (kind.passes, kind.backs_off, kind.needs_room) == (True, True, False)


def test_an_instance_type_that_the_region_does_not_have_closes_the_placement() -> None:
    text = "The requested resource training-job/ml.g5.2xlarge is not available in this region"
    assert classify_quota(text, SPOT) is Refusal.PLACEMENT_REJECTED


@pytest.mark.parametrize(
    "text",
    [
        "Instance type ml.g5.2xlarge is not supported for the algorithm.",
        "1 validation error detected: Value 'ml.g5.2xlarge' at 'resourceConfig.instanceType' failed",
        "The algorithm does not support distributed training. Set instanceCount to 1.",
        "GPU instance types are not supported by this built-in algorithm",
        "Managed Spot Training is not available in this region.",
        "Unsupported hardware in the region eu-south-2: ml.g5.2xlarge",
    ],
)
def test_a_validation_error_about_the_placement_closes_the_placement_alone(text: str) -> None:
    assert classify_invalid(text, SPOT) is Refusal.PLACEMENT_REJECTED


@pytest.mark.parametrize(
    "text",
    [
        "Could not assume role arn:aws:iam::111122223333:role/training.",
        "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true",
        "The S3 bucket data-eu is not supported in this region: it is in eu-west-1",
        "No S3 objects found under S3 URL",
        "Requested image 111122223333.dkr.ecr.us-east-1.amazonaws.com/train:1 not found.",
    ],
)
def test_a_validation_error_about_the_request_is_invalid_wherever_it_runs(text: str) -> None:
    assert classify_invalid(text, SPOT) is Refusal.INVALID


def test_the_advice_names_the_quota_to_raise() -> None:
    text = says("'Longest run time for a training job'", "432000", "0", "864000", "Seconds")
    assert "'Longest run time for a training job'" in advise(Refusal.QUOTA_TOO_SMALL, text)
    assert "'Longest run time for a training job'" in advise(Refusal.OTHER_QUOTA_FULL, text)
    assert "the message describes" in advise(Refusal.QUOTA_TOO_SMALL, "no limit here")

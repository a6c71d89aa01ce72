"""The CreateTrainingJob request of a spot job that only sleeps: it touches nothing of the user's job."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.validate import ParamValidator

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import sleep_in_place
from spot_relay.request.problem import Problems
from spot_relay.request.request_model import check_request, load_request_shape
from tests.unit.worlds import PREFIX, TRAINING_JOB, submission

NETWORK = {
    "VpcConfig": {"SecurityGroupIds": ["sg-0123"], "Subnets": ["subnet-0123"]},
    "EnableNetworkIsolation": True,
}
RICH: dict[str, Any] = {
    **NETWORK,
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}},
        }
    ],
    "Environment": {"TOKEN": "very-secret"},
    "RetryStrategy": {"MaximumRetryAttempts": 3},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 50},
    "Tags": [{"Key": "team", "Value": "growth"}],
}


def request_of(image: str | None = None, wait: int = 9000, **changes: Any) -> dict[str, Any]:
    """The request on three instances."""
    job, placement = submission(**(RICH | changes)).training_job, Placement("ml.g5.xlarge", 3, Market.SPOT)
    return sleep_in_place(job, "churn-canary-02", placement, wait, {"ours": "1"}, image)


def test_sagemakers_own_model_accepts_the_request() -> None:
    for request in (request_of(), request_of("public.ecr.aws/docker/library/busybox:stable", wait=0)):
        problems = Problems()
        check_request(request, "", problems)
        problems.raise_if_any()
        assert not ParamValidator().validate(request, load_request_shape()).has_errors()


def test_it_touches_nothing_of_the_users_job() -> None:
    request = request_of()
    assert not {"CheckpointConfig", "InputDataConfig", "HyperParameters", "Environment"} & request.keys()
    assert "secret" not in str(request)
    assert PREFIX not in str(request)
    assert "s3://data" not in str(request)


def test_it_has_its_own_name_and_the_tags_of_both() -> None:
    request = request_of()
    assert request["TrainingJobName"] == "churn-canary-02"
    assert request["Tags"] == [{"Key": "team", "Value": "growth"}, {"Key": "ours", "Value": "1"}]


def test_it_is_a_spot_job_in_the_placement_and_in_the_same_network() -> None:
    request = request_of()
    assert request["EnableManagedSpotTraining"]
    assert request["ResourceConfig"] == {"InstanceType": "ml.g5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 50}
    assert {key: request[key] for key in NETWORK} == NETWORK
    assert request["RoleArn"] == TRAINING_JOB["RoleArn"]


def test_it_only_sleeps_and_ends_when_it_is_stopped() -> None:
    for given, image in ((None, TRAINING_JOB["AlgorithmSpecification"]["TrainingImage"]), ("busybox:1", "busybox:1")):
        assert request_of(given)["AlgorithmSpecification"] == {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c"],
            "ContainerArguments": ["trap 'exit 0' TERM; sleep 600 & wait"],
        }
    assert request_of("busybox:1", AlgorithmSpecification=None) == request_of("busybox:1")


@pytest.mark.parametrize(("wait", "asked"), [(0, 1200), (1199, 1200), (9000, 9000)])
def test_it_waits_as_long_as_it_may_and_runs_for_minutes(wait: int, asked: int) -> None:
    assert request_of(wait=wait)["StoppingCondition"] == {"MaxRuntimeInSeconds": 1200, "MaxWaitTimeInSeconds": asked}

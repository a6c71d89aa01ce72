"""The CreateTrainingJob request of a canary: a spot job that sleeps, and touches nothing of its run's."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.validate import ParamValidator

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.attempt import Canary
from spot_relay.domain.run.launch import check_canary, launch_of_canary
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.spec.problem import Problems
from spot_relay.spec.request_model import check_request, load_request_shape
from tests.fakes import NOON
from tests.unit.worlds import PREFIX, TRAINING_JOB, submission

CANARY = "churn-canary-02"
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
    """The request of a canary on three instances."""
    run = accept(submission(**(RICH | changes)), "one", NOON)
    canary = Canary(2, CANARY, Placement("ml.g5.xlarge", 3, Market.SPOT), NOON, wait)
    return launch_of_canary(run, canary, image).request


def test_sagemakers_own_model_accepts_the_request_of_a_canary() -> None:
    for request in (request_of(), request_of("public.ecr.aws/docker/library/busybox:stable", wait=0)):
        problems = Problems()
        check_request(request, "", problems)
        problems.raise_if_any()
        assert not ParamValidator().validate(request, load_request_shape()).has_errors()


def test_a_canary_touches_nothing_of_the_runs() -> None:
    request = request_of()
    assert not {"CheckpointConfig", "InputDataConfig", "HyperParameters", "Environment"} & request.keys()
    assert "secret" not in str(request)
    assert PREFIX not in str(request)
    assert "s3://data" not in str(request)


def test_a_canary_is_known_by_its_tags_and_is_no_attempt() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in request_of()["Tags"]}
    assert tags == {
        "team": "growth",
        "spot-relay:run-id": "churn",
        "spot-relay:canary": "2",
        "spot-relay:submission": "one",
    }


def test_a_canary_is_a_spot_job_on_the_instances_that_the_attempt_will_need_in_the_same_network() -> None:
    request = request_of()
    assert request["EnableManagedSpotTraining"]
    assert request["ResourceConfig"] == {"InstanceType": "ml.g5.xlarge", "InstanceCount": 3, "VolumeSizeInGB": 50}
    assert {key: request[key] for key in NETWORK} == NETWORK
    assert request["RoleArn"] == TRAINING_JOB["RoleArn"]


def test_a_canary_only_sleeps_and_goes_when_it_is_told() -> None:
    algorithm = request_of()["AlgorithmSpecification"]
    assert algorithm["TrainingImage"] == TRAINING_JOB["AlgorithmSpecification"]["TrainingImage"]
    assert algorithm["ContainerEntrypoint"] == ["/bin/sh", "-c"]
    assert algorithm["ContainerArguments"] == ["trap 'exit 0' TERM; sleep 600 & wait"]
    assert request_of("busybox:1")["AlgorithmSpecification"]["TrainingImage"] == "busybox:1"


@pytest.mark.parametrize(("wait", "asked"), [(0, 1200), (1199, 1200), (9000, 9000)])
def test_a_canary_waits_as_long_as_the_deadline_lets_an_attempt_and_runs_for_minutes(wait: int, asked: int) -> None:
    assert request_of(wait=wait)["StoppingCondition"] == {"MaxRuntimeInSeconds": 1200, "MaxWaitTimeInSeconds": asked}


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("churn", {"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}}, "TrainingImage"),
        ("churn", {"ResourceConfig": {"InstanceGroups": [{"InstanceType": "ml.m5.xlarge"}]}}, "InstanceGroups"),
        ("x" * 54, {}, "longer than 63 characters"),
    ],
)
def test_a_job_that_can_have_no_canary_is_told_why(name: str, changes: dict[str, Any], why: str) -> None:
    assert check_canary("churn", TRAINING_JOB) is None
    no = check_canary(name, TRAINING_JOB | changes)
    assert no is not None
    assert why in no.because

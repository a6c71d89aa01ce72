"""The values of a stack that a spec may have filled in."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay_client.errors import SpotRelayError
from spot_relay_client.stack import Stack

ROLE = "arn:aws:iam::111122223333:role/training"


def stack(roles: str = ROLE, buckets: str = "sagemaker-*") -> Stack:
    parameters = {"AllowedRoleArns": roles, "AllowedCheckpointBuckets": buckets}
    return Stack("spot-relay", "eu-west-1", {}, parameters, "111122223333")


def test_values_of_the_stack_are_filled_in_wherever_strings_are() -> None:
    spec = {
        "name": "churn",
        "training_job": {
            "RoleArn": "{stack.role}",
            "AlgorithmSpecification": {"TrainingImage": "{stack.account}.dkr.ecr.{stack.region}.amazonaws.com/churn:1"},
            "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "s3://{stack.bucket}/churn/train"}}}],
            "ResourceConfig": {"InstanceCount": 1},
        },
    }
    job = stack().fill_in(spec)["training_job"]
    assert job["RoleArn"] == ROLE
    assert job["AlgorithmSpecification"]["TrainingImage"] == "111122223333.dkr.ecr.eu-west-1.amazonaws.com/churn:1"
    assert job["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == (
        "s3://sagemaker-eu-west-1-111122223333/churn/train"
    )
    assert job["ResourceConfig"] == {"InstanceCount": 1}
    assert spec["training_job"]["RoleArn"] == "{stack.role}"  # type: ignore[index]


@pytest.mark.parametrize("text", ["{name}", "{date}", "{}", "{stack}", "{0.__class__}", "{{stack}}", "%s", "$role", 7])
def test_everything_else_stays_as_it_is(text: Any) -> None:
    assert stack().fill_in({"key": text}) == {"key": text}


def test_a_name_that_a_stack_does_not_have_is_refused_with_those_that_it_has() -> None:
    message = "The spec contains {stack.rolle}, which is not known. Known are {stack.role}, {stack.bucket}, "
    with pytest.raises(SpotRelayError, match=message.replace("{", r"\{")):
        stack().fill_in({"RoleArn": "{stack.rolle}"})
    with pytest.raises(SpotRelayError, match="fill_in"):
        stack().fill_in("{stack.fill_in}")


@pytest.mark.parametrize(
    ("allowed", "bucket"),
    [
        ("sagemaker-*", "sagemaker-eu-west-1-111122223333"),
        ("team-a,sagemaker-eu-*", "sagemaker-eu-west-1-111122223333"),
        ("team-*,team-a,team-b", "team-a"),
    ],
)
def test_the_bucket_is_sagemakers_own_or_else_the_first_one_that_is_named(allowed: str, bucket: str) -> None:
    assert stack(buckets=allowed).bucket == bucket


def test_a_bucket_that_only_a_pattern_names_has_to_be_written() -> None:
    with pytest.raises(SpotRelayError, match=r"allows the buckets team-\*, .* Write a bucket's name instead"):
        stack(buckets="team-*").fill_in("s3://{stack.bucket}/churn")


def test_the_role_is_the_first_of_those_that_the_stack_allows() -> None:
    assert stack(roles=f"{ROLE},{ROLE}-2").role == ROLE
    with pytest.raises(SpotRelayError, match=r"shows no AllowedRoleArns of the stack spot-relay\. Update the stack"):
        stack(roles="").fill_in("{stack.role}")

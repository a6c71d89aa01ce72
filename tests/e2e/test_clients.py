"""What clients of SageMaker do around a training job, which the embedded stack has to answer as AWS does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded import training_role
from embedded.deployment import PARAMETERS

if TYPE_CHECKING:
    from tests.e2e.relay import Relay


def test_clients_find_the_training_role_and_what_it_may_do(relay: Relay) -> None:
    iam = relay.stack.client("iam")
    role = iam.get_role(RoleName=training_role.NAME)["Role"]
    assert role["Arn"] == PARAMETERS["AllowedRoleArns"]
    assert "sagemaker.amazonaws.com" in str(role["AssumeRolePolicyDocument"])

    asked = ["s3:PutObject", "ec2:DescribeVpcs", "iam:CreateUser"]
    simulated = iam.simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=asked)["EvaluationResults"]
    decisions = {result["EvalActionName"]: result["EvalDecision"] for result in simulated}
    assert decisions == {"s3:PutObject": "allowed", "ec2:DescribeVpcs": "allowed", "iam:CreateUser": "implicitDeny"}


def test_clients_may_encrypt_uploads_without_naming_a_key(relay: Relay) -> None:
    place = {"Bucket": relay.bucket, "Key": "code/source.tar.gz"}
    relay.s3.put_object(**place, Body=b"code", ServerSideEncryption="aws:kms")
    assert relay.s3.get_object(**place)["ServerSideEncryption"] == "aws:kms"

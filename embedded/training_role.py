"""The role of the training jobs in the embedded IAM, which clients look at before they submit a job."""

from __future__ import annotations

import json
from typing import Any, Final

NAME: Final = "spot-relay-training"
_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
# What SageMaker's documentation lists for the role of a training job, also of one in a VPC.
_ACTIONS: Final = (
    *("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
    *("ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability"),
    *("ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage", "cloudwatch:PutMetricData"),
    *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission"),
    *("ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeVpcs", "ec2:DescribeDhcpOptions"),
    *("ec2:DescribeSubnets", "ec2:DescribeSecurityGroups"),
)
_POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": _ACTIONS, "Resource": "*"}],
}


def create_training_role(iam: Any) -> None:
    """Create the role with a client for IAM."""
    iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.put_role_policy(RoleName=NAME, PolicyName="training", PolicyDocument=json.dumps(_POLICY))

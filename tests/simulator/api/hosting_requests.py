"""Requests for models, endpoint configurations and model packages."""

from __future__ import annotations

from typing import Any

ACCOUNT = "arn:aws:sagemaker:us-east-1:000000000000"
ROLE = "arn:aws:iam::000000000000:role/hosting"
IMAGE = "000000000000.dkr.ecr.us-east-1.amazonaws.com/churn:1"
DATA = "s3://bucket/output/churn/output/model.tar.gz"


def model(name: str, **changes: Any) -> dict[str, Any]:
    """Return a CreateModel request; ``changes`` are those of its container."""
    container = {"Image": IMAGE, "ModelDataUrl": DATA} | changes
    return {
        "ModelName": name,
        "ExecutionRoleArn": ROLE,
        "PrimaryContainer": {key: value for key, value in container.items() if value is not None},
    }


def variant(model_name: str, **changes: Any) -> dict[str, Any]:
    """Return a production variant; a member set to ``None`` is left out."""
    members: dict[str, Any] = {
        "VariantName": "AllTraffic",
        "ModelName": model_name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    return {key: value for key, value in (members | changes).items() if value is not None}


def package(group: str, **changes: Any) -> dict[str, Any]:
    """Return a CreateModelPackage request."""
    specification = {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": DATA}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    members = {"ModelPackageGroupName": group, "InferenceSpecification": specification} | changes
    return {key: value for key, value in members.items() if value is not None}

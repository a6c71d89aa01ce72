"""Specs to start from: each test changes the one thing it speaks of."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings

from spot_relay.spec import InvalidSpecError, Rules, parse

ROLE = "arn:aws:iam::111122223333:role/training"
IMAGE = "444455556666.dkr.ecr.us-east-1.amazonaws.com/xgboost:1.7-1"
RULES = Rules(
    allowed_role_arns=(ROLE, "arn:aws:iam::111122223333:role/team/a"),
    allowed_images=("444455556666.dkr.ecr.*.amazonaws.com/*", "my-algorithm"),
    allowed_checkpoint_buckets=("checkpoints-*",),
)

# A machine that is busy is no failure: nothing here is measured.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_REQUEST: dict[str, Any] = {
    "TrainingJobName": "churn-2024",
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "HyperParameters": {"num_round": "50"},
    "OutputDataConfig": {"S3OutputPath": "s3://models/churn"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "CheckpointConfig": {"S3Uri": "s3://checkpoints-team/churn-2024/"},
}


def request(**changes: Any) -> dict[str, Any]:
    """Give a valid bare request with ``changes``; a key set to None is left out."""
    changed = copy.deepcopy(_REQUEST) | changes
    return {key: value for key, value in changed.items() if value is not None}


def wrapped(policy: Any = None, name: Any = "churn-2024", **changes: Any) -> dict[str, Any]:
    """Give a valid spec of the wrapped shape, with ``changes`` to its training job."""
    document = {"name": name, "training_job": request(**{"TrainingJobName": None, **changes})}
    return document if policy is None else {**document, "policy": policy}


def problems_of(document: dict[str, Any], rules: Rules = RULES) -> dict[str, str]:
    """Give what is wrong with a document, by path; empty when nothing is."""
    try:
        parse(document, rules)
    except InvalidSpecError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}

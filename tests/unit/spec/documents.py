"""Valid specs for tests to start from; each test changes only what it is about."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings

from spot_relay.spec import Allowlist, InvalidSpecError, parse_submission

ROLE = "arn:aws:iam::111122223333:role/training"
IMAGE = "444455556666.dkr.ecr.us-east-1.amazonaws.com/xgboost:1.7-1"
ALLOWLIST = Allowlist(
    allowed_role_arns=(ROLE, "arn:aws:iam::111122223333:role/team/a"),
    allowed_images=("444455556666.dkr.ecr.*.amazonaws.com/*", "my-algorithm"),
    allowed_checkpoint_buckets=("checkpoints-*",),
    task_token_state_machines=("arn:aws:states:us-east-1:111122223333:stateMachine:nightly",),
)

# Nothing here is measured, so a slow machine must not fail a test.
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
    """Return a valid bare request with ``changes``; a key set to None is left out."""
    changed = copy.deepcopy(_REQUEST) | changes
    return {key: value for key, value in changed.items() if value is not None}


def wrapped(policy: Any = None, name: Any = "churn-2024", **changes: Any) -> dict[str, Any]:
    """Return a valid wrapped spec with ``changes`` to its training job."""
    document = {"name": name, "training_job": request(**{"TrainingJobName": None, **changes})}
    return document if policy is None else {**document, "policy": policy}


def find_problems(document: dict[str, Any], allowlist: Allowlist = ALLOWLIST) -> dict[str, str]:
    """Return the messages of a document's problems by their paths; empty if it is valid."""
    try:
        parse_submission(document, allowlist)
    except InvalidSpecError as error:
        return {problem.path: problem.message for problem in error.problems}
    return {}

"""The spec that the example of a state machine submits is valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spot_relay.spec import Allowlist, parse_submission

EXAMPLE = Path(__file__).parents[3] / "examples" / "step-functions" / "train.asl.json"
VALUES = {"name": "nightly-1", "task_token": "AQCE", "inputs": {"train": "s3://bucket/train/"}}
VALUES["checkpoint_s3_uri"] = "s3://sagemaker-us-east-1-111122223333/checkpoints/nightly-1/"


def filled(value: Any) -> Any:
    """Return a value with its references replaced as Step Functions would."""
    if not isinstance(value, dict):
        return value
    return {
        key.removesuffix(".$"): VALUES[key[:-2]] if key.endswith(".$") else filled(one) for key, one in value.items()
    }


def test_the_example_submits_a_valid_spec_and_waits_for_its_run() -> None:
    machine = json.loads(EXAMPLE.read_text("utf-8"))
    submission = parse_submission(
        filled(machine["States"]["Train"]["Parameters"]["RequestBody"]),
        Allowlist(
            allowed_role_arns=("arn:aws:iam::111122223333:role/spot-relay-training",),
            allowed_images=("*.dkr.ecr.*.amazonaws.com/*",),
            allowed_checkpoint_buckets=("sagemaker-*",),
            task_token_state_machines=("arn:aws:states:us-east-1:111122223333:stateMachine:nightly",),
            region="us-east-1",
        ),
    )
    assert (submission.name, submission.task_token) == ("nightly-1", "AQCE")

"""The CreateTrainingJob request of an attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spot_relay.domain.run import Attempt, Run

RUN_ID_TAG = "spot-relay:run-id"
ATTEMPT_TAG = "spot-relay:attempt"
SUBMISSION_TAG = "spot-relay:submission"


def launch_tags(run: Run, attempt: Attempt) -> dict[str, str]:
    """Give the tags that mark a training job as this run's attempt, and no other run's of the same name."""
    return {RUN_ID_TAG: run.id, ATTEMPT_TAG: str(attempt.number), SUBMISSION_TAG: run.submission_id}


def launch_request(run: Run, attempt: Attempt) -> dict[str, Any]:
    """Build the request that creates an attempt's training job, as boto3 takes it."""
    ours = [{"Key": key, "Value": value} for key, value in launch_tags(run, attempt).items()]
    return {
        **run.training_job,
        "TrainingJobName": attempt.job_name,
        "Tags": [*run.training_job.get("Tags", []), *ours],
    }

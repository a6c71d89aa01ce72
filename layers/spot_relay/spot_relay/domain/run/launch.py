"""The CreateTrainingJob requests: of an attempt, and of the canary that waits for capacity beside one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.job import Market, canary_name

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Attempt, Canary, Run
    from spot_relay.domain.sagemaker.job import Placement

RUN_ID_TAG = "spot-relay:run-id"
ATTEMPT_TAG = "spot-relay:attempt"
SUBMISSION_TAG = "spot-relay:submission"
CANARY_TAG = "spot-relay:canary"

# The longest name that SageMaker gives a training job.
MAX_JOB_NAME = 63
# SageMaker's own, where a request names none.
DEFAULT_MAX_RUNTIME_SECONDS = 86_400
# The canary has to outlast the stop of the on-demand job: SageMaker gives that 120 s, and it uploads what it has.
CANARY_SLEEP_SECONDS = 600
CANARY_MAX_RUNTIME_SECONDS = 2 * CANARY_SLEEP_SECONDS
_SLEEP = f"trap 'exit 0' TERM; sleep {CANARY_SLEEP_SECONDS} & wait"
# What a canary shares with the training job: who it is, and the network that its instances are placed in.
_SHARED = ("RoleArn", "OutputDataConfig", "VpcConfig", "EnableNetworkIsolation")


def launch_tags(run: Run, attempt: Attempt) -> dict[str, str]:
    """Give the tags that mark a training job as this run's attempt, and no other run's of the same name."""
    return {RUN_ID_TAG: run.id, ATTEMPT_TAG: str(attempt.number), SUBMISSION_TAG: run.submission_id}


def launch_request(run: Run, attempt: Attempt) -> dict[str, Any]:
    """Build the request that creates an attempt's training job, as boto3 takes it.

    An on-demand job has neither EnableManagedSpotTraining nor MaxWaitTimeInSeconds: SageMaker takes them together.
    """
    job = {key: value for key, value in run.training_job.items() if key != "EnableManagedSpotTraining"}
    return {
        **job,
        **_market(run, attempt),
        "ResourceConfig": _resources(run, attempt.placement),
        "TrainingJobName": attempt.job_name,
        "Tags": [*run.training_job.get("Tags", []), *_tags(launch_tags(run, attempt))],
    }


def canary_tags(run: Run, canary: Canary) -> dict[str, str]:
    """Give the tags that mark a training job as this run's canary."""
    return {RUN_ID_TAG: run.id, CANARY_TAG: str(canary.number), SUBMISSION_TAG: run.submission_id}


def no_canary(run_id: str, training_job: dict[str, Any]) -> str | None:
    """Say why a run can have no canary, or None if it can."""
    if "TrainingImage" not in training_job.get("AlgorithmSpecification", {}):
        return "a canary needs a TrainingImage, and the job has an AlgorithmName"
    if training_job.get("ResourceConfig", {}).get("InstanceGroups"):
        return "a canary has one instance type, and the job has InstanceGroups"
    if len(canary_name(run_id, 1)) > MAX_JOB_NAME:
        return f"the name of a canary, {canary_name(run_id, 1)}, would have more than {MAX_JOB_NAME} characters"
    return None


def canary_request(run: Run, canary: Canary, image: str | None) -> dict[str, Any]:
    """Build the request that creates a canary: a spot job that sleeps, in the training job's image or another one.

    It has no input, no checkpoints and no hyperparameters, so it can touch nothing of the run's.
    """
    sleeper = {
        "TrainingImage": image or run.training_job["AlgorithmSpecification"]["TrainingImage"],
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c"],
        "ContainerArguments": [_SLEEP],
    }
    limits = {
        "MaxRuntimeInSeconds": CANARY_MAX_RUNTIME_SECONDS,
        "MaxWaitTimeInSeconds": max(CANARY_MAX_RUNTIME_SECONDS, canary.max_wait_seconds),
    }
    return {
        **{key: run.training_job[key] for key in _SHARED if key in run.training_job},
        "AlgorithmSpecification": sleeper,
        "ResourceConfig": _resources(run, canary.placement),
        "StoppingCondition": limits,
        "EnableManagedSpotTraining": True,
        "TrainingJobName": canary.job_name,
        "Tags": [*run.training_job.get("Tags", []), *_tags(canary_tags(run, canary))],
    }


def max_runtime_seconds(training_job: dict[str, Any]) -> int:
    """Give how long a job may run."""
    seconds: int = training_job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    return seconds


def _market(run: Run, attempt: Attempt) -> dict[str, Any]:
    stopping = dict(run.training_job.get("StoppingCondition", {}))
    own_wait = stopping.pop("MaxWaitTimeInSeconds", None)
    if attempt.placement.market is Market.ON_DEMAND:
        return {"StoppingCondition": stopping}
    wait = max(attempt.max_wait_seconds or own_wait or 0, max_runtime_seconds(run.training_job))
    return {"StoppingCondition": {**stopping, "MaxWaitTimeInSeconds": wait}, "EnableManagedSpotTraining": True}


def _resources(run: Run, placement: Placement) -> dict[str, Any]:
    """Give the instances of a placement; a cluster of several types has no ladder and stays as it is."""
    own: dict[str, Any] = run.training_job.get("ResourceConfig", {})
    if own.get("InstanceGroups") or own.get("InstancePreferences"):
        return own
    volume = {} if placement.volume_size_gb is None else {"VolumeSizeInGB": placement.volume_size_gb}
    named = {"InstanceType": placement.instance_type, "InstanceCount": placement.instance_count}
    return {**own, **named, **volume}


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]

"""Plan the load: how many runs, the state changes of each, and their specs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# The state changes of one attempt, in order. In a run's last attempt, the last two are Uploading and Completed.
STATES: Final = (
    "Starting",
    "Pending",
    "Downloading",
    "Training",
    "Interrupted",
    "Starting",
    "Downloading",
    "Training",
    "Stopping",
    "MaxWaitTimeExceeded",
)
# The most attempts that a run can have.
MAX_ATTEMPTS: Final = 50
BUCKET: Final = "sagemaker-us-east-1-000000000000"
PRICES: Final = "prices.json"
_MAX_WAIT_S: Final = 12
_PHASES: Final = {"starting": 1.0, "downloading": 0.5, "uploading": 0.5, "stopping": 0.5}
_CAPACITY: Final = {
    "after": 2.0,
    "interruptions": [{"after_training_seconds": 1.0, "capacity_returns_after": 1.0}],
}


class LoadError(ValueError):
    """A load is impossible; the message suggests a possible one."""


@dataclass(frozen=True, slots=True)
class Load:
    """A number of simultaneous runs, each with enough attempts for its share of the state changes."""

    runs: int
    attempts: int

    @property
    def events(self) -> int:
        """The total number of state changes."""
        return self.runs * self.attempts * len(STATES)


def plan_load(runs: int, events: int) -> Load:
    """Divide the events among the runs; raise LoadError unless each run's share is a whole number of attempts."""
    attempts, left = divmod(events, runs * len(STATES))
    if left or not 1 <= attempts <= MAX_ATTEMPTS:
        message = (
            f"{events} events cannot be divided among {runs} runs: an attempt has {len(STATES)} events, a run has 1 to "
            f"{MAX_ATTEMPTS} attempts. Use EVENTS={runs * len(STATES) * max(1, min(attempts, MAX_ATTEMPTS))}."
        )
        raise LoadError(message)
    return Load(runs, attempts)


def build_scenario(attempts: int) -> dict[str, Any]:
    """Return the simulator's scenario: MaxWait expires in every attempt except the last, which completes."""
    expires = {"train_seconds": 1000.0, "capacity": _CAPACITY, "phases": _PHASES}
    completes = {**expires, "name": f"*-relay-{attempts:02d}", "train_seconds": 2.0}
    return {"rules": [completes], "default": expires}


def name_runs(prefix: str, count: int) -> list[str]:
    """Return the names of ``count`` runs."""
    return [f"{prefix}-{number:05d}" for number in range(count)]


def build_checkpoint_key(name: str) -> str:
    """Return the key of a run's only checkpoint in BUCKET."""
    return f"{name}/checkpoints/checkpoint-1"


def build_spec(name: str, attempts: int) -> dict[str, Any]:
    """Return the spec of a run: a realistic job, with budgets for ``attempts`` attempts."""
    return {
        "name": name,
        "training_job": {
            "AlgorithmSpecification": {
                "TrainingImage": "000000000000.dkr.ecr.us-east-1.amazonaws.com/trainer:1",
                "TrainingInputMode": "File",
            },
            "RoleArn": "arn:aws:iam::000000000000:role/spot-relay-training",
            "HyperParameters": {"num_round": "100", "max_depth": "6", "eta": "0.2", "objective": "binary:logistic"},
            "InputDataConfig": [_channel("train"), _channel("validation")],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/output"},
            "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/{name}/checkpoints/"},
            "EnableManagedSpotTraining": True,
            "StoppingCondition": {"MaxRuntimeInSeconds": _MAX_WAIT_S, "MaxWaitTimeInSeconds": _MAX_WAIT_S},
        },
        "policy": {"budgets": {"expired_waits": attempts, "attempts_without_progress": attempts}},
    }


def _channel(name: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/data/{name}/"}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}

"""What the load is: how many runs, through which state changes each of them goes, and what its spec says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

# The state changes of one attempt, in this order. The last two are Uploading and Completed in a run's last attempt.
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
# As many as a run may have at all.
MOST_ATTEMPTS: Final = 50
BUCKET: Final = "sagemaker-us-east-1-000000000000"
PRICES: Final = "prices.json"
_MAX_WAIT_S: Final = 12
_PHASES: Final = {"starting": 1.0, "downloading": 0.5, "uploading": 0.5, "stopping": 0.5}
_CAPACITY: Final = {
    "after": 2.0,
    "interruptions": [{"after_training_seconds": 1.0, "capacity_returns_after": 1.0}],
}


class LoadError(ValueError):
    """A load that can't be sent; the text says which could."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many runs at once, each with as many attempts as it takes to have its share of the state changes."""

    runs: int
    attempts: int

    @property
    def events(self) -> int:
        """How many state changes all runs together go through."""
        return self.runs * self.attempts * len(STATES)


def load(runs: int, events: int) -> Load:
    """Share the events among the runs; LoadError unless each run's share is a number of whole attempts."""
    attempts, left = divmod(events, runs * len(STATES))
    if left or not 1 <= attempts <= MOST_ATTEMPTS:
        message = (
            f"{events} events can't be shared among {runs} runs: an attempt has {len(STATES)}, and a run has 1 to "
            f"{MOST_ATTEMPTS} attempts. Say EVENTS={runs * len(STATES) * max(1, min(attempts, MOST_ATTEMPTS))}."
        )
        raise LoadError(message)
    return Load(runs, attempts)


def scenario(attempts: int) -> dict[str, Any]:
    """Give the simulator's scenario: MaxWait expires in each attempt but the last, which completes."""
    expires = {"train_seconds": 1000.0, "capacity": _CAPACITY, "phases": _PHASES}
    completes = {**expires, "name": f"*-relay-{attempts:02d}", "train_seconds": 2.0}
    return {"rules": [completes], "default": expires}


def names(prefix: str, count: int) -> list[str]:
    """Name that many runs."""
    return [f"{prefix}-{number:05d}" for number in range(count)]


def checkpoint_key(name: str) -> str:
    """Say where a run's one checkpoint lies, in BUCKET."""
    return f"{name}/checkpoints/checkpoint-1"


def spec(name: str, attempts: int) -> dict[str, Any]:
    """Give the spec of a run: a job such as users submit, and budgets for that many attempts."""
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

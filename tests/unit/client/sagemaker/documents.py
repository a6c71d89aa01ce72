"""Runs as the API answers, and the API and CloudWatch Logs as far as the router calls them."""

from __future__ import annotations

import copy
from typing import Any, Final

from botocore.exceptions import ClientError

from spot_relay_client.errors import ConflictError, NoSuchRunError, UnreachableError

ARN: Final = "arn:aws:sagemaker:us-east-1:111122223333:training-job/"
REQUEST: Final[dict[str, Any]] = {
    "TrainingJobName": "churn",
    "RoleArn": "arn:aws:iam::111122223333:role/training",
    "AlgorithmSpecification": {"TrainingImage": "an-image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    "EnableManagedSpotTraining": True,
    "Tags": [{"Key": "team", "Value": "ml"}],
}


def step(status: str, at: str, until: str | None = None, message: str | None = None) -> dict[str, Any]:
    """Return a transition; times are such as ``10:00:00`` of one day."""
    return {"status": status, "started_at": _iso(at), "ended_at": until and _iso(until), "message": message}


def attempt(number: int, *transitions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an attempt of the run ``churn``."""
    name = f"churn-relay-{number:02d}"
    return {
        "number": number,
        "job_name": name,
        "job_arn": f"{ARN}{name}",
        "log_stream_prefix": f"{name}/",
        "training_started_at": None,
        "ended_at": None,
        "transitions": list(transitions),
        **changes,
    }


def run(status: str, *attempts: dict[str, Any], name: str = "churn", **changes: Any) -> dict[str, Any]:
    """Return a run that was created at 10:00 and last changed at 12:00."""
    job = {key: value for key, value in copy.deepcopy(REQUEST).items() if key not in ("TrainingJobName", "Tags")}
    return {
        "run_id": name,
        "status": status,
        "reason": "This is why.",
        "created_at": _iso("10:00:00"),
        "updated_at": _iso("12:00:00"),
        "ended_at": _iso("12:00:00") if status in ("Completed", "Failed", "Stopped") else None,
        "training_job": job,
        "training_job_arn": ARN + name.lower(),
        "tags": copy.deepcopy(REQUEST["Tags"]),
        "model_artifacts": None,
        "attempts": list(attempts),
        "training_seconds": 0,
        "billable_seconds": 0,
        **changes,
    }


def _iso(time: str) -> str:
    return f"2026-11-01T{time}.000Z"


class FakeApi:
    """A stack's API over runs in memory: a name is taken by its first spec."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs = {run["run_id"]: run for run in runs}
        self.specs: dict[str, dict[str, Any]] = {}
        self.loses_answers = False

    def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
        name = spec["name"]
        if name in self.runs and self.specs.get(name) != spec:
            raise ConflictError(409, "NameConflict", f"There is a run {name} already, with another spec.")
        if name not in self.runs:
            self.specs[name] = spec
            self.runs[name] = run("Pending", name=name, tags=spec["training_job"]["Tags"])
        if self.loses_answers:
            raise UnreachableError("no answer")
        return self.runs[name]

    def show(self, run: str) -> dict[str, Any]:
        if run not in self.runs:
            raise NoSuchRunError(404, "NoSuchRun", f"There is no run {run}.")
        return self.runs[run]

    def stop(self, run: str) -> dict[str, Any]:
        found = self.show(run)
        if found["status"] == "Completed":
            raise ConflictError(409, "Rejected", f"{run} is Completed.")
        found["status"] = "Stopping"
        return found

    def list(self, *, limit: int | None = None, token: str | None = None) -> dict[str, Any]:
        """Return pages of at most two runs."""
        first, size = int(token or 0), min(limit or 2, 2)
        page = [*self.runs.values()][first : first + size]
        return {"runs": page, "next_token": str(first + size) if first + size < len(self.runs) else None}


class FakeLogs:
    """CloudWatch Logs with streams of lines, each a minute after the other; two events a page."""

    class exceptions:  # noqa: N801 (as clients of botocore have it)
        """The errors of the service."""

        class ResourceNotFoundException(ClientError):  # noqa: N818
            """There is no such stream or group."""

    def __init__(self, **streams: list[str]) -> None:
        self.streams = {name.replace("__", "/").replace("_", "-"): lines for name, lines in streams.items()}

    def get_paginator(self, _: str) -> FakeLogs:
        return self

    def paginate(self, logGroupName: str, logStreamNamePrefix: str) -> list[dict[str, Any]]:  # noqa: N803
        assert logGroupName == "/aws/sagemaker/TrainingJobs"
        found = sorted(name for name in self.streams if name.startswith(logStreamNamePrefix))
        return [{"logStreams": [{"logStreamName": name, "creationTime": 5}]} for name in found]

    def get_log_events(self, logStreamName: str, startFromHead: bool = False, **request: Any) -> dict[str, Any]:  # noqa: N803
        events = [{"timestamp": 60_000 * at, "message": line} for at, line in enumerate(self.streams[logStreamName])]
        events = [event for event in events if event["timestamp"] >= request.get("startTime", 0)]
        token = request.get(
            "nextToken", f"f/{0 if startFromHead else len(events)}" if startFromHead else f"b/{len(events)}"
        )
        way, _, place = token.partition("/")
        first, last = (int(place), int(place) + 2) if way == "f" else (max(0, int(place) - 2), int(place))
        page = events[first:last]
        return {
            "events": page,
            "nextForwardToken": f"f/{min(last, len(events))}",
            "nextBackwardToken": f"b/{first}",
        }

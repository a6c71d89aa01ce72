"""Observe a run from the outside, as its user would: status document, training jobs, checkpoints, logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from demo.training_log import TrainingLog, parse_checkpoint_round, read_log

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDED = frozenset({"Completed", "Failed", "Stopped"})
_ABSENT = frozenset({"NoSuchKey", "404", "ResourceNotFoundException"})


@dataclass(frozen=True)
class Clients:
    """The AWS clients that observing a run needs."""

    s3: S3Client
    sagemaker: SageMakerClient
    logs: CloudWatchLogsClient


@dataclass(frozen=True)
class Step:
    """A change of a training job's secondary status."""

    job_name: str
    status: str
    at: datetime
    message: str


@dataclass(frozen=True)
class Attempt:
    """An attempt as its training job and its log show it; ``reported`` is its part of the status document."""

    reported: Mapping[str, Any]
    phase: str
    steps: tuple[Step, ...]
    log: TrainingLog

    @property
    def job_name(self) -> str:
        """The name of the attempt's training job."""
        return str(self.reported["job_name"])

    @property
    def resumed_from(self) -> int:
        """The round from which the attempt continued, according to its log or, without one, the status document."""
        if self.log.resumed_from is not None:
            return self.log.resumed_from
        checkpoint = self.reported.get("resumes_from")
        return (parse_checkpoint_round(checkpoint["key"]) or 0) if checkpoint else 0

    @property
    def trained(self) -> int:
        """How many rounds the attempt trained itself; a round that was lost and repeated counts once."""
        return len(self.log.rounds)


@dataclass(frozen=True)
class View:
    """The state of a run at one time. ``run`` is its status document, or None until the spec has been accepted."""

    run: Mapping[str, Any] | None = None
    attempts: tuple[Attempt, ...] = ()
    checkpointed: int = 0
    refusal: str | None = None

    @property
    def status(self) -> str:
        """The run's status, in SageMaker's spelling."""
        return str(self.run["status"]) if self.run else "Pending"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen: the run has ended, or its spec was refused."""
        return self.refusal is not None or self.status in ENDED

    @property
    def reached(self) -> int:
        """The highest round that any attempt trained."""
        return max((attempt.log.reached for attempt in self.attempts), default=0)

    @property
    def steps(self) -> list[Step]:
        """The steps of all training jobs, oldest first."""
        return sorted((step for attempt in self.attempts for step in attempt.steps), key=lambda step: step.at)


@dataclass(frozen=True)
class Watcher:
    """Knows where to find everything about a run, and reads it."""

    clients: Clients
    run_id: str
    specs_bucket: str
    spec_key: str
    checkpoints: str

    @property
    def status_key(self) -> str:
        """The key of the run's status document in the bucket for specs."""
        return f"status/{self.run_id}.json"

    def look(self) -> View:
        """Return the current state of the run."""
        run = self._read_document(self.status_key)
        if run is None:
            report = self._read_document(f"errors/{self.spec_key}.json")
            return View(refusal=None if report is None else json.dumps(report, indent=2))
        logs = self._read_logs()
        attempts = tuple(
            self._observe_attempt(reported, read_log(logs.get(reported["job_name"], [])))
            for reported in run["attempts"]
        )
        return View(run, attempts, checkpointed=self._find_newest_checkpoint())

    def _read_document(self, key: str) -> dict[str, Any] | None:
        try:
            body = self.clients.s3.get_object(Bucket=self.specs_bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        document: dict[str, Any] = json.loads(body)
        return document

    def _find_newest_checkpoint(self) -> int:
        bucket, _, prefix = self.checkpoints.removeprefix("s3://").partition("/")
        listed = self.clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return max((parse_checkpoint_round(item["Key"]) or 0 for item in listed), default=0)

    def _observe_attempt(self, reported: Mapping[str, Any], log: TrainingLog) -> Attempt:
        name = reported["job_name"]
        try:
            job = self.clients.sagemaker.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if "not found" not in error.response["Error"]["Message"]:
                raise
            return Attempt(reported, phase="Planned", steps=(), log=log)
        steps = tuple(
            Step(name, step["Status"], step["StartTime"], step.get("StatusMessage", ""))
            for step in job.get("SecondaryStatusTransitions", [])
        )
        return Attempt(reported, job["SecondaryStatus"], steps, log)

    def _read_logs(self) -> dict[str, list[str]]:
        """Return the log lines of all attempts, oldest first, by the name of their training job."""
        prefix = f"{self.run_id}-relay-"
        lines: dict[str, list[str]] = {}
        try:
            paginator = self.clients.logs.get_paginator("filter_log_events")
            for page in paginator.paginate(logGroupName=LOG_GROUP, logStreamNamePrefix=prefix):
                for event in page["events"]:
                    # The stream is named <job>/<host>-<time>. MiniStack ignores the prefix and returns all streams.
                    lines.setdefault(event["logStreamName"].partition("/")[0], []).append(event["message"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT:
                raise
        return lines

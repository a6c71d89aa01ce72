"""Looks at a run from outside, as its user would: status document, training jobs, checkpoints, logs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from demo.training_log import TrainingLog, checkpoint_round, read_log

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
    """The AWS clients that a look needs."""

    s3: S3Client
    sagemaker: SageMakerClient
    logs: CloudWatchLogsClient


@dataclass(frozen=True)
class Step:
    """A secondary status that a training job took."""

    job_name: str
    status: str
    at: datetime
    message: str


@dataclass(frozen=True)
class Attempt:
    """An attempt as its training job and its log show it now; ``told`` is its part of the status document."""

    told: Mapping[str, Any]
    phase: str
    steps: tuple[Step, ...]
    log: TrainingLog

    @property
    def job_name(self) -> str:
        """The name of the attempt's training job."""
        return str(self.told["job_name"])

    @property
    def resumed_from(self) -> int:
        """The round from which the attempt went on: what its log says or, before that, the status document."""
        if self.log.resumed_from is not None:
            return self.log.resumed_from
        found = self.told.get("resumes_from")
        return (checkpoint_round(found["key"]) or 0) if found else 0

    @property
    def trained(self) -> int:
        """How many rounds the attempt trained itself; one that was lost and trained again counts once."""
        return len(self.log.rounds)


@dataclass(frozen=True)
class View:
    """One look at a run. ``run`` is its status document; None until the spec has been taken in."""

    run: Mapping[str, Any] | None = None
    attempts: tuple[Attempt, ...] = ()
    kept: int = 0
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
        """The newest round that any attempt trained."""
        return max((attempt.log.reached for attempt in self.attempts), default=0)

    @property
    def steps(self) -> list[Step]:
        """What all training jobs went through, oldest first."""
        return sorted((step for attempt in self.attempts for step in attempt.steps), key=lambda step: step.at)


@dataclass(frozen=True)
class Watcher:
    """Knows where a run's traces are, and reads them."""

    clients: Clients
    run_id: str
    specs_bucket: str
    spec_key: str
    checkpoints: str

    @property
    def status_key(self) -> str:
        """Where the run's status document lies in the bucket of specs."""
        return f"status/{self.run_id}.json"

    def look(self) -> View:
        """Read everything once."""
        run = self._document(self.status_key)
        if run is None:
            report = self._document(f"errors/{self.spec_key}.json")
            return View(refusal=None if report is None else json.dumps(report, indent=2))
        logs = self._logs()
        attempts = tuple(self._attempt(told, read_log(logs.get(told["job_name"], []))) for told in run["attempts"])
        return View(run, attempts, kept=self._newest_checkpoint())

    def _document(self, key: str) -> dict[str, Any] | None:
        try:
            body = self.clients.s3.get_object(Bucket=self.specs_bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise
        document: dict[str, Any] = json.loads(body)
        return document

    def _newest_checkpoint(self) -> int:
        bucket, _, prefix = self.checkpoints.removeprefix("s3://").partition("/")
        listed = self.clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return max((checkpoint_round(found["Key"]) or 0 for found in listed), default=0)

    def _attempt(self, told: Mapping[str, Any], log: TrainingLog) -> Attempt:
        name = told["job_name"]
        try:
            job = self.clients.sagemaker.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if "not found" not in error.response["Error"]["Message"]:
                raise
            return Attempt(told, phase="Planned", steps=(), log=log)
        steps = tuple(
            Step(name, step["Status"], step["StartTime"], step.get("StatusMessage", ""))
            for step in job.get("SecondaryStatusTransitions", [])
        )
        return Attempt(told, job["SecondaryStatus"], steps, log)

    def _logs(self) -> dict[str, list[str]]:
        """Give the log lines of all attempts, oldest first, by the name of the training job."""
        prefix = f"{self.run_id}-relay-"
        lines: dict[str, list[str]] = {}
        try:
            paginator = self.clients.logs.get_paginator("filter_log_events")
            for page in paginator.paginate(logGroupName=LOG_GROUP, logStreamNamePrefix=prefix):
                for event in page["events"]:
                    # The stream is named <job>/<host>-<time>. MiniStack gives all streams, whatever the prefix.
                    lines.setdefault(event["logStreamName"].partition("/")[0], []).append(event["message"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ABSENT:
                raise
        return lines

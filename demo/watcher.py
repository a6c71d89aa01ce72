"""Observe a run from the outside, as its user would: status, training jobs, checkpoints, logs."""

from __future__ import annotations

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

    from spot_relay_client.api import Api

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
ENDED = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True)
class Clients:
    """The clients that observing a run needs: Spot Relay's own, and those of AWS."""

    api: Api
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
    """The state of a run at one time. ``run`` is its status document."""

    run: Mapping[str, Any]
    attempts: tuple[Attempt, ...] = ()
    checkpointed: int = 0

    @property
    def status(self) -> str:
        """The run's status, in SageMaker's spelling."""
        return str(self.run["status"])

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

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
    checkpoints: str

    def look(self) -> View:
        """Return the current state of the run."""
        run = self.clients.api.show(self.run_id)
        logs = self._read_logs()
        attempts = tuple(
            self._observe_attempt(reported, read_log(logs.get(reported["job_name"], [])))
            for reported in run["attempts"]
        )
        return View(run, attempts, checkpointed=self._find_newest_checkpoint())

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
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
        return lines

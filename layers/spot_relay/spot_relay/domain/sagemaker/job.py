"""A SageMaker training job as the service describes it."""

from __future__ import annotations

import hashlib
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.values import dataclass

# The longest name that SageMaker allows for a training job.
MAX_JOB_NAME = 63
_DIGEST_LENGTH = 12
# A job that was pending until its limit may end so much earlier by its own times.
_PENDING_TOLERANCE_SECONDS = 30
# What is left of a run's id in its canaries' names: whole, or shortened and followed by a digest.
_MOST_WHOLE = MAX_JOB_NAME - len("-canary-NN")
_MOST_SHORTENED = _MOST_WHOLE - _DIGEST_LENGTH - len("-")
# Separates beginning and digest in a short id. No run's id contains it.
_SHORT = "~"
_JOB_NAME = compile_later(
    r"(?P<id>[a-zA-Z0-9](?:-*[a-zA-Z0-9])*)-(?P<kind>relay|canary)-"
    rf"(?:(?P<digest>[0-9a-f]{{{_DIGEST_LENGTH}}})-)?(?P<number>[0-9]{{2}})"
)


class TrainingJobStatus(StrEnum):
    """The primary statuses that matter here. The service has more, so fields that hold one are `str`."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


ENDED_STATUSES = frozenset(
    {TrainingJobStatus.COMPLETED, TrainingJobStatus.FAILED, TrainingJobStatus.STOPPED},
)


class SecondaryStatus(StrEnum):
    """The secondary statuses that matter here. The service's list is open; the others are only recorded."""

    STARTING = "Starting"
    PENDING = "Pending"
    LAUNCHING_ML_INSTANCES = "LaunchingMLInstances"
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"


ENDED_SECONDARIES = frozenset(
    {
        SecondaryStatus.COMPLETED,
        SecondaryStatus.FAILED,
        SecondaryStatus.STOPPED,
        SecondaryStatus.MAX_RUNTIME_EXCEEDED,
        SecondaryStatus.MAX_WAIT_TIME_EXCEEDED,
    },
)

WAITING_FOR_CAPACITY = frozenset(
    {
        SecondaryStatus.STARTING,
        SecondaryStatus.PENDING,
        SecondaryStatus.LAUNCHING_ML_INSTANCES,
        SecondaryStatus.INTERRUPTED,
    },
)


class Market(StrEnum):
    """How a job's capacity is bought."""

    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True)
class Pool:
    """The capacity that jobs of one instance type and market share. Each pool has a quota of its own."""

    instance_type: str
    market: Market | None
    """None for capacity that jobs of all markets share."""

    def __str__(self) -> str:
        """Return the pool as users read it."""
        return f"{self.instance_type} ({self.market})" if self.market else self.instance_type

    @property
    def key(self) -> str:
        """The name under which runs wait for room in the pool."""
        return f"{self.instance_type}/{self.market}" if self.market else "*"


# What a run waits for when a quota is full that spans pools: room may come from any of them.
EVERY_POOL = Pool("any instance type", None)


@dataclass(frozen=True)
class Placement:
    """Where an attempt runs."""

    instance_type: str
    instance_count: int
    market: Market
    volume_size_gb: int | None = None
    """None for the volume size that the training job names."""

    def __str__(self) -> str:
        """Return the placement as users read it."""
        return f"{self.instance_count} x {self.pool}"

    @property
    def pool(self) -> Pool:
        """The capacity that the placement draws on."""
        return Pool(self.instance_type, self.market)


@dataclass(frozen=True)
class Checkpoint:
    """The newest checkpoint object under a run's prefix."""

    key: str
    last_modified: datetime
    size: int | None = field(default=None, compare=False)
    """In bytes. It is only shown: the same object may be known with its size and, from an earlier release, without."""


class Transition(NamedTuple):
    """One entry of SecondaryStatusTransitions: a tuple, because a run stores hundreds of them."""

    status: str
    started_at: datetime
    ended_at: datetime | None = None
    message: str | None = None
    """Its StatusMessage, which is shown and decides nothing."""


@dataclass(frozen=True)
class Job:
    """What DescribeTrainingJob returned. Times are aware; `*_seconds` are None if the service left them out."""

    name: str
    arn: str
    status: str
    secondary_status: str
    created_at: datetime
    modified_at: datetime
    placement: Placement
    failure_reason: str | None = None
    training_started_at: datetime | None = None
    ended_at: datetime | None = None
    training_seconds: int | None = None
    billable_seconds: int | None = None
    transitions: tuple[Transition, ...] = ()
    max_pending_seconds: int | None = None
    """The request's MaxPendingTimeInSeconds."""
    model_artifacts: str | None = None
    """The S3 URI of its model. It names an object only if the job has uploaded one."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status in ENDED_STATUSES

    @property
    def interruptions(self) -> int:
        """How often spot capacity was reclaimed."""
        return sum(t.status == SecondaryStatus.INTERRUPTED for t in self.transitions)

    @property
    def never_had_instances(self) -> bool:
        """Whether a job that has ended never got capacity."""
        # How the job ended may have a name that is not known here.
        waited = WAITING_FOR_CAPACITY | {SecondaryStatus.STOPPING, SecondaryStatus.STOPPED, self.secondary_status}
        ran = any(transition.status not in waited for transition in self.transitions)
        return self.training_started_at is None and not self.training_seconds and not self.billable_seconds and not ran

    @property
    def has_outlived_max_pending(self) -> bool:
        """Whether the job existed for its MaxPendingTimeInSeconds, which SageMaker measures by clocks of its own."""
        lived = (self.ended_at or self.modified_at) - self.created_at
        limit = self.max_pending_seconds
        return limit is not None and lived.total_seconds() >= limit - _PENDING_TOLERANCE_SECONDS

    @property
    def waiting_since(self) -> datetime | None:
        """When the job's current wait for capacity began; None if it has capacity or has ended."""
        if self.has_ended or self.secondary_status not in WAITING_FOR_CAPACITY:
            return None
        since = self.created_at
        for transition in reversed(self.transitions):
            if transition.status not in WAITING_FOR_CAPACITY:
                break
            since = transition.started_at
        return since

    def seconds_waited(self, now: datetime) -> int:
        """Return the seconds spent waiting for capacity: before the first start and after each interruption."""
        end = self.ended_at or (self.modified_at if self.has_ended else now)
        waits = (t for t in self.transitions if t.status in WAITING_FOR_CAPACITY)
        return round(sum(max(0.0, ((t.ended_at or end) - t.started_at).total_seconds()) for t in waits))


@dataclass(frozen=True)
class Absent:
    """DescribeTrainingJob found no such job."""


def training_job_arn(job_name: str, role_arn: str, region: str) -> str:
    """Return the ARN that SageMaker gives a training job in the account of its role."""
    _, partition, _, _, account, *_ = role_arn.split(":")
    return f"arn:{partition}:sagemaker:{region}:{account}:training-job/{job_name.lower()}"


def attempt_name(run_id: str, number: int) -> str:
    """Return the name of an attempt's job. It depends on run id and number alone, so the job is created once."""
    return _name_job(run_id, "relay", number)


def parse_attempt_name(job_name: str) -> tuple[str, int] | None:
    """Return the run and number in a job's name, or None if it is not an attempt's name.

    The run is its id or, if the name is shortened, its short id.
    """
    return _parse_job_name(job_name, "relay")


def canary_name(run_id: str, number: int) -> str:
    """Return the name of the canary that waits beside the attempt with that number."""
    return _name_job(run_id, "canary", number)


def parse_canary_name(job_name: str) -> tuple[str, int] | None:
    """Return the run and number in a job's name, as `parse_attempt_name` does; None if it is not a canary's name."""
    return _parse_job_name(job_name, "canary")


def short_id_of(run_id: str) -> str | None:
    """Return what the shortened names of a run's jobs say of it, or None if all their names hold its whole id."""
    return f"{_beginning(run_id)}{_SHORT}{_digest(run_id)}" if len(run_id) > _MOST_WHOLE else None


def is_short_id(text: str) -> bool:
    """Whether a text is not a run's id but the short id that stands for one in its jobs' names."""
    return _SHORT in text


def stands_for(named: str, run_id: str) -> bool:
    """Whether the run in a job's name, which may be in lower case, is the one with this id."""
    named, short = named.lower(), short_id_of(run_id)
    return named == run_id.lower() or (short is not None and named == short.lower())


def _name_job(run_id: str, kind: str, number: int) -> str:
    """Return a job's name with the whole run id if it fits, else with its beginning and a digest.

    The digest comes after the kind, so that a shortened name is never the whole name of another run's job.
    """
    whole = f"{run_id}-{kind}-{number:02d}"
    return whole if len(whole) <= MAX_JOB_NAME else f"{_beginning(run_id)}-{kind}-{_digest(run_id)}-{number:02d}"


def _parse_job_name(job_name: str, kind: str) -> tuple[str, int] | None:
    found = _JOB_NAME.fullmatch(job_name)
    if found is None or found["kind"] != kind:
        return None
    run = f"{found['id']}{_SHORT}{found['digest']}" if found["digest"] else found["id"]
    return run, int(found["number"])


def _beginning(run_id: str) -> str:
    return run_id[:_MOST_SHORTENED].rstrip("-")


def _digest(run_id: str) -> str:
    """Return a digest of a run's id that is the same in any case, because SageMaker's ARNs are in lower case."""
    return hashlib.sha256(run_id.lower().encode()).hexdigest()[:_DIGEST_LENGTH]

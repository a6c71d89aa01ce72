"""A run and its attempts: the one thing that Spot Relay keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.prices import PriceList
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Pool
from spot_relay.domain.values import replace

MAX_ATTEMPTS = 50
# Longer than any function may run, so that whoever saved the outbox has either performed it or died.
OUTBOX_PATIENCE = timedelta(seconds=90)
# A job just created may not be found yet; one that is still not found after this long was never created.
ABSENCE_PATIENCE = timedelta(minutes=5)


class RunStatus(StrEnum):
    """Where a run stands. The last three are ends."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


ENDED_RUNS = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED})


class AttemptStatus(StrEnum):
    """Where an attempt stands: not created yet (as far as is known), created, or known to have ended."""

    PLANNED = "Planned"
    IN_PROGRESS = "InProgress"
    ENDED = "Ended"


@dataclass(frozen=True)
class Attempt:
    """One SageMaker training job of a run. Times are aware, durations are whole seconds.

    ``rung`` is the index of the ladder's placement it belongs to; ``placement`` differs from that in the market when
    the deadline asked for it. ``max_wait_seconds`` replaces the training job's own MaxWaitTimeInSeconds.
    ``waits_for_room`` says that its launch was refused for want of room in its pool, and since then only put off:
    ``refusals`` counts how often. ``switch_to`` is set once its job has been asked to stop so that the run goes on in
    another market. ``waiting_since`` is when its job began
    to wait for capacity, None while it has it. Its training up to ``counted_until`` is in the run's progress;
    ``wasted_seconds`` is what it trained after its last checkpoint, lost with it.
    """

    number: int
    job_name: str
    placement: Placement
    planned_at: datetime
    cause: str
    status: AttemptStatus = AttemptStatus.PLANNED
    resumes_from: Checkpoint | None = None
    refusals: int = 0
    launched_at: datetime | None = None
    arn: str | None = None
    phase: str | None = None
    heard_at: datetime | None = None
    interruptions: int = 0
    outcome: Outcome | None = None
    failure_reason: str | None = None
    created_at: datetime | None = None
    training_started_at: datetime | None = None
    ended_at: datetime | None = None
    training_seconds: int | None = None
    billable_seconds: int | None = None
    waited_seconds: int | None = None
    checkpoint: Checkpoint | None = None
    rung: int = 0
    max_wait_seconds: int | None = None
    waits_for_room: bool = False
    switch_to: Market | None = None
    waiting_since: datetime | None = None
    counted_until: datetime | None = None
    wasted_seconds: int = 0

    @property
    def began_at(self) -> datetime:
        """When the attempt began: when SageMaker created its job or, before that is known, when it was planned."""
        return self.created_at or self.launched_at or self.planned_at

    @property
    def has_trained(self) -> bool:
        """Whether the attempt ever got capacity and trained."""
        return self.training_started_at is not None or bool(self.training_seconds)

    @property
    def has_progressed(self) -> bool:
        """Whether the attempt left a checkpoint newer than the one it began with or, without one, than its beginning.

        Where it can be, S3's times are compared with S3's, so that another service's clock does not matter.
        """
        if self.checkpoint is None:
            return False
        if self.resumes_from is None:
            return self.checkpoint.last_modified >= self.began_at
        newer = self.checkpoint.last_modified >= self.resumes_from.last_modified
        return newer and self.checkpoint != self.resumes_from


@dataclass(frozen=True)
class Spent:
    """How much of each budget (see `Budgets`) has been used, in relaunches."""

    expired_waits: int = 0
    capacity_failures: int = 0
    service_errors: int = 0
    user_errors: int = 0
    attempts_without_progress: int = 0


@dataclass(frozen=True, order=True)
class Waiting:
    """A run's place among those that wait for room: the oldest comes first."""

    created_at: datetime
    run_id: str


class CanaryStatus(StrEnum):
    """Where a canary stands."""

    PLANNED = "Planned"
    IN_PROGRESS = "InProgress"
    ENDED = "Ended"


@dataclass(frozen=True)
class Canary:
    """A spot job that only sleeps, beside the on-demand attempt of the same number: no attempt itself.

    It is ENDED for the run once nothing is expected of it, which may be before its job has ended. ``arn`` is its job's
    once that is known to be the run's own.
    """

    number: int
    job_name: str
    placement: Placement
    planned_at: datetime
    max_wait_seconds: int
    status: CanaryStatus = CanaryStatus.PLANNED
    phase: str | None = None
    billable_seconds: int | None = None
    arn: str | None = None


@dataclass(frozen=True)
class Explanation:
    """A decision that changed the run: when, on what observation, and why.

    One that came ``times`` times in a row, or in turn with one other, stands once, with its last time in ``until``.
    """

    at: datetime
    observation: str
    reason: str
    times: int = 1
    until: datetime | None = None


@dataclass(frozen=True)
class Run:
    """What a user asked for, and everything that is known of it.

    ``check_at`` is when the tick looks at an open run again; None once the run has ended. ``submission_id``
    tells this run's training jobs from those of an earlier run of the same name. ``version`` counts saves.
    ``progress_seconds`` is the training that its checkpoints hold, ``changeovers`` what its newest starts cost, in
    seconds. ``closed`` are the placements that a quota can never hold, ``prices`` those of the run's own placements.
    """

    id: str
    submission_id: str
    fingerprint: str
    training_job: dict[str, Any]
    policy: Policy
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    reason: str
    attempts: tuple[Attempt, ...]
    check_at: datetime | None
    stop_requested: bool = False
    spent: Spent = field(default_factory=Spent)
    outbox: Outbox = field(default_factory=Outbox)
    ended_at: datetime | None = None
    version: int = 0
    deadline_at: datetime | None = None
    progress_seconds: float = 0.0
    changeovers: tuple[int, ...] = ()
    closed: tuple[Placement, ...] = ()
    canaries: tuple[Canary, ...] = ()
    prices: PriceList | None = None
    decisions: tuple[Explanation, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Whether the run is over, unless a user resumes it."""
        return self.status in ENDED_RUNS

    @property
    def current(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def waits_for(self) -> Pool | None:
        """The pool that has no room for the newest attempt, or None if the run does not wait for room."""
        attempt = self.current
        waits = attempt.waits_for_room and attempt.status is AttemptStatus.PLANNED
        return attempt.placement.pool if waits and not self.has_ended and not self.stop_requested else None

    @property
    def checkpoint_uri(self) -> str | None:
        """The S3 prefix that holds the run's checkpoints, with its trailing slash."""
        uri: str | None = self.training_job.get("CheckpointConfig", {}).get("S3Uri")
        return uri

    @property
    def due_at(self) -> datetime | None:
        """When the tick has to look at the run: for what it still owes, else for its `check_at`."""
        return self.updated_at + OUTBOX_PATIENCE if self.outbox else self.check_at

    def attempt(self, number: int) -> Attempt | None:
        """Give the attempt of that number, or None."""
        return self.attempts[number - 1] if 1 <= number <= len(self.attempts) else None

    @property
    def canary(self) -> Canary | None:
        """The newest canary."""
        return self.canaries[-1] if self.canaries else None

    def with_canary(self, canary: Canary) -> Run:
        """Put a newer state of the newest canary, or the next canary, in its place."""
        known = self.canary
        kept = self.canaries[:-1] if known is not None and known.number == canary.number else self.canaries
        return replace(self, canaries=(*kept, canary))

    def with_attempt(self, attempt: Attempt) -> Run:
        """Put a newer state of an attempt, or the next attempt, in its place."""
        return replace(self, attempts=self.attempts_with(attempt))

    def attempts_with(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Give the attempts with a newer state of one, or with the next one."""
        index = attempt.number - 1
        return (*self.attempts[:index], attempt, *self.attempts[index + 1 :])


def placement_of(training_job: dict[str, Any]) -> Placement:
    """Read the placement out of a CreateTrainingJob request; of a heterogeneous cluster, its first group's type."""
    resources = training_job.get("ResourceConfig", {})
    groups = resources.get("InstanceGroups") or [resources]
    return Placement(
        instance_type=groups[0].get("InstanceType", "unknown"),
        instance_count=sum(group.get("InstanceCount", 1) for group in groups),
        market=Market.SPOT if training_job.get("EnableManagedSpotTraining") else Market.ON_DEMAND,
    )

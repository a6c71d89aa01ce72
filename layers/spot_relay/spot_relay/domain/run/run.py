"""A run: what a user asked for, and everything that is known about it. The one thing that Spot Relay stores."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.hosting import HostingStatus, HostingTask, OnSuccess
from spot_relay.domain.run.news import DEFAULT_NOTICES, NoticeKind
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Policy, Spent
from spot_relay.domain.run.prices import PriceList
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import EVERY_POOL, Market, Placement, Pool
from spot_relay.domain.sagemaker.request import checkpoint_uri_of
from spot_relay.domain.values import dataclass, replace

# How often the tick looks for runs that are due. template.yaml schedules it, and a test checks that the two agree.
TICK = timedelta(minutes=1)
MAX_ATTEMPTS = 50
# A retried task has a new token, and nothing tells that the old one is void.
MAX_WAITING_TASKS = 3
# Longer than any function may run, so that whoever saved the outbox has either performed it or died.
OUTBOX_PATIENCE = timedelta(seconds=90)
# A job just created may not be found yet; one that is still not found after this long was never created.
ABSENCE_PATIENCE = timedelta(minutes=5)


class RunStatus(StrEnum):
    """The status of a run. The last three mean that it has ended."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


ENDED_RUNS = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED})


class Waiting(NamedTuple):
    """A run's place among those that wait for room in a pool: the oldest comes first."""

    created_at: datetime
    run_id: str


class DueRun(NamedTuple):
    """A run that is due, and since when, or soon."""

    run_id: str
    at: datetime


class ProgressPoint(NamedTuple):
    """The training that checkpoints were known to hold once one was written."""

    after: int
    """When that checkpoint was written, in seconds after the run was created."""
    seconds: int


@dataclass(frozen=True)
class Explanation:
    """A decision that changed the run: when, after which observation, and why.

    Decisions that repeat, alone or alternating with one other, share one entry.
    """

    at: datetime
    observation: str
    """The name of the observation's class."""
    reason: str
    times: int = 1
    until: datetime | None = None
    """When it was made last, if more than once."""


@dataclass(frozen=True)
class Run:
    """What a user asked for, and everything that is known about it. Times are aware."""

    id: str
    submission_id: str
    """Distinguishes this run's training jobs from those of an earlier run of the same name."""
    fingerprint: str
    """Of the spec: the same spec submitted again is the same run."""
    training_job: dict[str, Any]
    """The CreateTrainingJob request; `sagemaker.request` reads it."""
    policy: Policy
    created_at: datetime
    updated_at: datetime
    status: RunStatus
    reason: str
    """Why it has this status, as a sentence."""
    attempts: tuple[Attempt, ...]
    check_at: datetime | None
    """When the tick looks at an open run again; None once the run has ended."""
    stop_requested: bool = False
    spent: Spent = field(default_factory=Spent)
    outbox: Outbox = field(default_factory=Outbox)
    ended_at: datetime | None = None
    version: int = 0
    """How many times it was saved."""
    deadline_at: datetime | None = None
    progress_seconds: float = 0.0
    """The training that its checkpoints hold."""
    progress_points: tuple[ProgressPoint, ...] = ()
    """How that grew, oldest first."""
    changeovers: tuple[int, ...] = ()
    """What its most recent starts cost, in seconds."""
    closed: tuple[Placement, ...] = ()
    """The placements that a quota can never hold, or in which SageMaker does not run the job."""
    canaries: tuple[Canary, ...] = ()
    prices: PriceList | None = None
    """The prices of its own instance types when it was submitted."""
    decisions: tuple[Explanation, ...] = ()
    holds_prefix: bool = False
    """Whether the folders above its checkpoint prefix count it; kept by the store, like the version."""
    waiting_tasks: tuple[str, ...] = field(default=(), repr=False)
    """The tokens of the Step Functions tasks that wait for its end. They are secret."""
    failing_because: str | None = None
    """Why the run is being stopped and then fails, if it was not its user who asked for that."""
    start: Start = field(default_factory=Start)
    """What it waits for before its first launch."""
    waits_to_begin: bool = False
    """Whether it has not begun, because what it waits for has not come yet."""
    completed: tuple[str, ...] = ()
    """Those of the runs that it comes after that are known to have completed."""
    copying: CheckpointCopy | None = None
    """What is copied of another run's checkpoints before this one begins, or has been."""
    on_success: OnSuccess = field(default_factory=OnSuccess)
    """What to do with its model once it has completed."""
    hosting: tuple[HostingTask, ...] = ()
    """What has been done with its model since it has completed. Nothing else of a run changes after its end."""
    moved_to: Market | None = None
    """Where its user has moved it: on-demand until it is moved back, or to spot until its next attempt is planned."""

    news: int = 0
    """How many news of it there have been."""
    notify: tuple[NoticeKind, ...] = DEFAULT_NOTICES
    """The notices that it sends."""
    noticed: tuple[str, ...] = ()
    """The facts that its notices have told, of those that would otherwise be told again."""

    @property
    def has_ended(self) -> bool:
        """Whether the run is over, unless a user resumes it."""
        return self.status in ENDED_RUNS

    @property
    def current(self) -> Attempt:
        """The newest attempt."""
        return self.attempts[-1]

    @property
    def canary(self) -> Canary | None:
        """The newest canary."""
        return self.canaries[-1] if self.canaries else None

    @property
    def waits_for(self) -> Pool | None:
        """The pool that has no room for the newest attempt, or None if the run does not wait for room.

        It is EVERY_POOL if a quota that spans pools is full. No run waits behind another one there.
        """
        attempt = self.current
        if attempt.status is not AttemptStatus.PLANNED or self.has_ended or self.stop_requested:
            return None
        if attempt.waits_for_any_room:
            return EVERY_POOL
        return attempt.placement.pool if attempt.waits_for_room else None

    @property
    def open_predecessors(self) -> tuple[str, ...]:
        """The names of the runs that have to complete before this one begins, and are not known to have."""
        return tuple(name for name in self.start.after if name not in self.completed)

    @property
    def waits_for_run(self) -> str | None:
        """The first of the runs that have to complete and have not; None if there is none. The end of each wakes it."""
        if not self.waits_to_begin or self.has_ended:
            return None
        return next(iter(self.open_predecessors), None)

    @property
    def is_copying(self) -> bool:
        """Whether another run's checkpoints are being copied for it, or have been in part. It has its place by then."""
        return (
            self.waits_to_begin
            and self.copying is not None
            and (self.outbox.copy or self.copying != self.copying.anew())
        )

    @property
    def waits_for_place(self) -> bool:
        """Whether nothing keeps it from beginning but the number of runs of its template that are under way."""
        if not self.waits_to_begin or self.has_ended or self.start.at_most is None:
            return False
        if self.open_predecessors or self.is_copying:
            return False
        return self.start.at is None or self.start.at <= self.updated_at

    @property
    def began_at(self) -> datetime | None:
        """When it stopped waiting for what it had to wait for; None if it never has."""
        return None if self.waits_to_begin else self.attempts[0].planned_at

    @property
    def model_artifacts(self) -> str | None:
        """The S3 URI of the model, of the attempt that completed."""
        return next((one.model_artifacts for one in self.attempts if one.model_artifacts), None)

    @property
    def model_name(self) -> str | None:
        """The name of its model and its endpoint configuration in SageMaker: that of the job that made the model."""
        return next((one.job_name for one in self.attempts if one.model_artifacts), None)

    @property
    def endpoint_name(self) -> str:
        """The name of the endpoint that its model is deployed to; empty if it is deployed to none."""
        return self.on_success.deploy.endpoint if self.on_success.deploy else ""

    @property
    def hosting_status(self) -> HostingStatus | None:
        """What has become of everything that was to be done with its model; None until all of it is settled."""
        if not self.hosting or any(task.is_open for task in self.hosting):
            return None
        has_failed = any(task.status is HostingStatus.FAILED for task in self.hosting)
        return HostingStatus.FAILED if has_failed else HostingStatus.SUCCEEDED

    @property
    def checkpoint_uri(self) -> str | None:
        """The S3 prefix that holds the run's checkpoints, with its trailing slash."""
        return checkpoint_uri_of(self.training_job)

    @property
    def due_at(self) -> datetime | None:
        """When the tick has to look at the run: soon if it still owes something, otherwise at its `check_at`.

        A run that has completed is looked at as long as something is being done with its model.
        """
        if self.outbox:
            return self.updated_at + OUTBOX_PATIENCE
        looks = (self.check_at, *(task.check_at for task in self.hosting))
        return min((look for look in looks if look is not None), default=None)

    def attempt(self, number: int) -> Attempt | None:
        """Return the attempt with that number, or None."""
        return self.attempts[number - 1] if 1 <= number <= len(self.attempts) else None

    def canary_beside(self, number: int | None) -> Canary | None:
        """Return the newest canary if it waits beside the attempt with that number, else None."""
        return self.canary if self.canary is not None and self.canary.number == number else None

    def with_attempt(self, attempt: Attempt) -> Run:
        """Return the run with this attempt replaced or appended."""
        return replace(self, attempts=self.attempts_with(attempt))

    def attempts_with(self, attempt: Attempt) -> tuple[Attempt, ...]:
        """Return the attempts with this one replaced or appended."""
        index = attempt.number - 1
        return (*self.attempts[:index], attempt, *self.attempts[index + 1 :])

    def with_canary(self, canary: Canary) -> Run:
        """Return the run with this canary replaced or appended."""
        kept = self.canaries[:-1] if self.canary_beside(canary.number) else self.canaries
        return replace(self, canaries=(*kept, canary))

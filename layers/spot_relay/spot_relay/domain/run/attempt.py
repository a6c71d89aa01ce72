"""An attempt, which is one SageMaker training job of a run, and the canary that may wait beside it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Transition
from spot_relay.domain.sagemaker.phase import Phase
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import dataclass


class AttemptStatus(StrEnum):
    """The state of an attempt: not known to be created, created, or known to have ended."""

    PLANNED = "Planned"
    IN_PROGRESS = "InProgress"
    ENDED = "Ended"


@dataclass(frozen=True)
class Attempt:
    """One SageMaker training job of a run. Times are aware, durations are whole seconds."""

    number: int
    """From 1, in the order in which the attempts were planned."""
    job_name: str
    placement: Placement
    """Where it runs. Only the market may differ from the ladder's rung: the deadline can change it."""
    planned_at: datetime
    cause: Cause
    status: AttemptStatus = AttemptStatus.PLANNED
    resumes_from: Checkpoint | None = None
    """The newest checkpoint when it was planned."""
    refusals: int = 0
    """How many launches in a row were refused for a reason that passes, other than its turn in the pool's queue."""
    launched_at: datetime | None = None
    arn: str | None = None
    """The ARN of its job, once the job is known to be this run's own."""
    phase: str | None = None
    """The newest SecondaryStatus of its job."""
    heard_at: datetime | None = None
    """SageMaker's time of the newest event or description; an event that is not newer is late."""
    interruptions: int = 0
    outcome: Outcome | None = None
    failure_reason: str | None = None
    created_at: datetime | None = None
    training_started_at: datetime | None = None
    ended_at: datetime | None = None
    training_seconds: int | None = None
    billable_seconds: int | None = None
    waited_seconds: int | None = None
    """How long its job waited for capacity."""
    checkpoint: Checkpoint | None = None
    """The newest checkpoint when it was last looked up."""
    rung: int = 0
    """The index of its rung in the ladder."""
    max_wait_seconds: int | None = None
    """Replaces the training job's own MaxWaitTimeInSeconds."""
    waits_for_room: bool = False
    """Whether its launch waits for an instance of its pool to become free."""
    switch_to: Market | None = None
    """The market that the run continues in once this attempt's job, which was asked to stop, has ended."""
    waiting_since: datetime | None = None
    """When its job's current wait for capacity began; None while it has capacity."""
    counted_until: datetime | None = None
    """Its training up to here is included in the run's progress."""
    wasted_seconds: int = 0
    """Training after its last checkpoint, which was lost."""
    ignored_objects: int | None = None
    """How many objects under the checkpoint prefix did not count when they were last looked up."""
    unrecognized_refusals: int = 0
    """How many of them were refused with an error that Spot Relay does not know."""
    gives_up: bool = False
    """Whether it is launched no more. It ends once its job is known not to exist."""
    waits_for_any_room: bool = False
    """Whether its launch waits for a quota that spans pools, so that room in any of them may do."""
    status_message: str | None = None
    """The newest StatusMessage of its job."""
    turn_at: datetime | None = None
    """When its launch may call CreateTrainingJob, while that is still to come."""
    unsaved_since: datetime | None = None
    """Since when it has trained without a new checkpoint, from the look that found the next one overdue."""
    model_artifacts: str | None = None
    """The S3 URI of the model, if it completed."""
    transitions: tuple[Transition, ...] = ()
    """The newest SecondaryStatusTransitions of its job."""
    phases: tuple[Phase, ...] = ()
    """The phases of its life, once its transitions were dropped; `life.phases_of` reads them from either."""

    @property
    def began_at(self) -> datetime:
        """When the attempt began: when SageMaker created its job or, until that is known, when it was planned."""
        return self.created_at or self.launched_at or self.planned_at

    @property
    def has_trained(self) -> bool:
        """Whether the attempt ever got capacity and trained."""
        return self.training_started_at is not None or bool(self.training_seconds)

    @property
    def has_progressed(self) -> bool:
        """Whether the attempt left a new checkpoint: newer than the one it resumed from, or than its start.

        Where possible, times from S3 are compared with each other, so that another service's clock does not matter.
        """
        if self.checkpoint is None:
            return False
        if self.resumes_from is None:
            return self.checkpoint.last_modified >= self.began_at
        newer = self.checkpoint.last_modified >= self.resumes_from.last_modified
        return newer and self.checkpoint != self.resumes_from


class CanaryStatus(StrEnum):
    """The state of a canary. Ended means that the run no longer needs it, which may be before its job has ended."""

    PLANNED = "Planned"
    IN_PROGRESS = "InProgress"
    ENDED = "Ended"


@dataclass(frozen=True)
class Canary:
    """A spot job that only sleeps, beside an on-demand attempt, to find out whether there is spot capacity.

    It is not an attempt: it trains nothing and touches no checkpoint.
    """

    number: int
    """The number of the attempt that it waits beside."""
    job_name: str
    placement: Placement
    planned_at: datetime
    max_wait_seconds: int
    status: CanaryStatus = CanaryStatus.PLANNED
    phase: str | None = None
    """The newest SecondaryStatus of its job."""
    billable_seconds: int | None = None
    arn: str | None = None
    """The ARN of its job, once the job is known to be this run's own."""
    refusal: Refusal | None = None
    """Why its job was not created, if its newest launch was refused; None while one is under way or not answered."""

    @property
    def may_exist(self) -> bool:
        """Whether its job may exist or have existed: from its first launch until a refusal proves that it does not."""
        return self.refusal is None or self.refusal.leaves_open

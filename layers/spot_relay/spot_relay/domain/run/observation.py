"""Facts that reach a run: state changes, answers to launches, timers, users' requests."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any

from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyAnswer
from spot_relay.domain.run.hosting import Endpoint, HostingKind, HostingStep, Made, NoEndpoint, Unmade
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.sagemaker.job import (
    ENDED_SECONDARIES,
    ENDED_STATUSES,
    WAITING_FOR_CAPACITY,
    Market,
    Placement,
)
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import dataclass


@dataclass(frozen=True)
class JobChanged:
    """A SageMaker Training Job State Change event. It may be late, repeated or out of order."""

    attempt: int
    status: str
    secondary_status: str
    at: datetime

    @property
    def says_ended(self) -> bool:
        """Whether the event claims that the job has ended; only a describe proves it."""
        return self.status in ENDED_STATUSES

    @property
    def is_waiting(self) -> bool:
        """Whether the event says that the job waits for capacity."""
        return self.secondary_status in WAITING_FOR_CAPACITY


@dataclass(frozen=True)
class Launched:
    """The attempt's job was created, now or before; ``placement`` says where it runs, if that is known."""

    attempt: int
    arn: str
    placement: Placement | None = None


@dataclass(frozen=True)
class Refused:
    """CreateTrainingJob created nothing."""

    attempt: int
    refusal: Refusal
    message: str
    turn_at: datetime | None = None
    """When its turn comes, if it awaits one."""
    is_woken: bool = False
    """Whether a message wakes the run for its turn; otherwise the tick has to."""


@dataclass(frozen=True)
class CanaryChanged:
    """A state change event of a canary; ``canary`` is its number."""

    canary: int
    secondary_status: str

    @property
    def has_ended(self) -> bool:
        """Whether the event claims that the canary has ended."""
        return self.secondary_status in ENDED_SECONDARIES


@dataclass(frozen=True)
class CanaryCreated:
    """The canary's job was created, now or before."""

    canary: int
    arn: str


@dataclass(frozen=True)
class CanaryRefused:
    """CreateTrainingJob created no canary."""

    canary: int
    refusal: Refusal
    message: str


@dataclass(frozen=True)
class StopRefused:
    """StopTrainingJob answered with an error that may not pass by itself."""

    job_name: str
    message: str


@dataclass(frozen=True)
class TaskWaiting:
    """A task of Step Functions submitted the run's spec again, and waits for the run's end."""

    token: str = field(repr=False)


@dataclass(frozen=True)
class TaskGone:
    """A task of Step Functions was no longer waiting when the run's end was to be reported to it."""

    error: str


@dataclass(frozen=True)
class PredecessorEnded:
    """A run that this one comes after has ended."""


@dataclass(frozen=True)
class DataArrived:
    """More objects arrived for a run that waits until no more do."""

    settled_at: datetime
    """When that is so, if these are the last."""


@dataclass(frozen=True)
class FollowersTold:
    """Many runs come after this one, which has ended, and one call of a function has woken some of them."""

    told: str
    """Up to where in the list of those runs."""


@dataclass(frozen=True)
class CheckpointsCopied:
    """What one call of a function has done of the copy that the run was at."""

    of: CheckpointCopy
    answer: CopyAnswer


@dataclass(frozen=True)
class EndpointChanged:
    """A SageMaker Endpoint State Change event about a configuration of the run. It is only a reason to look."""


@dataclass(frozen=True)
class HostingAnswered:
    """What SageMaker answered to the next call that registers or deploys the run's model."""

    kind: HostingKind
    step: HostingStep
    answer: Made | Unmade | Endpoint | NoEndpoint


@dataclass(frozen=True)
class RoomFreed:
    """A job that used the pool the run waits for has ended."""


@dataclass(frozen=True)
class Due:
    """The tick found that the run's `check_at` has come."""


@dataclass(frozen=True)
class StopRequested:
    """A user asked to stop the run for good."""


@dataclass(frozen=True)
class DeadlineChange:
    """What a user changes about a run's deadline; a field that is None stays as it is.

    Of ``at`` and ``within_seconds`` at most one is given, and the latter counts from the request.
    """

    at: datetime | None = None
    within_seconds: int | None = None
    expected_runtime_seconds: int | None = None
    changeover_seconds: int | None = None
    return_to_spot: ReturnToSpot | None = None


@dataclass(frozen=True)
class ResumeRequested:
    """A user asked to continue an ended run, with its counts reset to zero and parts of its policy changed.

    ``budgets`` holds the fields of `Budgets` that were given, and no others; the rest stay as they are.
    """

    budgets: dict[str, Any] = field(default_factory=dict)
    deadline: DeadlineChange | None = None


@dataclass(frozen=True)
class MoveRequested:
    """A user asked to continue an open run in another market now."""

    market: Market


@dataclass(frozen=True)
class DeadlineRequested:
    """A user asked to change the deadline of an open run, or to remove it if ``change`` is None."""

    change: DeadlineChange | None


@dataclass(frozen=True)
class Overtaken:
    """Another writer saved the run while this one performed its outbox, so what was published may be stale."""


@dataclass(frozen=True)
class Overgrown:
    """The run could not be saved, because its record is larger than the store allows."""


Observation = (
    JobChanged
    | Launched
    | Refused
    | CanaryChanged
    | CanaryCreated
    | CanaryRefused
    | RoomFreed
    | PredecessorEnded
    | DataArrived
    | FollowersTold
    | CheckpointsCopied
    | EndpointChanged
    | HostingAnswered
    | Due
    | StopRequested
    | StopRefused
    | ResumeRequested
    | MoveRequested
    | DeadlineRequested
    | TaskWaiting
    | TaskGone
    | Overtaken
    | Overgrown
)


def keep_what_exists(answers: tuple[Observation, ...]) -> tuple[Observation, ...]:
    """Return the answers to fold into a newer state that another function has saved meanwhile.

    A job that was created still exists. A refusal may no longer hold: the faster function has asked as well, perhaps
    for another placement. A published document may be out of date, and so may what was seen of an endpoint. Which runs
    have been told of the end, the newer state knows for itself.
    """
    return (*(answer for answer in answers if _still_holds(answer)), Overtaken())


def _still_holds(answer: Observation) -> bool:
    if isinstance(answer, HostingAnswered):
        return isinstance(answer.answer, Made)
    return not isinstance(answer, Refused | CanaryRefused | StopRefused | FollowersTold)

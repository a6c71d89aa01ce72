"""Facts that reach a run: state changes, answers to launches, timers, users' requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spot_relay.domain.job import ENDED_STATUSES
from spot_relay.domain.policy import Budgets, Deadline
from spot_relay.domain.refusal import Refusal


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


@dataclass(frozen=True)
class Launched:
    """CreateTrainingJob created the attempt's job, now or before."""

    attempt: int
    arn: str


@dataclass(frozen=True)
class Refused:
    """CreateTrainingJob created nothing."""

    attempt: int
    refusal: Refusal
    message: str


@dataclass(frozen=True)
class CanaryChanged:
    """A state change event of the canary that waits beside an on-demand attempt, known by its number."""

    canary: int
    secondary_status: str


@dataclass(frozen=True)
class CanaryCreated:
    """CreateTrainingJob created the canary's job, now or before."""

    canary: int


@dataclass(frozen=True)
class CanaryRefused:
    """CreateTrainingJob created no canary."""

    canary: int
    refusal: Refusal
    message: str


@dataclass(frozen=True)
class RoomFreed:
    """A job that used the pool the run waits for has ended."""


@dataclass(frozen=True)
class Due:
    """The tick found that the run's `check_at` has come."""


@dataclass(frozen=True)
class StopRequested:
    """A user wants the run stopped, for good."""


@dataclass(frozen=True)
class ResumeRequested:
    """A user wants an ended run to go on, with its counts at zero and, where given, another policy for them."""

    budgets: Budgets | None = None
    deadline: Deadline | None = None


@dataclass(frozen=True)
class Overtaken:
    """Another writer saved the run while this one performed its outbox, so what was published may be stale."""


Observation = (
    JobChanged
    | Launched
    | Refused
    | CanaryChanged
    | CanaryCreated
    | CanaryRefused
    | RoomFreed
    | Due
    | StopRequested
    | ResumeRequested
    | Overtaken
)

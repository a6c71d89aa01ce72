"""A training job as a value: its statuses, its limits, its script, and everything that can happen to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from simulator.life.capacity import Allocation, AlwaysAvailable, Capacity


class Status(StrEnum):
    """The values of TrainingJobStatus that a simulated job can have."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class Secondary(StrEnum):
    """The values of SecondaryStatus that a simulated job can have."""

    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    COMPLETED = "Completed"
    FAILED = "Failed"


ENDED: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})


@dataclass(frozen=True)
class Terms:
    """The limits of a request, in seconds. Only spot jobs have a ``max_wait``."""

    max_runtime: float = 86_400.0
    max_wait: float | None = None
    spot: bool = True
    max_pending: float | None = None


@dataclass(frozen=True)
class Failure:
    """A planned failure, ``after_seconds`` into the first ``phase`` of that name."""

    reason: str
    phase: Secondary = Secondary.TRAINING
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Script:
    """What happens to the job: the durations of its phases (in seconds), capacity, failure, discount.

    ``train_seconds`` is the training that the job needs. ``checkpoint_every`` is the training time between two
    simulated checkpoints: without it an interruption loses all work, with 0 it loses none. A phase in ``held`` lasts
    until an input says that it is over, and at least for its duration; this is how a job follows a real process.
    On-demand jobs get capacity at once, unless they wait for ``capacity``, too, because ``on_demand_waits``.
    ``wait_expires_after`` cuts MaxWait short: for each interruption, how long after it the wait expires (``None``: as
    the job's terms say).
    """

    starting: float = 0.2
    downloading: float = 0.2
    uploading: float = 0.2
    stopping: float = 0.2
    train_seconds: float = 5.0
    checkpoint_every: float | None = None
    failure: Failure | None = None
    billable_share: float = 0.3
    capacity: Capacity = field(default_factory=AlwaysAvailable)
    held: frozenset[Secondary] = frozenset()
    on_demand_waits: bool = False
    wait_expires_after: tuple[float | None, ...] = ()

    def duration_of(self, phase: Secondary) -> float:
        """Return the duration of a phase that ends by itself."""
        durations = {
            Secondary.STARTING: self.starting,
            Secondary.DOWNLOADING: self.downloading,
            Secondary.UPLOADING: self.uploading,
            Secondary.STOPPING: self.stopping,
        }
        return durations[phase]

    def expiry_after(self, interruptions: int) -> float | None:
        """Return how long after the last of so many interruptions the wait is cut short, if it is."""
        return self.wait_expires_after[interruptions - 1] if 0 < interruptions <= len(self.wait_expires_after) else None


@dataclass(frozen=True)
class Transition:
    """An entry of SecondaryStatusTransitions; ``ended_at`` is ``None`` while it lasts."""

    status: Secondary
    started_at: float
    message: str
    ended_at: float | None = None


@dataclass(frozen=True)
class Job:
    """A training job at one moment: what DescribeTrainingJob shows of it, and what its next step depends on."""

    name: str
    terms: Terms
    script: Script
    created_at: float
    status: Status
    secondary: Secondary
    since: float
    transitions: tuple[Transition, ...]
    asked_at: float
    interruptions: int = 0
    allocation: Allocation | None = None
    on_instances_since: float | None = None
    on_instances_before: float = 0.0
    work: float = 0.0
    checkpoints: int = 0
    released_at: float | None = None
    ending: Secondary | None = None
    training_started_at: float | None = None
    training_ended_at: float | None = None
    failure_reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the job has ended: nothing can happen to it any more."""
        return self.status in ENDED

    @property
    def last_modified_at(self) -> float:
        """When the job last changed its secondary status."""
        return self.since


@dataclass(frozen=True)
class Transitioned:
    """The job entered a new secondary status; ``job`` is the job right after that."""

    job: Job
    at: float


@dataclass(frozen=True)
class CheckpointWritten:
    """A simulated checkpoint was written; ``number`` counts from the beginning of the training."""

    job: Job
    at: float
    number: int


Happening = Transitioned | CheckpointWritten


@dataclass(frozen=True)
class StopRequested:
    """StopTrainingJob was called."""


@dataclass(frozen=True)
class PhaseDone:
    """What the current phase waits for is done; ``work`` is the training in a restored checkpoint, in seconds."""

    work: float | None = None


@dataclass(frozen=True)
class TrainingExited:
    """The real process exited on its own; ``failure`` is ``None`` if it succeeded."""

    failure: str | None = None


@dataclass(frozen=True)
class CheckpointReached:
    """A checkpoint of a real process reached S3."""


Input = StopRequested | PhaseDone | TrainingExited | CheckpointReached

"""A training job as a value: its statuses, its terms, what the world does to it, and what can happen to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from simulator.life.capacity import AlwaysThere, Capacity, Spell


class Status(StrEnum):
    """TrainingJobStatus, as far as a job here can have it."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class Secondary(StrEnum):
    """SecondaryStatus, as far as a job here can have it."""

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
    """What the request says of the job's limits, in seconds. ``max_wait`` belongs to spot jobs alone."""

    max_runtime: float = 86_400.0
    max_wait: float | None = None
    spot: bool = True


@dataclass(frozen=True)
class Failure:
    """A planned failure: ``reason`` strikes ``after_seconds`` into the first ``phase`` of that name."""

    reason: str
    phase: Secondary = Secondary.TRAINING
    after_seconds: float = 0.0


@dataclass(frozen=True)
class Script:
    """What the world does to the job: durations of the phases (seconds), capacity, failure, discount.

    ``train_seconds`` is the work to be done; a phase in ``told`` lasts (at least its duration, and) until an
    input says it is over: that is how a real process is bound to the life. ``checkpoint_every`` is the
    training time between two simulated checkpoints; without it an interruption loses all work, and with 0 none.
    """

    starting: float = 0.2
    downloading: float = 0.2
    uploading: float = 0.2
    stopping: float = 0.2
    train_seconds: float = 5.0
    checkpoint_every: float | None = None
    failure: Failure | None = None
    billable_share: float = 0.3
    capacity: Capacity = field(default_factory=AlwaysThere)
    told: frozenset[Secondary] = frozenset()

    def lasts(self, phase: Secondary) -> float:
        """Give the duration of a phase that ends by itself."""
        durations = {
            Secondary.STARTING: self.starting,
            Secondary.DOWNLOADING: self.downloading,
            Secondary.UPLOADING: self.uploading,
            Secondary.STOPPING: self.stopping,
        }
        return durations[phase]


@dataclass(frozen=True)
class Transition:
    """One entry of SecondaryStatusTransitions; ``ended_at`` is ``None`` while it lasts."""

    status: Secondary
    started_at: float
    message: str
    ended_at: float | None = None


@dataclass(frozen=True)
class Job:
    """A training job at a moment: everything Describe tells of its life, and what the next step needs."""

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
    spell: Spell | None = None
    on_instances_since: float | None = None
    on_instances_before: float = 0.0
    work: float = 0.0
    checkpoints: int = 0
    told_at: float | None = None
    ending: Secondary | None = None
    training_started_at: float | None = None
    training_ended_at: float | None = None
    failure_reason: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing can happen to the job any more."""
        return self.status in ENDED

    @property
    def last_modified_at(self) -> float:
        """When the job last changed its secondary status."""
        return self.since


@dataclass(frozen=True)
class Transitioned:
    """The job took a new secondary status; ``job`` is the job right after."""

    job: Job
    at: float


@dataclass(frozen=True)
class CheckpointWritten:
    """A simulated checkpoint is due: ``number`` counts from the beginning of the work."""

    job: Job
    at: float
    number: int


Happening = Transitioned | CheckpointWritten


@dataclass(frozen=True)
class StopRequested:
    """StopTrainingJob was called."""


@dataclass(frozen=True)
class PhaseDone:
    """What the present phase waits for is done; ``work``: seconds of training a restored checkpoint holds."""

    work: float | None = None


@dataclass(frozen=True)
class TrainingExited:
    """The real process ended by itself; ``failure`` is ``None`` when it succeeded."""

    failure: str | None = None


@dataclass(frozen=True)
class CheckpointReached:
    """A checkpoint of a real process reached S3."""


Input = StopRequested | PhaseDone | TrainingExited | CheckpointReached

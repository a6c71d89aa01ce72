"""What a decision is made on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from spot_relay.domain.run.observation import Observation
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job


@dataclass(frozen=True)
class Facts:
    """The observation to decide on, and what was gathered for it; `looks` says what has to be gathered."""

    observation: Observation
    job: Job | Absent | None = None
    """What DescribeTrainingJob returned for the attempt's job; None if it was not called.

    While a launch has not been answered, this is only a job that the tags prove to be the attempt's own.
    """
    checkpoint: Checkpoint | None = None
    """The newest one under the run's prefix, if it was looked up."""
    canary: Job | Absent | None = None
    """What DescribeTrainingJob returned for the canary's job; None if it was not called."""
    draw: float = 0.5
    """A random number from [0, 1), for jitter."""
    check_every: timedelta = timedelta(minutes=5)
    """How long an open run may go without a look."""
    ignored_objects: int | None = None
    """How many other objects are under the prefix; None if it was not looked up."""
    unlisted: str | None = None
    """Why the objects under the prefix could not be listed. Then nothing is known of its checkpoints."""

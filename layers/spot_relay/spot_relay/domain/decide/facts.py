"""What a decision is made on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Any

from spot_relay.domain.run.observation import Observation
from spot_relay.domain.run.run import Run
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job
from spot_relay.domain.text import MAX_STATUS_BYTES, MAX_TEXT_BYTES, clean_text
from spot_relay.domain.values import dataclass, replace

# What is stored of an observation or a description, and how much of it. Messages and the FailureReason come on top:
# they may hold secrets, which can be found only as long as the text is as it was (`redaction.hide_secrets`).
_BOUNDS = {
    "status": MAX_STATUS_BYTES,
    "secondary_status": MAX_STATUS_BYTES,
    "arn": MAX_TEXT_BYTES,
    "model_artifacts": MAX_TEXT_BYTES,
    "key": MAX_TEXT_BYTES,
}


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
    predecessors: Mapping[str, Run | None] = field(default_factory=dict)
    """The runs that this one waits for to begin, and perhaps those that they wait for; None for one that is unknown.

    It is empty if none were looked at.
    """
    has_place: bool = False
    """Whether the run has a place among those of its template that may be under way; it is asked for only if needed."""
    unlisted: str | None = None
    """Why the objects under the prefix could not be listed. Then nothing is known of its checkpoints."""
    undescribed: str | None = None
    """The error because of which the job could not be described, unless it is one that usually passes by itself."""


def clean_facts(facts: Facts) -> Facts:
    """Return the facts with clean texts of a bounded size, since a decision stores them and tells users of them."""
    return replace(
        facts,
        observation=_clean(facts.observation),
        job=_clean(facts.job),
        checkpoint=_clean(facts.checkpoint),
        canary=_clean(facts.canary),
    )


def _clean(value: Any) -> Any:
    known = {name: text for name in _BOUNDS if (text := getattr(value, name, None)) is not None}
    clean = {name: clean_text(text, _BOUNDS[name]) for name, text in known.items()}
    return value if clean == known else replace(value, **clean)

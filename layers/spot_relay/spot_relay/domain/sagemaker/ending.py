"""How an attempt ended, and what kind of failure it was."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from spot_relay.domain.sagemaker.job import SecondaryStatus, TrainingJobStatus

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Job


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "Completed"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    MAX_PENDING_TIME_EXCEEDED = "MaxPendingTimeExceeded"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    STOPPED = "Stopped"
    CAPACITY_ERROR = "CapacityError"
    SERVICE_ERROR = "ServiceError"
    USER_ERROR = "UserError"
    UNKNOWN_FAILURE = "UnknownFailure"
    NEVER_CREATED = "NeverCreated"


# Prefixes of FailureReason. The service's texts vary after the prefix ("error.  Please", one space or two).
_FAILURES = (
    ("CapacityError", Outcome.CAPACITY_ERROR),
    ("InternalServerError", Outcome.SERVICE_ERROR),
    ("AlgorithmError", Outcome.USER_ERROR),
    ("ClientError", Outcome.USER_ERROR),
)

_STOPS: dict[str, Outcome] = {
    SecondaryStatus.MAX_WAIT_TIME_EXCEEDED: Outcome.MAX_WAIT_TIME_EXCEEDED,
    SecondaryStatus.MAX_RUNTIME_EXCEEDED: Outcome.MAX_RUNTIME_EXCEEDED,
}


def classify_failure(reason: str | None) -> Outcome:
    """Return the outcome that a FailureReason stands for, which is UNKNOWN_FAILURE if the reason is not known."""
    known = (outcome for prefix, outcome in _FAILURES if reason and reason.lstrip().startswith(prefix))
    return next(known, Outcome.UNKNOWN_FAILURE)


def _classify_stop(job: Job) -> Outcome:
    """Return why a job was stopped that its secondary status does not explain.

    SageMaker has no secondary status for a job that was pending for longer than its MaxPendingTimeInSeconds.
    """
    gave_up = job.never_had_instances and job.has_outlived_max_pending
    return Outcome.MAX_PENDING_TIME_EXCEEDED if gave_up else Outcome.STOPPED


def outcome_of(job: Job) -> Outcome | None:
    """Return how a described job ended, or None while it has not."""
    match job.status:
        case TrainingJobStatus.COMPLETED:
            return Outcome.COMPLETED
        case TrainingJobStatus.STOPPED:
            return _STOPS.get(job.secondary_status, _classify_stop(job))
        case TrainingJobStatus.FAILED:
            return classify_failure(job.failure_reason)
    return None

"""The metrics of what happens to a run; their names are listed in docs/operations.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.outbox import Measure
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.shown.accounting import account_of

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Attempt, Run

# The cause of an attempt that a user asked for.
RESUMED = "Resumed"


def _of(attempt: Attempt, name: str, value: float) -> Measure:
    return Measure(name, value, attempt.placement.market, attempt.placement.instance_type)


def launched(attempt: Attempt, earlier: Attempt | None, now: datetime) -> tuple[Measure, ...]:
    """Count a launch; for a relaunch also its cause and the seconds since the earlier attempt's end."""
    counted: tuple[Measure, ...] = (_of(attempt, "AttemptsLaunched", 1),)
    if earlier is None or earlier.ended_at is None:
        return counted
    counted += (_of(attempt, f"RelaunchesAfter{attempt.cause}", 1),)
    if attempt.cause == RESUMED:
        return counted  # how long a user took to resume the run is no figure of ours
    seconds = max(0.0, round((now - earlier.ended_at).total_seconds(), 3))
    return (*counted, _of(attempt, "EventToRelaunchSeconds", seconds))


def interruptions(attempt: Attempt, count: int) -> tuple[Measure, ...]:
    """Count interruptions that were not counted before."""
    return (_of(attempt, "Interruptions", count),) if count else ()


def attempt_ended(attempt: Attempt) -> tuple[Measure, ...]:
    """Account for an attempt: its seconds, and whether its wait expired."""
    values = {
        "TrainingSeconds": attempt.training_seconds,
        "BillableSeconds": attempt.billable_seconds,
        "CapacityWaitSeconds": attempt.waited_seconds,
        "WaitsExpired": 1 if attempt.outcome is Outcome.MAX_WAIT_TIME_EXCEEDED else None,
    }
    return tuple(_of(attempt, name, value) for name, value in values.items() if value is not None)


def run_ended(run: Run) -> tuple[Measure, ...]:
    """Count a run's end and give what it saved, in percent of its training seconds."""
    counted = (_of(run.current, f"Runs{run.status}", 1),)
    savings = account_of(run, run.updated_at).savings_percent
    return counted if savings is None else (*counted, _of(run.current, "SavingsPercent", savings))


def late_event(attempt: Attempt) -> tuple[Measure, ...]:
    """Count an event that was late or a duplicate."""
    return (_of(attempt, "LateOrDuplicateEvents", 1),)

"""The metrics of what happens to a run. docs/operations.md lists their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Measure
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.shown.accounting import account_of

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.hosting import HostingStatus
    from spot_relay.domain.run.run import Run


def _measure(attempt: Attempt, name: str, value: float) -> Measure:
    return Measure(name, value, attempt.placement.market, attempt.placement.instance_type)


def measure_launch(attempt: Attempt, earlier: Attempt | None, now: datetime) -> tuple[Measure, ...]:
    """Return the metrics of a launch: one attempt; for a relaunch also its cause and the seconds since the last end."""
    found: tuple[Measure, ...] = (_measure(attempt, "AttemptsLaunched", 1),)
    if earlier is None or earlier.ended_at is None:
        return found
    found += (_measure(attempt, f"RelaunchesAfter{attempt.cause}", 1),)
    if attempt.cause is Cause.RESUMED:
        return found  # how long a user took to resume the run says nothing about Spot Relay
    seconds = max(0.0, round((now - earlier.ended_at).total_seconds(), 3))
    return (*found, _measure(attempt, "EventToRelaunchSeconds", seconds))


def measure_interruptions(attempt: Attempt, count: int) -> tuple[Measure, ...]:
    """Return the metric of interruptions that were not counted before."""
    return (_measure(attempt, "Interruptions", count),) if count else ()


def measure_attempt_end(attempt: Attempt) -> tuple[Measure, ...]:
    """Return the metrics of an attempt's end: its seconds, and whether its wait expired."""
    values = {
        "TrainingSeconds": attempt.training_seconds,
        "BillableSeconds": attempt.billable_seconds,
        "CapacityWaitSeconds": attempt.waited_seconds,
        "WaitsExpired": 1 if attempt.outcome is Outcome.MAX_WAIT_TIME_EXCEEDED else None,
    }
    return tuple(_measure(attempt, name, value) for name, value in values.items() if value is not None)


def measure_run_end(run: Run) -> tuple[Measure, ...]:
    """Return the metrics of a run's end: one run, and what it saved in percent of its training seconds."""
    found = (_measure(run.current, f"Runs{run.status}", 1),)
    savings = account_of(run, run.updated_at).savings_percent
    return found if savings is None else (*found, _measure(run.current, "SavingsPercent", savings))


def measure_hosting(run: Run, status: HostingStatus) -> tuple[Measure, ...]:
    """Return the metric of a registration or a deployment that has succeeded or failed."""
    return (_measure(run.current, f"Hosting{status}", 1),)


def measure_late_event(attempt: Attempt) -> tuple[Measure, ...]:
    """Return the metric of an event that was late or a duplicate."""
    return (_measure(attempt, "LateOrDuplicateEvents", 1),)

"""The metrics of what happens to a run. docs/operations.md lists their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Measure
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.accounting import savings_of

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.hosting import HostingStatus
    from spot_relay.domain.run.run import Run

# In shorter trainings, rounding decides how many of the seconds are billable.
_COMPARABLE_SECONDS = 60


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


def measure_market(attempt: Attempt, described: Market) -> tuple[Measure, ...]:
    """Return the metric of a job that was created as a spot job and that SageMaker describes as an on-demand one.

    Whoever records the description moves the attempt to that market, so each job is counted once.
    """
    created = attempt.status is AttemptStatus.IN_PROGRESS and attempt.placement.market is Market.SPOT
    return (_measure(attempt, "SpotBilledAsOnDemand", 1),) if created and described is Market.ON_DEMAND else ()


def measure_attempt_end(attempt: Attempt) -> tuple[Measure, ...]:
    """Return the metrics of an attempt's end: its seconds, whether its wait expired, and whether spot saved nothing."""
    values = {
        "TrainingSeconds": attempt.training_seconds,
        "BillableSeconds": attempt.billable_seconds,
        "CapacityWaitSeconds": attempt.waited_seconds,
        "WaitsExpired": 1 if attempt.outcome is Outcome.MAX_WAIT_TIME_EXCEEDED else None,
        "SpotBilledAsOnDemand": 1 if _saved_nothing(attempt) else None,
    }
    return tuple(_measure(attempt, name, value) for name, value in values.items() if value is not None)


def _saved_nothing(attempt: Attempt) -> bool:
    """Whether all of a spot job's training was billed, as if it had run on-demand."""
    trained, billed = attempt.training_seconds, attempt.billable_seconds
    if attempt.placement.market is not Market.SPOT or trained is None or billed is None:
        return False
    return billed >= trained >= _COMPARABLE_SECONDS


def measure_check(run: Run, now: datetime) -> tuple[Measure, ...]:
    """Return the metrics of a check: whether the run is open past its deadline, and whether a checkpoint is overdue."""
    if run.has_ended or run.stop_requested:
        return ()
    attempt = run.current
    is_late = run.deadline_at is not None and now > run.deadline_at
    values = {"RunsPastDeadline": is_late, "CheckpointsOverdue": attempt.unsaved_since is not None}
    return tuple(_measure(attempt, name, 1) for name, holds in values.items() if holds)


def measure_run_end(run: Run) -> tuple[Measure, ...]:
    """Return the metrics of a run's end: one run, whether it came too late, and what it saved in percent."""
    found: tuple[Measure, ...] = (_measure(run.current, f"Runs{run.status}", 1),)
    if _ended_late(run):
        found += (_measure(run.current, "RunsPastDeadline", 1),)
    savings = savings_of(run)
    return found if savings is None else (*found, _measure(run.current, "SavingsPercent", savings))


def _ended_late(run: Run) -> bool:
    """Whether a run ended after its deadline without being asked to stop. The end of its job counts, if it is known."""
    ended = run.current.ended_at or run.ended_at
    if ended is None or run.deadline_at is None or run.stop_requested:
        return False
    return ended > run.deadline_at


def measure_hosting(run: Run, status: HostingStatus) -> tuple[Measure, ...]:
    """Return the metric of a registration or a deployment that has succeeded or failed."""
    return (_measure(run.current, f"Hosting{status}", 1),)


def measure_late_event(attempt: Attempt) -> tuple[Measure, ...]:
    """Return the metric of an event that was late or a duplicate."""
    return (_measure(attempt, "LateOrDuplicateEvents", 1),)

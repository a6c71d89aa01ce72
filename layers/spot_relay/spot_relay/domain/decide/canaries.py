"""The canary: a spot job that sleeps beside an on-demand attempt and tells when spot capacity is there."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import Decision, becomes, recorded
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import AttemptStatus, Canary, CanaryStatus, Run
from spot_relay.domain.sagemaker.job import WAITING_FOR_CAPACITY, Absent, Job, SecondaryStatus
from spot_relay.domain.sagemaker.redaction import without_secrets
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import CanaryRefused


def canary_beside(run: Run) -> Canary | None:
    """Give the canary that may live, or None."""
    canary = run.canary
    given_up = run.has_ended or canary is None or canary.status is CanaryStatus.ENDED
    return None if given_up else canary


def spoken_of(run: Run, number: int) -> Canary | None:
    """Give the run's canary if it is the one of that number and may live."""
    canary = canary_beside(run)
    return canary if canary is not None and canary.number == number else None


def shows_life(canary: Canary, seen: CanaryChanged | CanaryCreated | CanaryRefused) -> bool:
    """Tell whether a canary that was given up lives all the same: a slow function may have created it since."""
    if isinstance(seen, CanaryChanged):
        begins = seen.secondary_status in WAITING_FOR_CAPACITY or seen.secondary_status == SecondaryStatus.TRAINING
        return begins and canary.phase != Refusal.NAME_TAKEN
    return isinstance(seen, CanaryCreated)


def created(run: Run, canary: Canary, answer: CanaryCreated, now: datetime) -> Decision:
    """Note that the canary exists."""
    if canary.status is CanaryStatus.IN_PROGRESS:
        return Decision(run, Outbox(), "the canary is known already")
    lives = replace(canary, status=CanaryStatus.IN_PROGRESS, arn=answer.arn)
    return becomes(run.with_canary(lives), now, f"{canary.job_name} was created; it waits for spot capacity")


def refused(run: Run, canary: Canary, answer: CanaryRefused, now: datetime) -> Decision:
    """Do without a canary: for now, until the next look, or for good."""
    message = without_secrets(answer.message, run.training_job)
    if answer.refusal.passes:
        return Decision(run, Outbox(), f"{canary.job_name} can't be created for now: {message}")
    given_up = replace(canary, status=CanaryStatus.ENDED, phase=answer.refusal)
    reason = f"{canary.job_name} could not be created, so the run stays on demand: {message}"
    return becomes(run.with_canary(given_up), now, reason)


def heard(run: Run, canary: Canary, change: CanaryChanged, now: datetime) -> Decision:
    """Have the run looked at with the next tick when its canary may have capacity; that it waits is no news."""
    told = canary.status is CanaryStatus.IN_PROGRESS and change.secondary_status not in WAITING_FOR_CAPACITY
    due = run.check_at is None or run.check_at <= now
    if not told or due or run.current.status is not AttemptStatus.IN_PROGRESS:
        return Decision(run, Outbox(), f"{canary.job_name} is {change.secondary_status}, which changes nothing")
    return recorded(run, now, f"{canary.job_name} is {change.secondary_status}: it is looked at", check_at=now)


def seen(run: Run, canary: Canary, job: Job | Absent | None) -> Run:
    """Take over what a describe shows of the canary."""
    if not isinstance(job, Job):
        return run
    ended = job.has_ended or canary.status is CanaryStatus.ENDED
    found = replace(
        canary,
        status=CanaryStatus.ENDED if ended else CanaryStatus.IN_PROGRESS,
        phase=job.secondary_status,
        billable_seconds=job.billable_seconds,
        arn=job.arn,
    )
    return run if found == canary else run.with_canary(found)

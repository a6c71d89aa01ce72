"""The canary: a spot job that sleeps beside an on-demand attempt and tells when spot capacity is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.job import Absent, Job, Market
from spot_relay.domain.outbox import Outbox
from spot_relay.domain.run import AttemptStatus, Canary, CanaryStatus, Run
from spot_relay.domain.steps import Decision, becomes
from spot_relay.domain.switching import has_capacity

if TYPE_CHECKING:
    from spot_relay.domain.observation import CanaryRefused

# How long a stopped canary may take to make room: SageMaker gives its container 120 s.
PATIENCE = timedelta(minutes=4)


def canary_beside(run: Run) -> Canary | None:
    """Give the canary that may live, or None."""
    canary = run.canary
    return canary if canary is not None and canary.status is not CanaryStatus.ENDED else None


def spoken_of(run: Run, number: int) -> Canary | None:
    """Give the run's canary if it is the one of that number and may live."""
    canary = canary_beside(run)
    return canary if canary is not None and canary.number == number else None


def created(run: Run, canary: Canary, now: datetime) -> Decision:
    """Note that the canary exists."""
    if canary.status is CanaryStatus.IN_PROGRESS:
        return Decision(run, Outbox(), "the canary is known already")
    lives = replace(canary, status=CanaryStatus.IN_PROGRESS)
    return becomes(replace(run, canary=lives), now, f"{canary.job_name} was created; it waits for spot capacity")


def refused(run: Run, canary: Canary, answer: CanaryRefused, now: datetime) -> Decision:
    """Do without a canary: for now, until the next look, or for good."""
    if answer.refusal.passes:
        return Decision(run, Outbox(), f"{canary.job_name} can't be created for now: {answer.message}")
    given_up = replace(canary, status=CanaryStatus.ENDED, phase=answer.refusal)
    reason = f"{canary.job_name} could not be created, so the run stays on demand: {answer.message}"
    return becomes(replace(run, canary=given_up), now, reason)


def seen(run: Run, canary: Canary, job: Job | Absent | None) -> Run:
    """Take over what a describe shows of the canary."""
    if not isinstance(job, Job):
        return run
    status = CanaryStatus.ENDED if job.has_ended else CanaryStatus.IN_PROGRESS
    return replace(run, canary=replace(canary, status=status, phase=job.secondary_status))


def calls(job: Job | Absent | None) -> bool:
    """Tell whether the canary has something to say to the attempt beside it."""
    return has_capacity(job)


def stop_first(run: Run, job: Job | Absent | None) -> Outbox:
    """Owe the stop of a canary whose capacity and quota the next attempt is to take; nothing if there is none."""
    canary = canary_beside(run)
    if canary is None or run.current.switch_to is not Market.SPOT or (isinstance(job, Job) and job.has_ended):
        return Outbox()
    return Outbox(stop_canary=canary.job_name)


def has_to_end_first(run: Run, job: Job | Absent | None, now: datetime) -> bool:
    """Tell whether the next attempt has to wait for the canary's end, which is taken as given after a while."""
    attempt, canary = run.current, canary_beside(run)
    if canary is None or attempt.status is not AttemptStatus.ENDED or attempt.switch_to is not Market.SPOT:
        return False
    ended = isinstance(job, Job) and job.has_ended
    return not ended and attempt.ended_at is not None and now - attempt.ended_at < PATIENCE
